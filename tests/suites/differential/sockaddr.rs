//! `struct sockaddr` and what is meant by it (`ip(7)`, `ipv6(7)`, `unix(7)`).

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use portcullis_test_operations::Place;

use crate::os::Sockaddr;

pub(crate) fn place(bytes: &[u8]) -> Place {
    let Some((family, rest)) = bytes.split_at_checked(2) else {
        return Place::Unnamed;
    };
    let port = || u16::from_be_bytes([rest[0], rest[1]]);
    match i32::from(u16::from_ne_bytes([family[0], family[1]])) {
        libc::AF_INET => {
            let ip: [u8; 4] = rest[2..6].try_into().unwrap();
            Place::Inet((ip, port()).into())
        }
        libc::AF_INET6 => {
            let flow = u32::from_be_bytes(rest[2..6].try_into().unwrap());
            let ip: [u8; 16] = rest[6..22].try_into().unwrap();
            let scope = u32::from_ne_bytes(rest[22..26].try_into().unwrap());
            Place::Inet(SocketAddrV6::new(Ipv6Addr::from(ip), port(), flow, scope).into())
        }
        libc::AF_UNIX => match rest {
            [] => Place::Unnamed,
            [0, name @ ..] => Place::Abstract(name.to_vec()),
            path => Place::Path(path.split(|byte| *byte == 0).next().unwrap().to_vec()),
        },
        other => panic!("no socket of these tests is of the family {other}"),
    }
}

pub(crate) fn sockaddr(place: &Place) -> Sockaddr {
    let family = |family: i32| u16::try_from(family).unwrap().to_ne_bytes().to_vec();
    match place {
        Place::Inet(SocketAddr::V4(address)) => [
            family(libc::AF_INET),
            address.port().to_be_bytes().to_vec(),
            address.ip().octets().to_vec(),
            vec![0; 8],
        ]
        .concat(),
        Place::Inet(SocketAddr::V6(address)) => [
            family(libc::AF_INET6),
            address.port().to_be_bytes().to_vec(),
            address.flowinfo().to_be_bytes().to_vec(),
            address.ip().octets().to_vec(),
            address.scope_id().to_ne_bytes().to_vec(),
        ]
        .concat(),
        Place::Abstract(name) => [family(libc::AF_UNIX), vec![0], name.clone()].concat(),
        Place::Path(path) => [family(libc::AF_UNIX), path.clone(), vec![0]].concat(),
        Place::Unnamed => family(libc::AF_UNIX),
        Place::Renamed(name) => panic!("{name} leads nowhere"),
    }
}
