//! Decisions of the policy.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use portcullis::{AnyRequest, Policy};

/// How many requests take turns, at most.
const REQUESTS: u32 = 1000;

/// Decisions a second by a policy of so many grants, each for an address of its
/// own. The requests are spread over the grants, and all are granted.
pub(super) fn decisions(grants: u32, time: Duration) -> Result<f64> {
    let grant = |number| format!("connect tcp://{}:443", address(number));
    let policy = (0..grants)
        .fold(Policy::builder(), |policy, number| {
            policy.allow(&grant(number))
        })
        .build()?;
    let requests = (0..REQUESTS.min(grants))
        // A prime, so that neighbours are far apart.
        .map(|number| AnyRequest::parse(&grant(number * 7919 % grants)))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut decided, started) = (0_u64, Instant::now());
    while started.elapsed() < time {
        for request in &requests {
            let AnyRequest::Connect(connect) = request else {
                bail!("{request:?} is no request to connect");
            };
            let verdict = policy.check(black_box(connect.clone()));
            ensure!(black_box(verdict).is_ok(), "{request:?} is denied");
            decided += 1;
        }
    }
    Ok(decided as f64 / started.elapsed().as_secs_f64())
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(10 << 24 | number)
}
