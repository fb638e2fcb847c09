//! Endpoints: protocol, host and ports. It must not look at what follows them.

use crate::connect::destination;
use crate::fragment::Fragment;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::parser::{network, ports};
use crate::ports::Ports;
use crate::quoted::Quoted;
use crate::range::Range;
use crate::suggestion::did_you_mean;
use crate::verb::Verb;
use crate::{GrantError, Group, Name, NameError, Protocol, UnixKind};

pub(crate) fn endpoint(
    verb: Verb,
    text: Fragment<'_>,
) -> Result<(Protocol, HostPattern, Ports), GrantError> {
    let Some((protocol, rest)) = text.split_once("://") else {
        return Err(without_protocol(verb, text));
    };
    if verb == Verb::Join && protocol.text != "udp" {
        return Err(protocol
            .error("`join` takes `udp` alone")
            .hint(example(verb)));
    }
    let Some(protocol) = Protocol::from_keyword(protocol.text) else {
        return Err(unknown_protocol(verb, protocol, rest));
    };
    if let Some((_, url)) = rest.split_once("://") {
        return Err(second_endpoint(verb, protocol, rest, url));
    }
    let (host_text, ports_text) = split_ports(protocol, rest)?;
    let host = host(verb, host_text)?;
    if verb == Verb::Join {
        check_multicast(host_text, &host)?;
    }
    Ok((protocol, host, ports::read(protocol, ports_text)?))
}

/// A hint that shows a whole grant.
pub(crate) fn example(verb: Verb) -> String {
    let endpoint = match verb {
        Verb::Bind | Verb::Connect | Verb::Listen => "tcp://127.0.0.1:8080",
        Verb::Join => "udp://224.0.0.251:5353",
    };
    format!("write for example `{verb} {endpoint}`")
}

/// Reads a host without its ports.
pub(crate) fn host(verb: Verb, text: Fragment<'_>) -> Result<HostPattern, GrantError> {
    if text.text == "*" {
        return Ok(HostPattern::Names(NamePattern::Any));
    }
    if let Some(parent) = text.strip_prefix("*.") {
        return Ok(HostPattern::Names(NamePattern::Under(name(parent)?)));
    }
    if text.text.is_empty() && verb.is_local() {
        return Err(text
            .error(NameError::Empty.to_string())
            .hint("every address of this machine is `*`"));
    }
    match network::range(text)? {
        Some(range) => Ok(HostPattern::Addresses(as_destination(verb, range))),
        None => Ok(HostPattern::Names(NamePattern::Exact(name(text)?))),
    }
}

fn name(text: Fragment<'_>) -> Result<Name, GrantError> {
    if text.text.contains(',') {
        return Err(text
            .error("a grant has one host")
            .hint("write a grant for each, or a range such as `10.0.0.0/8` or `*.example.com`"));
    }
    if text.text.contains('*') {
        return Err(text
            .error("`*` stands alone, or for the labels at the front of a name")
            .hint("write for example `*.example.com`"));
    }
    Name::parse(text.text).map_err(|error| text.error(error.to_string()))
}

/// As a destination, the unspecified address is loopback.
fn as_destination(verb: Verb, range: Range) -> Range {
    match range {
        Range::Network(net) if !verb.is_local() && net.prefix_len() == net.max_prefix_len() => {
            destination(net.addr()).into()
        }
        Range::Group(_) | Range::Network(_) => range,
    }
}

fn check_multicast(text: Fragment<'_>, host: &HostPattern) -> Result<(), GrantError> {
    let is_multicast = match host {
        HostPattern::Addresses(Range::Group(group)) => *group == Group::Multicast,
        HostPattern::Addresses(Range::Network(network)) => Group::Multicast.spans(network),
        HostPattern::Names(_) => false,
    };
    if is_multicast {
        return Ok(());
    }
    Err(text
        .error(format!(
            "`join` takes multicast addresses, not `{}`",
            Quoted(text.text)
        ))
        .hint("they lie in 224.0.0.0/4 and [ff00::]/8; `multicast` is all of them"))
}

fn split_ports<'a>(
    protocol: Protocol,
    text: Fragment<'a>,
) -> Result<(Fragment<'a>, Fragment<'a>), GrantError> {
    let missing = || {
        text.end().error("the port is missing").hint(format!(
            "write for example `{protocol}://example.com:443`, or `:*` for every port"
        ))
    };
    // The colon that ends the host is the first one after any brackets.
    let inside = text.text.find(']').filter(|_| text.text.starts_with('['));
    let (from, outside) = match inside {
        Some(bracket) => (bracket, text.text.get(bracket..).unwrap_or_default()),
        None => (0, text.text),
    };
    if outside.matches(':').count() > 1 {
        return Err(text
            .error("an IPv6 address stands in brackets")
            .hint(format!("write for example `{protocol}://[::1]:443`")));
    }
    let colon = outside.find(':').ok_or_else(missing)?;
    text.split_at(from + colon, 1).ok_or_else(missing)
}

/// A second `://`: a list, or a URL behind the protocol.
fn second_endpoint(
    verb: Verb,
    protocol: Protocol,
    rest: Fragment<'_>,
    url: Fragment<'_>,
) -> GrantError {
    if rest.text.contains(',') {
        return rest
            .error("a grant has one endpoint")
            .hint("write a grant for each");
    }
    let port = url_port(rest.text).unwrap_or(443);
    rest.error("a grant takes no URL").hint(format!(
        "did you mean `{verb} {protocol}://{}`?",
        Quoted(&url_endpoint(url.text, port)),
    ))
}

/// Host and port of what follows the `://` of a URL, with this port if it says none.
fn url_endpoint(url: &str, port: u16) -> String {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, given) = match authority.rsplit_once(':') {
        Some(parts) if !authority.ends_with(']') => parts,
        Some(_) | None => (authority, ""),
    };
    format!("{host}:{}", given.parse().unwrap_or(port))
}

/// The port of a URL, by how it starts.
fn url_port(text: &str) -> Option<u16> {
    match text.split("://").next()? {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn without_protocol(verb: Verb, text: Fragment<'_>) -> GrantError {
    if verb == Verb::Join {
        return text
            .error("`join` takes `udp://` and a multicast address")
            .hint(example(verb));
    }
    if let Some(error) = without_slashes(verb, text) {
        return error;
    }
    let error = text.error("the protocol is missing");
    match text.split_once(":") {
        Some(_) if text.text.contains("//") => error.hint(example(verb)),
        Some((host, ports)) if host.text.is_empty() && ports::look_right(ports.text) => {
            match verb.is_local() {
                true => error.hint(format!(
                    "did you mean `{verb} tcp://*{}`?",
                    Quoted(text.text)
                )),
                false => error.hint(example(verb)),
            }
        }
        Some((_, ports)) if ports::look_right(ports.text) => error.hint(format!(
            "did you mean `{verb} tcp://{}`?",
            Quoted(text.text)
        )),
        Some((kind, path)) if path.text.starts_with(['/', '@']) => unknown(kind),
        None if text.text.starts_with('/') => {
            error.hint("a path stands behind `unix:` or `unixgram:`")
        }
        Some(_) | None => error.hint(example(verb)),
    }
}

/// A protocol, and a host that does not stand behind `://`: `tcp:/127.0.0.1:80`,
/// `tcp:127.0.0.1:80`, `tcp//127.0.0.1:80`, `tcp:80`.
fn without_slashes(verb: Verb, text: Fragment<'_>) -> Option<GrantError> {
    let end = text.text.find([':', '/'])?;
    let (protocol, rest) = text.text.split_at_checked(end)?;
    let protocol = Protocol::from_keyword(protocol)?;
    let error = text.error(format!("`://` stands between `{protocol}` and the host"));
    let rest = rest.trim_start_matches([':', '/']);
    Some(match rest {
        "" => error.hint(example(verb)),
        port if ports::look_right(port) && verb.is_local() => error.hint(format!(
            "did you mean `{verb} {protocol}://*:{}`?",
            Quoted(port)
        )),
        port if ports::look_right(port) => error.hint(example(verb)),
        _ => error.hint(format!(
            "did you mean `{verb} {protocol}://{}`?",
            Quoted(rest)
        )),
    })
}

fn unknown_protocol(verb: Verb, protocol: Fragment<'_>, rest: Fragment<'_>) -> GrantError {
    let Some(port) = url_port(protocol.text) else {
        return unknown(protocol);
    };
    unknown(protocol).hint(format!(
        "a grant takes no URL; did you mean `{verb} tcp://{}`?",
        Quoted(&url_endpoint(rest.text, port))
    ))
}

fn unknown(protocol: Fragment<'_>) -> GrantError {
    let [stream, datagram] = UnixKind::KEYWORDS;
    let [tcp, udp] = Protocol::KEYWORDS;
    protocol
        .error(format!("unknown protocol `{}`", Quoted(protocol.text)))
        .suggest(did_you_mean(protocol.text, &[tcp, udp, stream, datagram]))
        .suggest(Some(
            "write `tcp://` or `udp://` before a host, `unix:` or `unixgram:` before a path".into(),
        ))
}
