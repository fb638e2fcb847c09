//! What one connection does wrong, or has too much of, ends that connection.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::house::{Ended, House, WORKERS, serve};

const MIB: usize = 1 << 20;

/// Gives an order that ends in this way, while somebody else is served; then the
/// next one is.
#[track_caller]
fn check(house: &House, order: &str, word: &str) -> Ended {
    let mut bystander = house.visit("echo");
    bystander.echo();
    house.visit(order).wait_for_end();
    let ended = house.expect(word);
    bystander.echo();
    assert_eq!(house.ask("state"), "1\n", "after {order}");
    drop(bystander);
    house.expect("finished");
    house.expect_nothing();
    assert_eq!(house.server.connections(), 0, "after {order}");
    ended
}

#[test]
fn a_trap_or_a_panic_ends_one_connection() {
    let house = serve("handler-faults").start();
    for order in ["trap", "panic", "overflow"] {
        let ended = check(&house, order, "trapped");
        assert!(ended.ending.starts_with("Trapped("), "{ended:?}");
    }
}

#[test]
fn an_exit_or_an_error_ends_one_connection() {
    let house = serve("handler-faults").start();
    // WASI has two ways to exit, a good one and one that is not.
    assert_eq!(check(&house, "exit", "exited").ending, "Exited(1)");
    check(&house, "exit 0", "finished");
    let ended = check(&house, "fail", "failed");
    assert!(ended.ending.contains("as ordered"), "{ended:?}");
    check(&house, "no such order", "failed");
    check(&house, "shut", "failed");
}

#[test]
fn an_endless_loop_ends_when_its_cpu_time_is_over() {
    let limit = Duration::from_millis(300);
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.cpu_time = limit)
        .start();
    for order in ["loop", "call"] {
        let ended = check(&house, order, "out-of-cpu-time");
        assert!(ended.cpu_time >= limit, "{ended:?}");
        // It is looked at with every tick, but a busy machine may be elsewhere.
        assert!(ended.cpu_time < limit * 4, "{ended:?}");
    }
}

#[test]
fn what_is_waited_takes_no_cpu_time() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.cpu_time = Duration::from_millis(500))
        .start();
    assert_eq!(house.visit("sleep 1500").answer().unwrap(), "slept\n");
    let ended = house.expect("finished");
    assert!(ended.cpu_time < Duration::from_millis(500), "{ended:?}");
    assert!(ended.duration >= Duration::from_millis(1500), "{ended:?}");
}

#[test]
fn more_endless_loops_than_threads_keep_nobody_from_being_served() {
    let loops = WORKERS * 3;
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.cpu_time = Duration::from_secs(2))
        .start();
    let mut bystander = house.visit("echo");
    bystander.echo();
    let visitors: Vec<_> = (0..loops).map(|_| house.visit("loop")).collect();
    house.wait_for_connections(loops + 1);
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let asked = Instant::now();
        bystander.echo();
        slowest = slowest.max(asked.elapsed());
    }
    assert_eq!(
        house.server.connections(),
        loops + 1,
        "the loops are over too early"
    );
    portcullis_tests::measure::say(&format!(
        "beside {loops} endless loops on {WORKERS} threads an echo takes at most {slowest:?}"
    ));
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    // Who is new is served as well.
    assert_eq!(house.visit("state").answer().unwrap(), "1\n");
    house.expect("finished");
    for visitor in visitors {
        visitor.wait_for_end();
        house.expect("out-of-cpu-time");
    }
}

#[test]
fn a_memory_hog_ends_one_connection() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.memory = 16 * MIB)
        .start();
    let ended = check(&house, "hog", "out-of-memory");
    assert!((8 * MIB..=16 * MIB).contains(&ended.memory), "{ended:?}");
}

#[test]
fn a_handler_that_begins_with_more_memory_than_it_may_have_does_not_begin() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.memory = 256 << 10)
        .start();
    for _ in 0..2 {
        house.visit("state").wait_for_end();
        let ended = house.expect("not-begun");
        assert!(ended.ending.contains("memory"), "{ended:?}");
    }
    assert_eq!(house.server.connections(), 0);
}

#[test]
fn a_connection_on_which_nothing_moves_is_idle() {
    let limit = Duration::from_millis(400);
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.idle_time = Some(limit))
        .start();
    for order in ["hang", "close", "echo"] {
        let ended = check_idle(&house, order);
        assert!(ended.duration >= limit, "{ended:?}");
    }
    // Nobody takes what it sends.
    let visitor = house.visit("flood");
    house.expect("idle");
    drop(visitor);
}

/// A check without a bystander, who would be idle as well.
#[track_caller]
fn check_idle(house: &House, order: &str) -> Ended {
    house.visit(order).wait_for_end();
    let ended = house.expect("idle");
    assert_eq!(house.ask("state"), "1\n", "after {order}");
    ended
}

#[test]
fn a_slow_loris_is_idle_once_it_says_nothing_more() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.idle_time = Some(Duration::from_millis(800)))
        .start();
    let mut loris = house.visit("echo");
    for _ in 0..10 {
        loris.echo();
        thread::sleep(Duration::from_millis(200));
    }
    let began = Instant::now();
    loris.wait_for_end();
    assert!(began.elapsed() < Duration::from_secs(20));
    let ended = house.expect("idle");
    assert!(ended.duration >= Duration::from_secs(2), "{ended:?}");
}

#[test]
fn a_connection_ends_when_its_time_is_over() {
    let limit = Duration::from_millis(700);
    let house = serve("handler-faults")
        .bounds(|bounds| {
            bounds.time = Some(limit);
            bounds.idle_time = Some(Duration::from_secs(30));
        })
        .start();
    for order in ["hang", "sleep 60000", "loop", "drain", "flood"] {
        house.visit(order).wait_for_end();
        let ended = house.expect("out-of-time");
        assert!(ended.duration >= limit, "{ended:?}");
    }
    // However much goes through it.
    let mut drip = house.visit("echo");
    while drip.stream.write_all(b"x").is_ok() {
        thread::sleep(Duration::from_millis(20));
    }
    house.expect("out-of-time");
    assert_eq!(house.ask("state"), "1\n");
}

#[test]
fn what_is_sent_before_the_end_arrives() {
    let house = serve("handler-faults").start();
    let answer = house.visit("big 3000000").answer().unwrap();
    assert_eq!(answer.len(), 3_000_000);
    let ended = house.expect("finished");
    assert!(ended.was_made);
    let mut visitor = house.visit("drain");
    visitor.stream.write_all(&[b'x'; 100_000]).unwrap();
    visitor.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(visitor.answer().unwrap(), "100000\n");
}

#[test]
fn an_instance_opens_as_many_sockets_as_the_policy_says() {
    let house = serve("handler-faults")
        .policy("[limits]\nsockets = 5")
        .start();
    let answers: Vec<String> = (0..3).map(|_| house.ask("open 10")).collect();
    for answer in answers {
        assert_eq!(answer, "5 sockets, then ErrorCode::LimitExceeded\n");
    }
}

#[test]
fn where_the_policy_does_not_say_an_instance_opens_as_many_as_the_bound_says() {
    let house = serve("handler-faults")
        .bounds(|bounds| bounds.sockets = 7)
        .start();
    assert_eq!(
        house.ask("open 1000"),
        "7 sockets, then ErrorCode::LimitExceeded\n"
    );
    // Of the two the tighter holds.
    for (limit, opened) in [(5, 5), (9, 7)] {
        let house = serve("handler-faults")
            .policy(&format!("[limits]\nsockets = {limit}"))
            .bounds(|bounds| bounds.sockets = 7)
            .start();
        assert_eq!(
            house.ask("open 1000"),
            format!("{opened} sockets, then ErrorCode::LimitExceeded\n")
        );
    }
}

#[test]
fn limits_of_an_instance_are_none_of_the_listener() {
    let policy = "[limits]\nsockets = 1\nbytes-sent = 100\nbytes-received = 100";
    let house = serve("handler-faults").policy(policy).start();
    let mut visitors: Vec<_> = (0..5).map(|_| house.visit("echo")).collect();
    visitors.iter_mut().for_each(|visitor| visitor.echo());
    assert_eq!(house.server.connections(), 5);
}

#[test]
fn a_handler_sees_nothing_of_where_it_is() {
    let house = serve("handler-faults").start();
    assert_eq!(
        house.ask("surroundings"),
        "arguments [] variables [] folders []\n"
    );
    assert_eq!(house.ask("preopens"), "\n");
    assert_eq!(house.ask("read"), "0 bytes\n");
    assert_eq!(house.ask("print something"), "printed\n");
}

#[test]
fn a_handler_knows_both_ends_of_its_connection() {
    let house = serve("handler-faults").start();
    let visitor = house.visit("peer");
    let ends = format!(
        "{} {}\n",
        visitor.stream.local_addr().unwrap(),
        house.address
    );
    assert_eq!(visitor.answer().unwrap(), ends);
}

#[test]
fn a_peer_that_is_gone_ends_its_own_connection() {
    let house = serve("handler-faults").start();
    let visitor = house.visit("flood");
    let mut some = [0; 1000];
    (&visitor.stream).read_exact(&mut some).unwrap();
    drop(visitor);
    house.expect("failed");
    let visitor = house.visit("echo");
    socket2::SockRef::from(&visitor.stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(visitor);
    house.expect("failed");
    assert_eq!(house.ask("state"), "1\n");
}
