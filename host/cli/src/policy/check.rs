//! `portcullis policy check`.

use anyhow::{Result, bail};
use portcullis::{Concern, Diagnostic, PolicyError, Review, Warning};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::policy::arguments::CheckArguments;
use crate::policy::places::{List, Place, Places};
use crate::policy::print;
use crate::run;

/// Looks a policy through.
pub(crate) fn check(arguments: &CheckArguments) -> Result<Exit> {
    let mut policy = arguments.policy.clone();
    policy.policy.extend(arguments.files.iter().cloned());
    if policy.policy.is_empty()
        && policy.ceiling.is_empty()
        && policy.allow.is_empty()
        && policy.deny.is_empty()
    {
        bail!(
            "there is no policy to look through; name a file, as in `portcullis policy check policy.toml`"
        );
    }
    let review = match run::policy(&policy) {
        Ok(policy) => policy.review(),
        Err(error) => match error.downcast_ref::<PolicyError>() {
            Some(mistakes) if arguments.json => {
                print(true, "", || {
                    mistakes.diagnostics().iter().map(mistake).collect()
                })?;
                return Ok(Exit::Usage);
            }
            Some(_) | None => return Err(error),
        },
    };
    let places = Places::read(&policy)?;
    print(arguments.json, &text(&review, &places), || {
        json(&review, &places)
    })?;
    Ok(Exit::Yes)
}

fn text(review: &Review, places: &Places) -> String {
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let mut text = format!(
        "the policy is good: {}, {}, {}, {}\n",
        count(review.grants, "grant"),
        match review.denies {
            1 => "1 deny".to_owned(),
            denies => format!("{denies} denies"),
        },
        count(review.hosts, "host"),
        count(review.limits, "limit"),
    );
    for warning in &review.warnings {
        let place = places.of(List::Allow, &warning.grant);
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        text += &format!("warning: {place}{warning}\n");
    }
    if review.skipped > 0 {
        let grants = count(review.skipped, "grant");
        text += &format!("note: {grants} not compared with others: there is too much to compare\n");
    }
    text
}

fn json(review: &Review, places: &Places) -> Value {
    let warning = |warning: &Warning| {
        let concern = match &warning.concern {
            Concern::Astray { .. } => "astray",
            Concern::Denied => "denied",
            Concern::Redundant { .. } => "redundant",
            Concern::Wide { .. } => "wide",
        };
        json!({
            "concern": concern,
            "grant": warning.grant.to_string(),
            "place": places.of(List::Allow, &warning.grant).map(Place::json),
            "text": warning.concern.to_string(),
        })
    };
    json!({
        "grants": review.grants,
        "denies": review.denies,
        "hosts": review.hosts,
        "limits": review.limits,
        "warnings": review.warnings.iter().map(warning).collect::<Vec<_>>(),
        "skipped": review.skipped,
    })
}

fn mistake(diagnostic: &Diagnostic) -> Value {
    json!({
        "file": diagnostic.place,
        "line": diagnostic.position.map(|position| position.line),
        "column": diagnostic.position.map(|position| position.column),
        "length": diagnostic.length,
        "reason": diagnostic.reason,
        "hint": diagnostic.hint,
    })
}
