//! What a server takes of the machine: no more after thousands of connections
//! than before, and it lives on where there is nothing left.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use portcullis_tests::measure;
use socket2::{Domain, Socket, Type};

use super::alone::alone;
use super::house::{House, Told, Visitor, serve};

fn numbers() -> impl Iterator<Item = i32> {
    let listed = fs::read_dir("/proc/self/fd").unwrap();
    listed.map(|entry| {
        entry
            .unwrap()
            .file_name()
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    })
}

fn descriptors() -> usize {
    numbers().count()
}

/// Connections that end in every way, some at once.
fn visit_in_every_way(house: &House, count: usize) {
    const ORDERS: [&str; 10] = [
        "state", "trap", "fail", "exit", "panic", "hog", "open 20", "keep", "loop", "hang",
    ];
    for round in 0..count / (2 * ORDERS.len()) {
        let mut visitors: Vec<Visitor> = ORDERS.iter().map(|order| house.visit(order)).collect();
        visitors.extend((0..ORDERS.len()).map(|_| house.visit("echo")));
        for (number, visitor) in visitors.into_iter().enumerate() {
            // Some go without a word.
            if number < ORDERS.len() || number % 2 == round % 2 {
                visitor.wait_for_end();
            }
        }
        for _ in 0..2 * ORDERS.len() {
            let told = house.told();
            assert!(matches!(told, Told::Ended(_)), "{told:?}");
        }
    }
    house.wait_for_connections(0);
}

#[test]
fn descriptors_and_memory_are_as_before_after_thousands_of_connections() {
    alone(
        "resources::descriptors_and_memory_are_as_before_after_thousands_of_connections",
        || {
            let house = serve("handler-faults")
                .bounds(|bounds| {
                    bounds.memory = 8 << 20;
                    bounds.cpu_time = Duration::from_millis(20);
                    bounds.time = Some(Duration::from_millis(100));
                })
                .pooled()
                .start();
            // What is made once is made.
            visit_in_every_way(&house, 400);
            let (descriptors_before, memory_before) = (descriptors(), measure::memory());
            visit_in_every_way(&house, 2000);
            let (descriptors_after, memory_after) = (descriptors(), measure::memory());
            measure::say(&format!(
                "2,000 connections: {descriptors_before} descriptors and {} KiB before, \
             {descriptors_after} and {} KiB after",
                memory_before >> 10,
                memory_after >> 10,
            ));
            assert_eq!(descriptors_after, descriptors_before);
            assert!(
                memory_after < memory_before + (4 << 20),
                "{memory_before} {memory_after}"
            );
        },
    );
}

#[test]
fn a_host_without_descriptors_goes_on_when_it_has_some_again() {
    alone(
        "resources::a_host_without_descriptors_goes_on_when_it_has_some_again",
        go_without_descriptors,
    );
}

/// How many descriptors there may be, of which the host keeps those from this
/// number on.
const LIMIT: u64 = 256;
const KEPT: i32 = 192;

fn go_without_descriptors() {
    let house = serve("handler-faults").start();
    assert_eq!(house.ask("state"), "1\n");
    let sockets: Vec<Socket> = (0..3)
        .map(|_| Socket::new(Domain::IPV4, Type::STREAM, None).unwrap())
        .collect();
    let visit = |socket: Socket| {
        socket.connect(&house.address.into()).unwrap();
        Visitor::over(socket.into(), "echo")
    };
    let mut visitors = sockets.into_iter().map(visit);
    let mut first = visitors.next().unwrap();
    first.echo();
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, LIMIT, most).unwrap();
    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // There is none at all: whoever comes waits, and who is there is served.
    let second = visitors.next().unwrap();
    expect_short(&house);
    first.echo();
    // There are the last, which the host keeps: whoever comes is reset.
    taken.retain(|file| file.as_raw_fd() < KEPT);
    second.expect_reset();
    drop(taken);
    let mut third = visitors.next().unwrap();
    third.echo();
    drop((first, third));
    house.wait_for_connections(0);
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let words: Vec<_> = std::iter::from_fn(|| house.told_already())
        .filter_map(|told| match told {
            Told::Ended(ended) => Some(ended.word),
            Told::Failed(_) => None,
            Told::TurnedAway(_) => Some("turned away"),
        })
        .collect();
    assert_eq!(words, ["finished"; 2]);
}

#[track_caller]
fn expect_short(house: &House) {
    match house.told() {
        Told::Failed(code) => assert_eq!(code, "ProcessDescriptorsExhausted"),
        told @ (Told::Ended(_) | Told::TurnedAway(_)) => panic!("{told:?}"),
    }
}
