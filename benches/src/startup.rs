//! What starting and deciding cost by themselves, without a connection.

mod cold_start;
mod instantiate;
mod policy;

use anyhow::{Context, Result};

use crate::contender::{Contender, Programs};
use crate::metric::Metric;
use crate::note;
use crate::options::Options;
use crate::results::Figure;

/// A round of all of them.
pub(crate) fn measure(programs: &Programs, options: &Options, round: u32) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut record = |metric, contender, value| {
        figures.push(Figure {
            metric,
            contender,
            round,
            value,
            server_share: None,
            load_share: None,
        });
    };
    let announce = |name| note(&format!("round {round}/{}: {name}", options.rounds));
    if options.includes("cold-start") {
        announce("cold-start");
        for contender in &options.contenders {
            if let Some(command) = contender.do_nothing(programs) {
                let time = cold_start::cached(&command, options.slice)?;
                record(Metric::ColdStart, Some(*contender), time);
            }
        }
        if let Some(command) = Contender::Guest.do_nothing(programs) {
            let time = cold_start::compiling(&command, &options.out)?;
            record(Metric::ColdStartUncached, Some(Contender::Guest), time);
        }
    }
    if options.includes("instantiate") {
        announce("instantiate");
        for (metric, allocation) in [
            (
                Metric::InstantiateOnDemand,
                instantiate::Allocation::OnDemand,
            ),
            (Metric::InstantiatePooling, instantiate::Allocation::Pooling),
        ] {
            let component = programs.component(instantiate::COMPONENT);
            let time = instantiate::time(&component, allocation, options.slice)
                .with_context(|| component.display().to_string())?;
            record(metric, None, time);
        }
    }
    if options.includes("policy") {
        announce("policy");
        for (metric, grants) in [(Metric::Policy1, 1), (Metric::Policy10000, 10_000)] {
            let rate = policy::decisions(grants, options.slice)?;
            record(metric, None, rate);
        }
    }
    Ok(figures)
}
