//! What a run came to, as `results.json` keeps it: every figure of every round.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::contender::Contender;
use crate::machine::Machine;
use crate::metric::Metric;
use crate::statistics::{Summary, summary};

#[derive(Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) figures: Vec<Figure>,
}

/// How it was measured.
#[derive(Deserialize, Serialize)]
pub(crate) struct Settings {
    pub(crate) placement: String,
    pub(crate) rounds: u32,
    pub(crate) slice_seconds: f64,
    pub(crate) rate_per_second: u32,
    pub(crate) idle_connections: usize,
}

/// One figure of one round.
#[derive(Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) metric: Metric,
    /// None for what no contender but the library does.
    pub(crate) contender: Option<Contender>,
    pub(crate) round: u32,
    /// In bytes, seconds, or for a second.
    pub(crate) value: f64,
    /// The cores that the server and the load had, on average.
    pub(crate) server_share: Option<f64>,
    pub(crate) load_share: Option<f64>,
}

impl Results {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| path.display().to_string())
    }

    /// Those who were measured, in their order.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let is_measured = |it: &Contender| {
            self.figures
                .iter()
                .any(|figure| figure.contender == Some(*it))
        };
        Contender::ALL.into_iter().filter(is_measured).collect()
    }

    /// What one contender, or the library, came to.
    pub(crate) fn summary(&self, metric: Metric, contender: Option<Contender>) -> Option<Summary> {
        summary(self.of(metric, contender).map(|figure| figure.value))
    }

    /// A contender's figure over the native one of the same round: what disturbed
    /// a round disturbed both.
    pub(crate) fn ratio(&self, metric: Metric, contender: Contender) -> Option<Summary> {
        summary(self.of(metric, Some(contender)).filter_map(|figure| {
            let mut native = self.of(metric, Some(Contender::Native));
            let native = native.find(|it| it.round == figure.round)?;
            Some(figure.value / native.value)
        }))
    }

    /// The cores that the load had, on average over the rounds.
    pub(crate) fn load_share(&self, metric: Metric, contender: Contender) -> Option<f64> {
        let shares = self.of(metric, Some(contender));
        summary(shares.filter_map(|figure| figure.load_share)).map(|share| share.median)
    }

    fn of(&self, metric: Metric, contender: Option<Contender>) -> impl Iterator<Item = &Figure> {
        self.figures
            .iter()
            .filter(move |figure| figure.metric == metric && figure.contender == contender)
    }
}
