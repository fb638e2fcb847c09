//! What may be written where a socket of any family takes an address.

use std::io;

use crate::address::SockAddr;
use crate::endpoint::ToEndpoint;
use crate::raw::types;
use crate::unix::UnixAddr;

/// Where a [`Socket`](crate::Socket) binds, connects or sends: whatever is
/// [`ToEndpoint`], a [`UnixAddr`], or a [`SockAddr`], which is either.
pub trait ToSocketEndpoint {
    /// Says where, in the contract's words.
    ///
    /// # Errors
    ///
    /// Those of [`ToEndpoint::to_endpoint`].
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint>;
}

impl<T: ToEndpoint + ?Sized> ToSocketEndpoint for T {
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint> {
        Ok(self.to_endpoint()?.to_contract())
    }
}

impl ToSocketEndpoint for UnixAddr {
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint> {
        let address = types::SocketAddress::Unix(self.to_contract());
        Ok(types::Endpoint::Address(address))
    }
}

impl ToSocketEndpoint for SockAddr {
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint> {
        Ok(types::Endpoint::Address(self.to_contract()))
    }
}

impl ToSocketEndpoint for &UnixAddr {
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint> {
        (**self).to_socket_endpoint()
    }
}

impl ToSocketEndpoint for &SockAddr {
    fn to_socket_endpoint(&self) -> io::Result<types::Endpoint> {
        (**self).to_socket_endpoint()
    }
}
