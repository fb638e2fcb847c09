//! The specification once more, as plainly as it can be said: every line is
//! looked at for every request. It must not be clever, nor use the crate.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) allow: Vec<Line>,
    pub(crate) deny: Vec<Line>,
}

#[derive(Clone, Debug)]
pub(crate) enum Line {
    Resolve(Host),
    Socket(SocketLine),
    Unix(UnixLine),
}

#[derive(Clone, Debug)]
pub(crate) struct UnixLine {
    pub(crate) verb: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) names: &'static str,
}

#[derive(Clone, Debug)]
pub(crate) struct SocketLine {
    pub(crate) verb: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) host: Host,
    pub(crate) ports: &'static str,
    pub(crate) from: Option<Host>,
    pub(crate) within: Option<Host>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Host {
    Address(&'static str),
    Group(&'static str),
    Name(&'static str),
    Network(&'static str),
    Star,
    Under(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) enum Ask {
    Accept {
        listener: Spot,
        dual: bool,
        peer: &'static str,
    },
    Bind(Spot),
    Broadcast,
    Connect(Spot),
    Join {
        group: &'static str,
        port: u16,
    },
    Listen {
        listener: Spot,
        dual: bool,
    },
    Lookup {
        verb: &'static str,
        protocol: &'static str,
        name: &'static str,
        port: u16,
    },
    Resolve(&'static str),
    Reverse(&'static str),
    /// In `names` there is one name; `@*` is one that the system chooses.
    Unix(UnixLine),
}

#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) protocol: &'static str,
    pub(crate) address: &'static str,
    pub(crate) port: u16,
    pub(crate) name: Option<&'static str>,
}

impl Rules {
    pub(crate) fn allow(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Connect(spot) => {
                let to = destination(spot.ip());
                !self.denies("connect", |line| line.catches(spot, to, false))
                    && self.grants("connect", |line| line.covers(spot, to, false))
            }
            Ask::Bind(spot) => {
                let on = spot.ip();
                let granted = |verb| self.grants(verb, |line| line.covers(spot, on, true));
                let denied = |verb| {
                    self.denies(verb, |line| {
                        line.from.is_none() && line.catches(spot, on, true)
                    })
                };
                !denied("bind") && (granted("bind") || granted("listen") && !denied("listen"))
            }
            Ask::Listen { listener, dual } => sides(listener, *dual).into_iter().all(|on| {
                !self.denies("listen", |line| {
                    line.from.is_none() && line.catches(listener, on, true)
                }) && self.grants("listen", |line| line.covers(listener, on, true))
            }),
            Ask::Accept {
                listener,
                dual,
                peer,
            } => {
                let peer = address(peer);
                let own = listener.ip();
                let on = sides(listener, *dual)
                    .into_iter()
                    .find(|side| *dual && side.is_ipv4() && peer.is_ipv4())
                    .unwrap_or(own);
                !self.denies("listen", |line| {
                    line.catches(listener, on, true)
                        && line
                            .from
                            .is_none_or(|from| probes(peer).any(|ip| from.has(ip)))
                }) && self.grants("listen", |line| {
                    line.covers(listener, on, true) && line.from.is_none_or(|from| from.has(peer))
                })
            }
            Ask::Lookup {
                verb,
                protocol,
                name,
                port,
            } => {
                let about =
                    |line: &SocketLine| line.protocol == *protocol && has_port(line.ports, *port);
                let denied = |verb| {
                    self.denies(verb, |line| {
                        line.from.is_none() && about(line) && line.host.matches(name)
                    })
                };
                let granted = |verb: &str| {
                    self.grants(verb, |line| {
                        let local_star = verb != "connect" && matches!(line.host, Host::Star);
                        about(line) && line.host.matches(name) && !local_star
                    })
                };
                let by_listen = || *verb == "bind" && granted("listen") && !denied("listen");
                !denied(verb)
                    && !self.denies_resolving(name)
                    && (granted(verb)
                        || by_listen()
                        || self.grants_resolving(name)
                        || is_localhost(name))
            }
            Ask::Broadcast => {
                let everybody = address("255.255.255.255");
                let is_udp = |line: &SocketLine| line.protocol == "udp";
                !self.denies("connect", |line| {
                    is_udp(line) && all_ports(line) && line.catches_host(None, everybody, false)
                }) && self.grants("connect", |line| {
                    is_udp(line) && line.covers_host(None, everybody, false)
                })
            }
            Ask::Join { group, port } => {
                let group = address(group);
                let about = |line: &SocketLine| has_port(line.ports, *port) && line.host.has(group);
                group.is_multicast() && !self.denies("join", about) && self.grants("join", about)
            }
            Ask::Reverse(ip) => {
                let (ip, name) = (address(ip), reverse_name(address(ip)));
                !self.denies_resolving(&name)
                    && !self.denies("connect", |line| {
                        all_ports(line) && line.catches_host(None, ip, false)
                    })
                    && (self.grants_resolving(&name)
                        || self.grants("connect", |line| line.covers_host(None, ip, false)))
            }
            Ask::Unix(UnixLine { verb, kind, names }) => {
                let has = |lines: &[Line], verb: &str| {
                    lines.iter().any(|line| {
                        matches!(line, Line::Unix(line)
                            if line.verb == verb && line.kind == *kind && line.matches(names))
                    })
                };
                let by_listen =
                    || *verb == "bind" && has(&self.allow, "listen") && !has(&self.deny, "listen");
                !has(&self.deny, verb) && (has(&self.allow, verb) || by_listen())
            }
            Ask::Resolve(name) => {
                !self.denies_resolving(name)
                    && !self.denies("connect", |line| line.host.matches(name) && all_ports(line))
                    && (self.grants("connect", |line| line.host.matches(name))
                        || self.grants_resolving(name)
                        || is_localhost(name))
            }
        }
    }

    fn grants(&self, verb: &str, covers: impl Fn(&SocketLine) -> bool) -> bool {
        sockets(&self.allow, verb).any(covers)
    }

    fn denies(&self, verb: &str, catches: impl Fn(&SocketLine) -> bool) -> bool {
        sockets(&self.deny, verb).any(catches)
    }

    fn grants_resolving(&self, name: &str) -> bool {
        self.allow.iter().any(|line| line.resolves(name))
    }

    fn denies_resolving(&self, name: &str) -> bool {
        self.deny.iter().any(|line| line.resolves(name))
    }
}

fn sockets<'a>(lines: &'a [Line], verb: &str) -> impl Iterator<Item = &'a SocketLine> {
    lines.iter().filter_map(move |line| match line {
        Line::Socket(line) if line.verb == verb => Some(line),
        Line::Resolve(_) | Line::Socket(_) | Line::Unix(_) => None,
    })
}

impl Line {
    fn resolves(&self, name: &str) -> bool {
        matches!(self, Self::Resolve(host) if host.matches(name))
    }
}

impl UnixLine {
    fn matches(&self, name: &str) -> bool {
        if self.names == "@*" {
            return name.starts_with('@');
        }
        if let Some(folder) = self.names.strip_suffix("**") {
            return name.starts_with(folder);
        }
        match self.names.strip_suffix('*') {
            Some(folder) => name
                .strip_prefix(folder)
                .is_some_and(|rest| !rest.contains('/')),
            None => self.names == name,
        }
    }
}

impl SocketLine {
    fn is_about(&self, spot: &Spot) -> bool {
        self.protocol == spot.protocol && has_port(self.ports, spot.port)
    }

    /// As an allow. `local` is for bind and listen.
    fn covers(&self, spot: &Spot, ip: IpAddr, local: bool) -> bool {
        self.is_about(spot) && self.covers_host(spot.name, ip, local)
    }

    fn covers_host(&self, name: Option<&str>, ip: IpAddr, local: bool) -> bool {
        let everything_heard = local && ip.is_unspecified();
        let reaches = |host: Host| {
            if everything_heard {
                host.is_all_of(ip)
            } else if local {
                host.has(ip)
            } else {
                host.leads_to(ip)
            }
        };
        match self.host {
            Host::Star if local => true,
            Host::Star => is_public(ip) && !is_metadata(ip),
            Host::Address(own) if local && address(own).is_unspecified() => {
                address(own).is_ipv4() == ip.is_ipv4()
            }
            Host::Address(own) if !local => destination(address(own)) == ip,
            Host::Address(_) | Host::Group(_) | Host::Network(_) => reaches(self.host),
            Host::Name(own) | Host::Under(own) => {
                let home = if is_localhost(own) {
                    ip.is_loopback()
                } else {
                    is_public(ip) && (local || !is_metadata(ip))
                };
                name.is_some_and(|name| self.host.matches(name))
                    && (home || self.within.is_some_and(reaches))
            }
        }
    }

    /// As a deny.
    fn catches(&self, spot: &Spot, ip: IpAddr, local: bool) -> bool {
        self.is_about(spot) && self.catches_host(spot.name, ip, local)
    }

    fn catches_host(&self, name: Option<&str>, ip: IpAddr, local: bool) -> bool {
        let everything_heard = local && ip.is_unspecified();
        match self.host {
            Host::Star => true,
            Host::Address(own) | Host::Network(own) if everything_heard => {
                network(own).addr().is_ipv4() == ip.is_ipv4()
            }
            Host::Group(_) | Host::Name(_) | Host::Under(_) if everything_heard => true,
            Host::Address(own) if local && address(own).is_unspecified() => {
                probes(ip).any(|ip| address(own).is_ipv4() == ip.is_ipv4())
            }
            Host::Address(own) if !local => probes(ip).any(|ip| destination(address(own)) == ip),
            Host::Address(_) | Host::Group(_) | Host::Network(_) => {
                probes(ip).any(|ip| self.host.has(ip))
            }
            Host::Name(own) | Host::Under(own) => {
                name.is_some_and(|name| self.host.matches(name))
                    || is_localhost(own) && probes(ip).any(|ip| ip.is_loopback())
            }
        }
    }
}

impl Host {
    fn has(self, ip: IpAddr) -> bool {
        match self {
            Self::Address(own) => address(own) == ip,
            Self::Group(group) => group_has(group, ip),
            Self::Network(own) => network(own).contains(&ip),
            Self::Name(_) | Self::Star | Self::Under(_) => false,
        }
    }

    /// As a destination: of words, its own alone holds metadata.
    fn leads_to(self, ip: IpAddr) -> bool {
        let is_left_out = match self {
            Self::Group(group) => group != "metadata" && is_metadata(ip),
            Self::Address(_) | Self::Name(_) | Self::Network(_) | Self::Star | Self::Under(_) => {
                false
            }
        };
        self.has(ip) && !is_left_out
    }

    fn is_all_of(self, family: IpAddr) -> bool {
        match self {
            Self::Group(group) => group == "any",
            Self::Network(own) => network(own).prefix_len() == 0 && self.has(family),
            Self::Address(_) | Self::Name(_) | Self::Star | Self::Under(_) => false,
        }
    }

    fn matches(self, name: &str) -> bool {
        match self {
            Self::Star => true,
            Self::Name(own) => own == name,
            Self::Under(own) => name.ends_with(&format!(".{own}")),
            Self::Address(_) | Self::Group(_) | Self::Network(_) => false,
        }
    }
}

impl Spot {
    fn ip(&self) -> IpAddr {
        address(self.address)
    }
}

fn sides(listener: &Spot, dual: bool) -> Vec<IpAddr> {
    let mut sides = vec![listener.ip()];
    if dual && listener.ip() == Ipv6Addr::UNSPECIFIED {
        sides.push(Ipv4Addr::UNSPECIFIED.into());
    }
    sides
}

fn address(text: &str) -> IpAddr {
    text.parse::<IpAddr>().unwrap().to_canonical()
}

fn network(text: &str) -> IpNet {
    text.parse().unwrap_or_else(|_| address(text).into())
}

fn destination(ip: IpAddr) -> IpAddr {
    match ip.is_unspecified() {
        true if ip.is_ipv4() => Ipv4Addr::LOCALHOST.into(),
        true => Ipv6Addr::LOCALHOST.into(),
        false => ip,
    }
}

/// The address, and the IPv4 address in it. (The strategies use these two ways
/// to carry one.)
fn probes(ip: IpAddr) -> impl Iterator<Item = IpAddr> {
    let carried = match ip {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.octets();
            let [.., w, x, y, z] = v6.octets();
            let [_, _, e, f, g, h, ..] = v6.octets();
            match (a, b, c, d) {
                (0x20, 0x02, _, _) => Some(Ipv4Addr::new(e, f, g, h)),
                (0, 0x64, 0xff, 0x9b) => Some(Ipv4Addr::new(w, x, y, z)),
                _ => None,
            }
        }
        IpAddr::V4(_) => None,
    };
    [Some(ip), carried.map(IpAddr::V4)].into_iter().flatten()
}

fn group_has(group: &str, ip: IpAddr) -> bool {
    match (group, ip) {
        ("any", _) => true,
        ("public", ip) => is_public(ip),
        ("loopback", ip) => ip.is_loopback(),
        ("metadata", ip) => METADATA.iter().any(|own| address(own) == ip),
        ("multicast", ip) => ip.is_multicast(),
        ("private", IpAddr::V4(v4)) => v4.is_private(),
        ("private", IpAddr::V6(v6)) => v6.is_unique_local(),
        ("link-local", IpAddr::V4(v4)) => v4.is_link_local(),
        ("link-local", IpAddr::V6(v6)) => v6.is_unicast_link_local(),
        _ => panic!("no group: {group}"),
    }
}

/// Of the addresses that the strategies use, these are metadata.
const METADATA: [&str; 3] = ["168.63.129.16", "169.254.169.254", "fd00:ec2::254"];

/// Whether it is metadata, or carries some.
fn is_metadata(ip: IpAddr) -> bool {
    probes(ip).any(|ip| group_has("metadata", ip))
}

/// Of the addresses that the strategies use, these are public. (What `public`
/// is, tables say.)
fn is_public(ip: IpAddr) -> bool {
    ["1.1.1.1", "168.63.129.16", "2606:4700::1"]
        .iter()
        .any(|public| address(public) == ip)
}

fn all_ports(line: &SocketLine) -> bool {
    ["*", "1-65535"].contains(&line.ports)
}

/// By way of the whole written out.
fn reverse_name(ip: IpAddr) -> String {
    let (digits, zone): (Vec<String>, &str) = match ip {
        IpAddr::V4(v4) => (
            v4.to_string().split('.').map(str::to_owned).collect(),
            "in-addr.arpa",
        ),
        IpAddr::V6(v6) => (
            format!("{:032x}", v6.to_bits())
                .chars()
                .map(String::from)
                .collect(),
            "ip6.arpa",
        ),
    };
    let labels = digits.into_iter().rev().chain([zone.to_owned()]);
    labels.collect::<Vec<_>>().join(".")
}

fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn has_port(ports: &str, port: u16) -> bool {
    ports == "*"
        || ports.split(',').any(|item| {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            (first.parse().unwrap()..=last.parse().unwrap()).contains(&port)
        })
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(host) => write!(f, "resolve {host}"),
            Self::Unix(line) => line.fmt(f),
            Self::Socket(line) => {
                let SocketLine {
                    verb,
                    protocol,
                    host,
                    ports,
                    from,
                    within,
                } = line;
                write!(f, "{verb} {protocol}://{host}:{ports}")?;
                from.map_or(Ok(()), |from| write!(f, " from {from}"))?;
                within.map_or(Ok(()), |within| write!(f, " in {within}"))
            }
        }
    }
}

impl fmt::Display for UnixLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.verb, self.kind, self.names)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(text) | Self::Network(text) if text.contains(':') => {
                match text.split_once('/') {
                    Some((address, length)) => write!(f, "[{address}]/{length}"),
                    None => write!(f, "[{text}]"),
                }
            }
            Self::Address(text) | Self::Network(text) | Self::Group(text) => f.write_str(text),
            Self::Name(text) => write!(f, "{text}."),
            Self::Star => f.write_str("*"),
            Self::Under(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// In the words that the tables use.
impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dual = |dual: bool| if dual { " dual" } else { "" };
        match self {
            Self::Bind(spot) => write!(f, "bind {}{}", spot.endpoint(), spot.named()),
            Self::Connect(spot) => write!(f, "connect {}{}", spot.endpoint(), spot.named()),
            Self::Listen {
                listener,
                dual: both,
            } => {
                write!(
                    f,
                    "listen {}{}{}",
                    listener.endpoint(),
                    dual(*both),
                    listener.named()
                )
            }
            Self::Accept {
                listener,
                dual: both,
                peer,
            } => {
                let peer = SocketAddr::new(peer.parse().unwrap(), 999);
                let (endpoint, named) = (listener.endpoint(), listener.named());
                write!(f, "accept {endpoint}{}{named} from {peer}", dual(*both))
            }
            Self::Lookup {
                verb,
                protocol,
                name,
                port,
            } => {
                write!(f, "lookup {verb} {protocol} {name} {port}")
            }
            Self::Broadcast => f.write_str("broadcast"),
            Self::Join { group, port } => {
                let group = SocketAddr::new(group.parse().unwrap(), *port);
                write!(f, "join udp://{group}")
            }
            Self::Resolve(name) => write!(f, "resolve {name}"),
            Self::Reverse(address) => write!(f, "reverse {address}"),
            Self::Unix(line) => line.fmt(f),
        }
    }
}

impl Spot {
    fn endpoint(&self) -> String {
        let address = SocketAddr::new(self.address.parse().unwrap(), self.port);
        format!("{}://{address}", self.protocol)
    }

    fn named(&self) -> String {
        self.name
            .map_or_else(String::new, |name| format!(" named {name}"))
    }
}
