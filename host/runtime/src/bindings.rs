//! The contract as wasmtime writes it down: the only place of `bindgen!` on the
//! host. What a component imports is the same whatever it exports.

#![allow(
    missing_docs,
    clippy::all,
    clippy::restriction,
    clippy::pedantic,
    unreachable_pub,
    reason = "generated"
)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "imports",
    imports: {
        "portcullis:sockets/network.[method]network.resolve": async | trappable,
        "portcullis:sockets/network.[method]network.reverse": async | trappable,
        "portcullis:sockets/poll.[method]poller.wait": async | trappable,
        "portcullis:sockets/socket.[method]socket.accept": async | trappable,
        "portcullis:sockets/socket.[method]socket.bind": async | trappable,
        "portcullis:sockets/socket.[method]socket.connect": async | trappable,
        "portcullis:sockets/socket.[method]socket.receive": async | trappable,
        "portcullis:sockets/socket.[method]socket.receive-datagrams": async | trappable,
        "portcullis:sockets/socket.[method]socket.receive-from": async | trappable,
        "portcullis:sockets/socket.[method]socket.send": async | trappable,
        "portcullis:sockets/socket.[method]socket.send-all": async | trappable,
        "portcullis:sockets/socket.[method]socket.send-datagrams": async | trappable,
        "portcullis:sockets/socket.[method]socket.send-to": async | trappable,
        default: trappable,
    },
    with: {
        "portcullis:sockets/network.network": portcullis_net::Network,
        "portcullis:sockets/poll.poller": portcullis_net::Poller,
        "portcullis:sockets/socket.socket": portcullis_net::Socket,
        "wasi:io": wasmtime_wasi::p2::bindings::io,
    },
    trappable_error_type: {
        "portcullis:sockets/types.error" => crate::Failure,
    },
    require_store_data_send: true,
});

/// What is run for each connection.
pub(crate) mod stream {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "stream-server",
        exports: { default: async },
        with: {
            "portcullis:sockets/network": super::portcullis::sockets::network,
            "portcullis:sockets/poll": super::portcullis::sockets::poll,
            "portcullis:sockets/preopens": super::portcullis::sockets::preopens,
            "portcullis:sockets/socket": super::portcullis::sockets::socket,
            "portcullis:sockets/types": super::portcullis::sockets::types,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
        require_store_data_send: true,
    });
}

/// What is run for each datagram.
pub(crate) mod datagram {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "datagram-server",
        exports: { default: async },
        with: {
            "portcullis:sockets/network": super::portcullis::sockets::network,
            "portcullis:sockets/poll": super::portcullis::sockets::poll,
            "portcullis:sockets/preopens": super::portcullis::sockets::preopens,
            "portcullis:sockets/socket": super::portcullis::sockets::socket,
            "portcullis:sockets/types": super::portcullis::sockets::types,
            "wasi:io": wasmtime_wasi::p2::bindings::io,
        },
        require_store_data_send: true,
    });
}
