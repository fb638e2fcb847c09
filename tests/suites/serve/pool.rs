//! Instances in places that are set aside at the start.

use std::time::Duration;

use portcullis::{Bounds, Engine, Reuse};

use super::house::{Plan, serve};

/// As many as may be, all at once, several times over.
#[track_caller]
fn check(plan: Plan, connections: usize) {
    let house = plan.start();
    for _ in 0..3 {
        let mut visitors: Vec<_> = (0..connections).map(|_| house.visit("echo")).collect();
        visitors.iter_mut().for_each(|visitor| visitor.echo());
        assert_eq!(house.server.connections(), connections);
        visitors.iter_mut().for_each(|visitor| visitor.echo());
        drop(visitors);
        for _ in 0..connections {
            house.expect("finished");
        }
    }
    // A place is free again however the one before ended.
    for _ in 0..connections {
        house.visit("trap").wait_for_end();
        house.expect("trapped");
    }
    assert_eq!(house.visit("state").answer().unwrap(), "1\n");
}

fn plan(connections: u32) -> Plan {
    serve("handler-faults").bounds(|bounds| bounds.connections = connections)
}

#[test]
fn a_pool_has_a_place_for_each_connection() {
    check(plan(100).pooled(), 100);
}

#[test]
fn without_a_pool_there_is_room_as_well() {
    check(plan(100), 100);
}

#[test]
fn a_pool_has_room_for_a_handler_that_replaces_one() {
    let house = plan(20)
        .bounds(|bounds| bounds.reuse = Reuse::Always)
        .pooled()
        .start();
    for _ in 0..3 {
        let mut visitors: Vec<_> = (0..20).map(|_| house.visit("echo")).collect();
        visitors.iter_mut().for_each(|visitor| visitor.echo());
        drop(visitors);
        for _ in 0..20 {
            house.expect("finished");
        }
        house.replace("handler-faults", "", false).unwrap();
    }
    assert_eq!(house.ask("state"), "1\n");
}

#[test]
fn bounds_hold_in_a_pool() {
    let house = plan(4)
        .bounds(|bounds| {
            bounds.memory = 16 << 20;
            bounds.cpu_time = Duration::from_millis(300);
        })
        .pooled()
        .start();
    for (order, word) in [
        ("hog", "out-of-memory"),
        ("loop", "out-of-cpu-time"),
        ("overflow", "trapped"),
    ] {
        house.visit(order).wait_for_end();
        house.expect(word);
        assert_eq!(house.ask("state"), "1\n");
    }
}

#[test]
fn a_pool_for_which_there_are_not_addresses_enough_is_an_error_that_says_so() {
    let mut bounds = Bounds::default();
    bounds.connections = 1_000_000;
    let error = Engine::builder().pool(&bounds).build().unwrap_err();
    let error = format!("{error:#}");
    for part in [
        "1000000 instances",
        "--max-connections",
        "--no-pool",
        "128 TiB",
    ] {
        assert!(error.contains(part), "{error}");
    }
}
