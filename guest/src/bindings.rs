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
    with: {
        // One type for all that can be waited for: a socket's pollable goes into
        // one list with those of the `wasip2` crate.
        "wasi:io/poll@0.2.12": wasip2::io::poll,
    },
});
