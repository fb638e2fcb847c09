//! The capability to use the network.

use std::io;

use crate::error::from_host;
use crate::raw::network;
use crate::socket::{Family, Socket, SocketType};

/// The authority to use the network, within a policy.
///
/// The types of this crate use the [`default`](Network::default) network, what
/// the host granted to the program; code that is to do with less is handed an
/// [`attenuate`](Network::attenuate)d one.
#[derive(Debug)]
pub struct Network(network::Network);

impl Default for Network {
    fn default() -> Self {
        Self(network::default_network())
    }
}

impl Network {
    /// Opens a socket with the usual protocol of its family and type: POSIX
    /// `socket`.
    ///
    /// # Errors
    ///
    /// As the contract says for the function of this name, here and below.
    pub fn open(&self, family: Family, socket_type: SocketType) -> io::Result<Socket> {
        self.0
            .open(family, socket_type, 0)
            .map(Socket::new)
            .map_err(from_host)
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
