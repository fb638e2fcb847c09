//! Grants of all that there is, for a layer that only denies. It must cover
//! every request that some grant covers.

use std::sync::Arc;

use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::range::Range;
use crate::socket_grant::SocketGrant;
use crate::unix_grant::UnixGrant;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, Group, Protocol, UnixKind};

pub(crate) fn everything() -> Vec<Grant> {
    let all = || HostPattern::Names(NamePattern::Any);
    let multicast = HostPattern::Addresses(Range::Group(Group::Multicast));
    let hosts = [
        (Verb::Bind, all()),
        (Verb::Listen, all()),
        (Verb::Connect, all()),
    ];
    // In numbers, since no word holds metadata and what carries it.
    let networks = Group::Any.networks().iter();
    let numbers = networks.map(|network| {
        let all = HostPattern::Addresses(Range::Network(*network));
        (Verb::Connect, all)
    });
    let sockets = hosts.into_iter().chain(numbers).flat_map(|(verb, host)| {
        [Protocol::Tcp, Protocol::Udp].map(|protocol| socket(verb, protocol, host.clone()))
    });
    let unix = [Verb::Bind, Verb::Listen, Verb::Connect]
        .into_iter()
        .flat_map(|verb| {
            [UnixKind::Stream, UnixKind::Datagram].map(|kind| {
                [UnixPattern::AnyAbstract, UnixPattern::Under(Arc::default())]
                    .map(|names| Grant::from(UnixGrant { verb, kind, names }))
            })
        })
        .flatten();
    sockets
        .chain([
            socket(Verb::Join, Protocol::Udp, multicast),
            NamePattern::Any.into(),
        ])
        .chain(unix)
        .collect()
}

fn socket(verb: Verb, protocol: Protocol, host: HostPattern) -> Grant {
    Grant::from(SocketGrant {
        verb,
        protocol,
        host,
        ports: Ports::All,
        from: None,
        within: None,
    })
}
