//! The servers that are not Portcullis's and not Python's: commands of this
//! program, each for a process of its own.

mod native;
mod wasi;

use anyhow::{Context, Result, bail};

/// Serves until it is killed.
pub(crate) fn serve(words: &[&str]) -> Result<()> {
    match words {
        ["native", protocol, address, buffer, workers] => {
            let address = address.parse().context("address")?;
            let buffer = buffer.parse().context("buffer")?;
            let workers = workers.parse().context("workers")?;
            match *protocol {
                "tcp" => native::tcp(address, buffer, workers),
                "udp" => native::udp(address, buffer, workers),
                _ => bail!("{protocol} is no protocol"),
            }
        }
        ["wasi", component, arguments @ ..] => wasi::run(component.as_ref(), arguments),
        _ => bail!("no such server: {words:?}"),
    }
}
