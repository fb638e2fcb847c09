//! Addresses, ranges in CIDR notation and groups. It must not read as an
//! address what is not exactly one: names are for others to judge.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::fragment::Fragment;
use crate::host_pattern::HostPattern;
use crate::range::Range;
use crate::{Canonical, GrantError, Group, NameError};

/// Reads a range; none if the text is nothing of the kind.
pub(crate) fn range(text: Fragment<'_>) -> Result<Option<Range>, GrantError> {
    if let Some(group) = Group::from_keyword(text.text) {
        return Ok(Some(Range::Group(group)));
    }
    match text.split_once("/") {
        Some((address_text, length)) => match address(address_text)? {
            Some(address) => network(text, address, length).map(Some),
            None => Err(address_text
                .error("a prefix length follows an address")
                .hint(
                    "leave out the slash and what follows it, or write for example `10.0.0.0/8`",
                )),
        },
        None => Ok(address(text)?.map(|address| address.into_canonical().into())),
    }
}

/// Reads an address; IPv6 stands in brackets where ports follow, and may do so
/// everywhere.
fn address(text: Fragment<'_>) -> Result<Option<IpAddr>, GrantError> {
    if let Ok(address) = text.text.parse::<Ipv4Addr>() {
        return Ok(Some(address.into()));
    }
    if !text.text.contains([':', '[', ']']) {
        return Ok(None);
    }
    let bare = text
        .strip_prefix("[")
        .and_then(|inner| inner.strip_suffix("]"))
        .unwrap_or(text);
    match bare.text.parse::<Ipv6Addr>() {
        Ok(address) => Ok(Some(address.into())),
        Err(_) if bare.text.contains('%') => Err(bare
            .error(NameError::Zone.to_string())
            .hint("leave out `%` and what follows it: the grant covers every zone")),
        Err(_) => Err(bare.error(NameError::Address.to_string())),
    }
}

fn network(text: Fragment<'_>, address: IpAddr, length: Fragment<'_>) -> Result<Range, GrantError> {
    let most = IpNet::from(address).max_prefix_len();
    let net = Some(length.text)
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .and_then(|bits| IpNet::new(address, bits).ok())
        .ok_or_else(|| length.error(format!("the prefix length is a number from 0 to {most}")))?;
    let net = unmapped(net);
    if net.addr() != net.network() {
        return Err(text
            .error("the address has bits beyond the prefix length")
            .hint(format!(
                "did you mean `{}`?",
                HostPattern::Addresses(Range::Network(net.trunc()))
            )));
    }
    Ok(Range::Network(net))
}

/// A network of IPv4-mapped addresses is the network of those IPv4 addresses.
fn unmapped(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V4(_) => None,
        IpNet::V6(v6) => v6
            .addr()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
    };
    mapped
        .and_then(|(address, length)| IpNet::new(address.into(), length).ok())
        .unwrap_or(net)
}
