//! The services and protocols that programs name instead of numbering.
//!
//! Tables of our own rather than the host's `/etc/services` and
//! `/etc/protocols`, so that a guest sees the same on every machine. That of the
//! services is the policy's, whose grants name them as well. Source of the other:
//! IANA, Protocol Numbers; the aliases are those that Unix systems know besides.

use portcullis_policy::{Protocol, service};

use crate::address::Service;
use crate::error::{Error, ErrorCode};

/// Each protocol's name and number.
const PROTOCOLS: &[(&str, u16)] = &[
    ("ip", 0),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipv4", 4),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ipsec-esp", 50),
    ("ah", 51),
    ("ipsec-ah", 51),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ospfigp", 89),
    ("ipip", 94),
    ("etherip", 97),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("rohc", 142),
];

/// The port of a service, by its number or its name.
///
/// # Errors
///
/// `name-service-not-found` where the table has no such service for the
/// protocol.
pub(crate) fn port(service: &Service, protocol: Protocol) -> Result<u16, Error> {
    match service {
        Service::Port(port) => Ok(*port),
        Service::Name(name) => by_name(name, Some(protocol)),
    }
}

/// POSIX `getservbyname`: without a protocol, the service may be for any.
///
/// # Errors
///
/// `name-service-not-found`
pub fn by_name(name: &str, protocol: Option<Protocol>) -> Result<u16, Error> {
    service::by_name(name, protocol).ok_or_else(|| ErrorCode::NameServiceNotFound.into())
}

/// POSIX `getservbyport`.
///
/// # Errors
///
/// `name-service-not-found`
pub fn by_port(port: u16, protocol: Option<Protocol>) -> Result<&'static str, Error> {
    service::by_port(port, protocol).ok_or_else(|| ErrorCode::NameServiceNotFound.into())
}

/// The number of a protocol: POSIX `getprotobyname`. In either case, as the
/// names are written in both.
///
/// # Errors
///
/// `name-not-found`
pub fn protocol_number(name: &str) -> Result<u16, Error> {
    let found = PROTOCOLS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    match found {
        Some((_, number)) => Ok(*number),
        None => Err(ErrorCode::NameNotFound.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_found_by_its_name_and_its_aliases() {
        assert_eq!(by_name("http", Some(Protocol::Tcp)).unwrap(), 80);
        assert_eq!(by_name("www", None).unwrap(), 80);
    }

    #[test]
    fn a_service_is_not_found_for_a_protocol_it_is_not_for() {
        assert_eq!(
            by_name("tftp", Some(Protocol::Tcp)).unwrap_err().code(),
            ErrorCode::NameServiceNotFound
        );
        assert_eq!(
            by_name("http", Some(Protocol::Udp)).unwrap_err().code(),
            ErrorCode::NameServiceNotFound
        );
    }

    #[test]
    fn a_port_has_the_first_name_of_the_table() {
        assert_eq!(by_port(80, Some(Protocol::Tcp)).unwrap(), "http");
        assert_eq!(by_port(514, Some(Protocol::Tcp)).unwrap(), "shell");
        assert_eq!(by_port(514, Some(Protocol::Udp)).unwrap(), "syslog");
        assert_eq!(
            by_port(2, None).unwrap_err().code(),
            ErrorCode::NameServiceNotFound
        );
    }

    #[test]
    fn the_services_of_every_tutorial_are_there() {
        for (name, port) in [
            ("daytime", 13),
            ("discard", 9),
            ("domain", 53),
            ("echo", 7),
            ("ftp", 21),
            ("ftp-data", 20),
            ("ftps", 990),
            ("gopher", 70),
            ("https", 443),
            ("imap", 143),
            ("imap2", 143),
            ("imaps", 993),
            ("ldap", 389),
            ("ldaps", 636),
            ("mysql", 3306),
            ("nntp", 119),
            ("nntps", 563),
            ("ntp", 123),
            ("pop3", 110),
            ("pop3s", 995),
            ("postgresql", 5432),
            ("redis", 6379),
            ("smtp", 25),
            ("snmp", 161),
            ("ssh", 22),
            ("syslog", 514),
            ("telnet", 23),
            ("time", 37),
            ("www", 80),
        ] {
            assert_eq!(by_name(name, None).unwrap(), port, "{name}");
        }
    }

    #[test]
    fn the_table_of_protocols_is_in_the_order_of_its_numbers() {
        assert!(PROTOCOLS.is_sorted_by_key(|(_, number)| number));
    }

    #[test]
    fn a_protocol_has_a_number() {
        for (name, number) in [
            ("ip", 0),
            ("icmp", 1),
            ("igmp", 2),
            ("tcp", 6),
            ("TCP", 6),
            ("udp", 17),
            ("ipv6", 41),
            ("ipv6-icmp", 58),
            ("IPv6-ICMP", 58),
            ("sctp", 132),
            ("udplite", 136),
        ] {
            assert_eq!(protocol_number(name).unwrap(), number, "{name}");
        }
        let nobody = protocol_number("carrier-pigeon").unwrap_err();
        assert_eq!(nobody.code(), ErrorCode::NameNotFound);
    }
}
