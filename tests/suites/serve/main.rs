//! Servers: whatever one connection or datagram leads to, it ends nothing but
//! itself, and the server is as it was.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its peers are not guests"
)]

mod alone;
mod bounds;
mod datagrams;
mod drain;
mod full;
mod grants;
mod house;
mod liveness;
mod pool;
mod replace;
mod resources;
mod reuse;

use house::serve;

/// The orders that the suite gives, and that of the command, each as it is written
/// there.
const SUITE: [&str; 12] = [
    include_str!("bounds.rs"),
    include_str!("datagrams.rs"),
    include_str!("drain.rs"),
    include_str!("full.rs"),
    include_str!("grants.rs"),
    include_str!("liveness.rs"),
    include_str!("replace.rs"),
    include_str!("resources.rs"),
    include_str!("reuse.rs"),
    include_str!("../../../host/cli/tests/serve/folders.rs"),
    include_str!("../../../host/cli/tests/serve/output.rs"),
    include_str!("../../../host/cli/tests/serve/resources.rs"),
];

#[test]
fn every_order_is_given() {
    let house = serve("handler-faults").start();
    for order in house.ask("list").lines() {
        let is_given = |suite: &&str| {
            [format!("\"{order}\""), format!("\"{order} ")]
                .iter()
                .any(|text| suite.contains(text))
        };
        assert!(SUITE.iter().any(is_given), "nothing orders {order}");
    }
}
