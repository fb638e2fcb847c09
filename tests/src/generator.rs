//! Sequences of operations that make sense often enough: scenes, parts of which
//! are left out now and then, and anything at all in between.
//!
//! Nothing here may depend on time, or leave the machine. Left out for that:
//!
//! - `more` on streams, but where the rest follows at once: TCP keeps the data
//!   for 200 ms;
//! - more data than sockets hold, whose capacity depends on who reads when;
//! - backlogs that TCP may fill: what is dropped then is sent again after a
//!   second;
//! - binding to a port that a `connect` chose: somebody else's ended connection
//!   may hold it as well;
//! - waiting for no bytes: TCP waits and then says that it received them, also
//!   where the time ended;
//! - multicast groups, but on an interface that is the loopback's.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "few of the families have addresses"
)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::net::if_::if_nametoindex;
use portcullis_test_operations::{
    Address, Data, Family, How, Kind, Operation, OptionName, OptionValue, Port, ReceiveFlags,
    SendFlags, Slot, Wanted,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A sequence. It shrinks by leaving operations out.
pub fn sequence() -> impl Strategy<Value = Vec<Operation>> {
    let part = prop_oneof![
        2 => scene(),
        3 => vec(operation().prop_map(|operation| vec![operation]), 1..8),
    ];
    vec(part.prop_flat_map(sometimes), 2..9).prop_map(|parts| parts.concat())
}

/// Each group of operations, or most of them.
pub fn sometimes(groups: Vec<Vec<Operation>>) -> impl Strategy<Value = Vec<Operation>> {
    vec(prop::bool::weighted(0.97), groups.len()).prop_map(move |kept| {
        let kept = groups.iter().zip(kept).filter(|(_, kept)| *kept);
        kept.flat_map(|(group, _)| group.clone()).collect()
    })
}

/// What belongs together, in groups of which none is torn apart.
pub fn scene() -> impl Strategy<Value = Vec<Vec<Operation>>> {
    let whole = |operations: Vec<Operation>| -> Vec<Vec<Operation>> {
        operations.into_iter().map(|one| vec![one]).collect()
    };
    let torn = prop_oneof![
        6 => (inet(), backlog()).prop_map(|(family, backlog)| {
            connection(family, Kind::Stream, Address::Inet(loopback(family), Port::Number(0)), backlog)
        }),
        4 => (stream_kind(), unix_name(), select(vec![None, Some(0), Some(1), Some(16)]))
            .prop_map(|(kind, name, backlog)| connection(Family::Unix, kind, name, backlog)),
        3 => select(vec![Kind::Stream, Kind::Datagram, Kind::Seqpacket])
            .prop_map(|kind| vec![Operation::Pair(Family::Unix, kind, 0)]),
        5 => (inet(), any::<bool>(), any::<bool>())
            .prop_map(|(family, one, other)| datagrams(family, one, other)),
        3 => (unix_name(), unix_name(), any::<bool>(), any::<bool>())
            .prop_map(|(a, b, one, other)| unix_datagrams(a, b, one, other)),
        3 => (inet(), internet_kind())
            .prop_map(|(family, kind)| refused(family, kind)),
        3 => (inet(), any::<bool>()).prop_map(|(family, listens)| in_progress(family, listens)),
        2 => data().prop_map(urgent),
        1 => inet().prop_map(connected_with_itself),
        2 => inet().prop_map(oversized),
        1 => Just(full_queue()),
        2 => data().prop_map(|data| vec![
            Operation::Send(Slot(0), data, SendFlags { more: true, ..SendFlags::default() }),
            Operation::Send(Slot(0), data, SendFlags::default()),
            Operation::Receive(Slot(1), 4096, DONT_WAIT),
        ]),
        2 => set_option().prop_map(|(name, value)| vec![
            Operation::SetOption(Slot(0), name, value),
            Operation::GetOption(Slot(0), name),
        ]),
        2 => inet().prop_map(ends_of_a_listener),
        3 => (inet_or_unix(), set_option(), any::<bool>())
            .prop_map(|(family, (name, value), late)| inherited(family, name, value, late)),
        2 => Just(timeouts()),
    ]
    .prop_map(whole);
    prop_oneof![
        30 => torn,
        1 => inet().prop_map(|family| vec![multicast(family)]),
        2 => (inet(), inet(), internet_kind(), any::<[bool; 4]>())
            .prop_map(|(one, other, kind, flags)| vec![same_port(one, other, kind, flags)]),
    ]
}

/// The client is second to last, the listener third.
fn connection(
    family: Family,
    kind: Kind,
    address: Address,
    backlog: Option<u32>,
) -> Vec<Operation> {
    vec![
        Operation::Open(family, kind, 0),
        Operation::Bind(Slot(0), address),
        Operation::Listen(Slot(0), backlog),
        Operation::Open(family, kind, 0),
        Operation::Connect(Slot(0), Address::Of(Slot(1))),
        Operation::Accept(Slot(1)),
    ]
}

fn datagrams(family: Family, one: bool, other: bool) -> Vec<Operation> {
    let anywhere = Address::Inet(loopback(family), Port::Number(0));
    let mut operations = vec![
        Operation::Open(family, Kind::Datagram, 0),
        Operation::Bind(Slot(0), anywhere.clone()),
        Operation::Open(family, Kind::Datagram, 0),
        Operation::Bind(Slot(0), anywhere),
    ];
    connect_either(&mut operations, one, other);
    operations
}

fn unix_datagrams(a: Address, b: Address, one: bool, other: bool) -> Vec<Operation> {
    let mut operations = vec![
        Operation::Open(Family::Unix, Kind::Datagram, 0),
        Operation::Bind(Slot(0), a),
        Operation::Open(Family::Unix, Kind::Datagram, 0),
        Operation::Bind(Slot(0), b),
    ];
    connect_either(&mut operations, one, other);
    operations
}

fn connect_either(operations: &mut Vec<Operation>, one: bool, other: bool) {
    if one {
        operations.push(Operation::Connect(Slot(0), Address::Of(Slot(1))));
    }
    if other {
        operations.push(Operation::Connect(Slot(1), Address::Of(Slot(0))));
    }
    operations.push(Operation::SendTo(
        Slot(0),
        Data {
            length: 9,
            first: 1,
        },
        SendFlags::default(),
        Address::Of(Slot(1)),
    ));
    operations.push(Operation::ReceiveFrom(Slot(1), 100, DONT_WAIT));
}

fn refused(family: Family, kind: Kind) -> Vec<Operation> {
    let data = Data {
        length: 3,
        first: 7,
    };
    let closed = Address::Inet(loopback(family), Port::Number(CLOSED));
    vec![
        Operation::Open(family, kind, 0),
        Operation::Connect(Slot(0), closed.clone()),
        Operation::Send(Slot(0), data, SendFlags::default()),
        Operation::Send(Slot(0), data, SendFlags::default()),
        Operation::TakeError(Slot(0)),
        Operation::Connect(Slot(0), closed),
    ]
}

fn in_progress(family: Family, listens: bool) -> Vec<Operation> {
    let mut operations = vec![
        Operation::Open(family, Kind::Stream, 0),
        Operation::Bind(Slot(0), Address::Inet(loopback(family), Port::Number(0))),
        Operation::Open(family, Kind::Stream, 0),
        Operation::SetTimeout(Slot(0), Some(0)),
        Operation::Connect(Slot(0), Address::Of(Slot(1))),
        Operation::Ready(
            Slot(0),
            Wanted {
                readable: false,
                writable: true,
            },
        ),
        Operation::TakeError(Slot(0)),
        Operation::Connect(Slot(0), Address::Of(Slot(1))),
        Operation::Connect(Slot(0), Address::Of(Slot(1))),
    ];
    if listens {
        operations.insert(2, Operation::Listen(Slot(0), None));
    }
    operations
}

fn urgent(data: Data) -> Vec<Operation> {
    let urgent = SendFlags {
        out_of_band: true,
        ..SendFlags::default()
    };
    let flags = ReceiveFlags {
        out_of_band: true,
        ..DONT_WAIT
    };
    vec![
        Operation::Send(Slot(0), data, urgent),
        Operation::Receive(Slot(1), 100, flags),
        Operation::Receive(Slot(1), 100, DONT_WAIT),
        Operation::Receive(Slot(1), 100, DONT_WAIT),
    ]
}

fn connected_with_itself(family: Family) -> Vec<Operation> {
    vec![
        Operation::Open(family, Kind::Stream, 0),
        Operation::Bind(Slot(0), Address::Inet(loopback(family), Port::Number(0))),
        Operation::Connect(Slot(0), Address::Of(Slot(0))),
        Operation::Send(
            Slot(0),
            Data {
                length: 5,
                first: 1,
            },
            SendFlags::default(),
        ),
        Operation::Receive(Slot(0), 100, DONT_WAIT),
        Operation::RemoteAddress(Slot(0)),
    ]
}

/// For two datagram sockets, if the last ones are: more than the protocol has
/// room for, then as much as it has.
fn oversized(family: Family) -> Vec<Operation> {
    let to = Address::Of(Slot(1));
    let mut operations = datagrams(family, true, false);
    for length in [65_536, 65_508, 60_000, 65_507] {
        let data = Data { length, first: 0 };
        operations.push(Operation::SendTo(
            Slot(0),
            data,
            SendFlags::default(),
            to.clone(),
        ));
    }
    operations.push(Operation::ReceiveFrom(Slot(1), 100_000, DONT_WAIT));
    operations.push(Operation::Receive(Slot(1), 10, DONT_WAIT));
    operations
}

/// More datagrams than a unix socket lets wait.
fn full_queue() -> Vec<Operation> {
    let mut operations = vec![
        Operation::Pair(Family::Unix, Kind::Datagram, 0),
        Operation::SetTimeout(Slot(0), Some(0)),
        Operation::SetTimeout(Slot(1), Some(0)),
    ];
    let data = Data {
        length: 1,
        first: 1,
    };
    operations.extend((0..14).map(|_| Operation::Send(Slot(0), data, SendFlags::default())));
    operations.push(Operation::Ready(
        Slot(0),
        Wanted {
            readable: false,
            writable: true,
        },
    ));
    operations.push(Operation::ReceiveDatagrams(Slot(1), 20, 10, DONT_WAIT));
    operations.push(Operation::Ready(
        Slot(0),
        Wanted {
            readable: false,
            writable: true,
        },
    ));
    operations
}

fn ends_of_a_listener(family: Family) -> Vec<Operation> {
    vec![
        Operation::Open(family, Kind::Stream, 0),
        Operation::Listen(Slot(0), None),
        Operation::Shutdown(Slot(0), How::Receive),
        Operation::Accept(Slot(0)),
        Operation::LocalAddress(Slot(0)),
        Operation::Listen(Slot(0), None),
        Operation::Bind(Slot(0), Address::Inet(loopback(family), Port::Number(0))),
    ]
}

/// What a connection has of its listener: as it was when the peer connected.
fn inherited(family: Family, name: OptionName, value: OptionValue, late: bool) -> Vec<Operation> {
    let address = match family {
        Family::Unix => Address::Unnamed,
        _ => Address::Inet(loopback(family), Port::Number(0)),
    };
    let mut operations = connection(family, Kind::Stream, address, None);
    if late {
        operations.insert(5, Operation::SetOption(Slot(1), name, value));
    } else {
        operations.insert(3, Operation::SetOption(Slot(0), name, value));
    }
    operations.push(Operation::GetOption(Slot(0), name));
    operations
}

/// Which of a handle's and a socket's timeouts ends a wait.
fn timeouts() -> Vec<Operation> {
    vec![
        Operation::Pair(Family::Unix, Kind::Stream, 0),
        Operation::SetTimeout(Slot(0), Some(40_000_000)),
        Operation::SetOption(Slot(0), OptionName::ReceiveTimeout, Some(20_000_000)),
        Operation::Receive(Slot(0), 10, ReceiveFlags::default()),
        Operation::Duplicate(Slot(0)),
        Operation::Timeout(Slot(0)),
        Operation::SetTimeout(Slot(0), Some(12_000_000)),
        Operation::Receive(Slot(0), 10, ReceiveFlags::default()),
        Operation::Timeout(Slot(1)),
    ]
}

/// The second socket binds to the port of the first, which listens or not; both
/// are at loopback or everywhere, and share ports or not. Torn apart, the port
/// could be one that somebody's ended connection holds.
fn same_port(
    one: Family,
    other: Family,
    kind: Kind,
    [everywhere, also_everywhere, reuse, listens]: [bool; 4],
) -> Vec<Operation> {
    // In the other family the port may be anybody's, but where the first has it
    // in both.
    let other = match (one, everywhere) {
        (Family::Inet6, true) => other,
        _ => one,
    };
    let ip = |family, everywhere| match everywhere {
        true => unspecified(family),
        false => loopback(family),
    };
    let reuse = Operation::SetOption(Slot(0), OptionName::ReuseAddress, Some(reuse.into()));
    let mut operations = vec![
        Operation::Open(one, kind, 0),
        reuse.clone(),
        Operation::Bind(Slot(0), Address::Inet(ip(one, everywhere), Port::Number(0))),
        Operation::Open(other, kind, 0),
        reuse,
        Operation::Bind(
            Slot(0),
            Address::Inet(ip(other, also_everywhere), Port::Of(Slot(1))),
        ),
        Operation::Listen(Slot(0), None),
        Operation::LocalAddress(Slot(0)),
    ];
    if listens {
        operations.insert(3, Operation::Listen(Slot(0), None));
    }
    operations
}

/// Torn apart it could reach other machines.
fn multicast(family: Family) -> Vec<Operation> {
    let (group, lo) = (group(family, 1), loopback_interface());
    vec![
        Operation::Open(family, Kind::Datagram, 0),
        Operation::Bind(Slot(0), Address::Inet(unspecified(family), Port::Number(0))),
        Operation::SetOption(Slot(0), OptionName::MulticastInterface, Some(lo.into())),
        Operation::JoinGroup(Slot(0), group, lo),
        Operation::JoinGroup(Slot(0), group, lo),
        Operation::SendTo(
            Slot(0),
            Data {
                length: 4,
                first: 4,
            },
            SendFlags::default(),
            Address::Inet(group, Port::Of(Slot(0))),
        ),
        Operation::Receive(Slot(0), 100, DONT_WAIT),
        Operation::LeaveGroup(Slot(0), group, lo),
        Operation::LeaveGroup(Slot(0), group, lo),
    ]
}

/// Anything.
pub fn operation() -> impl Strategy<Value = Operation> {
    let calls = prop_oneof![
        3 => slot().prop_map(Operation::Accept),
        3 => (slot(), own_address()).prop_map(|(slot, address)| Operation::Bind(slot, address)),
        4 => (slot(), peer_address())
            .prop_map(|(slot, address)| Operation::Connect(slot, address)),
        2 => slot().prop_map(Operation::Drop),
        1 => slot().prop_map(Operation::Duplicate),
        3 => (slot(), select(OptionName::ALL.to_vec()))
            .prop_map(|(slot, name)| Operation::GetOption(slot, name)),
        1 => (slot(), any_group(), interface())
            .prop_map(|(slot, group, interface)| Operation::JoinGroup(slot, group, interface)),
        1 => (slot(), any_group(), interface())
            .prop_map(|(slot, group, interface)| Operation::LeaveGroup(slot, group, interface)),
        2 => (slot(), backlog()).prop_map(|(slot, backlog)| Operation::Listen(slot, backlog)),
        3 => slot().prop_map(Operation::LocalAddress),
        3 => (family(), kind(), protocol())
            .prop_map(|(family, kind, protocol)| Operation::Open(family, kind, protocol)),
        1 => (family(), kind(), protocol())
            .prop_map(|(family, kind, protocol)| Operation::Pair(family, kind, protocol)),
        3 => (slot(), any::<bool>(), any::<bool>())
            .prop_map(|(slot, readable, writable)| {
                Operation::Ready(slot, Wanted { readable, writable })
            }),
        2 => slot().prop_map(Operation::RemoteAddress),
        4 => (slot(), set_option())
            .prop_map(|(slot, (name, value))| Operation::SetOption(slot, name, value)),
    ];
    let transfers = prop_oneof![
        7 => (slot(), maximum(), receive_flags())
            .prop_map(|(slot, maximum, flags)| Operation::Receive(slot, maximum, waiting_for(maximum, flags))),
        2 => (slot(), select(vec![0, 1, 2, 10]), maximum(), receive_flags()).prop_map(
            |(slot, count, maximum, flags)| {
                Operation::ReceiveDatagrams(slot, count, maximum, waiting_for(maximum, flags))
            }
        ),
        4 => (slot(), maximum(), receive_flags())
            .prop_map(|(slot, maximum, flags)| Operation::ReceiveFrom(slot, maximum, waiting_for(maximum, flags))),
        6 => (slot(), data(), send_flags())
            .prop_map(|(slot, data, flags)| Operation::Send(slot, data, flags)),
        2 => (slot(), data()).prop_map(|(slot, data)| Operation::SendAll(slot, data)),
        2 => (slot(), vec((data(), prop::option::of(destination())), 0..4), send_to_flags())
            .prop_map(|(slot, datagrams, flags)| {
                Operation::SendDatagrams(slot, datagrams, flags)
            }),
        4 => (slot(), data(), send_to_flags(), destination())
            .prop_map(|(slot, data, flags, to)| Operation::SendTo(slot, data, flags, to)),
        1 => (slot(), select(vec![0, 12_000_000, 40_000_000]))
            .prop_map(|(slot, nanos)| Operation::SetTimeout(slot, Some(nanos))),
        3 => (slot(), select(vec![How::Receive, How::Send, How::Both]))
            .prop_map(|(slot, how)| Operation::Shutdown(slot, how)),
        2 => slot().prop_map(Operation::TakeError),
        1 => slot().prop_map(Operation::Timeout),
    ];
    prop_oneof![calls, transfers]
}

const DONT_WAIT: ReceiveFlags = ReceiveFlags {
    dont_wait: true,
    out_of_band: false,
    peek: false,
    wait_all: false,
};

/// Nobody is there, and the OS gives it to nobody.
const CLOSED: u16 = 1;

pub fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![9 => Just(0), 6 => Just(1), 3 => Just(2), 2 => 0..8_u8].prop_map(Slot)
}

fn inet() -> impl Strategy<Value = Family> {
    select(vec![Family::Inet, Family::Inet6])
}

fn inet_or_unix() -> impl Strategy<Value = Family> {
    select(vec![Family::Inet, Family::Inet6, Family::Unix])
}

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![
        3 => Just(Family::Inet),
        3 => Just(Family::Inet6),
        3 => Just(Family::Unix),
        1 => select(Family::ALL.to_vec()),
    ]
}

fn internet_kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Stream, Kind::Datagram])
}

fn stream_kind() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Stream, Kind::Seqpacket])
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Stream),
        3 => Just(Kind::Datagram),
        1 => select(Kind::ALL.to_vec()),
    ]
}

fn protocol() -> impl Strategy<Value = u16> {
    prop_oneof![8 => Just(0), 4 => select(vec![1, 2, 6, 17, 132, 136, 255])]
}

fn backlog() -> impl Strategy<Value = Option<u32>> {
    select(vec![None, Some(16), Some(100_000), Some(u32::MAX)])
}

fn loopback(family: Family) -> IpAddr {
    match family {
        Family::Inet6 => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    }
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn group(family: Family, last: u8) -> IpAddr {
    match family {
        Family::Inet6 => Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 1, last.into()).into(),
        _ => Ipv4Addr::new(239, 255, 1, last).into(),
    }
}

fn any_group() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        6 => (inet(), 1..3_u8).prop_map(|(family, last)| group(family, last)),
        1 => inet().prop_map(loopback),
    ]
}

/// Never the OS's choice: that would be another than the loopback's.
fn interface() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(loopback_interface()), 1 => Just(99_999)]
}

fn loopback_interface() -> u32 {
    if_nametoindex("lo").unwrap_or(0)
}

fn mapped() -> IpAddr {
    Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
}

/// An address of another machine, to bind to (RFC 5737, RFC 3849).
fn foreign() -> impl Strategy<Value = IpAddr> {
    select(vec![
        IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    ])
}

fn port() -> impl Strategy<Value = Port> {
    prop_oneof![
        1 => Just(Port::Number(0)),
        1 => Just(Port::Number(CLOSED)),
        4 => slot().prop_map(Port::Of),
    ]
}

fn own_address() -> impl Strategy<Value = Address> {
    let free = Just(Port::Number(0));
    prop_oneof![
        4 => (inet().prop_map(loopback), free).prop_map(inet_address),
        2 => (inet().prop_map(unspecified), free).prop_map(inet_address),
        1 => (Just(mapped()), free).prop_map(inet_address),
        1 => (foreign(), free).prop_map(inet_address),
        4 => unix_name(),
        1 => odd_unix_name(),
    ]
}

fn peer_address() -> impl Strategy<Value = Address> {
    prop_oneof![
        4 => slot().prop_map(Address::Of),
        1 => slot().prop_map(Address::PeerOf),
        2 => (inet().prop_map(loopback), port()).prop_map(inet_address),
        1 => (inet().prop_map(unspecified), port()).prop_map(inet_address),
        1 => (Just(mapped()), port()).prop_map(inet_address),
        2 => unix_name(),
        1 => odd_unix_name(),
    ]
}

/// A peer, or the loopback's broadcast address.
pub fn destination() -> impl Strategy<Value = Address> {
    let broadcast = Just(IpAddr::from(Ipv4Addr::new(127, 255, 255, 255)));
    prop_oneof![
        9 => peer_address(),
        1 => (broadcast, slot().prop_map(Port::Of)).prop_map(inet_address),
    ]
}

fn inet_address((ip, port): (IpAddr, Port)) -> Address {
    Address::Inet(ip, port)
}

fn unix_name() -> impl Strategy<Value = Address> {
    prop_oneof![
        4 => select(vec!["s1", "s2", "s3"]).prop_map(|name| Address::Path(name.to_owned())),
        2 => (b'a'..b'd', select(vec![1, 2, 40])).prop_map(|(name, length)| {
            Address::Abstract(name, length)
        }),
        1 => Just(Address::Unnamed),
    ]
}

/// What leads to no socket, or on another way than it seems.
fn odd_unix_name() -> impl Strategy<Value = Address> {
    let paths = [
        "file",
        "file/s",
        "folder",
        "folder/s",
        "link",
        "linked/s",
        "loop",
        "missing/s",
    ];
    prop_oneof![
        6 => select(paths.to_vec()).prop_map(|path| Address::Path(path.to_owned())),
        1 => select(vec![106, 107, 108, 109, 255]).prop_map(Address::PathOfLength),
        1 => Just(Address::Abstract(b'z', 200)),
    ]
}

pub fn data() -> impl Strategy<Value = Data> {
    let length = prop_oneof![1 => Just(0), 7 => 1..64_u32, 1 => 1000..3000_u32];
    (length, any::<u8>()).prop_map(|(length, first)| Data { length, first })
}

fn maximum() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 5, 16, 100, 100, 4096, 4096, 100_000])
}

pub fn send_flags() -> impl Strategy<Value = SendFlags> {
    let rarely = || prop::bool::weighted(0.1);
    (rarely(), any::<bool>(), rarely(), rarely()).prop_map(
        |(dont_route, dont_wait, end_of_record, out_of_band)| SendFlags {
            dont_route,
            dont_wait,
            end_of_record,
            more: false,
            out_of_band,
        },
    )
}

/// Without what datagrams never take: which error comes first, that or one about
/// the destination, is nobody's promise.
fn send_to_flags() -> impl Strategy<Value = SendFlags> {
    send_flags().prop_map(|flags| SendFlags {
        out_of_band: false,
        ..flags
    })
}

pub fn receive_flags() -> impl Strategy<Value = ReceiveFlags> {
    let rarely = || prop::bool::weighted(0.1);
    (prop::bool::weighted(0.85), rarely(), rarely(), rarely()).prop_map(
        |(dont_wait, out_of_band, peek, wait_all)| ReceiveFlags {
            dont_wait,
            out_of_band,
            peek,
            wait_all,
        },
    )
}

fn waiting_for(maximum: u64, flags: ReceiveFlags) -> ReceiveFlags {
    ReceiveFlags {
        dont_wait: flags.dont_wait || maximum == 0,
        ..flags
    }
}

fn set_option() -> impl Strategy<Value = (OptionName, OptionValue)> {
    select(OptionName::ALL.to_vec()).prop_flat_map(|name| {
        let values = values(name);
        select(values).prop_map(move |value| (name, value))
    })
}

/// Ordinary values and odd ones. Times are whole as the contract says, and
/// multiples of what Linux counts in.
fn values(name: OptionName) -> Vec<OptionValue> {
    const SECOND: u64 = 1_000_000_000;
    const MILLISECOND: u64 = 1_000_000;
    let numbers = |numbers: &[u64]| numbers.iter().copied().map(Some).collect();
    match name {
        OptionName::AcceptingConnections
        | OptionName::AnswerAsAsked
        | OptionName::Broadcast
        | OptionName::DoNotRoute
        | OptionName::Domain
        | OptionName::KeepAlive
        | OptionName::MulticastLoop
        | OptionName::NoDelay
        | OptionName::OutOfBandInline
        | OptionName::Protocol
        | OptionName::ReuseAddress
        | OptionName::ReusePort
        | OptionName::SocketType
        | OptionName::V6Only => numbers(&[0, 1]),
        OptionName::HopLimit | OptionName::MulticastHopLimit | OptionName::TrafficClass => {
            numbers(&[0, 1, 2, 3, 64, 127, 128, 255])
        }
        OptionName::KeepAliveCount => numbers(&[0, 1, 5, 127, 128, 100_000]),
        OptionName::KeepAliveIdle | OptionName::KeepAliveInterval => {
            numbers(&[0, SECOND, 75 * SECOND, 32_767 * SECOND, 32_768 * SECOND])
        }
        OptionName::Linger => vec![None, Some(0), Some(SECOND), Some(30 * SECOND)],
        OptionName::MaximumSegmentSize => numbers(&[0, 1, 88, 536, 1460, 32_767, 32_768, 65_535]),
        OptionName::MulticastInterface => numbers(&[0, u64::from(loopback_interface()), 99_999]),
        OptionName::ReceiveBufferSize | OptionName::SendBufferSize => {
            numbers(&[0, 1, 4096, 65_536, 1 << 20, u64::from(u32::MAX)])
        }
        OptionName::ReceiveLowWaterMark => numbers(&[0, 1, 4, 20, 100]),
        OptionName::ReceiveTimeout | OptionName::SendTimeout => {
            vec![None, Some(0), Some(20 * MILLISECOND), Some(SECOND)]
        }
        OptionName::UserTimeout => numbers(&[0, MILLISECOND, 5 * SECOND, 3600 * SECOND]),
    }
}
