//! `portcullis compile`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use portcullis::Engine;
use tempfile::Builder;

use crate::arguments::CompileArguments;
use crate::exit::Exit;
use crate::run;

/// As files mostly are, and nobody but the owner can write to it.
const PERMISSIONS: u32 = 0o644;

/// Writes the compiled code of a component to a file.
pub(crate) fn compile(arguments: CompileArguments) -> Result<Exit> {
    let CompileArguments { output, program } = arguments;
    let output = output.unwrap_or_else(|| program.with_extension("cwasm"));
    if output
        .extension()
        .is_none_or(|extension| extension != "cwasm")
    {
        bail!("-o {}: the name has to end in `.cwasm`", output.display());
    }
    let component = fs::read(&program);
    let component =
        component.with_context(|| format!("cannot read the component {}", program.display()))?;
    let engine = run::engine(Engine::builder())?;
    let code = engine.compile(&component).map_err(run::with_causes);
    let code = code.with_context(|| format!("{}: does not compile", program.display()))?;
    write(&output, &code).with_context(|| format!("cannot write {}", output.display()))?;
    Ok(Exit::Yes)
}

/// Puts the file in its place when it is whole: somebody may be about to read it.
fn write(output: &Path, code: &[u8]) -> Result<()> {
    let folder = output.parent().filter(|folder| *folder != Path::new(""));
    let mut file = Builder::new()
        .permissions(fs::Permissions::from_mode(PERMISSIONS))
        .tempfile_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(code)?;
    file.persist(output)?;
    Ok(())
}
