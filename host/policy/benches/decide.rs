//! What a decision costs, by the number of grants. It must not ask the same
//! thing again and again: the requests are spread over all of the grants.
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has failed"
)]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use portcullis_policy::{
    Connect, ConnectUnix, Listen, Lookup, Name, Policy, Protocol, Purpose, Request, UnixKind,
    UnixName,
};

const SIZES: [u32; 4] = [1, 100, 10_000, 100_000];

/// How many requests take turns, at most.
const REQUESTS: u32 = 1000;

type Group<'c> = BenchmarkGroup<'c, WallTime>;

criterion_group!(
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(30);
    targets = copied, allowed, denied, layered, told, built
);
criterion_main!(benches);

/// What a turn costs without a decision: the copy of the request and its end. All
/// the others hold it too.
fn copied(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("copied");
    for size in SIZES {
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i), 443));
        let requests = spread(size, connect);
        in_turn(&mut group, "address", size, &requests, |request| request);
        let named = |i: u32| connect(i).named(name("api", i));
        let requests = spread(size, named);
        in_turn(&mut group, "name", size, &requests, |request| request);
    }
}

fn allowed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("allowed");
    for size in SIZES {
        let policy = addresses(size);
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i), 443));
        decide(&mut group, "address", size, &policy, connect);

        let policy = policy_of(size, |i| format!("connect tcp://{}:443", network(i)));
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4((i << 4) | 3), 443));
        decide(&mut group, "network", size, &policy, connect);

        let policy = policy_of(size, |i| format!("connect tcp://[{}]:443", v6(i)));
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v6(i), 443));
        decide(&mut group, "IPv6", size, &policy, connect);

        let policy = names(size);
        let connect =
            |i: u32| Connect::new(Protocol::Tcp, socket(public(), 443)).named(name("api", i));
        decide(&mut group, "name", size, &policy, connect);
        let lookup = |i: u32| Lookup::new(name("api", i), Purpose::Resolve);
        decide(&mut group, "lookup", size, &policy, lookup);

        let policy = policy_of(size, |i| format!("connect tcp://*.c{i}.example.com:443"));
        let connect =
            |i: u32| Connect::new(Protocol::Tcp, socket(public(), 443)).named(name("eu.api", i));
        decide(&mut group, "wildcard", size, &policy, connect);

        let policy = policy_of(size, |i| format!("listen tcp://{}:8000-8080", v4(i)));
        let listen = |i: u32| Listen::new(Protocol::Tcp, socket(v4(i), 8042), false);
        decide(&mut group, "listen", size, &policy, listen);

        let policy = policy_of(size, |i| match i % 2 {
            0 => format!("connect unix:/run/app{i}/web.sock"),
            _ => format!("connect unix:/run/app{i}/**"),
        });
        let connect = |i: u32| {
            let path = format!("/run/app{i}/web.sock");
            ConnectUnix::new(UnixKind::Stream, UnixName::path(path.as_bytes()).unwrap())
        };
        decide(&mut group, "unix", size, &policy, connect);
    }
}

fn denied(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("denied");
    for size in SIZES {
        let policy = beside(size);
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i), 443));
        refuse(&mut group, "by a deny", size, &policy, connect);
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i | 1 << 23), 443));
        decide(&mut group, "beside a deny", size, &policy, connect);

        let policy = addresses(size);
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i), 80));
        refuse(&mut group, "another port", size, &policy, connect);
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v6(i), 80));
        refuse(&mut group, "another host and port", size, &policy, connect);
        let connect = |i: u32| Connect::new(Protocol::Udp, socket(v6(i), 80));
        refuse(&mut group, "nothing near", size, &policy, connect);

        let policy = names(size);
        let connect =
            |i: u32| Connect::new(Protocol::Tcp, socket(public(), 443)).named(name("other", i));
        refuse(&mut group, "another name", size, &policy, connect);
    }
}

fn layered(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attenuated");
    for size in SIZES {
        let policy = addresses(size).and(&addresses(size));
        let connect = |i: u32| Connect::new(Protocol::Tcp, socket(v4(i), 443));
        decide(&mut group, "allowed", size, &policy, connect);
        let policy = addresses(size).and(&Policy::default());
        refuse(&mut group, "denied", size, &policy, connect);
    }
}

/// Denials that are told to the operator.
fn told(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("told");
    for size in SIZES {
        let policy = addresses(size);
        let near = |i: u32| Connect::new(Protocol::Tcp, socket(v6(i), 80));
        tell(&mut group, "another host and port", size, &policy, near);
        let far = |i: u32| Connect::new(Protocol::Udp, socket(v6(i), 80));
        tell(&mut group, "nothing near", size, &policy, far);
    }
}

fn built(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("built");
    group.sample_size(10);
    for size in SIZES {
        group.bench_function(BenchmarkId::new("addresses", size), |b| {
            b.iter_with_large_drop(|| addresses(size));
        });
        group.bench_function(BenchmarkId::new("names", size), |b| {
            b.iter_with_large_drop(|| names(size));
        });
    }
}

fn decide<R: Request + Clone>(
    group: &mut Group<'_>,
    what: &str,
    size: u32,
    policy: &Policy,
    request: impl Fn(u32) -> R,
) {
    let requests = spread(size, request);
    for request in &requests {
        let _ = policy.check(request.clone()).unwrap();
    }
    in_turn(group, what, size, &requests, |request| {
        policy.check(request).is_ok()
    });
}

fn refuse<R: Request + Clone>(
    group: &mut Group<'_>,
    what: &str,
    size: u32,
    policy: &Policy,
    request: impl Fn(u32) -> R,
) {
    let requests = spread(size, request);
    for request in &requests {
        let _ = policy.check(request.clone()).unwrap_err();
    }
    in_turn(group, what, size, &requests, |request| {
        policy.check(request).is_ok()
    });
}

fn tell<R: Request + Clone>(
    group: &mut Group<'_>,
    what: &str,
    size: u32,
    policy: &Policy,
    request: impl Fn(u32) -> R,
) {
    let requests = spread(size, request);
    in_turn(group, what, size, &requests, |request| {
        policy.check(request).unwrap_err().report().to_string()
    });
}

/// Times the decision with the copy of the request that it uses up, and with
/// the end of the permit or of the denial.
fn in_turn<R: Clone, T>(
    group: &mut Group<'_>,
    what: &str,
    size: u32,
    requests: &[R],
    mut decision: impl FnMut(R) -> T,
) {
    let mut turns = requests.iter().cycle();
    group.bench_function(BenchmarkId::new(what, size), |b| {
        b.iter(|| black_box(decision(black_box(turns.next().unwrap().clone()))));
    });
}

/// Requests about grants from all over the policy, in no order.
fn spread<R>(size: u32, request: impl Fn(u32) -> R) -> Vec<R> {
    let grants = (0..size.min(REQUESTS)).map(|i| i * 7919 % size);
    grants.map(request).collect()
}

fn policy_of(size: u32, grant: impl Fn(u32) -> String) -> Policy {
    let grants = (0..size).map(grant);
    let builder = grants.fold(Policy::builder(), |builder, grant| builder.allow(&grant));
    builder.build().unwrap()
}

fn addresses(size: u32) -> Policy {
    policy_of(size, |i| format!("connect tcp://{}:443", v4(i)))
}

fn names(size: u32) -> Policy {
    policy_of(size, |i| format!("connect tcp://{}:443", name("api", i)))
}

/// All of 10.0.0.0/8 and as many denies in its lower half.
fn beside(size: u32) -> Policy {
    let denies = (0..size).map(|i| format!("connect tcp://{}:*", v4(i)));
    let builder = Policy::builder().allow("connect tcp://10.0.0.0/8:443");
    let builder = denies.fold(builder, |builder, deny| builder.deny(&deny));
    builder.build().unwrap()
}

fn v4(i: u32) -> IpAddr {
    Ipv4Addr::from_bits(10 << 24 | i).into()
}

/// Networks of several widths, one within the other.
fn network(i: u32) -> String {
    let length = match i % 64 {
        0 => 16,
        1..8 => 24,
        _ => 28,
    };
    let address = 10 << 24 | (i << 4) & (u32::MAX << (32 - length));
    format!("{}/{length}", Ipv4Addr::from_bits(address))
}

fn v6(i: u32) -> IpAddr {
    Ipv6Addr::from_bits(0xfd00 << 112 | u128::from(i) << 64 | 1).into()
}

fn public() -> IpAddr {
    Ipv4Addr::new(93, 184, 215, 14).into()
}

fn name(prefix: &str, i: u32) -> Name {
    Name::parse(&format!("{prefix}.c{i}.example.com")).unwrap()
}

fn socket(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip, port)
}
