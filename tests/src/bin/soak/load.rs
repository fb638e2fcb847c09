//! Everybody who visits the server at once, and what became of them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use portcullis_tests::dice::Dice;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::peer::{Kind, visit};

/// How many come one after the other, at a time: more than there are processors,
/// so that the server is never without work.
const VISITORS: u64 = 48;
const SLOW: u64 = 8;

/// Nothing takes this long, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many errors are told in full.
const TOLD: usize = 10;

/// What became of them.
#[derive(Debug, Default)]
pub(crate) struct Load {
    visits: BTreeMap<Kind, u64>,
    lost: u64,
    errors: Vec<String>,
}

/// Visits the server in every way for a time.
pub(crate) async fn run(address: SocketAddr, time: Duration) -> Load {
    let end = Instant::now() + time;
    let mut all = JoinSet::new();
    for number in 0..VISITORS {
        all.spawn(visits(address, end, number, Duration::ZERO, common));
    }
    for number in 0..SLOW {
        all.spawn(visits(address, end, number, Duration::ZERO, |_| Kind::Slow));
    }
    // Each takes all of a processor until it is ended.
    let pause = Duration::from_millis(300);
    all.spawn(visits(address, end, 1, pause, |_| Kind::Loop));
    let pause = Duration::from_millis(2);
    all.spawn(visits(address, end, 1, pause, |_| Kind::Denied));
    let mut load = Load::default();
    while let Some(part) = all.join_next().await {
        match part {
            Ok(part) => load.add(part),
            Err(error) => load.lose(error.to_string()),
        }
    }
    load
}

/// What most do.
fn common(dice: &mut Dice) -> Kind {
    match dice.below(100) {
        0..50 => Kind::Talk,
        50..68 => Kind::Ask,
        68..80 => Kind::HalfClose,
        80..89 => Kind::Reset,
        89..97 => Kind::Trap,
        97..98 => Kind::Hog,
        _ => Kind::Flood,
    }
}

/// One who comes again and again.
async fn visits(
    address: SocketAddr,
    end: Instant,
    number: u64,
    pause: Duration,
    kind: fn(&mut Dice) -> Kind,
) -> Load {
    let mut load = Load::default();
    let mut dice = Dice::new(number);
    while Instant::now() < end {
        let kind = kind(&mut dice);
        match timeout(PATIENCE, visit(address, kind, &mut dice)).await {
            Ok(Ok(())) => *load.visits.entry(kind).or_default() += 1,
            Ok(Err(error)) => load.lose(error),
            Err(_) => load.lose(format!("{kind:?}: no end")),
        }
        sleep(pause).await;
    }
    load
}

impl Load {
    fn add(&mut self, part: Self) {
        let Self {
            visits,
            lost,
            errors,
        } = part;
        for (kind, count) in visits {
            *self.visits.entry(kind).or_default() += count;
        }
        self.lost += lost;
        self.errors.extend(errors);
        self.errors.truncate(TOLD);
    }

    fn lose(&mut self, error: String) {
        self.lost += 1;
        self.errors.push(error);
        self.errors.truncate(TOLD);
    }

    /// That everybody heard what they should.
    pub(crate) fn check(&self) -> Result<()> {
        match self.lost {
            0 => Ok(()),
            lost => Err(format!("{lost} did not hear what they should: {:#?}", self.errors).into()),
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum: u64 = self.visits.values().sum();
        let kinds = self
            .visits
            .iter()
            .map(|(kind, count)| format!("{count} {kind:?}"));
        let kinds: Vec<_> = kinds.collect();
        write!(
            f,
            "connections: {sum}, {} lost ({})",
            self.lost,
            kinds.join(", ")
        )
    }
}
