//! Why a request was denied. It must not hold anything that the request did
//! not say or the policy does not hold.

use std::fmt;
use std::net::IpAddr;

use crate::{Grant, Group, Name, Nearest};

/// Why a request was denied.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// A deny matches. It wins over every grant.
    DeniedBy {
        /// The deny.
        deny: Grant,
    },
    /// A grant covers a name that led to the address, and the answer that said so
    /// has expired.
    Expired {
        /// The name.
        name: Name,
        /// The address it led to.
        address: IpAddr,
        /// The grant that covers the name.
        grant: Grant,
    },
    /// A dual-stack socket hears both families, and one of them is not
    /// granted.
    HalfGranted {
        /// The grant that covers the other family.
        grant: Grant,
        /// The unspecified address of the family that no grant covers.
        missing: IpAddr,
    },
    /// No grant covers the request.
    NoGrant {
        /// The grant that is closest to covering it, if one comes close.
        nearest: Option<Nearest>,
    },
    /// A grant covers the name, but not the address that the name led to.
    NotInRange {
        /// The name that the guest asked for.
        name: Name,
        /// The address it led to.
        address: IpAddr,
        /// The group of that address, if it is in one.
        class: Option<Group>,
        /// The grant that covers the name.
        grant: Grant,
    },
    /// The address is no multicast address, so that no grant lets a socket join
    /// it.
    NotMulticast {
        /// The address.
        address: IpAddr,
    },
    /// A grant covers the listener, but its `from` does not hold the peer.
    PeerOutside {
        /// The grant that covers the listener.
        grant: Grant,
        /// The address of the peer.
        peer: IpAddr,
    },
}

impl Reason {
    /// The grant that it is about, or that comes closest.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        match self {
            Self::NoGrant { nearest } => nearest.as_ref().map(Nearest::grant),
            Self::NotMulticast { .. } => None,
            Self::DeniedBy { deny: grant }
            | Self::Expired { grant, .. }
            | Self::HalfGranted { grant, .. }
            | Self::NotInRange { grant, .. }
            | Self::PeerOutside { grant, .. } => Some(grant),
        }
    }

    /// Whether no policy allows such a request.
    pub(crate) fn is_about_the_request(&self) -> bool {
        match self {
            Self::NotMulticast { .. } => true,
            Self::DeniedBy { .. }
            | Self::Expired { .. }
            | Self::HalfGranted { .. }
            | Self::NoGrant { .. }
            | Self::NotInRange { .. }
            | Self::PeerOutside { .. } => false,
        }
    }
}

impl Reason {
    /// The deny that it names, or the grant: the nearest one, or one that covers a
    /// part of the request.
    pub fn cited(&self) -> Option<&Grant> {
        match self {
            Self::DeniedBy { deny } => Some(deny),
            Self::Expired { grant, .. }
            | Self::HalfGranted { grant, .. }
            | Self::NotInRange { grant, .. }
            | Self::PeerOutside { grant, .. } => Some(grant),
            Self::NoGrant { nearest } => nearest.as_ref().map(Nearest::grant),
            Self::NotMulticast { .. } => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeniedBy { deny } => write!(f, "denied by: {deny}"),
            Self::Expired {
                name,
                address,
                grant,
            } => write!(
                f,
                "{name} led to {address}, and that answer has expired: the guest is to look it \
                 up again, or to connect by the name, which is covered by: {grant}"
            ),
            Self::HalfGranted { grant, missing } => write!(
                f,
                "a dual-stack socket also listens on {missing}, which no grant covers; \
                 the other family is covered by: {grant}"
            ),
            Self::NoGrant { nearest: None } => f.write_str("no grant covers it"),
            Self::NoGrant {
                nearest: Some(nearest),
            } => {
                write!(f, "no grant covers it; nearest: {nearest}")
            }
            Self::NotInRange {
                name,
                address,
                class,
                grant,
            } => {
                let class = class.map_or_else(|| "special".to_owned(), |group| group.to_string());
                write!(
                    f,
                    "{name} is at {address} ({class}), which is not in the range of: {grant}"
                )
            }
            Self::NotMulticast { address } => {
                write!(f, "{address} is not a multicast address")
            }
            Self::PeerOutside { grant, peer } => {
                write!(f, "the peer {peer} is outside of: {grant}")
            }
        }
    }
}
