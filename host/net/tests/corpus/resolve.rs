//! The fuzz target of what guests ask `resolve`: two bytes of hints, a host, and
//! after a NUL a service. It must hold for all bytes.

use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex};

use portcullis_net::{
    Answer, ErrorCode, Families, Family, Network, Pending, ResolveHints, Resolver, Service,
    SocketType, TableResolver,
};
use portcullis_policy::{Host, Lookup, Name, Permit, Policy, Reverse};

use crate::bytes::Bytes;
use crate::runtime::block_on;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let policy = Policy::builder()
        .allow("resolve *.granted.example")
        .allow("connect tcp://granted.example:80 in any")
        .deny("connect tcp://denied.granted.example:*");
    policy.build().unwrap()
});

static TABLE: LazyLock<TableResolver> = LazyLock::new(|| {
    let name = |text| Name::parse(text).unwrap();
    let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let both: Vec<IpAddr> = ips(&["192.0.2.1", "2001:db8::1", "192.0.2.2"]);
    TableResolver::from_iter([
        (name("granted.example"), both.clone()),
        (name("a.granted.example"), ips(&["192.0.2.3"])),
        (name("b.granted.example"), ips(&["2001:db8::2"])),
        (name("denied.granted.example"), both),
    ])
    .with_alias(name("alias.granted.example"), name("granted.example"))
    .with_alias(name("way.granted.example"), name("denied.granted.example"))
});

pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    let (hints, has_host) = hints(&mut bytes);
    let Ok(text) = str::from_utf8(bytes.rest()) else {
        return;
    };
    let (host, service) = match text.split_once('\0') {
        Some((host, service)) => (host, Some(Service::Name(service.to_owned()))),
        None => (text, None),
    };
    let host = has_host.then_some(host);
    let asked = Arc::<Mutex<Vec<Name>>>::default();
    let network = Network::new(POLICY.clone()).with_resolver(Watched(Arc::clone(&asked)));
    let found = block_on(network.resolve(host, service.as_ref(), hints));

    for name in asked.lock().unwrap().iter() {
        let host = host.map(Host::parse);
        assert_eq!(host, Some(Ok(Host::Name(name.clone()))), "{text:?}");
        assert!(!hints.numeric_host, "{text:?}");
        let (text, parent) = (name.as_str(), "granted.example");
        assert!(text == parent || text.ends_with(&format!(".{parent}")));
        assert!(text != "denied.granted.example");
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let text = error.to_string();
            return assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    };
    assert!(!found.is_empty(), "{text:?}");
    assert!(
        host.is_none_or(|host| Host::parse(host).is_ok()),
        "{host:?}"
    );
    for (index, info) in found.iter().enumerate() {
        match hints.family {
            Some(Family::Inet) => assert!(info.address.is_ipv4()),
            Some(Family::Inet6) => assert!(info.address.is_ipv6()),
            Some(Family::Unix) => panic!("there are no names of unix sockets: {text:?}"),
            None => {}
        }
        assert!(
            hints
                .socket_type
                .is_none_or(|kind| kind == info.socket_type)
        );
        assert!(hints.protocol == 0 || hints.protocol == info.protocol);
        assert_eq!(
            info.canonical_name.is_some(),
            hints.canonical_name && index == 0
        );
        if let Some(Service::Name(service)) = &service {
            let number = service.parse::<u16>();
            assert!(number.is_err() || number == Ok(info.address.port()));
        }
    }
}

fn hints(bytes: &mut Bytes<'_>) -> (ResolveHints, bool) {
    let (flags, kinds) = (bytes.byte(), bytes.byte());
    let flag = |bit: u8| flags >> bit & 1 == 1;
    let hints = ResolveHints {
        family: match kinds & 3 {
            0 => None,
            1 => Some(Family::Inet),
            2 => Some(Family::Inet6),
            _ => Some(Family::Unix),
        },
        socket_type: match kinds >> 2 & 3 {
            0 => None,
            1 => Some(SocketType::Stream),
            2 => Some(SocketType::Datagram),
            _ => Some(SocketType::Seqpacket),
        },
        protocol: match kinds >> 4 & 3 {
            0 => 0,
            1 => 6,
            2 => 17,
            _ => 132,
        },
        all: flag(0),
        canonical_name: flag(1),
        configured_families: flag(2),
        map_ipv4: flag(3),
        numeric_host: flag(4),
        numeric_service: flag(5),
        passive: flag(6),
    };
    (hints, !flag(7))
}

/// The table, and what it was asked.
struct Watched(Arc<Mutex<Vec<Name>>>);

impl Resolver for Watched {
    fn look_up(&self, permit: Permit<Lookup>, families: Families) -> Pending<'_, Answer> {
        self.0.lock().unwrap().push(permit.request().name().clone());
        TABLE.look_up(permit, families)
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async { Err(ErrorCode::NameNotFound.into()) })
    }
}
