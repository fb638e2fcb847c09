//! Whose a layer of a policy is. It must not decide anything.

use std::fmt;
use std::sync::Arc;

use crate::quoted::Printable;

/// Whose a layer of a policy is, and so who could change what it denies.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Origin {
    /// The guest, that attenuated its network: it keeps itself from the rest.
    Attenuated,
    /// Whoever wrote a ceiling: a policy file that bounds what the policy says.
    Ceiling {
        /// What the file is called.
        place: Arc<str>,
    },
    /// The host: nobody changes what it keeps every guest from.
    Host,
    /// The operator: the policy itself, its files and flags.
    Policy,
    /// The operator, that opened a socket for the guest: it keeps to its grant.
    Socket,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attenuated => f.write_str("the network that the guest attenuated"),
            Self::Ceiling { place } => write!(f, "the ceiling {}", Printable(place)),
            Self::Host => f.write_str("the host itself"),
            Self::Policy => f.write_str("the policy"),
            Self::Socket => f.write_str("the socket that was opened for the guest"),
        }
    }
}
