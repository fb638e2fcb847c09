//! Echoes datagrams over the sockets of WASI 0.2 itself.

use std::io;
use std::net::SocketAddrV4;

use portcullis_bench_guests::{arguments, ipv4, wasi_error};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily};
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

/// How many datagrams are taken at once.
const BATCH: u64 = 64;

fn main() -> io::Result<()> {
    let (address, _) = arguments()?;
    let address: SocketAddrV4 = address.parse().map_err(io::Error::other)?;
    echo(address).map_err(wasi_error)
}

fn echo(address: SocketAddrV4) -> Result<(), ErrorCode> {
    let socket = create_udp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&instance_network(), ipv4(address))?;
    socket.finish_bind()?;
    let (incoming, outgoing) = socket.stream(None)?;
    let (readable, writable) = (incoming.subscribe(), outgoing.subscribe());
    loop {
        let received = incoming.receive(BATCH)?;
        if received.is_empty() {
            readable.block();
            continue;
        }
        let answers: Vec<OutgoingDatagram> = received
            .into_iter()
            .map(|datagram| OutgoingDatagram {
                data: datagram.data,
                remote_address: Some(datagram.remote_address),
            })
            .collect();
        let mut rest = answers.as_slice();
        while !rest.is_empty() {
            let room = outgoing.check_send()?;
            if room == 0 {
                writable.block();
                continue;
            }
            let length = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
            let (now, _) = rest.split_at(length);
            let sent = outgoing.send(now)?;
            let sent = usize::try_from(sent).unwrap_or(usize::MAX);
            rest = rest.get(sent..).unwrap_or_default();
        }
    }
}
