//! The fuzz target of what name servers answer: aliases, addresses, and the
//! numbers that may be connected to afterwards for the sake of the name. It must
//! hold for every message.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::LazyLock;

use portcullis_net::{
    Answer, DnsResolver, Endpoint, Error, ErrorCode, Families, Family, Network, Pending,
    ResolveHints, Resolver, SocketAddress, SocketType,
};
use portcullis_policy::{Group, Lookup, Name, Permit, Policy, Reverse, canonical};

use crate::runtime::block_on;

/// How many aliases may follow one another.
const LONGEST_CHAIN: usize = 16;

/// How many numbers of an answer are tried.
const TRIED: usize = 4;

static ASKED: LazyLock<Name> = LazyLock::new(|| Name::parse("asked.example").unwrap());
static DENIED: LazyLock<Name> = LazyLock::new(|| Name::parse("denied.example").unwrap());

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let policy = Policy::builder()
        .allow("connect udp://asked.example:*")
        .deny("connect udp://denied.example:*");
    policy.build().unwrap()
});

pub(crate) fn run(data: &[u8]) {
    let told = DnsResolver::read(data, &ASKED);
    if let Ok(answer) = &told {
        assert!(!answer.addresses.is_empty());
        assert!(answer.chain.len() <= LONGEST_CHAIN);
        for name in &answer.chain {
            assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(name));
        }
    }
    let network = Network::new(POLICY.clone()).with_resolver(Told(told.clone()));
    let found = block_on(network.resolve(Some("asked.example"), None, ResolveHints::default()));
    let is_denied = |answer: &Answer| answer.chain.contains(&DENIED);
    let found: Vec<IpAddr> = match (found, &told) {
        (Ok(found), Ok(answer)) => {
            assert!(!is_denied(answer), "{answer:?}");
            found.iter().map(|info| info.address.ip()).collect()
        }
        (Err(error), Ok(answer)) => {
            assert!(is_denied(answer), "{error}: {answer:?}");
            assert_eq!(error.code(), ErrorCode::AccessDenied);
            Vec::new()
        }
        (Ok(_), Err(error)) => panic!("the resolver failed: {error}"),
        (Err(_), Err(_)) => Vec::new(),
    };
    let said = told.iter().flat_map(|answer| &answer.addresses).copied();
    let others = [
        Ipv4Addr::new(8, 8, 8, 8),
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::LOCALHOST,
    ];
    for ip in said.take(TRIED).chain(others.map(IpAddr::V4)) {
        let is_lent = found.iter().any(|own| canonical(*own) == canonical(ip))
            && Group::of(canonical(ip)) == Some(Group::Public);
        assert_eq!(may_connect(&network, ip), is_lent, "{ip} of {told:?}");
    }
}

/// Whether datagrams may be sent to the number; connecting sends none.
fn may_connect(network: &Network, ip: IpAddr) -> bool {
    let family = if ip.is_ipv4() {
        Family::Inet
    } else {
        Family::Inet6
    };
    let socket = network.open(family, SocketType::Datagram, 0).unwrap();
    let there = SocketAddress::Inet(SocketAddr::new(ip, 9));
    let connected = block_on(socket.connect(&Endpoint::Address(there)));
    connected.map_err(|error| error.code()) != Err(ErrorCode::AccessDenied)
}

/// What was read, whatever is asked.
struct Told(Result<Answer, Error>);

impl Resolver for Told {
    fn look_up(&self, _: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        Box::pin(async { self.0.clone() })
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async { Err(ErrorCode::NameNotFound.into()) })
    }
}
