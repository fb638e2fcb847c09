//! `portcullis policy explain`.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use portcullis::{
    AnyRequest, DnsResolver, Explanation, Families, Grant, GrantError, Leads, Policy, Reason,
    Resolver, Shown, Step, SystemResolver,
};
use serde_json::{Map, Value};

use crate::arguments::ResolverKind;
use crate::exit::Exit;
use crate::policy::arguments::ExplainArguments;
use crate::policy::places::{List, Places};
use crate::policy::print;
use crate::run;

/// Explains what becomes of a request.
pub(crate) fn explain(arguments: &ExplainArguments) -> Result<Exit> {
    let mut own = arguments.policy.clone();
    let (files, asked) = arguments.operands();
    own.policy.extend(files.iter().map(PathBuf::from));
    let policy = run::policy(&own)?;
    let request = AnyRequest::parse(asked).map_err(|error| unreadable(asked, error))?;
    let leads = match arguments.resolve {
        true => look_up(&policy, &request, arguments.resolver)?,
        false => None,
    };
    let explanation = policy.explain(&request, leads.as_ref());
    let places = Places::read(&own)?;
    print(
        arguments.json,
        &text(&request, &explanation, &places),
        || json(&request, &explanation, &places),
    )?;
    Ok(if explanation.is_allowed() {
        Exit::Yes
    } else {
        Exit::No
    })
}

fn unreadable(request: &str, error: GrantError) -> anyhow::Error {
    let hint = error
        .hint
        .map(|hint| format!("\n  hint: {hint}"))
        .unwrap_or_default();
    let request = Shown::quoted(request);
    anyhow!("the request '{request}': {}{hint}", error.reason)
}

/// Looks the name of a request up, as a guest would. None where there is none, where
/// nobody needs to be asked, and where the policy does not let a guest ask: then
/// there is no permit, and nobody is.
fn look_up(policy: &Policy, request: &AnyRequest, resolver: ResolverKind) -> Result<Option<Leads>> {
    let AnyRequest::Lookup(lookup) = request else {
        return Ok(None);
    };
    if policy.known_addresses(lookup.name()).is_some() {
        return Ok(None);
    }
    let Ok(permit) = policy.check(lookup.clone()) else {
        return Ok(None);
    };
    let resolver: Box<dyn Resolver> = match resolver {
        ResolverKind::Dns => Box::<DnsResolver>::default(),
        ResolverKind::System => Box::<SystemResolver>::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime
        .block_on(resolver.look_up(permit, Families::Both))
        .with_context(|| format!("cannot look {} up", lookup.name()))?;
    Ok(Some(Leads {
        aliases: answer.chain,
        addresses: answer.addresses,
    }))
}

fn text(request: &AnyRequest, explanation: &Explanation, places: &Places) -> String {
    let verdict = if explanation.is_allowed() {
        "allowed"
    } else {
        "denied "
    };
    let mut text = format!("{verdict}  {request}\n");
    if let Some(step) = explanation.decisive() {
        text += &lines(step, places);
    }
    let judged = explanation
        .steps()
        .iter()
        .filter(|step| step.address.is_some());
    let judged: Vec<&Step> = judged.collect();
    if judged.len() > 1 || explanation.is_allowed() {
        for step in judged {
            text += &at_address(step);
        }
    }
    if !explanation.destinations().is_empty() {
        let destinations = explanation.destinations().join(" or ");
        text += &format!(
            "  as long as the name leads to: {destinations}\n  \
             (each address is judged when it is used; --resolve looks the name up now)\n"
        );
    }
    text
}

fn at_address(step: &Step) -> String {
    let address = step
        .address
        .map(|address| address.to_string())
        .unwrap_or_default();
    match &step.verdict {
        Ok(Some(grant)) => format!("  at {address}: allowed by {grant}\n"),
        Ok(None) => format!("  at {address}: allowed\n"),
        Err(denial) => format!("  at {address}: {}\n", denial.reason()),
    }
}

fn lines(step: &Step, places: &Places) -> String {
    let written = |grant: &Grant| {
        let (_, list) = role(step);
        let place = places.of(list, grant);
        place
            .map(|place| format!("  written at: {place}\n"))
            .unwrap_or_default()
    };
    match &step.verdict {
        Ok(Some(grant)) => format!("  by: {grant}\n{}", written(grant)),
        Ok(None) => "  it takes no grant\n".to_owned(),
        Err(denial) => {
            // The report, without its first line: that is ours.
            let report = denial.report().to_string();
            let report = report.split_once('\n').map_or("", |(_, rest)| rest);
            let written = denial.reason().cited().map(written).unwrap_or_default();
            let reason = report.replacen("\n", &format!("\n{written}"), 1);
            format!("{reason}\n")
        }
    }
}

/// What a decision cites, and where to look for it.
fn role(step: &Step) -> (&'static str, List) {
    match &step.verdict {
        Ok(_) => ("grant", List::Allow),
        Err(denial) if matches!(denial.reason(), Reason::DeniedBy { .. }) => ("deny", List::Deny),
        Err(_) => ("nearest", List::Allow),
    }
}

fn json(request: &AnyRequest, explanation: &Explanation, places: &Places) -> Value {
    let mut value = explanation
        .decisive()
        .map(|step| decision(step, places))
        .unwrap_or_default();
    value.remove("address");
    let verdict = if explanation.is_allowed() {
        "allow"
    } else {
        "deny"
    };
    value.insert("verdict".to_owned(), verdict.into());
    value.insert("request".to_owned(), request.to_string().into());
    let steps = explanation
        .steps()
        .iter()
        .map(|step| decision(step, places).into());
    value.insert("steps".to_owned(), Value::Array(steps.collect()));
    if !explanation.destinations().is_empty() {
        value.insert("destinations".to_owned(), explanation.destinations().into());
    }
    value.into()
}

fn decision(step: &Step, places: &Places) -> Map<String, Value> {
    let mut value = Map::new();
    let mut set = |key: &str, to: Value| {
        value.insert(key.to_owned(), to);
    };
    set("request", step.request.to_string().into());
    if let Some(address) = step.address {
        set("address", address.to_string().into());
    }
    let cited = match &step.verdict {
        Ok(grant) => {
            set("verdict", "allow".into());
            grant.as_ref()
        }
        Err(denial) => {
            set("verdict", "deny".into());
            set("reason", denial.reason().to_string().into());
            set("advice", denial.advice().into());
            if let Some(remedy) = denial.remedy() {
                set("remedy", remedy.into());
            }
            denial.reason().cited()
        }
    };
    if let Some(grant) = cited {
        let (role, list) = role(step);
        set(role, grant.to_string().into());
        if let Some(place) = places.of(list, grant) {
            set("place", place.json());
        }
    }
    value
}
