//! Policies and requests from a world so small that they meet: a quarter
//! of the requests is allowed. It must hold every kind of grant and of
//! request.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{Ask, Host, Line, Rules, SocketLine, Spot, UnixLine};

const ADDRESSES: [&str; 20] = [
    "0.0.0.0",
    "1.1.1.1",
    "10.0.0.5",
    "10.1.0.1",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.1.1",
    "169.254.169.254",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "::1",
    "2002:a00:5::1",
    "2606:4700::1",
    "64:ff9b::a00:5",
    "64:ff9b::a9fe:a9fe",
    "::ffff:10.0.0.5",
    "fd00::5",
    "fd00:ec2::254",
    "fe80::1",
];
const NETWORKS: [&str; 8] = [
    "0.0.0.0/0",
    "0.0.0.0/8",
    "10.0.0.0/24",
    "10.0.0.0/8",
    "::/0",
    "64:ff9b::/96",
    "fd00::/8",
    "2000::/3",
];
const GROUPS: [&str; 7] = [
    "any",
    "link-local",
    "loopback",
    "metadata",
    "multicast",
    "private",
    "public",
];
const NAMES: [&str; 9] = [
    "any",
    "a.b",
    "x.a.b",
    "y.x.a.b",
    "b",
    "localhost",
    "app.localhost",
    "10.in-addr.arpa",
    "5.0.0.10.in-addr.arpa",
];
const MULTICAST: [Host; 5] = [
    Host::Address("224.0.0.251"),
    Host::Address("ff02::fb"),
    Host::Group("multicast"),
    Host::Network("224.0.0.0/24"),
    Host::Network("ff00::/8"),
];
const MEMBERSHIPS: [&str; 5] = [
    "224.0.0.1",
    "224.0.0.251",
    "224.0.1.1",
    "ff02::fb",
    "10.0.0.5",
];
const UNIX_PATTERNS: [&str; 10] = [
    "/*", "/**", "/a", "/a/*", "/a/**", "/a/b", "/a/b/**", "/ab", "@*", "@a",
];
const UNIX_NAMES: [&str; 9] = [
    "/a", "/a/b", "/a/bc", "/a/b/c", "/ab", "/ab/c", "@a", "@b", "@*",
];
const PORT_SETS: [&str; 8] = [
    "*",
    "*",
    "80",
    "80",
    "0",
    "80-81",
    "1-65535",
    "0,81,443-444",
];
const PORTS: [u16; 5] = [0, 80, 80, 81, 443];

pub(crate) fn rules() -> impl Strategy<Value = Rules> {
    (vec(allow(), 0..12), vec(deny(), 0..3)).prop_map(|(allow, deny)| Rules { allow, deny })
}

pub(crate) fn allow() -> impl Strategy<Value = Line> {
    line(option::of(range()).boxed())
}

pub(crate) fn deny() -> impl Strategy<Value = Line> {
    line(Just(None).boxed())
}

pub(crate) fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (spot(), any::<bool>(), select(&ADDRESSES[..])).prop_map(|(listener, dual, peer)| {
            Ask::Accept {
                listener,
                dual,
                peer,
            }
        }),
        spot().prop_map(Ask::Bind),
        spot().prop_map(Ask::Connect),
        (spot(), any::<bool>()).prop_map(|(listener, dual)| Ask::Listen { listener, dual }),
        (verb(), protocol(), select(&NAMES[..]), select(&PORTS[..])).prop_map(
            |(verb, protocol, name, port)| Ask::Lookup {
                verb,
                protocol,
                name,
                port
            }
        ),
        Just(Ask::Broadcast),
        (select(&MEMBERSHIPS[..]), select(&PORTS[..]))
            .prop_map(|(group, port)| Ask::Join { group, port }),
        select(&NAMES[..]).prop_map(Ask::Resolve),
        select(&ADDRESSES[..]).prop_map(Ask::Reverse),
        unix(&UNIX_NAMES).prop_map(Ask::Unix),
    ]
}

fn line(within: BoxedStrategy<Option<Host>>) -> impl Strategy<Value = Line> {
    let clauses = (option::of(range()), within);
    let socket = (verb(), protocol(), host(), select(&PORT_SETS[..]), clauses).prop_map(
        |(verb, protocol, host, ports, (from, within))| {
            Line::Socket(SocketLine {
                verb,
                protocol,
                host,
                ports,
                from: from.filter(|_| verb == "listen"),
                within: within.filter(|_| matches!(host, Host::Name(_) | Host::Under(_))),
            })
        },
    );
    let join = (select(&MULTICAST[..]), select(&PORT_SETS[..])).prop_map(|(host, ports)| {
        Line::Socket(SocketLine {
            verb: "join",
            protocol: "udp",
            host,
            ports,
            from: None,
            within: None,
        })
    });
    prop_oneof![
        18 => socket,
        2 => join,
        2 => names().prop_map(Line::Resolve),
        3 => unix(&UNIX_PATTERNS).prop_map(Line::Unix),
    ]
}

fn unix(names: &'static [&'static str]) -> impl Strategy<Value = UnixLine> {
    let kind = prop_oneof![9 => Just("unix"), 1 => Just("unixgram")];
    (verb(), kind, select(names)).prop_map(|(verb, kind, names)| UnixLine { verb, kind, names })
}

fn verb() -> impl Strategy<Value = &'static str> {
    select(vec!["bind", "connect", "listen"])
}

fn protocol() -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => Just("tcp"), 1 => Just("udp")]
}

fn host() -> impl Strategy<Value = Host> {
    prop_oneof![3 => range(), 3 => names(), 1 => Just(Host::Star)]
}

fn range() -> impl Strategy<Value = Host> {
    prop_oneof![
        select(&ADDRESSES[..]).prop_map(Host::Address),
        select(&NETWORKS[..]).prop_map(Host::Network),
        select(&GROUPS[..]).prop_map(Host::Group),
    ]
}

fn names() -> impl Strategy<Value = Host> {
    prop_oneof![
        3 => select(&NAMES[..]).prop_map(Host::Name),
        3 => select(&NAMES[..]).prop_map(Host::Under),
        1 => Just(Host::Star),
    ]
}

fn spot() -> impl Strategy<Value = Spot> {
    let address = prop_oneof![
        4 => select(&ADDRESSES[..]),
        1 => Just("0.0.0.0"),
        1 => Just("::"),
    ];
    let name = option::of(select(&NAMES[..]));
    (protocol(), address, select(&PORTS[..]), name).prop_map(|(protocol, address, port, name)| {
        Spot {
            protocol,
            address,
            port,
            name,
        }
    })
}
