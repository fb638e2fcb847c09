//! What the host keeps for a guest takes no more memory than the guest may take, and as
//! much as the account says at the most.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::alloc::System;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use portcullis_net::{
    Answer, Endpoint, Error, ErrorCode, Families, Family, Network, Pending, Poller, Ready,
    ReceiveOptions, ResolveHints, Resolver, SendOptions, Socket, SocketAddress, SocketType,
    TableResolver,
};
use portcullis_policy::{Lookup, Name, Permit, Policy, Reverse};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MEMORY: usize = 1 << 20;

fn network(allow: &[&str]) -> Network {
    let policy = allow
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    Network::new(policy.build().unwrap()).with_memory(MEMORY)
}

fn stream(network: &Network) -> Result<Socket, Error> {
    network.open(Family::Inet, SocketType::Stream, 0)
}

/// Has as many of a thing as there can be, which are bounded by memory; when they are
/// dropped, it is all there again.
fn fill<T>(
    what: &str,
    network: &Network,
    most: usize,
    mut one: impl FnMut(usize) -> Result<T, Error>,
) {
    let (before, mut all) = (network.memory().used(), Vec::new());
    let region = Region::new(ALLOCATOR);
    let refusal = loop {
        match one(all.len()) {
            Ok(more) => all.push(more),
            Err(refusal) => break refusal,
        }
        assert!(all.len() <= most, "{} of {what}, and no end", all.len());
    };
    let change = region.change();
    let taken = change.bytes_allocated - change.bytes_deallocated;
    let used = network.memory().used();
    println!("{} of {what}: {used} counted, {taken} taken", all.len());
    assert_eq!(
        refusal.code(),
        ErrorCode::LimitExceeded,
        "{what}: {refusal}"
    );
    assert_eq!(
        refusal.message(),
        "limit reached: memory = 1048576",
        "{what}"
    );
    assert!(used <= MEMORY, "{what}: {used}");
    assert!(all.len() > 1, "{what}");
    // The list of them is the test's own.
    let list = all.capacity() * size_of::<T>();
    assert!(
        taken <= used - before + list,
        "{what}: {taken} taken, and {used} counted"
    );
    drop(all);
    assert_eq!(network.memory().used(), before, "{what}");
}

fn narrowed() {
    let network = network(&[]);
    let ports = "1-3,6-8,11-13,16-18,21-23,26-28,31-33,36-38";
    let grants = vec![format!("connect udp://any:{ports}"); 10];
    fill("networks narrowed by much", &network, 1000, |_| {
        network.attenuate(&grants)
    });
    fill("networks narrowed by nothing", &network, 1000, |_| {
        network.attenuate(&[""; 0])
    });
    // Those that it was narrowed from are kept with it.
    let outer = network.attenuate(&grants).unwrap();
    let used = network.memory().used();
    let inner = outer.attenuate(&grants).unwrap();
    drop(outer);
    assert!(network.memory().used() > used);
    drop(inner);
    assert_eq!(network.memory().used(), 0);
}

fn sockets_and_what_waits_for_them() {
    let network = network(&[]);
    fill("sockets", &network, 1000, |_| stream(&network));
    let socket = stream(&network).unwrap();
    fill("subscriptions", &network, 2000, |_| {
        socket.subscribe(Ready::READABLE)
    });
    fill("pollers", &network, 1000, |_| Poller::new(&network));
    let poller = Poller::new(&network).unwrap();
    fill("subscriptions to a poller", &network, 2000, |_| {
        poller.subscribe()
    });
    // One socket may be watched by many.
    let pollers: Vec<_> = (0..100).map(|_| Poller::new(&network).unwrap()).collect();
    let sockets: Vec<_> = (0..50).map(|_| stream(&network).unwrap()).collect();
    let watching = |number: usize| {
        let (poller, socket) = (number / sockets.len(), number % sockets.len());
        let poller = pollers.get(poller).unwrap();
        poller.add(sockets.get(socket).unwrap(), 0, Ready::READABLE)
    };
    let refusal = (0..5000).find_map(|number| watching(number).err()).unwrap();
    assert_eq!(refusal.message(), "limit reached: memory = 1048576");
    // What is closed makes room.
    let full = network.memory().used();
    drop(sockets);
    let first = pollers.first().unwrap();
    first.add(&socket, 0, Ready::READABLE).unwrap();
    assert!(network.memory().used() < full);
    drop((pollers, poller, socket));
    assert_eq!(network.memory().used(), 0);
}

/// Each name leads to addresses of its own.
#[derive(Debug)]
struct Wide;

impl Resolver for Wide {
    fn look_up(&self, permit: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        let name = permit.request().name().to_string();
        let (number, _) = name.split_once('.').unwrap();
        let number: u32 = number.trim_start_matches('a').parse().unwrap();
        let addresses = (0..64).map(|at| Ipv4Addr::from_bits(64 * number + at).into());
        let answer = Answer {
            addresses: addresses.collect(),
            chain: vec![Name::parse(&format!("{}.example", "b".repeat(60))).unwrap(); 8],
            valid_until: None,
        };
        Box::pin(async { Ok(answer) })
    }

    fn reverse(&self, permit: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        let _ = permit;
        Box::pin(std::future::pending())
    }
}

async fn names() {
    let network = network(&["resolve *"]).with_resolver(Wide);
    for number in 0..1000 {
        let name = format!("a{number}.example");
        let found = network.resolve(Some(&name), None, ResolveHints::default());
        let Err(refusal) = found.await else {
            continue;
        };
        assert_eq!(refusal.code(), ErrorCode::LimitExceeded, "{refusal}");
        assert_eq!(refusal.message(), "limit reached: memory = 1048576");
        assert!(number > 1 && network.memory().used() <= MEMORY, "{number}");
        return;
    }
    panic!("names are remembered without a bound");
}

async fn lookups_that_last() {
    let network = network(&["resolve *", "connect udp://*:*"]).with_resolver(Wide);
    let mut lookups = Vec::new();
    for number in 1..=100u8 {
        let address = SocketAddr::from(([9, 9, 9, number], 0));
        let network = network.clone();
        lookups.push(tokio::spawn(async move {
            let options = portcullis_net::ReverseOptions::default();
            network
                .reverse(&SocketAddress::Inet(address), options)
                .await
        }));
    }
    let mut refused = 0;
    for lookup in lookups {
        match tokio::time::timeout(Duration::from_millis(20), lookup).await {
            Ok(ended) => {
                assert_eq!(ended.unwrap().unwrap_err().code(), ErrorCode::LimitExceeded);
                refused += 1;
            }
            Err(_) => assert!(network.memory().used() <= MEMORY),
        }
    }
    assert!((1..100).contains(&refused), "{refused}");
}

async fn correspondents() {
    let network = network(&["listen udp://127.0.0.1:0 from loopback"]);
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket
        .bind(&Endpoint::Address(SocketAddress::Inet(any)))
        .await
        .unwrap();
    let SocketAddress::Inet(address) = socket.local_address().unwrap() else {
        panic!("it is an internet socket");
    };
    let (mut last, mut most) = (None, 0);
    for number in 0..6000u16 {
        let [high, low] = number.to_be_bytes();
        let writer = UdpSocket::bind((Ipv4Addr::new(127, 1, high, low), 0)).unwrap();
        writer.send_to(b"hello", address).unwrap();
        socket
            .receive_from(16, ReceiveOptions::default())
            .await
            .unwrap();
        most = most.max(network.memory().used());
        last = Some(writer.local_addr().unwrap());
    }
    assert!((MEMORY / 4..=MEMORY).contains(&most), "{most}");
    // Who wrote last may be answered.
    let last = Endpoint::Address(SocketAddress::Inet(last.unwrap()));
    socket
        .send_to(b"hello", Default::default(), &last)
        .await
        .unwrap();
    drop(socket);
    assert_eq!(network.memory().used(), 0);
}

async fn what_is_gathered() {
    let network = network(&[]).with_resolver(TableResolver::default());
    let (one, _other) = network.pair(Family::Unix, SocketType::Stream, 0).unwrap();
    let all = ReceiveOptions {
        wait_all: true,
        ..ReceiveOptions::default()
    };
    let refusal = one.receive(MEMORY, all).await.unwrap_err();
    assert_eq!(refusal.message(), "limit reached: memory = 1048576");
}

/// Parts of datagrams whose ends never come.
async fn what_is_begun() {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = sink.local_addr().unwrap();
    let network = network(&[&format!("connect udp://{to}")]);
    let more = SendOptions {
        more: true,
        ..SendOptions::default()
    };
    let to = Endpoint::Address(SocketAddress::Inet(to));
    let mut begun = Vec::new();
    let refusal = loop {
        let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
        match socket.send_to(b"x", more, &to).await {
            Ok(_) => begun.push(socket),
            Err(error) => break error,
        }
    };
    assert_eq!(refusal.message(), "limit reached: memory = 1048576");
    assert!(
        (1..MEMORY / 65_535).contains(&begun.len()),
        "{}",
        begun.len()
    );
    drop(begun);
    let socket = network.open(Family::Inet, SocketType::Datagram, 0).unwrap();
    socket.send_to(b"x", more, &to).await.unwrap();
}

/// One after the other, since what is allocated is counted for the whole process.
#[tokio::test]
async fn each_is_bounded_by_the_memory_of_the_guest() {
    narrowed();
    // Warm: what is made once is nobody's.
    drop(Poller::new(&network(&[])).unwrap());
    sockets_and_what_waits_for_them();
    names().await;
    lookups_that_last().await;
    correspondents().await;
    what_is_gathered().await;
    what_is_begun().await;
}
