//! The IPv4 addresses that an IPv6 address carries inside, for denies to see
//! through. Grants must not use it: a translator is not what they cover.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The IPv4 addresses behind which `address` may lead through a translator or
/// a tunnel. Where the layout is the network's choice, every layout counts.
pub(crate) fn embedded(address: IpAddr) -> impl Iterator<Item = Ipv4Addr> {
    match address {
        IpAddr::V4(_) => NONE,
        IpAddr::V6(address) => carried_by(address),
    }
    .into_iter()
    .flatten()
}

const NONE: [Option<Ipv4Addr>; 4] = [None; 4];

fn carried_by(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    if address.is_unspecified() || address.is_loopback() {
        return NONE;
    }
    match address.segments() {
        // IPv4-compatible and IPv4-mapped (RFC 4291, section 2.5.5), NAT64
        // (RFC 6052, section 2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            [Some(join(high, low)), None, None, None]
        }
        // IPv4-translated (RFC 2765, section 2.1), and ISATAP's interface
        // identifiers (RFC 5214, section 6.1).
        [0, 0, 0, 0, 0xffff, 0, high, low] | [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => {
            [Some(join(high, low)), None, None, None]
        }
        // NAT64 for local use (RFC 8215): prefixes of 48, 56, 64 or 96 bits,
        // with the fifth segment's first octet left out (RFC 6052, section 2.2).
        [0x64, 0xff9b, 1, a, b, c, d, e] => [
            Some(join(a, b << 8 | c >> 8)),
            Some(join(a << 8 | b & 0xff, c)),
            Some(join(b << 8 | c >> 8, c << 8 | d >> 8)),
            Some(join(d, e)),
        ],
        // Teredo (RFC 4380, section 4): the server, and the client inverted.
        [0x2001, 0, high, low, _, _, client_high, client_low] => [
            Some(join(high, low)),
            Some(join(!client_high, !client_low)),
            None,
            None,
        ],
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => [Some(join(high, low)), None, None, None],
        _ => NONE,
    }
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &str, carried: &[&str]) {
        let found = embedded(address.parse().expect("an address"));
        assert_eq!(
            found.map(|v4| v4.to_string()).collect::<Vec<_>>(),
            carried,
            "{address}"
        );
    }

    #[test]
    fn every_layout_of_every_translator_is_seen_through() {
        check("10.1.2.3", &[]);
        check("::", &[]);
        check("::1", &[]);
        check("::10.1.2.3", &["10.1.2.3"]);
        check("::ffff:10.1.2.3", &["10.1.2.3"]);
        check("64:ff9b::10.1.2.3", &["10.1.2.3"]);
        check("::ffff:0:10.1.2.3", &["10.1.2.3"]);
        check("2001:db8::5efe:10.1.2.3", &["10.1.2.3"]);
        check("fe80::200:5efe:10.1.2.3", &["10.1.2.3"]);
        check("2002:a01:203::5", &["10.1.2.3"]);
        check("2001:0:a01:203:0:0:f5fe:fcfb", &["10.1.2.3", "10.1.3.4"]);
        check("2606:4700::1111", &[]);
    }

    #[test]
    fn local_nat64_counts_in_each_of_its_layouts() {
        // RFC 6052, section 2.4 gives these layouts for 192.0.2.33.
        let nat64 = [
            "64:ff9b:1:c000:2:2100::",
            "64:ff9b:1:c0:0:221::",
            "64:ff9b:1:0:c0:2:2100:0",
            "64:ff9b:1::192.0.2.33",
        ];
        for address in nat64 {
            let target = Ipv4Addr::new(192, 0, 2, 33);
            let mut found = embedded(address.parse().expect("an address"));
            assert!(found.any(|v4| v4 == target), "{address}");
        }
    }
}
