//! The networks whose reverse lookups a name stands for. It must not take a
//! name for a zone that no reverse lookup spells so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::Name;

/// The network of the addresses that the DNS keeps at the name and below it:
/// `10.0.0.0/8` for `10.in-addr.arpa` (RFC 1035, section 3.5; RFC 3596, section
/// 2.5).
pub(crate) fn zone(name: &Name) -> Option<IpNet> {
    if let Some(digits) = below(name.as_str(), "in-addr.arpa") {
        return v4(digits);
    }
    v6(below(name.as_str(), "ip6.arpa")?)
}

/// What stands before `root` in the name; empty for the root itself.
fn below<'n>(name: &'n str, root: &str) -> Option<&'n str> {
    match name.strip_suffix(root)? {
        "" => Some(""),
        rest => rest.strip_suffix('.'),
    }
}

fn v4(digits: &str) -> Option<IpNet> {
    let mut octets = [0; 4];
    let mut length = 0;
    for (label, octet) in labels(digits).zip(&mut octets) {
        *octet = label.parse().ok().filter(|n: &u8| n.to_string() == label)?;
        length += 8;
    }
    (labels(digits).count() <= 4)
        .then(|| IpNet::new(IpAddr::V4(Ipv4Addr::from(octets)), length).ok())?
}

fn v6(digits: &str) -> Option<IpNet> {
    let mut nibbles = [0; 32];
    let mut length = 0;
    for (label, nibble) in labels(digits).zip(&mut nibbles) {
        *nibble = u8::from_str_radix(label, 16)
            .ok()
            .filter(|n| format!("{n:x}") == label && *n < 16)?;
        length += 4;
    }
    let bits = nibbles
        .iter()
        .fold(0_u128, |bits, nibble| bits << 4 | u128::from(*nibble));
    (labels(digits).count() <= 32)
        .then(|| IpNet::new(IpAddr::V6(Ipv6Addr::from_bits(bits)), length).ok())?
}

/// The labels, the outermost first.
fn labels(text: &str) -> impl Iterator<Item = &str> {
    text.rsplit('.').filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, network: Option<&str>) {
        let name = Name::parse(name).expect("a name");
        let network = network.map(|text| text.parse().expect("a network"));
        assert_eq!(zone(&name), network, "{name}");
    }

    #[test]
    fn a_zone_is_the_network_that_its_labels_spell() {
        check("in-addr.arpa", Some("0.0.0.0/0"));
        check("10.in-addr.arpa", Some("10.0.0.0/8"));
        check("5.0.0.10.in-addr.arpa", Some("10.0.0.5/32"));
        check("ip6.arpa", Some("::/0"));
        check("0.0.d.f.ip6.arpa", Some("fd00::/16"));
    }

    #[test]
    fn what_no_reverse_lookup_spells_is_no_zone() {
        check("arpa", None);
        check("xin-addr.arpa", None);
        check("010.in-addr.arpa", None);
        check("256.in-addr.arpa", None);
        check("1.5.0.0.10.in-addr.arpa", None);
        check("0-127.0.0.10.in-addr.arpa", None);
        check("00.ip6.arpa", None);
        check("g.ip6.arpa", None);
    }

    #[test]
    fn every_address_is_the_zone_of_its_name() {
        for text in ["10.0.0.5", "255.255.255.255", "fd00::5", "2606:4700::1111"] {
            let address: IpAddr = text.parse().expect("an address");
            assert_eq!(zone(&Name::reverse(address)), Some(address.into()));
        }
    }
}
