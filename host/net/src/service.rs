//! The services that programs name instead of numbering their ports.
//!
//! A table of our own rather than the host's `/etc/services`, so that a guest
//! sees the same on every machine. Source: IANA, Service Name and Transport
//! Protocol Port Number Registry.

use portcullis_policy::Protocol;

use crate::address::Service;
use crate::error::{Error, ErrorCode};

use Transport::{Both, Tcp, Udp};

/// Which protocols a service is registered for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Transport {
    Both,
    Tcp,
    Udp,
}

/// The first name of a port is its own; what follows are aliases.
const SERVICES: &[(&str, u16, Transport)] = &[
    ("echo", 7, Both),
    ("discard", 9, Both),
    ("daytime", 13, Both),
    ("chargen", 19, Both),
    ("ftp-data", 20, Tcp),
    ("ftp", 21, Tcp),
    ("ssh", 22, Tcp),
    ("telnet", 23, Tcp),
    ("smtp", 25, Tcp),
    ("mail", 25, Tcp),
    ("time", 37, Both),
    ("whois", 43, Tcp),
    ("domain", 53, Both),
    ("bootps", 67, Udp),
    ("bootpc", 68, Udp),
    ("tftp", 69, Udp),
    ("gopher", 70, Tcp),
    ("finger", 79, Tcp),
    ("http", 80, Tcp),
    ("www", 80, Tcp),
    ("kerberos", 88, Both),
    ("pop3", 110, Tcp),
    ("sunrpc", 111, Both),
    ("nntp", 119, Tcp),
    ("ntp", 123, Udp),
    ("imap2", 143, Tcp),
    ("imap", 143, Tcp),
    ("snmp", 161, Both),
    ("snmp-trap", 162, Both),
    ("bgp", 179, Tcp),
    ("irc", 194, Both),
    ("ldap", 389, Both),
    ("https", 443, Both),
    ("submissions", 465, Tcp),
    ("syslog", 514, Udp),
    ("submission", 587, Tcp),
    ("ldaps", 636, Both),
    ("domain-s", 853, Both),
    ("ftps", 990, Tcp),
    ("telnets", 992, Tcp),
    ("imaps", 993, Tcp),
    ("pop3s", 995, Tcp),
    ("socks", 1080, Tcp),
    ("mqtt", 1883, Tcp),
    ("nfs", 2049, Both),
    ("mysql", 3306, Tcp),
    ("sip", 5060, Both),
    ("xmpp-client", 5222, Tcp),
    ("mdns", 5353, Udp),
    ("postgresql", 5432, Tcp),
    ("amqp", 5672, Tcp),
    ("redis", 6379, Tcp),
    ("http-alt", 8080, Tcp),
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
    let found = SERVICES
        .iter()
        .find(|(known, _, transport)| *known == name && transport.serves(protocol));
    match found {
        Some((_, port, _)) => Ok(*port),
        None => Err(ErrorCode::NameServiceNotFound.into()),
    }
}

/// POSIX `getservbyport`.
///
/// # Errors
///
/// `name-service-not-found`
pub fn by_port(port: u16, protocol: Option<Protocol>) -> Result<&'static str, Error> {
    let found = SERVICES
        .iter()
        .find(|(_, known, transport)| *known == port && transport.serves(protocol));
    match found {
        Some((name, _, _)) => Ok(name),
        None => Err(ErrorCode::NameServiceNotFound.into()),
    }
}

/// The number of a protocol, from IANA's registry of protocol numbers: POSIX
/// `getprotobyname`.
///
/// # Errors
///
/// `name-not-found`
pub fn protocol_number(name: &str) -> Result<u16, Error> {
    match name {
        "ip" => Ok(0),
        "icmp" => Ok(1),
        "igmp" => Ok(2),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        "ipv6" => Ok(41),
        "ipv6-icmp" => Ok(58),
        "sctp" => Ok(132),
        "udplite" => Ok(136),
        _ => Err(ErrorCode::NameNotFound.into()),
    }
}

impl Transport {
    fn serves(self, protocol: Option<Protocol>) -> bool {
        match protocol {
            None => true,
            Some(Protocol::Tcp) => self != Udp,
            Some(Protocol::Udp) => self != Tcp,
        }
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
        assert_eq!(
            by_port(2, None).unwrap_err().code(),
            ErrorCode::NameServiceNotFound
        );
    }

    #[test]
    fn the_table_is_in_the_order_of_its_ports() {
        assert!(SERVICES.is_sorted_by_key(|(_, port, _)| port));
    }
}
