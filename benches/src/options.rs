//! The command line of a run.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::contender::Contender;

pub(crate) const USAGE: &str = "\
usage: cargo xtask bench [option …]

  --quick               a round of short slices: whether it works, not how fast it is
  --rounds N            how often everything is measured (5)
  --slice SECONDS       how long each load lasts in a round (1)
  --rate N              requests a second of the open loop (5000)
  --idle N              idle connections (1000, which is also the most)
  --only LOAD,…         these alone, by the beginning of their names: round-trip, crowd,
                        latency, throughput, connections, datagrams, idle, cold-start,
                        instantiate, policy
  --contenders NAME,…   these alone, and native: guest, guest-async, serve, serve-kept,
                        wasi, python
  --no-pin              leave it to the system which core does what
  --out FOLDER          where results.json, table.md and chart.svg go (target/bench)
  --from FILE           show a results.json, and measure nothing
  --write-docs          put the table and the chart into docs/
";

/// `serve` has 1024 connections at a time, unless it is told otherwise.
const MOST_IDLE: usize = 1000;

/// What a run is asked to do.
pub(crate) struct Options {
    pub(crate) rounds: u32,
    pub(crate) slice: Duration,
    pub(crate) warm_up: Duration,
    /// Requests a second.
    pub(crate) rate: u32,
    /// Idle connections.
    pub(crate) idle: usize,
    /// The beginnings of the loads' names; empty for all.
    pub(crate) only: Vec<String>,
    pub(crate) contenders: Vec<Contender>,
    pub(crate) pin: bool,
    pub(crate) out: PathBuf,
    pub(crate) from: Option<PathBuf>,
    pub(crate) write_docs: bool,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self {
            rounds: 5,
            slice: Duration::from_secs(1),
            warm_up: Duration::from_millis(200),
            rate: 5000,
            idle: MOST_IDLE,
            only: Vec::new(),
            contenders: Contender::ALL.to_vec(),
            pin: true,
            out: PathBuf::from("target/bench"),
            from: None,
            write_docs: false,
        };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word}: give a value"))
            };
            match word {
                "--quick" => options.shorten(),
                "--rounds" => options.rounds = number(word, value()?)?,
                "--slice" => {
                    let seconds = value()?.parse::<f64>().with_context(|| word.to_owned())?;
                    options.slice =
                        Duration::try_from_secs_f64(seconds).with_context(|| word.to_owned())?;
                }
                "--rate" => options.rate = number(word, value()?)?,
                "--idle" => options.idle = usize::try_from(number(word, value()?)?)?.min(MOST_IDLE),
                "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
                "--contenders" => options.contenders = contenders(value()?)?,
                "--no-pin" => options.pin = false,
                "--out" => options.out = value()?.into(),
                "--from" => options.from = Some(value()?.into()),
                "--write-docs" => options.write_docs = true,
                _ => bail!("{word} is no option\n{USAGE}"),
            }
        }
        Ok(options)
    }

    /// Whether a load of this name is asked for.
    pub(crate) fn includes(&self, load: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| load.starts_with(name.as_str()))
    }

    fn shorten(&mut self) {
        self.rounds = 1;
        self.slice = Duration::from_millis(100);
        self.warm_up = Duration::from_millis(20);
        self.idle = 100;
    }
}

fn number(option: &str, value: &str) -> Result<u32> {
    match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => bail!("{option} {value}: give a number above zero"),
    }
}

/// Native is what the others are held against.
fn contenders(names: &str) -> Result<Vec<Contender>> {
    let mut chosen = vec![Contender::Native];
    for name in names.split(',') {
        let contender = Contender::ALL.into_iter().find(|it| it.name() == name);
        let contender = contender.with_context(|| format!("{name} is no contender\n{USAGE}"))?;
        if !chosen.contains(&contender) {
            chosen.push(contender);
        }
    }
    Ok(chosen)
}
