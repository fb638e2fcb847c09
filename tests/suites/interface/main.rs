//! Each row of `docs/interface.md` through a real guest, against native peers.
//!
//! The test of a row is named after its id: `row_` and the id in small letters,
//! with `_` for whatever is neither letter nor digit. `cargo xtask rows` finds
//! rows without a test, and tests without a row. What reaches the network has an
//! ungranted twin in the same test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod asking;
mod connecting;
mod creating;
mod errors;
mod moving;
mod names;
mod native;
mod options;
mod serving;
mod state;

use std::fmt::Display;
use std::net::TcpStream;

use portcullis::{Outcome, Policy};
use portcullis_tests::{Guest, Peer, Running, assert_every_behaviour_is_driven};

#[test]
fn every_behaviour_is_driven() {
    let suite = concat!(
        include_str!("asking.rs"),
        include_str!("connecting.rs"),
        include_str!("creating.rs"),
        include_str!("errors.rs"),
        include_str!("moving.rs"),
        include_str!("names.rs"),
        include_str!("options.rs"),
        include_str!("serving.rs"),
    );
    assert_every_behaviour_is_driven("interface", suite);
}

/// A guest that does what its chapter and row say, and is granted nothing.
fn guest(behaviour: &str) -> Guest {
    Guest::new("interface", behaviour)
}

/// A policy of several grants.
fn granted<G: AsRef<str>>(grants: impl IntoIterator<Item = G>) -> Policy {
    let grants = grants.into_iter();
    let policy = grants.fold(Policy::builder(), |policy, grant| {
        policy.allow(grant.as_ref())
    });
    policy.build().unwrap()
}

/// What a guest needs that talks to itself over loopback.
const ITSELF: [&str; 2] = ["listen tcp://127.0.0.1:0", "connect tcp://127.0.0.1:*"];

/// Runs an ungranted twin: it fails, and the operator hears what it asked for.
#[track_caller]
fn refused(guest: Guest, request: &str) {
    let finished = guest.finish();
    assert!(
        !matches!(finished.outcome, Outcome::Exit(0)),
        "it is not refused {request}"
    );
    let denied = format!("portcullis: denied  {request}\n");
    assert!(
        finished
            .denials
            .iter()
            .any(|denial| denial.starts_with(&denied)),
        "{request}: {finished:#?}"
    );
}

fn connect(address: impl Display) -> String {
    format!("connect tcp://{address}")
}

fn send(address: impl Display) -> String {
    format!("connect udp://{address}")
}

/// Runs a behaviour against a peer, after its twin; returns what came of the
/// peer.
#[track_caller]
fn against<T: Send + 'static>(
    behaviour: &str,
    serve: impl FnOnce(TcpStream) -> T + Send + 'static,
) -> T {
    let peer = Peer::serve(serve);
    let client = || guest(behaviour).argument(peer.address);
    refused(client(), &connect(peer.address));
    client().allow(&connect(peer.address)).succeed();
    peer.join()
}

const ANY_PORT: &str = "127.0.0.1:0";
const LISTEN: &str = "listen tcp://127.0.0.1:0";

/// What a guest that wants to listen asks for first; a grant to listen is one to
/// bind.
const BIND: &str = "bind tcp://127.0.0.1:0";

/// Starts a behaviour that listens on a port of its own, after its twin.
#[track_caller]
fn serving(behaviour: &str) -> Running {
    let server = || guest(behaviour).argument(ANY_PORT);
    refused(server(), BIND);
    server().allow(LISTEN).start()
}
