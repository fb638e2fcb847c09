//! A whole run: measure, tell, and write down.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::contender::Programs;
use crate::machine::Machine;
use crate::options::Options;
use crate::placement::Placement;
use crate::results::{Results, Settings};
use crate::{chart, document, note, report, result, round};

/// Does what the options say.
pub(crate) fn bench(words: &[&str]) -> Result<()> {
    let options = Options::parse(words)?;
    let folder = &options.out;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let results = match &options.from {
        Some(path) => Results::read(path)?,
        None => measure(&options)?,
    };
    let table = report::markdown(&results);
    result(&table);
    results.write(&folder.join("results.json"))?;
    write(&folder.join("table.md"), &table)?;
    let chart = chart::svg(&results)?;
    write(&folder.join("chart.svg"), &chart)?;
    note(&format!("written to {}", folder.display()));
    if options.write_docs {
        document::update(&table, &chart)?;
    }
    Ok(())
}

fn measure(options: &Options) -> Result<Results> {
    let machine = Machine::this();
    let programs = Programs::find(&options.out)?;
    let placement = Placement::take(options.pin)?;
    note(&placement.to_string());
    allow_descriptors()?;
    let figures = round::run_all(&programs, placement, options)?;
    Ok(Results {
        machine,
        settings: Settings {
            placement: placement.to_string(),
            rounds: options.rounds,
            slice_seconds: options.slice.as_secs_f64(),
            rate_per_second: options.rate,
            idle_connections: options.idle,
        },
        figures,
    })
}

/// As many as the system lets this process and the servers have.
fn allow_descriptors() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, most).context("cannot raise the limit of descriptors")
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| path.display().to_string())
}
