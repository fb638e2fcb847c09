//! Tries the sockets of WASI 0.2 itself, which the host has and keeps shut
//! whatever the policy grants.

use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::resolve_addresses;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasip2::sockets::tcp_create_socket::create_tcp_socket;
use wasip2::sockets::udp_create_socket::create_udp_socket;

fn main() {
    let network = instance_network();
    let any_port = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 0,
        address: (127, 0, 0, 1),
    });
    let peer = IpSocketAddress::Ipv4(Ipv4SocketAddress {
        port: 9,
        address: (127, 0, 0, 1),
    });

    let bind = create_tcp_socket(IpAddressFamily::Ipv4).and_then(|socket| {
        socket.start_bind(&network, any_port)?;
        socket.finish_bind()
    });
    denied("bind", bind);
    let connect = create_tcp_socket(IpAddressFamily::Ipv4).and_then(|socket| {
        socket.start_connect(&network, peer)?;
        socket.finish_connect().map(drop)
    });
    denied("connect", connect);
    let datagram = create_udp_socket(IpAddressFamily::Ipv4).and_then(|socket| {
        socket.start_bind(&network, any_port)?;
        socket.finish_bind()
    });
    denied("udp bind", datagram);
    denied(
        "resolve",
        resolve_addresses(&network, "127.0.0.1").map(drop),
    );
}

fn denied(operation: &str, result: Result<(), ErrorCode>) {
    println!(
        "{operation}: {}",
        result.err().map_or("allowed", |code| code.name())
    );
}
