//! From text to grants: the verb, and the clauses after the endpoint. It must
//! refuse whatever it does not fully understand.

mod endpoint;
mod network;
mod ports;
mod unix;

use crate::fragment::Fragment;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::quoted::Quoted;
use crate::range::Ranges;
use crate::socket_grant::SocketGrant;
use crate::suggestion::did_you_mean;
use crate::verb::Verb;
use crate::{Grant, GrantError, Group};

pub(crate) fn grant(text: &str) -> Result<Grant, GrantError> {
    let text = Fragment::whole(text);
    let mut words = text.words();
    let Some(verb) = words.next() else {
        return Err(text
            .error("the grant is empty")
            .hint("write for example `connect tcp://example.com:443`"));
    };
    match verb.text {
        "bind" => socket_grant(Verb::Bind, verb, words),
        "connect" => socket_grant(Verb::Connect, verb, words),
        "join" => socket_grant(Verb::Join, verb, words),
        "listen" => socket_grant(Verb::Listen, verb, words),
        "resolve" => resolve_grant(verb, words),
        _ => Err(unknown_verb(verb)),
    }
}

fn socket_grant<'a>(
    verb: Verb,
    word: Fragment<'a>,
    mut words: impl Iterator<Item = Fragment<'a>>,
) -> Result<Grant, GrantError> {
    let Some(word) = words.next() else {
        return Err(word
            .end()
            .error(format!("`{verb}` what?"))
            .hint(endpoint::example(verb)));
    };
    if let Some((kind, name)) = unix::endpoint(word).filter(|_| verb != Verb::Join) {
        return unix::grant(verb, kind, name, words);
    }
    let (protocol, host, ports) = endpoint::endpoint(verb, word)?;
    let mut grant = SocketGrant {
        verb,
        protocol,
        host,
        ports,
        from: None,
        within: None,
    };
    while let Some(keyword) = words.next() {
        let clause = match keyword.text {
            "from" if verb != Verb::Listen => return Err(from_out_of_place(verb, keyword)),
            "from" => &mut grant.from,
            "in" => match in_out_of_place(verb, &grant.host) {
                Some(hint) => {
                    return Err(keyword.error("`in` goes only with names").hint(hint));
                }
                None => &mut grant.within,
            },
            _ => return Err(unknown_clause(keyword)),
        };
        let Some(list) = words.next() else {
            return Err(keyword
                .end()
                .error(format!("`{}` what?", keyword.text))
                .hint(format!(
                    "write for example `{} 10.0.0.0/8,loopback`",
                    keyword.text
                )));
        };
        if clause.is_some() {
            return Err(keyword
                .error(format!("a second `{}`", keyword.text))
                .hint("join the ranges with commas"));
        }
        *clause = Some(ranges(keyword, list)?);
    }
    Ok(grant.into())
}

fn resolve_grant<'a>(
    verb: Fragment<'a>,
    mut words: impl Iterator<Item = Fragment<'a>>,
) -> Result<Grant, GrantError> {
    let Some(name) = words.next() else {
        return Err(verb
            .end()
            .error("`resolve` what?")
            .hint("write for example `resolve db.internal`"));
    };
    if name.text.contains("://") || unix::endpoint(name).is_some() {
        return Err(name
            .error("`resolve` takes a name alone")
            .hint("write for example `resolve db.internal`"));
    }
    if name
        .text
        .split_once(':')
        .is_some_and(|(_, ports)| ports::look_right(ports))
    {
        return Err(name
            .error("`resolve` takes a name without ports")
            .hint("write for example `resolve db.internal`"));
    }
    let names = match endpoint::host(Verb::Connect, name)? {
        HostPattern::Names(names) => names,
        HostPattern::Addresses(_) => {
            return Err(name
                .error("`resolve` takes a name, not addresses")
                .hint("addresses need no lookup; a name is for example `*.example.com`"));
        }
    };
    match words.next() {
        Some(more) => Err(more.error("`resolve` takes a name and nothing else")),
        None => Ok(names.into()),
    }
}

fn ranges(keyword: Fragment<'_>, list: Fragment<'_>) -> Result<Ranges, GrantError> {
    list.split(',')
        .map(|item| match item.text {
            "" => Err(item
                .error(format!("a range is missing after `{}`", keyword.text))
                .hint("join ranges with single commas, without spaces")),
            _ => network::range(item)?.ok_or_else(|| not_a_range(keyword, item)),
        })
        .collect()
}

fn not_a_range(keyword: Fragment<'_>, item: Fragment<'_>) -> GrantError {
    let error = item.error(format!(
        "`{}` takes addresses, ranges and groups, not `{}`",
        keyword.text,
        Quoted(item.text),
    ));
    match item.text {
        "*" => error.hint("every address is `any`"),
        _ => error.suggest(did_you_mean(item.text, &Group::KEYWORDS)),
    }
}

fn from_out_of_place(verb: Verb, keyword: Fragment<'_>) -> GrantError {
    keyword
        .error("`from` goes only with `listen`")
        .hint(match verb {
            Verb::Connect => "the source address of a connection takes a `bind` grant",
            Verb::Join => "senders are accepted under the `listen` grant of the socket",
            Verb::Bind | Verb::Listen => "peers are accepted under a `listen` grant",
        })
}

/// The hint, if `in` has no place behind this host.
fn in_out_of_place(verb: Verb, host: &HostPattern) -> Option<&'static str> {
    match host {
        HostPattern::Addresses(_) => Some("an address needs no bounds: leave `in` out"),
        HostPattern::Names(NamePattern::Any) if verb.is_local() => {
            Some("name the range itself, as in `listen tcp://loopback:8080`")
        }
        HostPattern::Names(NamePattern::Any) => {
            Some("name the range itself, as in `connect tcp://private:443`")
        }
        HostPattern::Names(NamePattern::Exact(_) | NamePattern::Under(_)) => None,
    }
}

fn unknown_clause(word: Fragment<'_>) -> GrantError {
    if word.text.contains("://") {
        return word
            .error("a grant has one endpoint")
            .hint("write a grant for each");
    }
    word.error(format!("`{}` has no place in a grant", Quoted(word.text)))
        .suggest(did_you_mean(word.text, &["from", "in"]))
        .suggest(Some(
            "what may follow the endpoint is `from` and `in`, each with a list without spaces"
                .into(),
        ))
}

fn unknown_verb(word: Fragment<'_>) -> GrantError {
    let unknown = || word.error(format!("unknown verb `{}`", Quoted(word.text)));
    if word.text.contains("://") || unix::endpoint(word).is_some() {
        return word
            .error("the verb is missing")
            .hint("start with `connect`, `listen`, `bind`, `join` or `resolve`");
    }
    match word.text {
        "accept" => unknown().hint("`listen` covers accepting; bound the peers with `from`"),
        "send" | "sendto" => unknown().hint("`connect udp://…` covers sending"),
        _ => unknown()
            .suggest(did_you_mean(
                word.text,
                &["bind", "connect", "join", "listen", "resolve"],
            ))
            .suggest(Some(
                "a grant starts with `connect`, `listen`, `bind`, `join` or `resolve`".into(),
            )),
    }
}
