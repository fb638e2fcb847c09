//! The named groups of addresses, from the IANA registries. It must not hold
//! anything that changes with a network or a machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

use crate::embedded::embedded;

/// A group of addresses that grants call by a word.
///
/// The ranges follow the IANA IPv4 and IPv6 Special-Purpose Address Registries
/// (RFC 6890 and its successors). As the destination of a grant no group but
/// [`Metadata`](Self::Metadata) holds what is in that.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Group {
    /// Every address.
    Any,
    /// `169.254.0.0/16` (RFC 3927) and `fe80::/10`.
    LinkLocal,
    /// `127.0.0.0/8` and `::1`.
    Loopback,
    /// Where clouds serve the credentials and the set-up of a machine.
    Metadata,
    /// `224.0.0.0/4` and `ff00::/8`.
    Multicast,
    /// RFC 1918 and unique local addresses (`fc00::/7`, RFC 4193).
    Private,
    /// Unicast addresses that are globally reachable: in IPv6 `2000::/3`
    /// without its special blocks.
    Public,
}

impl Group {
    /// The narrowest group that holds the address; none for special ranges
    /// without a word of their own, such as `100.64.0.0/10`.
    pub fn of(address: IpAddr) -> Option<Self> {
        [
            Self::LinkLocal,
            Self::Loopback,
            Self::Metadata,
            Self::Multicast,
            Self::Private,
            Self::Public,
        ]
        .into_iter()
        .find(|group| group.covers(&address.into()))
    }

    pub(crate) const KEYWORDS: [&str; 7] = [
        "any",
        "link-local",
        "loopback",
        "metadata",
        "multicast",
        "private",
        "public",
    ];

    pub(crate) fn from_keyword(word: &str) -> Option<Self> {
        match word.to_ascii_lowercase().as_str() {
            "any" => Some(Self::Any),
            "link-local" => Some(Self::LinkLocal),
            "loopback" => Some(Self::Loopback),
            "metadata" => Some(Self::Metadata),
            "multicast" => Some(Self::Multicast),
            "private" => Some(Self::Private),
            "public" => Some(Self::Public),
            _ => None,
        }
    }

    /// The networks that make up the group; none for `Public`, which is what
    /// the others and the nameless special ranges leave.
    pub(crate) fn networks(self) -> &'static [IpNet] {
        match self {
            Self::Any => &ANY,
            Self::LinkLocal => &LINK_LOCAL,
            Self::Loopback => &LOOPBACK,
            Self::Metadata => &METADATA,
            Self::Multicast => &MULTICAST,
            Self::Private => &PRIVATE,
            Self::Public => &[],
        }
    }

    /// The networks that make up the group, and those that it leaves out of them,
    /// whatever clouds serve in it.
    pub(crate) fn parts(self) -> (&'static [IpNet], &'static [IpNet]) {
        match self {
            Self::Public => (&UNICAST, &SPECIAL),
            Self::Any
            | Self::LinkLocal
            | Self::Loopback
            | Self::Metadata
            | Self::Multicast
            | Self::Private => (self.networks(), &[]),
        }
    }

    /// Whether all of `network` lies in the group, as the destinations of a grant.
    pub(crate) fn covers(self, network: &IpNet) -> bool {
        self.spans(network) && (self == Self::Metadata || !meets_metadata(network))
    }

    /// Whether all of `network` lies in the group, with the metadata in it: as denies, and
    /// as addresses of this machine and of peers.
    pub(crate) fn spans(self, network: &IpNet) -> bool {
        match self {
            Self::Public => is_public(network),
            Self::Any
            | Self::LinkLocal
            | Self::Loopback
            | Self::Metadata
            | Self::Multicast
            | Self::Private => self.networks().iter().any(|own| own.contains(network)),
        }
    }
}

/// Whether any of the network is metadata, or leads there through a translator or a
/// tunnel.
pub(crate) fn meets_metadata(network: &IpNet) -> bool {
    let is_met = |network: &IpNet| METADATA.iter().any(|own| network.contains(own));
    let is_one = network.prefix_len() == network.max_prefix_len();
    is_met(network) || is_one && embedded(network.addr()).any(|v4| is_met(&IpAddr::V4(v4).into()))
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::LinkLocal => "link-local",
            Self::Loopback => "loopback",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Private => "private",
            Self::Public => "public",
        })
    }
}

fn is_public(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => {
            let (first, last) = (network.network(), network.broadcast());
            !SPECIAL_V4.meet(first.to_bits(), last.to_bits())
        }
        IpNet::V6(inner) => {
            let (first, last) = (inner.network(), inner.broadcast());
            UNICAST.iter().any(|unicast| unicast.contains(network))
                && !SPECIAL_V6.meet(first.to_bits(), last.to_bits())
        }
    }
}

/// The special ranges of a family, to be searched: from where to where each is,
/// in order. No two of them meet.
struct Special<B>(Vec<(B, B)>);

impl<B: Copy + Ord> Special<B> {
    fn new(of_family: impl Fn(&IpNet) -> Option<(B, B)>) -> Self {
        let mut ranges: Vec<_> = SPECIAL.iter().filter_map(of_family).collect();
        ranges.sort_unstable();
        Self(ranges)
    }

    /// Whether anything from `first` to `last` is special.
    fn meet(&self, first: B, last: B) -> bool {
        let Self(ranges) = self;
        let starting = ranges.partition_point(|(start, _)| *start <= last);
        let nearest = starting.checked_sub(1).and_then(|index| ranges.get(index));
        nearest.is_some_and(|(_, end)| *end >= first)
    }
}

static SPECIAL_V4: LazyLock<Special<u32>> = LazyLock::new(|| {
    Special::new(|network| match network {
        IpNet::V4(v4) => Some((v4.network().to_bits(), v4.broadcast().to_bits())),
        IpNet::V6(_) => None,
    })
});

static SPECIAL_V6: LazyLock<Special<u128>> = LazyLock::new(|| {
    Special::new(|network| match network {
        IpNet::V4(_) => None,
        IpNet::V6(v6) => Some((v6.network().to_bits(), v6.broadcast().to_bits())),
    })
});

static ANY: [IpNet; 2] = [v4([0, 0, 0, 0], 0), v6([0, 0, 0], 0)];

static LINK_LOCAL: [IpNet; 2] = [v4([169, 254, 0, 0], 16), v6([0xfe80, 0, 0], 10)];

static LOOPBACK: [IpNet; 2] = [
    v4([127, 0, 0, 0], 8),
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
];

/// Each as its cloud documents it; `docs/policy.md` says where.
static METADATA: [IpNet; 16] = [
    v4([100, 96, 0, 96], 32),                        // Volcano Engine
    v4([100, 100, 100, 200], 32),                    // Alibaba Cloud
    v4([168, 63, 129, 16], 32),                      // Azure's WireServer
    v4([169, 254, 0, 23], 32),                       // Tencent Cloud
    v4([169, 254, 42, 42], 32),                      // Scaleway
    v4([169, 254, 169, 254], 32),                    // nearly all
    v4([169, 254, 170, 2], 32),                      // AWS, for containers (ECS)
    v4([169, 254, 170, 23], 32),                     // AWS, for pods (EKS)
    v4([192, 0, 0, 192], 32),                        // Oracle Cloud, the classic one
    one([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]),        // Scaleway
    one([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), // Oracle Cloud
    one([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]),       // AWS, for pods (EKS)
    one([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]),      // AWS
    one([0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1]),    // Akamai
    one([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]),       // Google Cloud
    one([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]),    // OpenStack, Akamai
];

static MULTICAST: [IpNet; 2] = [v4([224, 0, 0, 0], 4), v6([0xff00, 0, 0], 8)];

static PRIVATE: [IpNet; 4] = [
    v4([10, 0, 0, 0], 8),
    v4([172, 16, 0, 0], 12),
    v4([192, 168, 0, 0], 16),
    v6([0xfc00, 0, 0], 7),
];

/// What `public` is taken from: all of IPv4, and global unicast IPv6
/// (RFC 4291, section 2.4, as IANA allocates it).
static UNICAST: [IpNet; 2] = [v4([0, 0, 0, 0], 0), v6([0x2000, 0, 0], 3)];

/// What `public` leaves out.
static SPECIAL: [IpNet; 19] = [
    v4([0, 0, 0, 0], 8),        // this network (RFC 791)
    v4([10, 0, 0, 0], 8),       // private (RFC 1918)
    v4([100, 64, 0, 0], 10),    // carrier-grade NAT (RFC 6598)
    v4([127, 0, 0, 0], 8),      // loopback (RFC 1122)
    v4([169, 254, 0, 0], 16),   // link-local (RFC 3927)
    v4([172, 16, 0, 0], 12),    // private (RFC 1918)
    v4([192, 0, 0, 0], 24),     // protocol assignments (RFC 6890)
    v4([192, 0, 2, 0], 24),     // documentation (RFC 5737)
    v4([192, 88, 99, 0], 24),   // 6to4 relays (RFC 7526)
    v4([192, 168, 0, 0], 16),   // private (RFC 1918)
    v4([198, 18, 0, 0], 15),    // benchmarking (RFC 2544)
    v4([198, 51, 100, 0], 24),  // documentation (RFC 5737)
    v4([203, 0, 113, 0], 24),   // documentation (RFC 5737)
    v4([224, 0, 0, 0], 4),      // multicast (RFC 5771)
    v4([240, 0, 0, 0], 4),      // reserved, broadcast (RFC 1112, RFC 8190)
    v6([0x2001, 0, 0], 23),     // protocol assignments, Teredo (RFC 2928)
    v6([0x2001, 0xdb8, 0], 32), // documentation (RFC 3849)
    v6([0x2002, 0, 0], 16),     // 6to4 (RFC 3056)
    v6([0x3fff, 0, 0], 20),     // documentation (RFC 9637)
];

const fn v4([a, b, c, d]: [u8; 4], length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length)
}

const fn v6([a, b, c]: [u16; 3], length: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), length)
}

const fn one(segments: [u16; 8]) -> IpNet {
    let [a, b, c, d, e, f, g, h] = segments;
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h)), 128)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the registries read, network by network.
    fn is_public_by_the_list(network: &IpNet) -> bool {
        UNICAST.iter().any(|unicast| unicast.contains(network))
            && !SPECIAL
                .iter()
                .any(|special| special.contains(network) || network.contains(special))
    }

    #[test]
    fn public_is_what_the_list_leaves() {
        let edges = SPECIAL.iter().chain(&UNICAST).flat_map(|network| {
            let (first, last) = (network.network(), network.broadcast());
            let beside = |address: IpAddr, by: i8| match address {
                IpAddr::V4(v4) => {
                    IpAddr::from(Ipv4Addr::from(v4.to_bits().wrapping_add_signed(by.into())))
                }
                IpAddr::V6(v6) => {
                    IpAddr::from(Ipv6Addr::from(v6.to_bits().wrapping_add_signed(by.into())))
                }
            };
            [first, last, beside(first, -1), beside(last, 1)]
        });
        for edge in edges {
            for length in 0..=IpNet::from(edge).prefix_len() {
                let network = IpNet::new_assert(edge, length).trunc();
                let by_the_list = is_public_by_the_list(&network);
                assert_eq!(is_public(&network), by_the_list, "{network}");
            }
        }
    }
}
