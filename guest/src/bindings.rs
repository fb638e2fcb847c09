//! The contract as wit-bindgen writes it down: the only place that knows how a
//! component calls its host, and how a host calls a handler.

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

/// A world that exports an interface, with the types from above. Nothing is
/// exported until a program calls the macro in it: a command stays a command.
macro_rules! exported {
    ($world:tt) => {
        wit_bindgen::generate!({
            path: "../wit",
            world: $world,
            with: {
                "portcullis:sockets/network@0.1.0": crate::bindings::portcullis::sockets::network,
                "portcullis:sockets/poll@0.1.0": crate::bindings::portcullis::sockets::poll,
                "portcullis:sockets/preopens@0.1.0": crate::bindings::portcullis::sockets::preopens,
                "portcullis:sockets/socket@0.1.0": crate::bindings::portcullis::sockets::socket,
                "portcullis:sockets/types@0.1.0": crate::bindings::portcullis::sockets::types,
                "wasi:io/poll@0.2.12": wasip2::io::poll,
            },
            pub_export_macro: true,
        });
    };
}

pub mod stream_server {
    exported!("stream-server");
}

pub mod datagram_server {
    exported!("datagram-server");
}
