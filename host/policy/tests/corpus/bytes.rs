//! Values out of the bytes of a fuzzer. It must not fail: when they are used up,
//! zeros follow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use portcullis_policy::{Protocol, UnixKind};

/// Bytes that are read from the front.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn port(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }

    pub(crate) fn protocol(&mut self) -> Protocol {
        if self.flag() {
            Protocol::Udp
        } else {
            Protocol::Tcp
        }
    }

    pub(crate) fn unix_kind(&mut self) -> UnixKind {
        if self.flag() {
            UnixKind::Datagram
        } else {
            UnixKind::Stream
        }
    }

    pub(crate) fn v4(&mut self) -> Ipv4Addr {
        self.array::<4>().into()
    }

    pub(crate) fn v6(&mut self) -> Ipv6Addr {
        self.array::<16>().into()
    }

    pub(crate) fn ip(&mut self) -> IpAddr {
        if self.flag() {
            self.v6().into()
        } else {
            self.v4().into()
        }
    }

    /// An address with whatever a socket address may hold besides.
    pub(crate) fn socket(&mut self) -> SocketAddr {
        match self.ip() {
            IpAddr::V4(address) => SocketAddr::from((address, self.port())),
            IpAddr::V6(address) => {
                let (flow, scope) = (self.byte().into(), self.byte().into());
                SocketAddrV6::new(address, self.port(), flow, scope).into()
            }
        }
    }

    /// One of the items, if there is any.
    pub(crate) fn choice<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let at = usize::from(self.port()).checked_rem(items.len())?;
        items.get(at).cloned()
    }

    pub(crate) fn rest(self) -> &'a [u8] {
        self.0
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_at(self.0.len().min(N));
        self.0 = rest;
        let mut array = [0; N];
        array
            .iter_mut()
            .zip(taken)
            .for_each(|(to, from)| *to = *from);
        array
    }
}
