//! Instances in places that are set aside at the start.

use std::time::Duration;

use portcullis::{Bounds, Engine, Handler, Reuse};
use portcullis_tests::{ENGINE, component};

use super::house::{Plan, Visitor, serve};

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

/// Each holds on to the service that it came to.
#[test]
fn whoever_stays_leaves_room_for_those_who_come_after_a_change() {
    let connections = 6;
    let house = plan(connections)
        .bounds(|bounds| bounds.reuse = Reuse::Always)
        .pooled()
        .start();
    let mut old: Vec<Visitor> = Vec::new();
    for _ in 0..4 {
        let others = connections as usize - old.len();
        let mut visitors: Vec<_> = (0..others).map(|_| house.visit("echo")).collect();
        visitors.iter_mut().for_each(|visitor| visitor.echo());
        old.extend(visitors.pop());
        drop(visitors);
        for _ in 1..others {
            house.expect("finished");
        }
        house.replace("handler-faults", "", false).unwrap();
    }
    old.iter_mut().for_each(|visitor| visitor.echo());
    assert_eq!(house.ask("state"), "1\n");
}

/// A component and its sections: the module that is appended has a memory.
fn with_a_second_memory(mut component: Vec<u8>) -> Vec<u8> {
    const MODULE: [u8; 13] = *b"\0asm\x01\0\0\0\x05\x03\x01\0\x01";
    let (mut at, mut modules) = (8, 0);
    while at < component.len() {
        let section = component[at];
        let (mut length, mut shift) = (0, 0);
        loop {
            at += 1;
            length |= usize::from(component[at] & 0x7f) << shift;
            shift += 7;
            if component[at] < 0x80 {
                break;
            }
        }
        at += 1 + length;
        modules += u8::from(section == 1);
    }
    component.extend([1, 13]);
    component.extend(MODULE);
    // One instance: of the module that comes last, with nothing for its imports.
    component.extend([2, 4, 1, 0, modules, 0]);
    component
}

#[test]
fn what_is_made_of_several_programs_is_not_taken_into_a_pool() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.wasm");
    let one = std::fs::read(component("time-handler")).unwrap();
    std::fs::write(&path, with_a_second_memory(one)).unwrap();
    assert!(Handler::load(&ENGINE, &path).is_ok());
    let mut bounds = Bounds::default();
    bounds.connections = 4;
    let engine = Engine::builder().pool(&bounds).build().unwrap();
    let error = Handler::load(&engine, &path).unwrap_err().to_string();
    assert!(error.contains("--no-pool"), "{error}");
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
