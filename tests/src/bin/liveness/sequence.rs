//! Random sequences of calls: what the differential test makes of sockets, and beyond
//! that whatever a guest may ask its host for, in amounts that are out of all measure.

use portcullis_test_operations::{
    Address, Data, Family, Held, How, Interest, Kind, Named, Operation, OptionName, Order, Port,
    SendFlags, Slot, Step, Visit,
};
use portcullis_tests::generator::{
    self, data, destination, operation, receive_flags, send_flags, slot, sometimes,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::Result;
use crate::{name_server, regressions};

/// The port of loopback at which nothing listens.
pub(crate) const CLOSED: u16 = 41_999;

/// Where the hostile peers are, and where unix paths lead.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// Of the guests' unix sockets.
    pub(crate) folder: String,
    /// Ports of loopback, over TCP.
    pub(crate) streams: Vec<u16>,
    /// Ports of loopback, over UDP.
    pub(crate) datagrams: Vec<u16>,
}

/// A sequence that can be made smaller.
pub(crate) type Tree = Box<dyn ValueTree<Value = Vec<Step>>>;

/// The sequence that has a number among those of a seed. The first are the same of every
/// seed: what once kept a worker.
pub(crate) fn tree(places: &Places, seed: u64, number: u64) -> Result<Tree> {
    let mut bytes = [0; 32];
    let halves = bytes.chunks_exact_mut(8);
    for (half, word) in halves.zip([seed, number]) {
        half.copy_from_slice(&word.to_le_bytes());
    }
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let known = usize::try_from(number).ok().and_then(|number| {
        let mut known = regressions::all().into_iter();
        known.nth(number)
    });
    let strategy = match known {
        Some(steps) => kept(steps, 1.0).boxed(),
        None => steps(places.clone()).boxed(),
    };
    let tree = strategy.new_tree(&mut runner);
    Ok(tree.map_err(|reason| format!("no sequence: {reason}"))?)
}

/// Steps as an order to the handler.
pub(crate) fn order(places: &Places, number: u64, steps: Vec<Step>) -> Order {
    let answers = match number % 4 {
        regressions::MANY_ANSWERS => (1_000_000, 0),
        2 => (200, 60_000),
        _ => (1, 4),
    };
    Order::Run(Visit {
        folder: places.folder.clone().into_bytes(),
        prefix: b"portcullis-liveness-".to_vec(),
        steps,
        answers,
    })
}

fn steps(places: Places) -> impl Strategy<Value = Vec<Step>> {
    let parts = prop_oneof![
        5 => generator::scene().prop_flat_map(sometimes).prop_map(|operations| {
            operations.into_iter().map(Step::Socket).collect::<Vec<_>>()
        }),
        8 => vec(step(places.clone()), 1..8),
        3 => refused(),
        3 => visit(places.clone()),
        2 => waits(),
        2 => (select(vec![3_u32, 100, 20_000, u32::MAX]), vec(step(places), 1..5))
            .prop_map(|(times, steps)| vec![Step::Repeat(times, steps)]),
    ];
    vec(parts, 1..8).prop_map(|parts| parts.concat())
}

fn step(places: Places) -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => operation().prop_map(Step::Socket),
        6 => beyond(places).prop_map(Step::Socket),
        6 => names(),
        5 => polling(),
        3 => surroundings(),
        1 => attenuations(),
    ]
}

/// Part of what was once too much, with another end.
fn refused() -> impl Strategy<Value = Vec<Step>> {
    (kept(regressions::refused(), 0.97), interest(), polls()).prop_map(
        |(mut steps, interest, poll)| {
            steps.push(Step::Subscribe(Slot(0), interest));
            steps.push(poll);
            steps
        },
    )
}

/// A hostile peer is visited.
fn visit(places: Places) -> impl Strategy<Value = Vec<Step>> {
    let streams = places.streams.into_iter().map(|port| (Kind::Stream, port));
    let datagrams = places
        .datagrams
        .into_iter()
        .map(|port| (Kind::Datagram, port));
    let mut peers: Vec<(Family, Kind, Address)> = streams
        .chain(datagrams)
        .map(|(kind, port)| {
            let address = Address::Inet([127, 0, 0, 1].into(), Port::Number(port));
            (Family::Inet, kind, address)
        })
        .collect();
    for (kind, name) in [
        (Kind::Stream, "peer"),
        (Kind::Datagram, "peer-datagram"),
        (Kind::Stream, "pipe"),
        (Kind::Stream, "hangs/s"),
        (Kind::Stream, "out/s"),
        (Kind::Stream, "many"),
    ] {
        peers.push((Family::Unix, kind, Address::Path(name.to_owned())));
    }
    (select(peers), vec(transfer(), 1..6), any::<bool>()).prop_map(
        |((family, kind, address), transfers, patient)| {
            let mut steps = vec![Step::Socket(Operation::Open(family, kind, 0))];
            if patient {
                steps.push(Step::Patient(Slot(0)));
            }
            steps.push(Step::Socket(Operation::Connect(Slot(0), address)));
            steps.extend(transfers);
            steps
        },
    )
}

/// Several things to wait for, then waiting.
fn waits() -> impl Strategy<Value = Vec<Step>> {
    (vec(subscription(), 1..8), vec(polls(), 1..5))
        .prop_map(|(subscriptions, polls)| [subscriptions, polls].concat())
}

/// The steps, each with a probability.
fn kept(steps: Vec<Step>, probability: f64) -> impl Strategy<Value = Vec<Step>> {
    vec(prop::bool::weighted(probability), steps.len()).prop_map(move |kept| {
        let kept = steps.iter().zip(kept).filter(|(_, kept)| *kept);
        kept.map(|(step, _)| step.clone()).collect()
    })
}

/// What comes of a connection, in amounts that do not fit.
fn transfer() -> impl Strategy<Value = Step> {
    let length = select(vec![0, 1, 4096, 65_507, 1 << 20, 8 << 20]);
    let data = (length, any::<u8>()).prop_map(|(length, first)| Data { length, first });
    prop_oneof![
        3 => (slot(), data.clone(), send_flags(), any::<bool>()).prop_map(
            |(slot, data, flags, more)| {
                Operation::Send(slot, data, SendFlags { more, ..flags })
            }
        ),
        2 => (slot(), data).prop_map(|(slot, data)| Operation::SendAll(slot, data)),
        4 => (slot(), maximum(), receive_flags())
            .prop_map(|(slot, maximum, flags)| Operation::Receive(slot, maximum, flags)),
        2 => (slot(), maximum(), receive_flags())
            .prop_map(|(slot, maximum, flags)| Operation::ReceiveFrom(slot, maximum, flags)),
        1 => (slot(), select(vec![How::Receive, How::Send, How::Both]))
            .prop_map(|(slot, how)| Operation::Shutdown(slot, how)),
        1 => slot().prop_map(|slot| Operation::SetOption(
            slot, OptionName::ReceiveLowWaterMark, Some(1 << 20)
        )),
    ]
    .prop_map(Step::Socket)
}

fn maximum() -> impl Strategy<Value = u64> {
    select(vec![0, 1, 65_536, 8 << 20, 1 << 32, u64::MAX])
}

/// What the differential test leaves out, since nothing promises what comes of it.
fn beyond(places: Places) -> impl Strategy<Value = Operation> {
    let ports: Vec<u16> = [places.streams, places.datagrams, vec![CLOSED, 1]].concat();
    let peer = select(ports)
        .prop_map(|port| Address::Inet([127, 0, 0, 1].into(), Port::Number(port)))
        .boxed();
    let path = select(vec![
        "peer",
        "peer-datagram",
        "pipe",
        "hangs/s",
        "hangs/a/b/c",
        "out",
        "out/s",
        "many",
        "many/s",
        "s1",
    ]);
    let path = path.prop_map(|path| Address::Path(path.to_owned())).boxed();
    let somewhere = prop_oneof![3 => peer, 2 => path, 1 => destination()].boxed();
    prop_oneof![
        4 => (slot(), somewhere.clone())
            .prop_map(|(slot, address)| Operation::Connect(slot, address)),
        2 => (slot(), somewhere.clone())
            .prop_map(|(slot, address)| Operation::Bind(slot, address)),
        3 => (slot(), data(), send_flags(), somewhere.clone()).prop_map(
            |(slot, data, flags, to)| Operation::SendTo(slot, data, flags, to)
        ),
        1 => (slot(), vec((data(), prop::option::of(somewhere)), 0..6), select(vec![1, 2000]))
            .prop_map(|(slot, datagrams, times)| {
                let many = datagrams.iter().cycle().take(datagrams.len() * times);
                Operation::SendDatagrams(slot, many.cloned().collect(), SendFlags::default())
            }),
        1 => (slot(), select(vec![0, 1, u32::MAX]), maximum(), receive_flags()).prop_map(
            |(slot, count, maximum, flags)| {
                Operation::ReceiveDatagrams(slot, count, maximum, flags)
            }
        ),
        1 => (slot(), select(vec![Some(0), Some(1), Some(30_000_000), None]))
            .prop_map(|(slot, timeout)| Operation::SetTimeout(slot, timeout)),
    ]
}

fn name() -> impl Strategy<Value = String> {
    let known = select(name_server::NAMES.to_vec());
    let hosts = (known, 0..20_u8).prop_map(|(name, number)| match number {
        0..10 => format!("{name}.{}", name_server::DOMAIN),
        // Another one for each, so that it is not remembered.
        number => format!("x{number}.{name}.{}", name_server::DOMAIN),
    });
    let odd = [
        "",
        "localhost",
        "127.0.0.1",
        "::1",
        "db.denied.example",
        ".",
        "a..b",
        "xn--\u{fc}",
        "*.x",
        "\u{202e}x.hostile.example",
    ];
    let long = "a".repeat(63) + "." + &"b.".repeat(90) + name_server::DOMAIN;
    prop_oneof![
        8 => hosts,
        2 => select(odd.to_vec()).prop_map(str::to_owned),
        1 => Just(long),
    ]
}

fn named() -> impl Strategy<Value = Named> {
    let port = select(vec![0, 1, 80, CLOSED]);
    (name(), port).prop_map(|(name, port)| Named(name, port))
}

fn names() -> impl Strategy<Value = Step> {
    let family = select(vec![
        Family::Unspecified,
        Family::Inet,
        Family::Inet6,
        Family::Unix,
    ]);
    let kind = select(vec![None, Some(Kind::Stream), Some(Kind::Datagram)]);
    let service = select(vec![
        None,
        Some("http"),
        Some("domain"),
        Some("no-such"),
        Some("80"),
    ]);
    let service = service
        .prop_map(|service| service.map(str::to_owned))
        .boxed();
    let ip = select(vec![
        [127, 0, 0, 1].into(),
        [10, 0, 0, 5].into(),
        std::net::Ipv6Addr::LOCALHOST.into(),
    ]);
    prop_oneof![
        5 => (prop::option::weighted(0.9, name()), service.clone(), family, kind, any::<u8>())
            .prop_map(|(name, service, family, kind, flags)| {
                Step::Resolve(name, service, family, kind, flags)
            }),
        3 => (slot(), named()).prop_map(|(slot, named)| Step::ConnectName(slot, named)),
        1 => (slot(), named()).prop_map(|(slot, named)| Step::BindName(slot, named)),
        2 => (slot(), data(), send_flags(), named())
            .prop_map(|(slot, data, flags, named)| Step::SendToName(slot, data, flags, named)),
        2 => (ip, any::<u16>(), any::<u8>())
            .prop_map(|(ip, port, flags)| Step::Reverse(ip, port, flags)),
        1 => name().prop_map(Step::ProtocolByName),
        1 => (name(), service.clone()).prop_map(|(name, protocol)| Step::ServiceByName(name, protocol)),
        1 => (any::<u16>(), service).prop_map(|(port, protocol)| Step::ServiceByPort(port, protocol)),
        1 => Just(Step::HostName),
    ]
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![4 => Just(0), 2 => 0..8_u8].prop_map(Held)
}

fn interest() -> impl Strategy<Value = Interest> {
    prop_oneof![3 => Just(0), 3 => Just(1), 3 => Just(2), 3 => 0..32_u8].prop_map(Interest)
}

fn subscription() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (slot(), interest()).prop_map(|(slot, interest)| Step::Subscribe(slot, interest)),
        1 => select(vec![0, 1, 50]).prop_map(|milliseconds| Step::SubscribeTimer { milliseconds }),
        1 => held().prop_map(Step::PollerSubscribe),
    ]
}

fn polls() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => held().prop_map(Step::PollableReady),
        2 => held().prop_map(Step::PollableBlock),
        2 => Just(Step::PollAll),
    ]
}

fn polling() -> impl Strategy<Value = Step> {
    let timeout = select(vec![Some(0), Some(1), Some(20_000_000), None]);
    prop_oneof![
        3 => subscription(),
        3 => polls(),
        1 => held().prop_map(Step::DropPollable),
        1 => held().prop_map(Step::DropPoller),
        2 => Just(Step::OpenPoller),
        3 => (held(), slot(), interest())
            .prop_map(|(held, slot, interest)| Step::PollerAdd(held, slot, interest)),
        1 => (held(), slot(), interest())
            .prop_map(|(held, slot, interest)| Step::PollerModify(held, slot, interest)),
        1 => (held(), slot()).prop_map(|(held, slot)| Step::PollerRemove(held, slot)),
        3 => (held(), timeout, select(vec![0, 1, 64, u32::MAX]))
            .prop_map(|(held, timeout, maximum)| Step::PollerWait(held, timeout, maximum)),
    ]
}

/// What has nothing to do with the network.
fn surroundings() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => select(vec![1, 4, 12, 40]).prop_map(|mebibytes| Step::Allocate { mebibytes }),
        2 => select(vec![1, 20, 600]).prop_map(|milliseconds| Step::Compute { milliseconds }),
        2 => select(vec![0, 1 << 10, 4 << 20, 50 << 20]).prop_map(|bytes| Step::Random { bytes }),
        2 => select(vec![0, 1, 100, 1 << 20]).prop_map(|bytes| Step::Print { bytes }),
        1 => Just(Step::Read),
        1 => Just(Step::Time),
        1 => Just(Step::Environment),
        1 => Just(Step::Preopens),
        1 => select(vec![0, 1, 30]).prop_map(|milliseconds| Step::Sleep { milliseconds }),
        1 => Just(Step::Widen),
        1 => Just(Step::Exit),
        1 => Just(Step::Panic),
    ]
}

/// Narrower networks, some of which are long to read.
fn attenuations() -> impl Strategy<Value = Step> {
    let ports: Vec<String> = (0..500).map(|port| (2 * port + 1).to_string()).collect();
    let wide = format!("connect udp://127.0.0.1:{}", ports.join(","));
    let grants = [
        "connect udp://127.0.0.1:*".to_owned(),
        "connect tcp://loopback:*".to_owned(),
        "listen tcp://127.0.0.1:*".to_owned(),
        format!("resolve *.{}", name_server::DOMAIN),
        "what is this".to_owned(),
        wide,
    ];
    (
        vec(select(grants.to_vec()), 0..6),
        select(vec![1, 1, 25, 200]),
    )
        .prop_map(|(grants, times)| {
            let many = grants.iter().cycle().take(grants.len() * times);
            Step::Attenuate(many.cloned().collect())
        })
}
