//! Where a datagram was sent to, of the addresses that a socket hears: from there
//! its answer leaves.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::libc;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recvmsg, sendmsg,
    setsockopt,
};
use portcullis_policy::canonical;
use rustix::io::Errno;

use crate::address::Family;

/// An address of this machine that a datagram came to: the kernel's word, which no
/// guest can make.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Asked(IpAddr);

/// How long one datagram was, where it came from, and where to.
pub(crate) struct Arrival {
    pub(crate) length: usize,
    pub(crate) source: SocketAddr,
    pub(crate) asked: Option<Asked>,
}

/// Has the kernel say of each datagram where it was sent to, or no more.
pub(crate) fn tell(socket: &socket2::Socket, family: Family, on: bool) -> io::Result<()> {
    let set = match family {
        Family::Inet => setsockopt(socket, Ipv4PacketInfo, &on),
        Family::Inet6 => setsockopt(socket, Ipv6RecvPacketInfo, &on),
        Family::Unix => return Err(Errno::NOPROTOOPT.into()),
    };
    Ok(set?)
}

/// Whether it does.
pub(crate) fn is_told(socket: &socket2::Socket, family: Family) -> io::Result<bool> {
    let told = match family {
        Family::Inet => getsockopt(socket, Ipv4PacketInfo),
        Family::Inet6 => getsockopt(socket, Ipv6RecvPacketInfo),
        Family::Unix => return Err(Errno::NOPROTOOPT.into()),
    };
    Ok(told?)
}

/// Receives a datagram into `room`.
pub(crate) fn receive(
    socket: &socket2::Socket,
    room: &mut [u8],
    flags: MsgFlags,
) -> io::Result<Arrival> {
    let mut control = nix::cmsg_space!(libc::in_pktinfo, libc::in6_pktinfo);
    let mut slices = [IoSliceMut::new(room)];
    let told =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let asked = told.cmsgs()?.find_map(|message| {
        if let ControlMessageOwned::Ipv4PacketInfo(info) = message {
            // Of what went to many, this is the address of the interface.
            return Some(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes()).into());
        }
        if let ControlMessageOwned::Ipv6PacketInfo(info) = message {
            return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
        }
        None
    });
    Ok(Arrival {
        length: told.bytes,
        source: address(told.address)?,
        asked: asked.and_then(Asked::of),
    })
}

impl Asked {
    /// None where an answer cannot come from there.
    fn of(address: IpAddr) -> Option<Self> {
        let address = canonical(address);
        let is_of_one = !address.is_unspecified() && !address.is_multicast();
        is_of_one.then_some(Self(address))
    }

    /// Sends a datagram from there.
    pub(crate) fn send(
        self,
        socket: &socket2::Socket,
        family: Family,
        data: &[u8],
        flags: MsgFlags,
        to: SocketAddr,
    ) -> io::Result<usize> {
        let (four, six);
        let control = match (family, self.0) {
            (Family::Inet6, address) => {
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                six = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: address.octets(),
                    },
                    // Which interface it leaves by is for the routes to say.
                    ipi6_ifindex: 0,
                };
                ControlMessage::Ipv6PacketInfo(&six)
            }
            (Family::Inet | Family::Unix, IpAddr::V4(address)) => {
                four = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(address.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                ControlMessage::Ipv4PacketInfo(&four)
            }
            (Family::Inet | Family::Unix, IpAddr::V6(_)) => return Err(Errno::INVAL.into()),
        };
        let to = SockaddrStorage::from(to);
        let data = [IoSlice::new(data)];
        Ok(sendmsg(
            socket.as_raw_fd(),
            &data,
            &[control],
            flags,
            Some(&to),
        )?)
    }
}

/// An internet address as the kernel tells it.
pub(crate) fn address(told: Option<SockaddrStorage>) -> io::Result<SocketAddr> {
    let told = told.as_ref();
    let four = told.and_then(SockaddrStorage::as_sockaddr_in);
    let six = told.and_then(SockaddrStorage::as_sockaddr_in6);
    match (four, six) {
        (Some(four), _) => Ok(SocketAddrV4::from(*four).into()),
        (None, Some(six)) => Ok(SocketAddrV6::from(*six).into()),
        (None, None) => Err(Errno::AFNOSUPPORT.into()),
    }
}
