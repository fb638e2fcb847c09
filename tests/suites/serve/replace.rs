//! Another handler or policy, while there are connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use portcullis::ListenError;

use super::house::{House, Visitor, serve, wait_until};

/// A house that serves somebody at 127.0.0.1 and somebody at 127.0.0.2.
fn house() -> (House, [Visitor; 2]) {
    let house = serve("handler-faults").start();
    let mut visitors = [
        house.visit("echo"),
        house.visit_from([127, 0, 0, 2], "echo"),
    ];
    visitors.iter_mut().for_each(|visitor| visitor.echo());
    (house, visitors)
}

/// What keeps 127.0.0.2 out.
const DENY: &str = "deny = ['listen tcp://127.0.0.1:* from 127.0.0.2']";

#[test]
fn who_is_served_keeps_what_they_have() {
    let (house, mut visitors) = house();
    house.replace("greeting-handler", DENY, false).unwrap();
    // It is not asked anything: what a peer says that nobody reads resets it.
    assert_eq!(
        house.listen_to().answer().unwrap(),
        "Thank you for connecting\n"
    );
    house.expect("finished");
    visitors.iter_mut().for_each(|visitor| visitor.echo());
    // The new policy is in force for those who come.
    house.visit_from([127, 0, 0, 2], "").expect_reset();
    assert_eq!(house.denials.take().len(), 1);
    house.expect_nothing();
    drop(visitors);
    house.expect("finished");
    house.expect("finished");
}

#[test]
fn who_would_not_be_let_in_any_more_is_dropped_where_that_is_wanted() {
    let (house, [mut first, second]) = house();
    house.replace("handler-faults", DENY, true).unwrap();
    second.wait_for_end();
    let dropped = house.expect("dropped");
    assert!(dropped.memory > 0, "{dropped:?}");
    first.echo();
    house.expect_nothing();
}

#[test]
fn nobody_gets_in_by_the_old_policy_while_it_is_replaced() {
    let house = serve("handler-faults").start();
    for _ in 0..5 {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let crowds = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut crowd = Vec::new();
                    while !is_over.load(Ordering::Relaxed) && crowd.len() < 200 {
                        crowd.push(house.visit_from([127, 0, 0, 2], "echo"));
                    }
                    crowd
                })
            });
            wait_until("nobody comes", || house.server.connections() > 0);
            house.replace("handler-faults", DENY, true).unwrap();
            is_over.store(true, Ordering::Relaxed);
            let crowds = crowds.map(|crowd| crowd.join().unwrap());
            house.wait_for_connections(0);
            drop(crowds);
        });
        house.replace("handler-faults", "", true).unwrap();
    }
}

#[test]
fn who_does_not_wait_for_the_change_leaves_nobody_without_a_listener() {
    let house = serve("handler-faults").start();
    for _ in 0..20 {
        let service = house.service("handler-faults", "");
        let replace = house.server.replace(service, true);
        // It is begun, and dropped where it has to wait.
        let _ = house
            .runtime()
            .block_on(async { tokio::time::timeout(Duration::ZERO, replace).await });
        assert_eq!(house.ask("state"), "1\n");
    }
}

#[test]
fn what_cannot_be_served_leaves_all_as_it_was() {
    let (house, mut visitors) = house();
    let error = house.replace("udp-handler", "", true).unwrap_err();
    assert!(matches!(error, ListenError::NoStreamHandler(_)), "{error}");
    let deny = "deny = ['listen tcp://127.0.0.1:*']";
    let error = house.replace("greeting-handler", deny, true).unwrap_err();
    assert!(matches!(error, ListenError::Open(_)), "{error}");
    visitors.iter_mut().for_each(|visitor| visitor.echo());
    assert_eq!(house.ask("state"), "1\n");
    let other = house.visit_from([127, 0, 0, 2], "state");
    assert_eq!(other.answer().unwrap(), "1\n");
}

#[test]
fn who_is_served_counts_after_it() {
    let limit = "[limits]\nconnections = 2";
    let house = serve("handler-faults").policy(limit).start();
    let mut visitors = [house.visit("echo"), house.visit("echo")];
    visitors.iter_mut().for_each(Visitor::echo);
    for _ in 0..2 {
        house.replace("handler-faults", limit, false).unwrap();
        house.visit("").expect_reset();
    }
    drop(visitors);
    house.expect("finished");
    house.expect("finished");
    assert_eq!(house.ask("state"), "1\n");
}

#[test]
fn nobody_who_comes_meanwhile_is_lost() {
    let house = serve("handler-faults").start();
    let end = std::time::Instant::now() + Duration::from_secs(3);
    let (mut replaced, mut served) = (0, 0);
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut served = 0;
                    while std::time::Instant::now() < end {
                        assert_eq!(house.visit("state").answer().unwrap(), "1\n");
                        served += 1;
                    }
                    served
                })
            })
            .collect();
        while std::time::Instant::now() < end {
            let service = house.service("handler-faults", "");
            house
                .runtime()
                .block_on(house.server.replace(service, replaced % 2 == 0))
                .unwrap();
            replaced += 1;
        }
        served += visitors
            .into_iter()
            .map(|visitor| visitor.join().unwrap())
            .sum::<u32>();
    });
    assert!(replaced > 10 && served > 10, "{replaced} {served}");
    for _ in 0..served {
        house.expect("finished");
    }
    wait_until("somebody is served still", || {
        house.server.connections() == 0
    });
}
