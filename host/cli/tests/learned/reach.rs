//! How far a grant reaches, by requests at its edges.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use portcullis_policy::{
    Accept, Bind, Connect, Host, Listen, Lookup, Name, Policy, Protocol, Purpose, Request,
};

/// Checks that a policy allows whatever a grant that was learned covers.
#[track_caller]
pub(crate) fn assert_within(policy: &Policy, grant: &str) {
    let words: Vec<&str> = grant.split(' ').collect();
    let (verb, endpoint) = (words[0], words[1]);
    if verb == "resolve" {
        let name = Name::parse(endpoint).unwrap();
        return check(policy, grant, Lookup::new(name, Purpose::Resolve));
    }
    let clause = |keyword| {
        let at = words.iter().position(|word| *word == keyword)?;
        Some(words[at + 1].split(',').flat_map(edges).collect::<Vec<_>>())
    };
    let (protocol, rest) = endpoint.split_once("://").unwrap();
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => panic!("no protocol: {grant}"),
    };
    let (host, ports) = rest.rsplit_once(':').unwrap();
    let host = match host {
        "*" => Host::Address(Ipv6Addr::UNSPECIFIED.into()),
        host => Host::parse(host).unwrap(),
    };
    for port in ports.split(',').flat_map(port_edges) {
        match (verb, &host) {
            ("connect", Host::Address(ip)) => {
                check(policy, grant, Connect::new(protocol, (*ip, port).into()));
            }
            ("connect", Host::Name(name)) => {
                let purpose = Purpose::Connect { protocol, port };
                check(policy, grant, Lookup::new(name.clone(), purpose));
                // What `[hosts]` lists leads nowhere else.
                let addresses = policy.hosts(name).map(<[_]>::to_vec);
                for ip in addresses.or_else(|| clause("in")).unwrap() {
                    let request = Connect::new(protocol, (ip, port).into());
                    check(policy, grant, request.named(name.clone()));
                }
            }
            ("bind", Host::Address(ip)) => {
                check(policy, grant, Bind::new(protocol, (*ip, port).into()));
            }
            ("listen", Host::Address(ip)) => {
                let at = SocketAddr::new(*ip, port);
                let listen = Listen::new(protocol, at, true);
                check(policy, grant, Bind::new(protocol, at));
                check(policy, grant, listen.clone());
                let anyone = || vec!["1.1.1.1".parse().unwrap(), "2606:4700::1".parse().unwrap()];
                for peer in clause("from").unwrap_or_else(anyone) {
                    check(policy, grant, Accept::new(&listen, (peer, 40000).into()));
                }
            }
            _ => panic!("no example learns that: {grant}"),
        }
    }
}

#[track_caller]
fn check(policy: &Policy, grant: &str, request: impl Request) {
    if let Err(denial) = policy.check(request) {
        panic!("{grant} was learned, which reaches further than its own policy: {denial}");
    }
}

fn port_edges(ports: &str) -> Vec<u16> {
    match ports.split_once('-') {
        Some((first, last)) => vec![first.parse().unwrap(), last.parse().unwrap()],
        None => vec![ports.parse().unwrap()],
    }
}

fn edges(range: &str) -> Vec<IpAddr> {
    match range {
        "loopback" => ["127.0.0.0", "127.255.255.255", "::1"]
            .map(|ip| ip.parse().unwrap())
            .to_vec(),
        address => vec![address.parse().unwrap()],
    }
}
