//! Names in the one form in which they are compared. It must not let through a
//! spelling that some resolver would read as an address.

use std::borrow::Borrow;
use std::fmt;
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::Group;

/// A domain name in canonical form: ASCII (IDNA, UTS #46), lower case, without
/// the trailing dot, at most 253 octets in labels of at most 63 (RFC 1035).
///
/// Labels hold letters, digits, `-` and `_`, and neither start nor end with
/// `-` (RFC 1123; the underscore is common in service names, RFC 8552).
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name(Arc<str>);

impl Name {
    /// Reads a name as a person or a guest writes it.
    ///
    /// Refuses numeric spellings: a name whose last label is a number, decimal
    /// or hexadecimal, which `inet_aton` and URLs would take for an IPv4
    /// address (`127.1`, `0x7f000001`, `2130706433`; see "ends in a number" in
    /// the WHATWG URL standard).
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > LONGEST_INPUT {
            return Err(NameError::TooLong);
        }
        if let Some(foreign) = text
            .chars()
            .find(|c| c.is_ascii() && !is_name_character(*c))
        {
            return Err(NameError::Character(foreign));
        }
        let ascii = Uts46::new()
            .to_ascii(
                text.as_bytes(),
                NOT_IN_NAMES,
                Hyphens::Allow,
                DnsLength::Ignore,
            )
            .map_err(|_| NameError::International)?;
        let name = ascii.strip_suffix('.').unwrap_or(&ascii);
        for label in name.split('.') {
            check_label(label)?;
        }
        if name.len() > 253 {
            return Err(NameError::TooLong);
        }
        if ends_in_a_number(name) {
            return Err(NameError::Number);
        }
        Ok(Self(name.into()))
    }

    /// The name under which the DNS keeps the name of an address (RFC 1035,
    /// section 3.5; RFC 3596, section 2.5).
    pub(crate) fn reverse(address: IpAddr) -> Self {
        let text = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            IpAddr::V6(v6) => {
                let octets = v6.octets().into_iter().rev();
                let nibbles = octets.map(|octet| format!("{:x}.{:x}.", octet & 0xf, octet >> 4));
                nibbles.collect::<String>() + "ip6.arpa"
            }
        };
        Self(text.into())
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `localhost` or below it: always loopback, never looked
    /// up (RFC 6761, section 6.3).
    pub fn is_localhost(&self) -> bool {
        self.as_str() == "localhost" || self.as_str().ends_with(".localhost")
    }

    /// The name as grants spell it: with its dot if it would read as a group
    /// without.
    pub(crate) fn spelled(&self) -> impl fmt::Display {
        let dot = Group::from_keyword(&self.0).map_or("", |_| ".");
        fmt::from_fn(move |f| write!(f, "{self}{dot}"))
    }

    /// The names above this one, nearest first: `b.c` and `c` for `a.b.c`.
    pub(crate) fn parents(&self) -> impl Iterator<Item = &str> {
        let above = |name: &str| name.bytes().position(|octet| octet == b'.');
        iter::successors(Some(self.as_str()), move |name| {
            name.get(above(name)? + 1..)
        })
        .skip(1)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// It has a colon or brackets but is no IPv6 address.
    #[error("not an IPv6 address")]
    Address,
    /// It holds a character that names do not have.
    #[error("{0:?} does not belong in a name")]
    Character(char),
    /// There is nothing.
    #[error("the name is empty")]
    Empty,
    /// Two dots in a row, or one at the start.
    #[error("a label of the name is empty")]
    EmptyLabel,
    /// A label starts or ends with a hyphen.
    #[error("a label of the name starts or ends with a hyphen")]
    Hyphen,
    /// It is not valid under IDNA (UTS #46).
    #[error("not a valid internationalized name")]
    International,
    /// A label has more than 63 octets.
    #[error("a label of the name is longer than 63 octets")]
    LabelTooLong,
    /// It is a number that some would take for an address.
    #[error("a number is not a name, and not an IPv4 address in dotted decimal")]
    Number,
    /// It has more than 253 octets.
    #[error("the name is longer than 253 octets")]
    TooLong,
    /// An IPv6 address with a zone (`%eth0`).
    #[error("zone identifiers are not supported")]
    Zone,
}

/// No valid name is longer than this, even in UTF-8: it bounds the work that
/// hostile text causes.
const LONGEST_INPUT: usize = 4 * 254;

const NOT_IN_NAMES: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')
}

fn check_label(label: &str) -> Result<(), NameError> {
    if label.is_empty() {
        Err(NameError::EmptyLabel)
    } else if label.len() > 63 {
        Err(NameError::LabelTooLong)
    } else if label.starts_with('-') || label.ends_with('-') {
        Err(NameError::Hyphen)
    } else {
        Ok(())
    }
}

fn ends_in_a_number(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    match last.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => last.bytes().all(|b| b.is_ascii_digit()),
    }
}
