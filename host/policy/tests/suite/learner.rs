//! What is learned from requests: the smallest readable set of grants.

use std::net::SocketAddr;

use Protocol::{Tcp, Udp};

use crate::check::{decide, decide_noting};
use crate::model::Ask;
use crate::strategies::ask;
use portcullis_policy::{
    Accept, Bind, BindUnix, Broadcast, Connect, Grant, Join, Learner, Lesson, Listen, ListenUnix,
    Lookup, Name, Policy, Protocol, Purpose, Request, Reverse, UnixKind, UnixName,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn connect(to: &str) -> Connect {
    Connect::new(Tcp, address(to))
}

fn listen(at: &str, dual: bool) -> Listen {
    Listen::new(Tcp, address(at), dual)
}

fn accept(at: &str, dual: bool, peer: &str) -> Accept {
    Accept::new(&listen(at, dual), address(peer))
}

fn path(text: &str) -> UnixName {
    UnixName::path(text.as_bytes()).unwrap()
}

fn learn(requests: &[&dyn Request]) -> Vec<Lesson> {
    let mut learner = Learner::default();
    requests.iter().for_each(|request| learner.note(*request));
    learner.lessons()
}

#[track_caller]
fn check(requests: &[&dyn Request], expected: &[&str]) {
    let lessons = learn(requests);
    let lessons: Vec<_> = lessons
        .iter()
        .map(|lesson| format!("{} # {}", lesson.grant(), lesson.evidence()))
        .collect();
    assert_eq!(lessons, expected);
}

#[test]
fn nothing_is_learned_from_nothing() {
    check(&[], &[]);
}

#[test]
fn ports_of_one_host_share_a_grant() {
    check(
        &[
            &connect("10.0.0.5:443"),
            &connect("10.0.0.5:80"),
            &connect("10.0.0.5:80"),
            &connect("10.0.0.6:22"),
        ],
        &[
            "connect tcp://10.0.0.5:80,443 # 3 times, first 10.0.0.5:443",
            "connect tcp://10.0.0.6:22 # once",
        ],
    );
}

#[test]
fn a_name_is_learned_with_where_it_led_and_need_not_be_granted_to_be_looked_up() {
    let database = || name("db.internal");
    let purpose = Purpose::Connect {
        protocol: Tcp,
        port: 5432,
    };
    check(
        &[
            &Lookup::new(database(), Purpose::Resolve),
            &Lookup::new(database(), purpose),
            &connect("10.0.0.5:5432").named(database()),
            &connect("1.1.1.1:443").named(name("one.example")),
            &Lookup::new(name("other.example"), Purpose::Resolve),
        ],
        &[
            "connect tcp://db.internal:5432 in private # once, 10.0.0.5:5432",
            "connect tcp://one.example:443 # once, 1.1.1.1:443",
            "resolve other.example # once",
        ],
    );
}

#[test]
fn ports_whose_names_led_elsewhere_are_granted_apart() {
    check(
        &[
            &connect("10.0.0.5:80").named(name("db.internal")),
            &connect("127.0.0.1:81").named(name("db.internal")),
        ],
        &[
            "connect tcp://db.internal:80 in private # once, 10.0.0.5:80",
            "connect tcp://db.internal:81 in loopback # once, 127.0.0.1:81",
        ],
    );
}

#[test]
fn the_name_of_an_address_that_is_connected_to_needs_no_grant() {
    check(
        &[&Reverse::new([10, 0, 0, 5].into()), &connect("10.0.0.5:80")],
        &["connect tcp://10.0.0.5:80 # once"],
    );
    check(
        &[&Reverse::new([10, 0, 0, 6].into()), &connect("10.0.0.5:80")],
        &[
            "connect tcp://10.0.0.5:80 # once",
            "resolve 6.0.0.10.in-addr.arpa # once, 10.0.0.6",
        ],
    );
}

#[test]
fn a_server_is_learned_as_one_that_listens_to_those_who_came() {
    check(
        &[
            &Bind::new(Tcp, address("127.0.0.1:8080")),
            &listen("127.0.0.1:8080", false),
            &accept("127.0.0.1:8080", false, "127.0.0.1:40001"),
            &accept("127.0.0.1:8080", false, "127.0.0.1:40002"),
        ],
        &["listen tcp://127.0.0.1:8080 from 127.0.0.1 # 3 times, first from 127.0.0.1"],
    );
    check(
        &[
            &Bind::new(Tcp, address("127.0.0.1:8080")),
            &listen("127.0.0.1:8080", false),
        ],
        &["listen tcp://127.0.0.1:8080 # once"],
    );
}

#[test]
fn a_dual_stack_server_is_one_server() {
    check(
        &[
            &Bind::new(Tcp, address("[::]:80")),
            &listen("[::]:80", true),
            &accept("[::]:80", true, "127.0.0.1:40001"),
            &accept("[::]:80", true, "[::1]:40002"),
        ],
        &["listen tcp://*:80 from 127.0.0.1,::1 # 3 times, first from 127.0.0.1"],
    );
}

#[test]
fn port_zero_stays_port_zero() {
    check(
        &[
            &Bind::new(Tcp, address("127.0.0.1:0")),
            &listen("127.0.0.1:0", false),
            &accept("127.0.0.1:0", false, "127.0.0.1:40001"),
            &Bind::new(Udp, address("0.0.0.0:0")),
        ],
        &[
            "bind udp://0.0.0.0:0 # once",
            "listen tcp://127.0.0.1:0 from 127.0.0.1 # 2 times, first from 127.0.0.1",
        ],
    );
}

#[test]
fn dynamic_ports_become_a_range_when_they_are_several() {
    check(
        &[
            &connect("10.0.0.5:21"),
            &connect("10.0.0.5:50001"),
            &connect("10.0.0.5:60002"),
        ],
        &["connect tcp://10.0.0.5:21,50001,60002 # 3 times, first 10.0.0.5:21"],
    );
    check(
        &[
            &connect("10.0.0.5:21"),
            &connect("10.0.0.5:50001"),
            &connect("10.0.0.5:60002"),
            &connect("10.0.0.5:55003"),
        ],
        &["connect tcp://10.0.0.5:21,49152-65535 # 4 times, first 10.0.0.5:21"],
    );
    check(
        &[
            &connect("10.0.0.5:33001"),
            &connect("10.0.0.5:60002"),
            &connect("10.0.0.5:55003"),
        ],
        &["connect tcp://10.0.0.5:32768-65535 # 3 times, first 10.0.0.5:33001"],
    );
    check(
        &[
            &connect("10.0.0.5:5432"),
            &connect("10.0.0.5:6379"),
            &connect("10.0.0.5:8080"),
        ],
        &["connect tcp://10.0.0.5:5432,6379,8080 # 3 times, first 10.0.0.5:5432"],
    );
}

#[test]
fn dynamic_ports_that_were_learned_before_count() {
    let known = [
        "connect tcp://10.0.0.5:21,50001",
        "connect tcp://10.0.0.5:50002",
    ];
    let known = known.map(|grant| Grant::parse(grant).unwrap());
    let mut learner = Learner::beyond(known);
    learner.note(&connect("10.0.0.5:50003"));
    let lessons = learner.lessons();
    assert_eq!(lessons.len(), 1);
    assert_eq!(
        lessons[0].grant().to_string(),
        "connect tcp://10.0.0.5:49152-65535"
    );
}

#[test]
fn what_is_known_is_not_learned_again() {
    let known = [
        "listen tcp://*:80",
        "connect tcp://*.example.com:*",
        "connect tcp://10.0.0.0/8:*",
    ];
    let known = known.map(|grant| Grant::parse(grant).unwrap());
    let mut learner = Learner::beyond(known);
    let requests: [&dyn Request; 6] = [
        &Bind::new(Tcp, address("10.0.0.1:80")),
        &listen("[::]:80", true),
        &accept("10.0.0.1:80", false, "1.1.1.1:1"),
        &connect("1.1.1.1:443").named(name("www.example.com")),
        &connect("10.0.0.5:5432"),
        &Lookup::new(name("www.example.com"), Purpose::Resolve),
    ];
    requests
        .into_iter()
        .for_each(|request| learner.note(request));
    assert_eq!(learner.lessons(), []);
    learner.note(&connect("10.0.0.5:443").named(name("www.example.com")));
    let lessons = learner.lessons();
    assert_eq!(
        lessons[0].grant().to_string(),
        "connect tcp://www.example.com:443 in private"
    );
}

#[test]
fn unix_paths_stay_as_they_are_but_for_many_in_one_folder() {
    check(
        &[
            &BindUnix::new(UnixKind::Stream, path("/run/app.sock")),
            &ListenUnix::new(UnixKind::Stream, path("/run/app.sock")),
            &BindUnix::new(UnixKind::Datagram, path("/run/log")),
            &BindUnix::new(UnixKind::Datagram, UnixName::unnamed()),
        ],
        &[
            "bind unixgram:/run/log # once",
            "bind unixgram:@* # once",
            "listen unix:/run/app.sock # once",
        ],
    );
    let names: Vec<_> = (0..9)
        .map(|number| BindUnix::new(UnixKind::Datagram, path(&format!("/tmp/client-{number}"))))
        .collect();
    let requests: Vec<_> = names
        .iter()
        .map(|request| request as &dyn Request)
        .collect();
    check(
        &requests,
        &["bind unixgram:/tmp/* # 9 times, first /tmp/client-0"],
    );
    assert_eq!(learn(&requests[..8]).len(), 8);
}

#[test]
fn groups_and_broadcasts_are_learned_as_they_are() {
    check(
        &[
            &Join::new([224, 0, 0, 251].into(), 5353),
            &Broadcast::new(),
            &Join::new([10, 0, 0, 1].into(), 1),
        ],
        &[
            "connect udp://255.255.255.255:0 # once",
            "join udp://224.0.0.251:5353 # once",
        ],
    );
}

#[test]
fn a_scan_does_not_fill_the_memory() {
    let mut learner = Learner::default();
    for port in 1..=u16::MAX {
        for host in ["10.0.0.5", "10.0.0.6"] {
            learner.note(&connect(&format!("{host}:{port}")));
        }
    }
    assert_eq!(learner.left_out(), 2 * 65535 - 4096);
    assert_eq!(learner.lessons().len(), 2);
}

/// The requests of a program, which looks names up before it uses them, as far
/// as they take a grant and one can be given.
fn program() -> impl Strategy<Value = Vec<String>> {
    let takes_a_grant = |ask: &String| {
        let denied = decide(&Policy::default(), ask);
        denied.is_err_and(|denial| denial.grant().is_some())
    };
    vec(ask(), 0..24).prop_map(move |asks| {
        let lookups: Vec<_> = asks.iter().filter_map(lookup).collect();
        let asks = asks.iter().map(Ask::to_string);
        lookups
            .into_iter()
            .chain(asks)
            .filter(takes_a_grant)
            .collect()
    })
}

fn lookup(ask: &Ask) -> Option<String> {
    let (verb, spot) = match ask {
        Ask::Bind(spot) => ("bind", spot),
        Ask::Connect(spot) => ("connect", spot),
        Ask::Accept { listener, .. } | Ask::Listen { listener, .. } => ("listen", listener),
        Ask::Broadcast
        | Ask::Join { .. }
        | Ask::Lookup { .. }
        | Ask::Resolve(_)
        | Ask::Reverse(_)
        | Ask::Unix(_) => return None,
    };
    let name = spot.name?;
    Some(format!(
        "lookup {verb} {} {name} {}",
        spot.protocol, spot.port
    ))
}

fn note(learner: &mut Learner, asks: &[String]) {
    for ask in asks {
        let _ = decide_noting(&Policy::default(), ask, |request| learner.note(request));
    }
}

fn granting<'a>(lessons: impl IntoIterator<Item = &'a Lesson>) -> Policy {
    let lessons = lessons.into_iter();
    lessons
        .fold(Policy::builder(), |policy, lesson| {
            policy.allow(&lesson.grant().to_string())
        })
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_learned_allows_what_it_was_learned_from(asks in program()) {
        let mut learner = Learner::default();
        note(&mut learner, &asks);
        let policy = granting(&learner.lessons());
        for ask in &asks {
            prop_assert!(decide(&policy, ask).is_ok(), "{} under {:?}", ask, learner.lessons());
        }
    }

    #[test]
    fn nothing_is_learned_twice(asks in program()) {
        let mut learner = Learner::default();
        note(&mut learner, &asks);
        let lessons = learner.lessons();
        let mut again = Learner::beyond(lessons.iter().map(|lesson| lesson.grant().clone()));
        note(&mut again, &asks);
        prop_assert_eq!(again.lessons(), []);
    }

    #[test]
    fn nothing_is_learned_that_another_lesson_covers(asks in program()) {
        let mut learner = Learner::default();
        note(&mut learner, &asks);
        let lessons = learner.lessons();
        let allowed = |lesson: &Lesson| -> Vec<bool> {
            let policy = granting([lesson]);
            asks.iter().map(|ask| decide(&policy, ask).is_ok()).collect()
        };
        let allowed: Vec<_> = lessons.iter().map(allowed).collect();
        for (one, lesson) in allowed.iter().zip(&lessons) {
            for (other, wider) in allowed.iter().zip(&lessons) {
                // To look a name up for a purpose, either will do, and for
                // `localhost` none is needed.
                let apart = wider == lesson
                    || wider.grant().to_string().starts_with("resolve")
                    || lesson.grant().to_string().contains("localhost");
                let more = one.iter().zip(other).any(|(one, other)| *one && !other);
                prop_assert!(apart || more, "{:?} covers {:?}", wider, lesson);
            }
        }
    }
}
