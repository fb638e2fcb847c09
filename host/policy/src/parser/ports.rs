//! Ports: numbers, ranges of them and services by name. It must not look at the
//! host.

use std::ops::RangeInclusive;

use crate::fragment::Fragment;
use crate::ports::Ports;
use crate::quoted::Quoted;
use crate::suggestion::did_you_mean;
use crate::{GrantError, Protocol, service};

pub(crate) fn read(protocol: Protocol, text: Fragment<'_>) -> Result<Ports, GrantError> {
    match text.text {
        "*" => Ok(Ports::All),
        "" => Err(text.error("the port is missing").hint(
            "write a number, a service such as `https`, a list such as `80,8000-8999`, or `*` for \
             every port",
        )),
        _ => text
            .split(',')
            .map(|item| read_item(protocol, item))
            .collect(),
    }
}

/// Whether a text could stand for ports, right or wrong.
pub(crate) fn look_right(text: &str) -> bool {
    let starts_right = text.starts_with(|c: char| c == '*' || c.is_ascii_digit());
    let first = text.split(',').next().unwrap_or_default();
    (starts_right || service::by_name(first, None).is_some()) && !text.contains(':')
}

fn read_item(protocol: Protocol, text: Fragment<'_>) -> Result<RangeInclusive<u16>, GrantError> {
    if text.text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let port = service_port(protocol, text)?;
        return Ok(port..=port);
    }
    if let Some((first, last)) = text.split_once("..") {
        let last = last.text.trim_start_matches('=');
        return Err(text
            .error("a range of ports is written with `-`")
            .hint(format!(
                "did you mean `{}-{}`?",
                Quoted(first.text),
                Quoted(last)
            )));
    }
    let Some((first, last)) = text.split_once("-") else {
        let port = number(text)?;
        return Ok(port..=port);
    };
    match (number(first)?, number(last)?) {
        (0, _) => Err(text
            .error("a range of ports does not start at 0")
            .hint("port 0 is \"the system chooses\": list it by itself, as in `0,1-1023`")),
        (first, last) if first > last => Err(text
            .error("the range of ports runs backwards")
            .hint(format!("did you mean `{last}-{first}`?"))),
        (first, last) => Ok(first..=last),
    }
}

fn number(text: Fragment<'_>) -> Result<u16, GrantError> {
    if text.text.is_empty() {
        return Err(text
            .error("a port is missing")
            .hint("join ports with single commas, as in `80,443`"));
    }
    check_end(text)?;
    if !text.text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(text.error(format!("a port is a number, not `{}`", Quoted(text.text))));
    }
    text.text.parse().map_err(|_| {
        text.error(format!("{} is not a port", Quoted(text.text)))
            .hint("the highest port is 65535")
    })
}

fn service_port(protocol: Protocol, text: Fragment<'_>) -> Result<u16, GrantError> {
    if let Some(port) = service::by_name(text.text, Some(protocol)) {
        return Ok(port);
    }
    check_end(text)?;
    let name = Quoted(text.text);
    let other = match protocol {
        Protocol::Tcp => Protocol::Udp,
        Protocol::Udp => Protocol::Tcp,
    };
    if let Some(port) = service::by_name(text.text, Some(other)) {
        return Err(text
            .error(format!("the service `{name}` is not for {protocol}"))
            .hint(format!(
                "it is for {other}: write `{other}://`, or the number, {port}"
            )));
    }
    let mut ends = text.text.split('-');
    if let (Some(first), Some(last), None) = (ends.next(), ends.next(), ends.next())
        && let Some(first) = service::by_name(first, Some(protocol))
        && let Some(last) = service::by_name(last, Some(protocol))
    {
        return Err(text
            .error("a range of ports is written in numbers")
            .hint(format!("did you mean `{first}-{last}`?")));
    }
    let known: Vec<&str> = service::names(protocol).collect();
    Err(text
        .error(format!("unknown service `{name}`"))
        .suggest(did_you_mean(text.text, &known))
        .suggest(Some("write the number of its port".to_owned())))
}

/// Refuses a text with a path behind the ports.
fn check_end(text: Fragment<'_>) -> Result<(), GrantError> {
    match text.text.contains('/') {
        false => Ok(()),
        true => Err(text
            .error("an endpoint ends with its ports")
            .hint("leave out the slash and what follows it")),
    }
}
