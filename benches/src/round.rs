//! Rounds: in each, every load is put on every contender in turn, so that what
//! disturbs the machine for a while disturbs them all.

use anyhow::Result;

use crate::contender::{Contender, Programs};
use crate::load::Load;
use crate::options::Options;
use crate::placement::Placement;
use crate::results::Figure;
use crate::{note, startup};

/// Runs them all. Fails where anything is lost or wrong.
pub(crate) fn run_all(
    programs: &Programs,
    placement: Placement,
    options: &Options,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for round in 1..=options.rounds {
        for load in Load::ALL {
            if !options.includes(load.name()) {
                continue;
            }
            note(&format!(
                "round {round}/{}: {}",
                options.rounds,
                load.name()
            ));
            for contender in in_turn(&options.contenders, round) {
                if !load.suits(contender) {
                    continue;
                }
                let outcome = load.run(contender, programs, placement, options)?;
                figures.extend(outcome.values.iter().map(|(metric, value)| Figure {
                    metric: *metric,
                    contender: Some(contender),
                    round,
                    value: *value,
                    server_share: Some(outcome.server_share),
                    load_share: Some(outcome.load_share),
                }));
            }
        }
        figures.extend(startup::measure(programs, options, round)?);
    }
    Ok(figures)
}

/// Each round begins with another, so that none is always behind the same one.
fn in_turn(contenders: &[Contender], round: u32) -> impl Iterator<Item = Contender> {
    let first = round as usize % contenders.len().max(1);
    let (before, from) = contenders.split_at(first);
    from.iter().chain(before).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_all_and_begins_with_another() {
        let order = |round| in_turn(&Contender::ALL, round).collect::<Vec<_>>();
        assert_ne!(order(1)[0], order(2)[0]);
        let mut all = order(3);
        all.sort();
        let mut expected = Contender::ALL.to_vec();
        expected.sort();
        assert_eq!(all, expected);
    }
}
