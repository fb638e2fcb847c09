//! The capability to use the network.

use std::io;

use crate::error::from_host;
use crate::raw::network;
use crate::socket::{Family, Socket, SocketType};

/// The authority to use the network, within a policy.
///
/// The types of this crate use the [`default`](Network::default) network, what
/// the host granted to the program. Code that is to do with less is handed an
/// [`attenuate`](Network::attenuate)d one, and opens its sockets in that: each
/// constructor has a twin that ends in `_in`.
///
/// That keeps code from what it should not do by mistake. It does not keep out
/// code that means harm: all code of a component can take the default network.
///
/// ```no_run
/// use portcullis_guest::{Network, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let database_only = Network::default().attenuate(&["connect tcp://db.internal:5432"])?;
/// let stream = TcpStream::connect_in(&database_only, "db.internal:5432")?;
/// assert!(TcpStream::connect_in(&database_only, "example.com:80").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Network(network::Network);

impl Default for Network {
    fn default() -> Self {
        Self(network::default_network())
    }
}

impl Network {
    /// The contract's own handle, for what has no better shape here yet.
    pub fn as_raw(&self) -> &network::Network {
        &self.0
    }

    /// Opens a socket with the usual protocol of its family and type: POSIX
    /// `socket`.
    ///
    /// # Errors
    ///
    /// As the contract says for the function of this name, here and below.
    pub fn open(&self, family: Family, socket_type: SocketType) -> io::Result<Socket> {
        self.open_with_protocol(family, socket_type, 0)
    }

    /// The same with a protocol by its number, 6 for TCP; zero is the usual one.
    pub fn open_with_protocol(
        &self,
        family: Family,
        socket_type: SocketType,
        protocol: u16,
    ) -> io::Result<Socket> {
        self.0
            .open(family, socket_type, protocol)
            .map(Socket::from_raw)
            .map_err(from_host)
    }

    /// Opens two sockets that are connected with each other: POSIX `socketpair`.
    pub fn pair(&self, family: Family, socket_type: SocketType) -> io::Result<(Socket, Socket)> {
        self.pair_with_protocol(family, socket_type, 0)
    }

    /// The same with a protocol by its number.
    pub fn pair_with_protocol(
        &self,
        family: Family,
        socket_type: SocketType,
        protocol: u16,
    ) -> io::Result<(Socket, Socket)> {
        let pair = self.0.pair(family, socket_type, protocol);
        let (one, other) = pair.map_err(from_host)?;
        Ok((Socket::from_raw(one), Socket::from_raw(other)))
    }

    /// A network that allows what this one allows and one of `grants` does as
    /// well; `"connect tcp://db.internal:5432"` is a grant.
    pub fn attenuate(&self, grants: &[&str]) -> io::Result<Self> {
        let grants: Vec<String> = grants.iter().map(|grant| (*grant).into()).collect();
        self.0.attenuate(&grants).map(Self).map_err(from_host)
    }

    /// The name of the machine, as the policy tells it: POSIX `gethostname`.
    pub fn host_name(&self) -> String {
        self.0.host_name()
    }
}
