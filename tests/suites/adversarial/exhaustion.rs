//! Guests and peers that take as much as they get.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{env, thread};

use portcullis::Policy;
use portcullis_policy::Limits;
use portcullis_tests::{Guest, PATIENCE, measure};
use socket2::{Domain, Socket, Type};

use crate::policy;

#[test]
fn opening_sockets_until_refused() {
    let mut limits = Limits::default();
    limits.sockets = Some(8);
    let limited = Policy::builder().limits(limits).build().unwrap();
    let mut attacker = Guest::script().policy(limited).begin();
    let families = [
        "inet stream",
        "inet datagram",
        "inet6 stream",
        "unix stream",
    ];
    for number in 0..8 {
        attacker.does(&format!("open s{number} {}", families[number % 4]));
    }
    for family in families {
        attacker.fails(&format!("open more {family}"), "LimitExceeded");
    }
    attacker.fails("pair one other unix stream", "LimitExceeded");
    attacker.does("network n");
    attacker.does("attenuate a n connect%20tcp://any:*");
    attacker.fails("open more inet stream a", "LimitExceeded");
    // What is given back can be had again.
    attacker.does("close s0");
    attacker.does("open more inet stream");
    attacker.fails("open evenmore inet stream", "LimitExceeded");
    let mut twin = Guest::script().policy(policy(&[], &[])).begin();
    for number in 0..50 {
        twin.does(&format!("open s{number} inet stream"));
    }
}

/// Connects from an address of loopback.
fn visit(from: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let from: SocketAddr = from.parse().unwrap();
    socket.bind(&from.into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}

/// Set in a process that has nothing else to do, whose memory can be measured.
const ALONE: &str = "PORTCULLIS_ALONE";

/// One who may not come in, again and again; who may is served all the while.
#[test]
fn a_peer_that_may_not_come_in_and_does_not_stop() {
    if env::var_os(ALONE).is_none() {
        let test = "exhaustion::a_peer_that_may_not_come_in_and_does_not_stop";
        let mut alone = Command::new(env::current_exe().unwrap());
        let alone = alone.args(["--exact", test, "--nocapture"]).env(ALONE, "1");
        let ran = alone.output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{ran:?}");
        assert!(said.contains("1 passed"), "{said}");
        return;
    }
    let grant = "listen tcp://127.0.0.1:0 from 127.0.0.2";
    let guest = Guest::script().policy(policy(&[grant], &[]));
    let mut guest = guest.patience(PATIENCE * 5).begin();
    guest.does("open l inet stream");
    guest.does("bind l 127.0.0.1:0");
    guest.does("listen l");
    let address: SocketAddr = guest.does("local l").parse().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let tried = Arc::<AtomicUsize>::default();
    let crowd = {
        let (over, tried) = (Arc::clone(&over), Arc::clone(&tried));
        thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // Reset before or after it has connected.
                let _ = visit("127.0.0.3:0", address);
                tried.fetch_add(1, Ordering::Relaxed);
            }
        })
    };
    let mut serve = |until: usize| {
        let mut served = 0;
        while served < 5 || tried.load(Ordering::Relaxed) < until {
            // The queue has room again as soon as somebody takes from it.
            guest.begin_to("accept c l");
            let friend = visit("127.0.0.2:0", address).unwrap();
            let taken = guest.answer();
            assert_eq!(taken.outcome, "done", "{taken:?}");
            assert_eq!(taken.told, friend.local_addr().unwrap().to_string());
            guest.does("close c");
            served += 1;
        }
        (guest.descriptors(), measure::memory())
    };
    let (descriptors, memory) = serve(300);
    let (descriptors_later, memory_later) = serve(3000);
    over.store(true, Ordering::Relaxed);
    // Else it would wait for room in the queue.
    guest.does("close l");
    crowd.join().unwrap();
    // One may just be coming in.
    assert!(
        descriptors_later <= descriptors + 1,
        "{descriptors} and then {descriptors_later}"
    );
    let grown = memory_later.saturating_sub(memory);
    measure::say(&format!("{grown} bytes more after thousands were refused"));
    assert!(grown < 4 << 20, "{grown} bytes more");
    let refused = guest.end().denials;
    assert!(refused.len() > 1000, "{}", refused.len());
    assert!(refused.iter().all(|report| report.contains("127.0.0.3")));
}
