//! Guests that do wrong end by themselves or are ended, and nothing else
//! suffers.

use std::io::{Read, Write};

use portcullis::wasmtime_wasi::WasiCtx;
use portcullis::{Network, Outcome, Policy, Program};
use portcullis_policy::Limits;
use portcullis_tests::{
    ENGINE, Finished, Guest, PATIENCE, Peer, assert_every_behaviour_is_driven, component,
    spawn_alone,
};

/// Runs a behaviour that has to trap, and says how.
#[track_caller]
fn trap(behaviour: &str) -> String {
    let Finished {
        outcome, output, ..
    } = Guest::new("faults", behaviour).finish();
    match outcome {
        Outcome::Trap(error) => format!("{error:?}"),
        ended @ (Outcome::Exit(_) | Outcome::Unaudited(_)) => {
            unreachable!("{ended:?}\n{output}")
        }
    }
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("faults", include_str!("faults.rs"));
}

#[test]
fn a_panic_traps() {
    let trap = trap("panic_at_once");
    assert!(trap.contains("unreachable"), "{trap}");
}

#[test]
fn a_forged_handle_traps() {
    for behaviour in [
        "forge_a_socket",
        "forge_a_network",
        "use_a_network_as_a_socket",
    ] {
        let trap = trap(behaviour);
        assert!(trap.contains("handle"), "{behaviour}: {trap}");
    }
}

#[test]
fn an_exit_code_is_the_guests_own() {
    let finished = Guest::new("faults", "exit_with_an_error").finish();
    assert!(matches!(finished.outcome, Outcome::Exit(1)), "{finished:?}");
}

/// Starts a behaviour that never ends, and expects the host to get its way all
/// the same.
#[track_caller]
fn is_ended_from_outside(behaviour: &str) {
    let guest = Guest::new("faults", behaviour)
        .argument("127.0.0.1:0")
        .allow("listen tcp://127.0.0.1:0")
        .start();
    guest.line(0);
    guest.stop();
}

#[test]
fn an_endless_loop_does_not_hang_the_host() {
    is_ended_from_outside("loop_for_ever");
}

#[test]
fn an_endless_loop_of_calls_does_not_hang_the_host() {
    is_ended_from_outside("listen_in_the_middle_of_a_loop");
}

#[test]
fn a_guest_that_waits_is_ended_from_outside() {
    is_ended_from_outside("wait_for_ever");
}

#[test]
fn a_guest_beside_an_endless_loop_goes_on() {
    let load = |name| Program::load(&ENGINE, &component(name)).unwrap();
    // Compiled before it gets lonely.
    let _ = ["faults", "tcp"].map(load);
    let both = spawn_alone(move |runtime| {
        let [program, tcp] = ["faults", "tcp"].map(load);
        let looping = WasiCtx::builder()
            .args(&["faults", "loop_for_ever"])
            .build();
        let working = WasiCtx::builder()
            .args(&["tcp", "services_are_found"])
            .build();
        let nothing = || Network::new(Policy::default());
        runtime.block_on(async {
            tokio::select! {
                _ = program.run(looping, nothing()) => None,
                outcome = tcp.run(working, nothing()) => Some(outcome.unwrap()),
            }
        })
    });
    let outcome = both.join().unwrap();
    assert!(matches!(outcome, Some(Outcome::Exit(0))), "{outcome:?}");
}

#[test]
fn open_sockets_until_refused() {
    let told = Guest::new("faults", "open_sockets_until_refused").succeed();
    assert!(told.contains("sockets, then: "), "{told}");
}

#[test]
fn receive_more_than_there_is_memory() {
    let peer = Peer::serve(|mut visitor| visitor.write_all(b"little").unwrap());
    let grant = format!("connect tcp://{}", peer.address);
    let told = Guest::new("faults", "receive_more_than_there_is_memory")
        .argument(peer.address)
        .allow(&grant)
        .succeed();
    assert_eq!(told, "Ok(6) Err(ErrorCode::LimitExceeded)\n");
    peer.join();
}

#[test]
fn drop_a_socket_that_a_pollable_waits_for() {
    let peer = Peer::serve(|mut visitor| {
        visitor.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut all = Vec::new();
        visitor.read_to_end(&mut all).unwrap();
        assert_eq!(all, b"more");
    });
    let guest = Guest::new("faults", "drop_a_socket_that_a_pollable_waits_for")
        .argument(peer.address)
        .allow(&format!("connect tcp://{}", peer.address))
        .start();
    // It has the pollable until it is told to end.
    guest.line(0);
    peer.join();
    guest.stop();
}

#[test]
fn listen_again_where_a_pollable_waits() {
    Guest::new("faults", "listen_again_where_a_pollable_waits")
        .allow("listen tcp://127.0.0.1:*")
        .succeed();
}

#[test]
fn open_pollers_of_which_pollables_are_left() {
    let mut limits = Limits::default();
    limits.sockets = Some(2);
    Guest::new("faults", "open_pollers_of_which_pollables_are_left")
        .policy(Policy::builder().limits(limits).build().unwrap())
        .succeed();
}
