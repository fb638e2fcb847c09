//! Peers that are not guests, and what the kernel says of guests.

use std::fs;
use std::io::{IoSliceMut, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::thread;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use portcullis_tests::PATIENCE;
use socket2::{InterfaceIndexOrAddress, SockRef};

/// Sends back every datagram for as long as the tests run.
pub(crate) fn udp_echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut data = [0; 65536];
        loop {
            let (length, source) = socket.recv_from(&mut data).unwrap();
            socket.send_to(&data[..length], source).unwrap();
        }
    });
    address
}

/// Sends back what every visitor sends for as long as the tests run.
pub(crate) fn tcp_echo(address: &str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for visitor in listener.incoming() {
            let mut visitor = visitor.unwrap();
            thread::spawn(move || {
                let mut twin = visitor.try_clone().unwrap();
                // A visitor who leaves early is no failure of theirs.
                let _ = std::io::copy(&mut twin, &mut visitor);
            });
        }
    });
    address
}

/// A socket that takes datagrams.
pub(crate) fn udp(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// An address that is taken and hears nobody, so that the kernel sends word that
/// it cannot be reached.
pub(crate) fn deaf() -> UdpSocket {
    let socket = udp("127.0.0.1:0");
    socket.connect("127.0.0.1:9").unwrap();
    socket
}

/// The next datagram as text.
#[track_caller]
pub(crate) fn text(socket: &UdpSocket) -> String {
    let mut data = [0; 65536];
    let length = socket.recv(&mut data).unwrap();
    String::from_utf8(data[..length].to_vec()).unwrap()
}

/// Whether no datagram is there.
pub(crate) fn is_quiet(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    socket.recv(&mut [0; 1]).is_err()
}

/// Has the kernel say how datagrams came: how many routers they may still pass,
/// and of which class they are.
pub(crate) fn observe(socket: &UdpSocket) {
    if socket.local_addr().unwrap().is_ipv4() {
        setsockopt(socket, sockopt::Ipv4RecvTtl, &true).unwrap();
        setsockopt(socket, sockopt::IpRecvTos, &true).unwrap();
    } else {
        setsockopt(socket, sockopt::Ipv6RecvHopLimit, &true).unwrap();
        setsockopt(socket, sockopt::Ipv6RecvTClass, &true).unwrap();
    }
}

/// The next datagram's limit of hops and class.
pub(crate) fn observed(socket: &UdpSocket) -> (i32, i32) {
    let mut data = [0; 1024];
    let mut parts = [IoSliceMut::new(&mut data)];
    let mut space = cmsg_space!(i32, i32);
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut space),
        MsgFlags::empty(),
    );
    let (mut hops, mut class) = (None, None);
    for control in message.unwrap().cmsgs().unwrap() {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the kernel says no more than it was asked for"
        )]
        match control {
            ControlMessageOwned::Ipv4Ttl(limit) | ControlMessageOwned::Ipv6HopLimit(limit) => {
                hops = Some(limit);
            }
            ControlMessageOwned::Ipv4Tos(tos) => class = Some(tos.into()),
            ControlMessageOwned::Ipv6TClass(tclass) => class = Some(tclass),
            other => panic!("{other:?}"),
        }
    }
    (hops.unwrap(), class.unwrap())
}

/// A member of a group on loopback.
pub(crate) fn member(group: Ipv4Addr) -> UdpSocket {
    let socket = udp("0.0.0.0:0");
    let loopback = InterfaceIndexOrAddress::Index(1);
    SockRef::from(&socket)
        .join_multicast_v4_n(&group, &loopback)
        .unwrap();
    socket
}

/// Sends to a group on loopback.
pub(crate) fn send_to_group(data: &[u8], group: SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    SockRef::from(&socket)
        .set_multicast_if_v4(&Ipv4Addr::LOCALHOST)
        .unwrap();
    socket.send_to(data, group).unwrap();
}

/// Whether somebody on this machine is a member of a group on loopback.
pub(crate) fn has_members(group: Ipv6Addr) -> bool {
    let group: String = group.octets().map(|octet| format!("{octet:02x}")).concat();
    let members = fs::read_to_string("/proc/net/igmp6").unwrap();
    members
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|words| words[1] == "lo" && words[2] == group)
}

/// In how many hundredths of a second the kernel at one end of a connection will
/// probe the other; none where it will not.
pub(crate) fn probes_in(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let entry = |address| {
        let SocketAddr::V4(address) = address else {
            panic!("{address} is not in this table");
        };
        let ip = u32::from_ne_bytes(address.ip().octets());
        format!("{ip:08X}:{:04X}", address.port())
    };
    let ends = [entry(local), entry(remote)];
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    let connection = connections
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|words| words[1..3] == ends)
        .unwrap();
    let (timer, when) = connection[5].split_once(':').unwrap();
    (timer == "02").then(|| u64::from_str_radix(when, 16).unwrap())
}

/// Waits until a peer sends or closes.
pub(crate) fn wait(mut peer: &TcpStream) -> usize {
    peer.read(&mut [0; 64]).unwrap()
}

/// Waits until a peer sends something, and answers.
pub(crate) fn answer(mut peer: &TcpStream, text: &str) {
    assert!(wait(peer) > 0);
    peer.write_all(text.as_bytes()).unwrap();
}
