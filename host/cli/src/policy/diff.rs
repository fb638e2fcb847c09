//! `portcullis policy diff`.

use std::path::Path;

use anyhow::Result;
use portcullis::{Change, Diff, Policy, Setting};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::policy::arguments::DiffArguments;
use crate::policy::print;
use crate::run;

/// Compares two policies.
pub(crate) fn diff(arguments: &DiffArguments) -> Result<Exit> {
    let before = policy(&arguments.before)?;
    let after = policy(&arguments.after)?;
    let diff = before.diff(&after)?;
    print(arguments.json, &text(&diff), || json(&diff))?;
    Ok(if diff.is_empty() { Exit::Yes } else { Exit::No })
}

fn policy(path: &Path) -> Result<Policy> {
    let builder = Policy::builder();
    Ok(builder
        .file(&path.display().to_string(), &run::text(path)?)
        .build()?)
}

fn text(diff: &Diff) -> String {
    let changes = diff.changes().iter().map(|change| format!("{change}\n"));
    let settings = diff
        .settings()
        .iter()
        .map(|setting| format!("sets    {setting}\n"));
    changes.chain(settings).collect()
}

fn json(diff: &Diff) -> Value {
    let change = |change: &Change| {
        json!({
            "effect": change.effect().to_string(),
            "lines": change.lines(),
            "sample": change.sample().to_string(),
        })
    };
    let setting = |setting: &Setting| {
        json!({
            "key": setting.key,
            "before": setting.before,
            "after": setting.after,
        })
    };
    json!({
        "changes": diff.changes().iter().map(change).collect::<Vec<_>>(),
        "settings": diff.settings().iter().map(setting).collect::<Vec<_>>(),
    })
}
