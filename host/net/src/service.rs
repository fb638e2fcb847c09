//! The services and protocols that programs name instead of numbering.
//!
//! Tables of our own rather than the host's `/etc/services` and
//! `/etc/protocols`, so that a guest sees the same on every machine. Sources:
//! IANA, Service Name and Transport Protocol Port Number Registry, and Protocol
//! Numbers; the aliases are those that Unix systems know besides.

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

/// Each service with its aliases, its port, and the protocols it is used with:
/// the registered ones that are in use. In the order of their ports.
const SERVICES: &[(&[&str], u16, Transport)] = &[
    (&["tcpmux"], 1, Tcp),
    (&["echo"], 7, Both),
    (&["discard", "sink", "null"], 9, Both),
    (&["systat", "users"], 11, Tcp),
    (&["daytime"], 13, Both),
    (&["qotd", "quote"], 17, Both),
    (&["chargen", "ttytst", "source"], 19, Both),
    (&["ftp-data"], 20, Tcp),
    (&["ftp"], 21, Tcp),
    (&["ssh"], 22, Tcp),
    (&["telnet"], 23, Tcp),
    (&["smtp", "mail"], 25, Tcp),
    (&["time", "timserver"], 37, Both),
    (&["whois", "nicname"], 43, Tcp),
    (&["tacacs"], 49, Both),
    (&["domain"], 53, Both),
    (&["bootps"], 67, Udp),
    (&["bootpc"], 68, Udp),
    (&["tftp"], 69, Udp),
    (&["gopher"], 70, Tcp),
    (&["finger"], 79, Tcp),
    (&["http", "www", "www-http"], 80, Tcp),
    (&["kerberos", "kerberos5", "krb5", "kerberos-sec"], 88, Both),
    (&["hostname", "hostnames"], 101, Tcp),
    (&["iso-tsap", "tsap"], 102, Tcp),
    (&["pop3", "pop-3"], 110, Tcp),
    (&["sunrpc", "portmapper"], 111, Both),
    (&["auth", "authentication", "tap", "ident"], 113, Tcp),
    (&["nntp", "readnews", "untp"], 119, Tcp),
    (&["ntp"], 123, Udp),
    (&["epmap", "loc-srv"], 135, Both),
    (&["netbios-ns"], 137, Udp),
    (&["netbios-dgm"], 138, Udp),
    (&["netbios-ssn"], 139, Tcp),
    (&["imap", "imap2"], 143, Tcp),
    (&["snmp"], 161, Both),
    (&["snmptrap", "snmp-trap"], 162, Both),
    (&["xdmcp"], 177, Udp),
    (&["bgp"], 179, Tcp),
    (&["irc"], 194, Both),
    (&["smux"], 199, Tcp),
    (&["imap3"], 220, Both),
    (&["ldap"], 389, Both),
    (&["https"], 443, Both),
    (&["microsoft-ds"], 445, Both),
    (&["kpasswd"], 464, Both),
    (&["submissions", "ssmtp", "smtps", "urd"], 465, Tcp),
    (&["isakmp"], 500, Udp),
    (&["exec"], 512, Tcp),
    (&["biff", "comsat"], 512, Udp),
    (&["login"], 513, Tcp),
    (&["who", "whod"], 513, Udp),
    (&["shell", "cmd"], 514, Tcp),
    (&["syslog"], 514, Udp),
    (&["printer", "spooler"], 515, Tcp),
    (&["talk"], 517, Udp),
    (&["ntalk"], 518, Udp),
    (&["uucp", "uucpd"], 540, Tcp),
    (&["klogin"], 543, Tcp),
    (&["kshell", "krcmd"], 544, Tcp),
    (&["dhcpv6-client"], 546, Udp),
    (&["dhcpv6-server"], 547, Udp),
    (&["rtsp"], 554, Both),
    (&["nntps", "snntp"], 563, Tcp),
    (&["submission"], 587, Tcp),
    (&["ipp"], 631, Tcp),
    (&["ldaps"], 636, Both),
    (&["ldp"], 646, Both),
    (&["kerberos-adm"], 749, Tcp),
    (&["domain-s"], 853, Both),
    (&["iscsi"], 860, Tcp),
    (&["rsync"], 873, Tcp),
    (&["ftps-data"], 989, Tcp),
    (&["ftps"], 990, Tcp),
    (&["telnets"], 992, Tcp),
    (&["imaps"], 993, Tcp),
    (&["ircs"], 994, Tcp),
    (&["pop3s"], 995, Tcp),
    (&["socks"], 1080, Tcp),
    (&["rmiregistry"], 1099, Tcp),
    (&["openvpn"], 1194, Both),
    (&["ms-sql-s"], 1433, Tcp),
    (&["ms-sql-m"], 1434, Udp),
    (&["l2f", "l2tp"], 1701, Udp),
    (&["radius"], 1812, Both),
    (&["radius-acct", "radacct"], 1813, Both),
    (&["mqtt"], 1883, Tcp),
    (&["ssdp"], 1900, Udp),
    (&["nfs"], 2049, Both),
    (&["docker"], 2375, Tcp),
    (&["docker-s"], 2376, Tcp),
    (&["cvspserver"], 2401, Tcp),
    (&["iscsi-target"], 3260, Tcp),
    (&["mysql"], 3306, Tcp),
    (&["ms-wbt-server"], 3389, Tcp),
    (&["stun", "turn"], 3478, Both),
    (&["svn", "subversion"], 3690, Tcp),
    (&["epmd"], 4369, Tcp),
    (&["ipsec-nat-t"], 4500, Udp),
    (&["sip"], 5060, Both),
    (&["sip-tls"], 5061, Both),
    (&["xmpp-client", "jabber-client"], 5222, Tcp),
    (&["xmpp-server", "jabber-server"], 5269, Tcp),
    (&["stuns", "turns"], 5349, Tcp),
    (&["mdns"], 5353, Udp),
    (&["postgresql", "postgres"], 5432, Tcp),
    (&["amqps"], 5671, Tcp),
    (&["amqp"], 5672, Tcp),
    (&["coap"], 5683, Both),
    (&["coaps"], 5684, Both),
    (&["rfb", "vnc-server"], 5900, Tcp),
    (&["wsman"], 5985, Tcp),
    (&["wsmans"], 5986, Tcp),
    (&["x11", "x11-0"], 6000, Tcp),
    (&["redis"], 6379, Tcp),
    (&["syslog-tls"], 6514, Tcp),
    (&["ircu"], 6667, Tcp),
    (&["ircs-u"], 6697, Tcp),
    (&["http-alt", "webcache"], 8080, Tcp),
    (&["puppet"], 8140, Tcp),
    (&["https-alt", "pcsync-https"], 8443, Tcp),
    (&["mqtts", "secure-mqtt"], 8883, Tcp),
    (&["git"], 9418, Tcp),
    (&["zabbix-agent"], 10050, Tcp),
    (&["zabbix-trapper"], 10051, Tcp),
    (&["memcache"], 11211, Both),
];

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
    let found = SERVICES
        .iter()
        .find(|(names, _, transport)| names.contains(&name) && transport.serves(protocol));
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
    let name = found.and_then(|(names, ..)| names.first());
    name.copied()
        .ok_or_else(|| ErrorCode::NameServiceNotFound.into())
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
    fn the_tables_are_in_the_order_of_their_numbers() {
        assert!(SERVICES.is_sorted_by_key(|(_, port, _)| port));
        assert!(PROTOCOLS.is_sorted_by_key(|(_, number)| number));
    }

    #[test]
    fn a_name_stands_for_one_thing() {
        let mut names: Vec<_> = SERVICES.iter().flat_map(|(names, ..)| *names).collect();
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
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
