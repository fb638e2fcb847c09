//! What a policy says of the memory that it takes, held to what it takes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;

use portcullis_policy::{Attenuation, Policy};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many bytes it takes to narrow a policy, and how many it says it takes.
fn narrow(policy: &Policy, grants: &[String]) -> (usize, usize) {
    let attenuation = Attenuation::parse(grants).unwrap();
    let said = attenuation.footprint(policy);
    drop(attenuation);
    let region = Region::new(ALLOCATOR);
    let narrowed = policy.attenuate(grants).unwrap();
    let change = region.change();
    drop(narrowed);
    (change.bytes_allocated - change.bytes_deallocated, said)
}

fn grants(count: u16, grant: impl Fn(u16) -> String) -> Vec<String> {
    (0..count).map(grant).collect()
}

/// Ports that are as many blocks as there can be of so little text.
fn ports(from: u16, count: u16) -> String {
    let items = (0..count).map(|item| format!("{}-{}", from + 5 * item, from + 5 * item + 2));
    items.collect::<Vec<_>>().join(",")
}

#[test]
fn a_policy_takes_no_more_than_it_says_and_not_much_less() {
    let policy = Policy::default();
    let peers = grants(200, |item| format!("::{item:x}")).join(",");
    let long = "a".repeat(60);
    let cases = [
        grants(1, |_| "connect tcp://10.0.0.1:1".to_owned()),
        grants(1000, |at| {
            format!("connect tcp://10.0.{}.{}:80", at / 250, at % 250)
        }),
        grants(1000, |at| format!("connect tcp://10.0.0.1:{}", 1 + at)),
        grants(1000, |at| format!("connect tcp://[fd00::{at:x}]:80-90")),
        grants(100, |at| {
            format!("connect udp://10.0.{at}.0/24:{}", ports(1, 100))
        }),
        grants(100, |at| {
            format!("connect udp://any:{}", ports(1 + at, 100))
        }),
        grants(100, |at| {
            format!("connect tcp://private:{}", ports(1 + at, 5))
        }),
        grants(100, |at| {
            format!("connect tcp://*:{}", ports(1 + 400 * at, 50))
        }),
        grants(500, |at| {
            format!("connect tcp://{long}{at}.example.com:443 in private")
        }),
        grants(500, |at| {
            format!("connect tcp://*.{at}.example.com:443,8443")
        }),
        grants(20, |at| format!("listen tcp://*:{} from {peers}", 1 + at)),
        grants(500, |at| format!("resolve *.{long}.{at}.example")),
        grants(500, |at| {
            format!("join udp://224.0.1.{}:{}", at % 250, 1 + at)
        }),
        grants(500, |at| format!("listen unix:/run/{long}/{at}.sock")),
        grants(500, |at| format!("connect unixgram:/run/{at}/**")),
    ];
    for grants in cases {
        let (taken, said) = narrow(&policy, &grants);
        let first = grants.first().unwrap();
        println!("{said} for {taken}: {} of {first:.60}", grants.len());
        assert!(taken <= said, "{taken} are more than {said}: {first}");
        assert!(
            said <= 8 * taken,
            "{taken} are far less than {said}: {first}"
        );
    }
    // Each layer more lists those before it.
    let mut deep = policy;
    for _ in 0..60 {
        let (taken, said) = narrow(&deep, &[]);
        assert!(taken <= said, "{taken} are more than {said}");
        deep = deep.attenuate(&[""; 0]).unwrap();
    }
}
