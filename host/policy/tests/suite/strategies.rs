//! Policies and requests from a world so small that they meet: a quarter
//! of the requests is allowed. It must hold every kind of grant and of
//! request.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::model::{Ask, Host, Line, Rules, SocketLine, Spot};

const ADDRESSES: [&str; 15] = [
    "0.0.0.0",
    "1.1.1.1",
    "10.0.0.5",
    "10.1.0.1",
    "127.0.0.1",
    "169.254.1.1",
    "192.0.2.1",
    "::",
    "::1",
    "2002:a00:5::1",
    "2606:4700::1",
    "64:ff9b::a00:5",
    "::ffff:10.0.0.5",
    "fd00::5",
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
const GROUPS: [&str; 6] = [
    "any",
    "link-local",
    "loopback",
    "multicast",
    "private",
    "public",
];
const NAMES: [&str; 7] = [
    "any",
    "a.b",
    "x.a.b",
    "y.x.a.b",
    "b",
    "localhost",
    "app.localhost",
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
        select(&NAMES[..]).prop_map(Ask::Resolve),
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
    prop_oneof![9 => socket, 1 => names().prop_map(Line::Resolve)]
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
