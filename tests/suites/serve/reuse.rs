//! Instances that serve once, a few times, or always.

use std::io::{BufRead, BufReader};

use portcullis::Reuse;

use super::house::{House, serve};

fn house(reuse: Reuse) -> House {
    serve("handler-faults")
        .bounds(|bounds| bounds.reuse = reuse)
        .start()
}

#[track_caller]
fn check(reuse: Reuse, states: [&str; 5]) {
    let house = house(reuse);
    for state in states {
        let answer = house.visit("state").answer().unwrap();
        assert_eq!(answer.trim_end(), state, "{reuse:?}");
        let ended = house.expect("finished");
        assert_eq!(ended.was_made, state == "1", "{reuse:?} {ended:?}");
    }
}

#[test]
fn an_instance_serves_as_often_as_it_may() {
    check(Reuse::Never, ["1", "1", "1", "1", "1"]);
    check(Reuse::Times(3), ["1", "2", "3", "1", "2"]);
    check(Reuse::Always, ["1", "2", "3", "4", "5"]);
}

#[test]
fn an_instance_that_was_ended_serves_no_more() {
    let house = serve("handler-faults")
        .bounds(|bounds| {
            bounds.reuse = Reuse::Always;
            bounds.cpu_time = std::time::Duration::from_millis(200);
            bounds.memory = 16 << 20;
        })
        .start();
    let rows = [
        ("trap", "trapped"),
        ("panic", "trapped"),
        ("overflow", "trapped"),
        ("exit", "exited"),
        ("exit 0", "finished"),
        ("loop", "out-of-cpu-time"),
        ("hog", "out-of-memory"),
    ];
    for (order, word) in rows {
        assert_eq!(house.ask("state"), "1\n", "before {order}");
        assert_eq!(house.ask("state"), "2\n", "before {order}");
        house.visit(order).wait_for_end();
        house.expect(word);
    }
    assert_eq!(house.ask("state"), "1\n");
}

#[test]
fn an_instance_that_says_what_went_wrong_serves_on() {
    let house = house(Reuse::Always);
    assert_eq!(house.ask("state"), "1\n");
    house.visit("fail").wait_for_end();
    house.expect("failed");
    assert_eq!(house.ask("state"), "3\n");
}

#[test]
fn an_instance_serves_one_at_a_time() {
    let house = house(Reuse::Always);
    let mut first = house.visit("echo");
    first.echo();
    assert_eq!(house.ask("state"), "1\n");
    assert_eq!(house.ask("state"), "2\n");
    drop(first);
    house.expect("finished");
}

#[test]
fn a_connection_is_closed_when_the_handler_returns_whoever_keeps_it() {
    for reuse in [Reuse::Never, Reuse::Always] {
        let house = house(reuse);
        let mut visitor = BufReader::new(house.visit("keep").stream);
        let mut line = String::new();
        visitor.read_line(&mut line).unwrap();
        assert_eq!(line, "kept\n");
        house.expect("finished");
        line.clear();
        assert_eq!(
            visitor.read_line(&mut line).unwrap(),
            0,
            "{reuse:?}: {line}"
        );
        assert_eq!(house.ask("kept"), "nothing\n", "{reuse:?}");
    }
}
