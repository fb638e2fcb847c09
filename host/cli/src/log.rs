//! `--log`: what the host says of its own work, for whoever looks for a fault.
//! Not to be taken for the audit: it may leave things out, and does so unless it is
//! asked.

use std::env;
use std::io::{self, IsTerminal};

use anyhow::{Context, Result};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

const VARIABLE: &str = "PORTCULLIS_LOG";

/// Has the host tell there what `--log` says, or else the environment; nothing where
/// neither does.
pub(crate) fn start(
    log: Option<&str>,
    to: impl for<'a> MakeWriter<'a> + Send + Sync + 'static,
) -> Result<()> {
    let (origin, filter) = match (log, env::var(VARIABLE)) {
        (Some(filter), _) => ("--log", filter.to_owned()),
        (None, Ok(filter)) => (VARIABLE, filter),
        (None, Err(_)) => return Ok(()),
    };
    let targets = targets(&filter).with_context(|| {
        format!("{origin} {filter}: give a level, as in `debug`, or `portcullis_net=debug`")
    })?;
    let stderr = fmt::layer()
        .with_writer(to)
        .with_ansi(io::stderr().is_terminal());
    registry().with(stderr).with(targets).try_init()?;
    Ok(())
}

/// A level alone is that of Portcullis, and of nothing that it is made of.
fn targets(filter: &str) -> Result<Targets> {
    Ok(match filter.parse::<LevelFilter>() {
        Ok(level) => Targets::new().with_target("portcullis", level),
        // A word alone would be taken for a part, and nobody would hear of it.
        Err(error) if !filter.contains('=') => return Err(error.into()),
        Err(_) => filter.parse()?,
    })
}
