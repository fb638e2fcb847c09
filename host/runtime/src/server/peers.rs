//! How many connections each peer has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_net::SocketAddress;

/// The connections of each address that has any.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    counts: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection of a peer, which counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    peers: Arc<Peers>,
    address: IpAddr,
}

/// That a peer has as many as it may have.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Peers {
    /// Counts one more connection of a peer, if it may have more; one that has
    /// no address is not counted.
    pub(crate) fn enter(
        self: &Arc<Self>,
        peer: &SocketAddress,
        limit: Option<u32>,
    ) -> Result<Option<Entry>, TooMany> {
        let (SocketAddress::Inet(peer), Some(limit)) = (peer, limit) else {
            return Ok(None);
        };
        let address = customer(peer.ip());
        let mut counts = self.lock();
        let count = counts.entry(address).or_default();
        if *count >= limit {
            if *count == 0 {
                counts.remove(&address);
            }
            return Err(TooMany);
        }
        *count += 1;
        Ok(Some(Entry {
            peers: Arc::clone(self),
            address,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut counts = self.peers.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// What counts as one: of IPv6 the network, since whoever has one address of it
/// has them all.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & u128::MAX << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddress {
        SocketAddress::Inet(text.parse().unwrap())
    }

    #[track_caller]
    fn check(first: &str, second: &str, together: bool) {
        let peers = Arc::<Peers>::default();
        let entry = peers.enter(&peer(first), Some(1)).unwrap();
        assert!(entry.is_some());
        let refused = peers.enter(&peer(second), Some(1)).is_err();
        assert_eq!(refused, together, "{first} {second}");
        drop(entry);
        assert!(peers.lock().is_empty());
    }

    #[test]
    fn a_peer_is_an_address_or_an_ipv6_network() {
        check("10.0.0.1:1", "10.0.0.1:2", true);
        check("10.0.0.1:1", "10.0.0.2:1", false);
        check("[::ffff:10.0.0.1]:1", "10.0.0.1:1", true);
        check("[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::2]:2", true);
        check("[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false);
    }

    #[test]
    fn a_limit_of_zero_keeps_nothing() {
        let peers = Arc::<Peers>::default();
        assert!(peers.enter(&peer("10.0.0.1:1"), Some(0)).is_err());
        assert!(peers.lock().is_empty());
        assert!(peers.enter(&peer("10.0.0.1:1"), None).unwrap().is_none());
    }
}
