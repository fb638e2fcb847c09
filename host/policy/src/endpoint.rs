//! The endpoint of a request, and the question that it puts to the rules. It
//! must not be built from an address that is not canonical.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::layer::Layer;
use crate::name_pattern::NamePattern;
use crate::nearest::{Aside, Difference, Differences};
use crate::place::Place;
use crate::ports::Ports;
use crate::question::Question;
use crate::range::{Range, Ranges};
use crate::request::{Explanation, Verdict};
use crate::rules::Rules;
use crate::socket_grant::{SocketGrant, heard_by};
use crate::verb::Verb;
use crate::{Canonical, Grant, Group, Name, Protocol, Reason};

/// An address, by protocol, and the name it came from if it came from one.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    address: SocketAddr,
    name: Option<Name>,
    /// Whether the name led there once, and counts no more.
    is_former: bool,
}

/// What the rules are asked about: the name, the addresses, or both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) name: Option<&'a Name>,
    /// The address, or all of a family for who hears all of it; none while a
    /// name is still to be looked up.
    pub(crate) reach: Option<IpNet>,
    pub(crate) port: u16,
}

impl Endpoint {
    pub(crate) fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            protocol,
            address: address.into_canonical(),
            name: None,
            is_former: false,
        }
    }

    /// The endpoint as a guest asks for it that asked for `name`.
    pub(crate) fn named(self, name: Name) -> Self {
        Self {
            name: Some(name),
            is_former: false,
            ..self
        }
    }

    /// The endpoint as a guest asks for it by its address, to which `name` led once.
    pub(crate) fn formerly(self, name: Name) -> Self {
        Self {
            is_former: true,
            ..self.named(name)
        }
    }

    /// The name that the guest asked for, if it asked for one.
    pub(crate) fn name(&self) -> Option<&Name> {
        self.name.as_ref().filter(|_| !self.is_former)
    }

    /// The name that led there once, if one did.
    pub(crate) fn former(&self) -> Option<&Name> {
        self.name.as_ref().filter(|_| self.is_former)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The whole decision about the endpoint.
    pub(crate) fn decide(&self, layer: &Layer, verb: Verb) -> Verdict {
        layer.decide(verb, &self.query())
    }

    pub(crate) fn explain(&self, layer: &Layer, verb: Verb) -> Explanation {
        layer.explain(verb, &self.query(), |verb| self.grant(verb).into())
    }

    pub(crate) fn query(&self) -> Query<'_> {
        Query {
            protocol: self.protocol,
            name: self.name(),
            reach: Some(heard_by(self.address.ip())),
            port: self.address.port(),
        }
    }

    /// The narrowest grant that covers the endpoint as it was asked for: by
    /// name if it has one. A name stands for an address and not for a family,
    /// so the unspecified address is granted as such.
    pub(crate) fn grant(&self, verb: Verb) -> SocketGrant {
        let ip = self.address.ip();
        let (host, within) = match self.name() {
            Some(name) if !ip.is_unspecified() => {
                let names = NamePattern::Exact(name.clone());
                let is_home = match verb {
                    Verb::Connect => names.home().covers(&ip.into()),
                    Verb::Bind | Verb::Join | Verb::Listen => names.home().spans(&ip.into()),
                };
                let bounds = (!is_home).then(|| Ranges::from(bounds(ip)));
                (HostPattern::Names(names), bounds)
            }
            Some(_) | None => (HostPattern::Addresses(ip.into()), None),
        };
        SocketGrant {
            verb,
            protocol: self.protocol,
            host,
            ports: Ports::from(self.address.port()),
            from: None,
            within,
        }
    }
}

impl Question for Query<'_> {
    /// One that is bounded by `from` is about peers only.
    fn denied(&self, denies: &Rules, verb: Verb) -> Option<Place> {
        denies
            .table(verb, self.protocol)
            .find_denying(self, |deny| deny.from().is_none())
    }

    fn granted(&self, allows: &Rules, verb: Verb) -> Option<Place> {
        allows
            .table(verb, self.protocol)
            .find_granting(self, |_| true)
    }

    /// The grant that covers the name, but not the address it led to.
    fn almost_granted(&self, allows: &Rules, verb: Verb) -> Option<Reason> {
        let (name, address) = (self.name?, self.reach?.addr());
        let grant = verb.covered_by().iter().find_map(|verb| {
            let grants = allows.table(*verb, self.protocol);
            allows.at(grants.find_naming(name, self.port, |_| true)?)
        })?;
        Some(Reason::NotInRange {
            name: name.clone(),
            address,
            class: Group::of(address),
            grant: grant.clone(),
        })
    }

    fn near(&self, allows: &Rules) -> impl Iterator<Item = Place> {
        allows.near(self)
    }

    fn has_listeners(&self) -> bool {
        self.protocol == Protocol::Tcp
    }

    fn differences(&self, grant: &Grant, verb: Verb) -> Option<Differences> {
        match grant.kind() {
            // It has nothing but the name in common with an endpoint.
            Kind::Resolve(names) => self
                .name
                .is_some_and(|name| names.matches(name))
                .then(|| Differences::few([(Difference::Verb, false), (Difference::Host, true)]))
                .flatten(),
            Kind::Socket(grant) => Differences::few([
                (Difference::Verb, verb.covered_by().contains(&grant.verb)),
                (Difference::Protocol, grant.protocol == self.protocol),
                (
                    Difference::Host,
                    grant.has_host(self.name, self.reach.as_ref()),
                ),
                (Difference::Port, grant.ports.contain(self.port)),
            ]),
            Kind::Unix(_) => None,
        }
    }

    fn aside(&self, grant: &Grant) -> Option<Aside> {
        let (Kind::Socket(grant), None, Some(reach)) = (grant.kind(), self.name, self.reach) else {
            return None;
        };
        let (address, class) = (reach.addr(), Group::of(reach.addr()));
        match &grant.host {
            HostPattern::Names(NamePattern::Any) if !grant.verb.is_local() => {
                Some(Aside::NotPublic { address, class })
            }
            HostPattern::Names(names)
                if names.home() == Group::Loopback && class == Some(Group::Loopback) =>
            {
                let names = names.clone();
                Some(Aside::ByNumber { names, address })
            }
            HostPattern::Addresses(_) | HostPattern::Names(_) => None,
        }
    }
}

/// What to write after `in` for an address: its group if that is a place, or
/// else the address alone.
fn bounds(ip: IpAddr) -> Range {
    Group::of(ip)
        .filter(|group| matches!(group, Group::LinkLocal | Group::Loopback | Group::Private))
        .map_or_else(|| ip.into(), Range::Group)
}

/// By name if it has one. A scope is left out, as grants have none.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (protocol, port) = (self.protocol, self.address.port());
        match self.name() {
            Some(name) => write!(f, "{protocol}://{}:{port}", name.spelled()),
            None => write!(
                f,
                "{protocol}://{}",
                SocketAddr::new(self.address.ip(), port)
            ),
        }
    }
}
