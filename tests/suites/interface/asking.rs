//! Chapter "Asking and waiting".

use std::io::Write;
use std::net::UdpSocket;

use portcullis_tests::{Peer, busy};
use socket2::SockRef;

use crate::native::{answer, deaf, wait};
use crate::{ANY_PORT, BIND, LISTEN, against, connect, granted, guest, refused, send};

#[test]
fn row_getsockname() {
    against("asking::getsockname", |mut visitor| {
        let seen = visitor.peer_addr().unwrap();
        write!(visitor, "{seen}").unwrap();
    });
}

#[test]
fn row_getpeername() {
    let peer = Peer::serve(drop);
    let datagrams = UdpSocket::bind(ANY_PORT).unwrap();
    let to = datagrams.local_addr().unwrap();
    let client = || {
        guest("asking::getpeername")
            .argument(peer.address)
            .argument(to)
    };
    refused(client(), &connect(peer.address));
    client()
        .policy(granted([
            connect(peer.address),
            send(to),
            LISTEN.to_owned(),
        ]))
        .succeed();
    peer.join();
}

#[test]
fn row_settimeout() {
    let peer = Peer::serve(|visitor| answer(&visitor, "now"));
    let client = || guest("asking::settimeout").argument(peer.address);
    refused(client(), &connect(peer.address));
    client()
        .policy(granted([
            &connect(peer.address),
            LISTEN,
            "listen udp://127.0.0.1:0",
        ]))
        .succeed();
    peer.join();
}

#[test]
fn row_gettimeout() {
    guest("asking::gettimeout").succeed();
}

#[test]
fn row_setblocking() {
    refused(guest("asking::setblocking"), BIND);
    guest("asking::setblocking").allow(LISTEN).succeed();
}

#[test]
fn row_getblocking() {
    guest("asking::getblocking").succeed();
}

#[test]
fn row_fileno() {
    refused(guest("asking::fileno"), "bind tcp://127.0.0.1:0");
    guest("asking::fileno").allow(LISTEN).succeed();
}

#[test]
fn row_select() {
    let peer = Peer::serve(|visitor| {
        answer(&visitor, "hello");
        wait(&visitor)
    });
    let nobody = deaf();
    let nowhere = nobody.local_addr().unwrap();
    let grants = [connect(peer.address), send(nowhere)];
    guest("asking::select")
        .argument(peer.address)
        .argument(nowhere)
        .policy(granted(grants))
        .succeed();
    peer.join();
}

#[test]
fn row_poll() {
    let peer = Peer::serve(|visitor| {
        answer(&visitor, "urgent");
        SockRef::from(&visitor).send_out_of_band(b"!").unwrap();
        // Until it is told to close.
        wait(&visitor);
    });
    let (listener, _visitor) = busy();
    let full = listener.local_addr().unwrap();
    guest("asking::poll")
        .argument(peer.address)
        .argument(full)
        .policy(granted([peer.address, full].map(connect)))
        .succeed();
    peer.join();
}

#[test]
fn row_selectors() {
    guest("asking::selectors").succeed();
}
