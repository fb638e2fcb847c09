//! The services that people name instead of numbering. It must not read any
//! file of the machine: a name means the same everywhere.
//!
//! Source: IANA, Service Name and Transport Protocol Port Number Registry; the
//! aliases are those that Unix systems know besides.

use crate::Protocol;

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

/// The port of a service: POSIX `getservbyname`. Without a protocol, the
/// service may be for any.
pub fn by_name(name: &str, protocol: Option<Protocol>) -> Option<u16> {
    let mut known = SERVICES.iter();
    known
        .find(|(names, _, transport)| names.contains(&name) && transport.serves(protocol))
        .map(|(_, port, _)| *port)
}

/// The first name of the service at a port: POSIX `getservbyport`.
pub fn by_port(port: u16, protocol: Option<Protocol>) -> Option<&'static str> {
    let mut known = SERVICES.iter();
    known
        .find(|(_, known, transport)| *known == port && transport.serves(protocol))
        .and_then(|(names, ..)| names.first().copied())
}

/// The names of the services that a protocol has, aliases among them.
pub(crate) fn names(protocol: Protocol) -> impl Iterator<Item = &'static str> {
    SERVICES
        .iter()
        .filter(move |(_, _, transport)| transport.serves(Some(protocol)))
        .flat_map(|(names, ..)| names.iter().copied())
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
    fn the_table_is_in_the_order_of_its_ports() {
        assert!(SERVICES.is_sorted_by_key(|(_, port, _)| port));
    }

    #[test]
    fn a_name_stands_for_one_thing() {
        let mut names: Vec<_> = SERVICES.iter().flat_map(|(names, ..)| *names).collect();
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    /// RFC 6335, section 5.1: what the ports of a grant tell names by.
    #[test]
    fn a_name_is_letters_digits_and_hyphens_and_starts_with_a_letter() {
        for name in SERVICES.iter().flat_map(|(names, ..)| *names) {
            let belongs = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            assert!(name.starts_with(|c: char| c.is_ascii_lowercase()), "{name}");
            assert!(name.bytes().all(belongs), "{name}");
        }
    }
}
