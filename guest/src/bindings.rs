//! The contract as wit-bindgen writes it down: the only place that knows how a
//! component calls its host.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::restriction,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "imports",
    generate_all,
    additional_derives: [PartialEq],
});
