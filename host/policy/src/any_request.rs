//! Requests of whatever kind, and the text that denials give them. It must not
//! choose where the text leaves a choice.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::fragment::Fragment;
use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::layer::Layer;
use crate::name_pattern::NamePattern;
use crate::parser;
use crate::ports::Ports;
use crate::range::{Range, Ranges};
use crate::request::{Decide, Explanation, Request, Verdict};
use crate::socket_grant::SocketGrant;
use crate::unix_grant::UnixGrant;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::zone::zone;
use crate::{
    Accept, Bind, BindUnix, Broadcast, Connect, ConnectUnix, Grant, GrantError, Host, Join, Listen,
    ListenUnix, Lookup, Name, Protocol, Purpose, Reverse, UnixName,
};

/// A request of any kind.
#[derive(Clone, Debug)]
pub enum AnyRequest {
    /// To accept a peer.
    Accept(Accept),
    /// To bind a socket.
    Bind(Bind),
    /// To bind a unix socket.
    BindUnix(BindUnix),
    /// To let a socket send broadcasts.
    Broadcast(Broadcast),
    /// To connect, or to send a datagram.
    Connect(Connect),
    /// To connect to a unix socket.
    ConnectUnix(ConnectUnix),
    /// To join a multicast group.
    Join(Join),
    /// To listen.
    Listen(Listen),
    /// To listen on a unix socket.
    ListenUnix(ListenUnix),
    /// To look a name up, for what is done with it.
    Lookup(Lookup),
    /// To look the name of an address up.
    Reverse(Reverse),
}

impl AnyRequest {
    /// Reads a request: a grant for one endpoint, as denials print it.
    ///
    /// | text | request |
    /// |---|---|
    /// | `connect tcp://10.0.0.5:5432`, and so `bind` and `listen` | [`Connect`], [`Bind`], [`Listen`] |
    /// | `connect tcp://db.internal:5432`, and so `bind` and `listen` | [`Lookup`] for that purpose |
    /// | `connect tcp://db.internal:5432 in 10.0.0.5` | [`Connect`] by the name, which led there |
    /// | `accept tcp://127.0.0.1:8080 from 10.1.2.3`, or `listen` | [`Accept`] |
    /// | `connect unix:/run/app.sock`, `bind unixgram:@*` | [`ConnectUnix`], [`BindUnix`] for a name that the system chooses |
    /// | `join udp://224.0.0.251:5353` | [`Join`] |
    /// | `connect udp://255.255.255.255:*` | [`Broadcast`] |
    /// | `resolve db.internal` | [`Lookup`] |
    /// | `resolve 10.0.0.5`, `resolve 5.0.0.10.in-addr.arpa` | [`Reverse`] |
    ///
    /// A socket on `[::]` is dual-stack, as it is unless a program says
    /// otherwise.
    ///
    /// # Errors
    ///
    /// Where the text is no grant, or one for more than one endpoint.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        let whole = Fragment::whole(text);
        let mut words = whole.words();
        let verb = words.next().map_or("", |word| word.text);
        let endpoint = words.next().unwrap_or_else(|| whole.end());
        match verb {
            "resolve" => match Host::parse(endpoint.text) {
                Ok(Host::Address(address)) if words.next().is_none() => {
                    Ok(Self::Reverse(Reverse::new(address)))
                }
                Ok(_) | Err(_) => Self::from_grant(&parser::grant(text)?, endpoint),
            },
            "accept" => {
                // The words are as long, so that mistakes keep their places.
                let grant = parser::grant(&text.replacen("accept", "listen", 1))?;
                let request = Self::from_grant(&grant, endpoint)?;
                if let Self::Accept(_) = request {
                    return Ok(request);
                }
                Err(whole
                    .end()
                    .error("`accept` from whom?")
                    .hint("write for example `accept tcp://127.0.0.1:8080 from 10.1.2.3`"))
            }
            "join" => parser::grant(text)
                .and_then(|grant| Self::from_grant(&grant, endpoint))
                .or_else(|error| hopeless_join(text, endpoint).ok_or(error)),
            _ => Self::from_grant(&parser::grant(text)?, endpoint),
        }
    }

    fn from_grant(grant: &Grant, text: Fragment<'_>) -> Result<Self, GrantError> {
        match grant.kind() {
            Kind::Resolve(names) => match &**names {
                NamePattern::Exact(name) => Ok(resolve(name)),
                NamePattern::Any | NamePattern::Under(_) => Err(many_names(text)),
            },
            Kind::Socket(grant) => socket(grant, text),
            Kind::Unix(grant) => unix(grant, text),
        }
    }

    /// What follows a lookup: the request that it was for, at an address that
    /// the name led to. None if it is no lookup, or for the addresses alone.
    pub fn at(&self, address: IpAddr) -> Option<Self> {
        let Self::Lookup(lookup) = self else {
            return None;
        };
        let name = lookup.name().clone();
        Some(match lookup.purpose() {
            Purpose::Bind { protocol, port } => {
                Self::Bind(Bind::new(protocol, (address, port).into()).named(name))
            }
            Purpose::Connect { protocol, port } => {
                Self::Connect(Connect::new(protocol, (address, port).into()).named(name))
            }
            Purpose::Listen { protocol, port } => {
                Self::Listen(Listen::new(protocol, (address, port).into(), true).named(name))
            }
            Purpose::Resolve => return None,
        })
    }

    fn inner(&self) -> &dyn Request {
        match self {
            Self::Accept(request) => request,
            Self::Bind(request) => request,
            Self::BindUnix(request) => request,
            Self::Broadcast(request) => request,
            Self::Connect(request) => request,
            Self::ConnectUnix(request) => request,
            Self::Join(request) => request,
            Self::Listen(request) => request,
            Self::ListenUnix(request) => request,
            Self::Lookup(request) => request,
            Self::Reverse(request) => request,
        }
    }
}

/// A group that is none, which no grant is for, but a guest may ask for.
fn hopeless_join(text: &str, endpoint: Fragment<'_>) -> Option<AnyRequest> {
    let grant = parser::grant(&text.replacen("join", "bind", 1)).ok()?;
    let AnyRequest::Bind(bind) = AnyRequest::from_grant(&grant, endpoint).ok()? else {
        return None;
    };
    let address = bind.address();
    (bind.protocol() == Protocol::Udp && bind.name().is_none())
        .then(|| AnyRequest::Join(Join::new(address.ip(), address.port())))
}

fn resolve(name: &Name) -> AnyRequest {
    match zone(name).map(single) {
        Some(Some(address)) => AnyRequest::Reverse(Reverse::new(address)),
        Some(None) | None => AnyRequest::Lookup(Lookup::new(name.clone(), Purpose::Resolve)),
    }
}

fn socket(grant: &SocketGrant, text: Fragment<'_>) -> Result<AnyRequest, GrantError> {
    let everybody = Broadcast::new();
    // Of all that is written for more than one port, this is one request.
    if everybody.to_string() == grant.to_string() {
        return Ok(AnyRequest::Broadcast(everybody));
    }
    let protocol = grant.protocol;
    let port = port(&grant.ports, text)?;
    let within = one(grant.within.as_ref(), "in", text)?;
    let peer = one(grant.from.as_ref(), "from", text)?;
    let (name, address) = match &grant.host {
        HostPattern::Addresses(range) => (None, Some(address(*range, text)?)),
        HostPattern::Names(NamePattern::Exact(name)) => (Some(name.clone()), within),
        HostPattern::Names(NamePattern::Any) if grant.verb.is_local() => {
            return Err(text
                .error("a request names one address")
                .hint("every address of this machine is `0.0.0.0`, or `[::]` for both families"));
        }
        HostPattern::Names(NamePattern::Any | NamePattern::Under(_)) => {
            return Err(many_names(text));
        }
    };
    match (address, name, peer) {
        (Some(address), name, peer) => Ok(at(grant.verb, protocol, (address, port), name, peer)),
        (None, Some(_), Some(_)) => Err(text
            .error("a peer is accepted at an address, not at a name")
            .hint("write the address after `in`: `listen tcp://HOST:PORT from PEER in ADDRESS`")),
        (None, Some(name), None) => Ok(lookup(grant.verb, protocol, port, name)),
        (None, None, _) => Err(many_names(text)),
    }
}

fn at(
    verb: Verb,
    protocol: Protocol,
    place: (IpAddr, u16),
    name: Option<Name>,
    peer: Option<IpAddr>,
) -> AnyRequest {
    let address = SocketAddr::from(place);
    let named = |listen: Listen| match &name {
        Some(name) => listen.named(name.clone()),
        None => listen,
    };
    match verb {
        Verb::Bind => {
            let bind = Bind::new(protocol, address);
            AnyRequest::Bind(match name {
                Some(name) => bind.named(name),
                None => bind,
            })
        }
        Verb::Connect => {
            let connect = Connect::new(protocol, address);
            AnyRequest::Connect(match name {
                Some(name) => connect.named(name),
                None => connect,
            })
        }
        Verb::Join => AnyRequest::Join(Join::new(address.ip(), address.port())),
        Verb::Listen => {
            let listener = named(Listen::new(protocol, address, true));
            match peer {
                // Its port is another for each connection, and no grant's matter.
                Some(peer) => AnyRequest::Accept(Accept::new(&listener, (peer, 0).into())),
                None => AnyRequest::Listen(listener),
            }
        }
    }
}

fn lookup(verb: Verb, protocol: Protocol, port: u16, name: Name) -> AnyRequest {
    let purpose = match verb {
        Verb::Bind => Purpose::Bind { protocol, port },
        Verb::Connect => Purpose::Connect { protocol, port },
        Verb::Listen => Purpose::Listen { protocol, port },
        // A group is joined by its address.
        Verb::Join => Purpose::Resolve,
    };
    AnyRequest::Lookup(Lookup::new(name, purpose))
}

fn unix(grant: &UnixGrant, text: Fragment<'_>) -> Result<AnyRequest, GrantError> {
    let name = match &grant.names {
        UnixPattern::AnyAbstract => UnixName::unnamed(),
        UnixPattern::Exact(name) => name.clone(),
        UnixPattern::In(_) | UnixPattern::Under(_) => {
            return Err(text
                .error("a request names one path")
                .hint("write the path of the socket in place of the stars"));
        }
    };
    match grant.verb {
        Verb::Bind => Ok(AnyRequest::BindUnix(BindUnix::new(grant.kind, name))),
        Verb::Connect => Ok(AnyRequest::ConnectUnix(ConnectUnix::new(grant.kind, name))),
        Verb::Listen => Ok(AnyRequest::ListenUnix(ListenUnix::new(grant.kind, name))),
        Verb::Join => Err(text.error("`join` takes `udp://` and a multicast address")),
    }
}

fn many_names(text: Fragment<'_>) -> GrantError {
    text.error("a request names one host")
        .hint("write a name such as `db.internal`, or an address")
}

fn port(ports: &Ports, text: Fragment<'_>) -> Result<u16, GrantError> {
    ports.single().ok_or_else(|| {
        text.error("a request names one port")
            .hint("write one number; 0 is \"the system chooses\"")
    })
}

fn one(
    ranges: Option<&Ranges>,
    clause: &str,
    text: Fragment<'_>,
) -> Result<Option<IpAddr>, GrantError> {
    let Some(ranges) = ranges else {
        return Ok(None);
    };
    let mut addresses = ranges.iter().map(|range| match range {
        Range::Group(_) => None,
        Range::Network(network) => single(network),
    });
    match (addresses.next(), addresses.next()) {
        (Some(Some(address)), None) => Ok(Some(address)),
        _ => Err(text
            .error(format!("`{clause}` takes one address in a request"))
            .hint(format!("write for example `{clause} 10.1.2.3`"))),
    }
}

fn address(range: Range, text: Fragment<'_>) -> Result<IpAddr, GrantError> {
    match range {
        Range::Group(_) => None,
        Range::Network(network) => single(network),
    }
    .ok_or_else(|| {
        text.error("a request names one address").hint(
            "write an address such as `10.0.0.5`; what becomes of a range, `policy diff` tells",
        )
    })
}

fn single(network: IpNet) -> Option<IpAddr> {
    (network.prefix_len() == network.max_prefix_len()).then(|| network.addr())
}

impl Request for AnyRequest {
    fn narrowest(&self) -> Option<Grant> {
        self.inner().narrowest()
    }

    fn asked_name(&self) -> Option<&Name> {
        self.inner().asked_name()
    }

    fn socket_address(&self) -> Option<SocketAddr> {
        self.inner().socket_address()
    }

    fn nameless(&self) -> Option<IpAddr> {
        self.inner().nameless()
    }
}

impl Decide for AnyRequest {
    fn decide(&self, layer: &Layer) -> Verdict {
        self.inner().decide(layer)
    }

    fn explain(&self, layer: &Layer) -> Explanation {
        self.inner().explain(layer)
    }
}

impl fmt::Display for AnyRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.inner(), f)
    }
}
