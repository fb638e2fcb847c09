//! The table rows: a policy and a request as text, and a verdict. It must not
//! decide anything itself.

use std::net::SocketAddr;

use portcullis_policy::{
    Accept, Bind, BindUnix, Broadcast, Connect, ConnectUnix, Denial, Grant, Join, Listen,
    ListenUnix, Lookup, Name, Policy, Protocol, Purpose, Request, Reverse, UnixKind, UnixName,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    Allow,
    Deny,
}

/// Holds a request against a policy. The policy is grants, one after another
/// with `;`, denies with `deny` before them.
#[track_caller]
pub(crate) fn check(policy_text: &str, request: &str, verdict: Verdict) {
    let found = match decide(&policy(policy_text), request) {
        Ok(_) => Verdict::Allow,
        Err(_) => Verdict::Deny,
    };
    assert_eq!(found, verdict, "{request}\n  under: {policy_text}");
}

#[track_caller]
pub(crate) fn policy(text: &str) -> Policy {
    let lines = text
        .split(';')
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines
        .fold(Policy::builder(), |builder, line| {
            match line.strip_prefix("deny ") {
                Some(deny) => builder.deny(deny),
                None => builder.allow(line),
            }
        })
        .build()
        .unwrap()
}

#[track_caller]
pub(crate) fn denial(policy_text: &str, request: &str) -> Denial {
    decide(&policy(policy_text), request).unwrap_err()
}

/// The grant that allowed, if it took one.
pub(crate) type Answer = Result<Option<Grant>, Denial>;

/// Reads a request and holds it against a policy:
/// `connect tcp://10.0.0.5:5432 [named db.internal]`, and so for `bind` and
/// `listen`; `listen tcp://[::]:80 dual`; `accept tcp://127.0.0.1:80 [dual]
/// from 10.1.2.3:999`; `lookup connect tcp db.internal 5432`; `resolve name`;
/// `connect unix:/run/app.sock`, `bind unixgram:@name`, `listen unix:@*` for a
/// name that the system chooses; `join udp://224.0.0.251:5353`; `broadcast`;
/// `reverse 10.0.0.5`.
#[track_caller]
pub(crate) fn decide(policy: &Policy, request: &str) -> Answer {
    decide_noting(policy, request, |_| {})
}

/// The same, with somebody who is shown the request.
#[track_caller]
pub(crate) fn decide_noting(
    policy: &Policy,
    request: &str,
    note: impl FnOnce(&dyn Request),
) -> Answer {
    let words: Vec<&str> = request.split(' ').collect();
    match words.as_slice() {
        [verb, name] if name.starts_with("unix") => {
            let (kind, name) = read_unix(name);
            match *verb {
                "bind" => answer(policy, note, BindUnix::new(kind, name)),
                "connect" => answer(policy, note, ConnectUnix::new(kind, name)),
                "listen" => answer(policy, note, ListenUnix::new(kind, name)),
                _ => panic!("no request: {request}"),
            }
        }
        ["join", endpoint] => {
            let (_, address) = read_endpoint(endpoint);
            answer(policy, note, Join::new(address.ip(), address.port()))
        }
        ["broadcast"] => answer(policy, note, Broadcast::new()),
        ["reverse", address] => answer(policy, note, Reverse::new(address.parse().unwrap())),
        ["connect", endpoint, rest @ ..] => {
            let (protocol, address) = read_endpoint(endpoint);
            let request = Connect::new(protocol, address);
            match read_name(rest) {
                Some(name) => answer(policy, note, request.named(name)),
                None => answer(policy, note, request),
            }
        }
        ["bind", endpoint, rest @ ..] => {
            let (protocol, address) = read_endpoint(endpoint);
            let request = Bind::new(protocol, address);
            match read_name(rest) {
                Some(name) => answer(policy, note, request.named(name)),
                None => answer(policy, note, request),
            }
        }
        ["listen", rest @ ..] => answer(policy, note, read_listener(rest)),
        ["accept", listener @ .., "from", peer] => {
            let listener = read_listener(listener);
            answer(policy, note, Accept::new(&listener, peer.parse().unwrap()))
        }
        ["lookup", verb, protocol, name, port] => {
            let (protocol, port) = (read_protocol(protocol), port.parse().unwrap());
            let purpose = match *verb {
                "bind" => Purpose::Bind { protocol, port },
                "connect" => Purpose::Connect { protocol, port },
                "listen" => Purpose::Listen { protocol, port },
                _ => panic!("no purpose: {verb}"),
            };
            answer(
                policy,
                note,
                Lookup::new(Name::parse(name).unwrap(), purpose),
            )
        }
        ["resolve", name] => answer(
            policy,
            note,
            Lookup::new(Name::parse(name).unwrap(), Purpose::Resolve),
        ),
        _ => panic!("no request: {request}"),
    }
}

fn answer<R: Request>(policy: &Policy, note: impl FnOnce(&dyn Request), request: R) -> Answer {
    note(&request);
    policy.check(request).map(|permit| permit.grant().cloned())
}

fn read_listener(words: &[&str]) -> Listen {
    let (endpoint, rest) = words.split_first().unwrap();
    let (protocol, address) = read_endpoint(endpoint);
    let dual = rest.first() == Some(&"dual");
    let listener = Listen::new(protocol, address, dual);
    match read_name(if dual { &rest[1..] } else { rest }) {
        Some(name) => listener.named(name),
        None => listener,
    }
}

fn read_name(words: &[&str]) -> Option<Name> {
    match words {
        [] => None,
        ["named", name] => Some(Name::parse(name).unwrap()),
        _ => panic!("no name: {words:?}"),
    }
}

fn read_endpoint(text: &str) -> (Protocol, SocketAddr) {
    let (protocol, address) = text.split_once("://").unwrap();
    (read_protocol(protocol), address.parse().unwrap())
}

fn read_unix(text: &str) -> (UnixKind, UnixName) {
    let (kind, name) = text.split_once(':').unwrap();
    let kind = match kind {
        "unix" => UnixKind::Stream,
        "unixgram" => UnixKind::Datagram,
        _ => panic!("no kind: {text}"),
    };
    let name = match name.strip_prefix('@') {
        Some("*") => Ok(UnixName::unnamed()),
        Some(name) => UnixName::abstract_name(name.as_bytes()),
        None => UnixName::path(name.as_bytes()),
    };
    (kind, name.unwrap())
}

fn read_protocol(text: &str) -> Protocol {
    match text {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => panic!("no protocol: {text}"),
    }
}
