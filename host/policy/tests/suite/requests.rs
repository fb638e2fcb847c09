//! Requests as text: which text is one, and that those which denials print are.

use portcullis_policy::AnyRequest;
use proptest::prelude::*;

use crate::check::{decide, policy};
use crate::model::Ask;
use crate::properties::compile;
use crate::strategies::{ask, rules};

/// The text reads as a request of that kind, and prints as `printed`.
#[track_caller]
fn check(text: &str, kind: &str, printed: &str) {
    let request = AnyRequest::parse(text).unwrap();
    let debug = format!("{request:?}");
    assert_eq!(debug.split('(').next(), Some(kind), "{text}");
    assert_eq!(request.to_string(), printed);
}

#[track_caller]
fn refused(text: &str, span: &str, reason: &str) {
    let error = AnyRequest::parse(text).unwrap_err();
    let found = text.get(error.offset..error.offset + error.len).unwrap();
    assert_eq!((found, error.reason.as_str()), (span, reason), "{text}");
}

#[test]
fn a_grant_for_one_endpoint_is_a_request() {
    let same = |text: &str, kind: &str| check(text, kind, text);
    same("connect tcp://10.0.0.5:5432", "Connect");
    same("connect udp://[fd00::5]:53", "Connect");
    same("connect tcp://db.internal:5432", "Lookup");
    same("bind tcp://10.0.0.2:0", "Bind");
    same("bind udp://localhost:53", "Lookup");
    same("listen tcp://127.0.0.1:8080", "Listen");
    same("listen tcp://web.internal:80", "Lookup");
    same("accept tcp://127.0.0.1:8080 from 10.1.2.3", "Accept");
    same("join udp://224.0.0.251:5353", "Join");
    same("join udp://10.0.0.5:0", "Join");
    same("resolve db.internal", "Lookup");
    same("resolve 5.0.0.10.in-addr.arpa", "Reverse");
    same("resolve 10.in-addr.arpa", "Lookup");
    same("connect udp://255.255.255.255:*", "Broadcast");
    same("connect udp://255.255.255.255:9", "Connect");
    same("connect unix:/run/app.sock", "ConnectUnix");
    same("listen unix:@name", "ListenUnix");
    same("bind unixgram:@*", "BindUnix");
}

#[test]
fn what_is_written_otherwise_becomes_canonical() {
    check(
        "connect tcp://[::ffff:10.0.0.5]:80",
        "Connect",
        "connect tcp://10.0.0.5:80",
    );
    check(
        "connect tcp://0.0.0.0:80",
        "Connect",
        "connect tcp://127.0.0.1:80",
    );
    check(
        "connect tcp://DB.Internal.:80",
        "Lookup",
        "connect tcp://db.internal:80",
    );
    check(
        "connect tcp://a.b:80 in 10.0.0.5",
        "Connect",
        "connect tcp://a.b:80",
    );
    check(
        "resolve 10.0.0.5",
        "Reverse",
        "resolve 5.0.0.10.in-addr.arpa",
    );
    check("resolve any.", "Lookup", "resolve any.");
    check(
        "listen tcp://127.0.0.1:80 from 10.1.2.3",
        "Accept",
        "accept tcp://127.0.0.1:80 from 10.1.2.3",
    );
    check(
        "accept tcp://a.b:80 from 10.1.2.3 in 127.0.0.1",
        "Accept",
        "accept tcp://a.b:80 from 10.1.2.3",
    );
}

#[test]
fn what_is_for_more_than_one_endpoint_is_no_request() {
    refused(
        "connect tcp://10.0.0.0/8:80",
        "tcp://10.0.0.0/8:80",
        "a request names one address",
    );
    refused(
        "connect tcp://private:80",
        "tcp://private:80",
        "a request names one address",
    );
    refused(
        "connect tcp://*:80",
        "tcp://*:80",
        "a request names one host",
    );
    refused(
        "connect tcp://*.a.b:80",
        "tcp://*.a.b:80",
        "a request names one host",
    );
    refused(
        "listen tcp://*:80",
        "tcp://*:80",
        "a request names one address",
    );
    refused(
        "connect tcp://1.2.3.4:*",
        "tcp://1.2.3.4:*",
        "a request names one port",
    );
    refused(
        "connect tcp://1.2.3.4:80,81",
        "tcp://1.2.3.4:80,81",
        "a request names one port",
    );
    refused("resolve *.a.b", "*.a.b", "a request names one host");
    refused("resolve *", "*", "a request names one host");
    refused(
        "connect unix:/run/*",
        "unix:/run/*",
        "a request names one path",
    );
    refused(
        "accept tcp://127.0.0.1:80 from 10.0.0.0/8",
        "tcp://127.0.0.1:80",
        "`from` takes one address in a request",
    );
    refused("accept tcp://127.0.0.1:80", "", "`accept` from whom?");
    refused(
        "accept tcp://a.b:80 from 10.1.2.3",
        "tcp://a.b:80",
        "a peer is accepted at an address, not at a name",
    );
    refused("connekt tcp://a.b:80", "connekt", "unknown verb `connekt`");
    refused(
        "accept tcp://a.b:8o from 10.1.2.3",
        "8o",
        "a port is a number, not `8o`",
    );
    refused("", "", "the grant is empty");
}

#[test]
fn a_listener_on_every_address_is_asked_about_both_families() {
    let request = AnyRequest::parse("listen tcp://[::]:80").unwrap();
    assert!(
        policy("listen tcp://[::]:80")
            .check(request.clone())
            .is_err()
    );
    assert!(policy("listen tcp://*:80").check(request).is_ok());
}

#[test]
fn a_name_with_an_address_is_held_against_the_bounds_of_its_grant() {
    let request = AnyRequest::parse("connect tcp://a.b:80 in 10.0.0.5").unwrap();
    assert!(
        policy("connect tcp://a.b:80")
            .check(request.clone())
            .is_err()
    );
    assert!(
        policy("connect tcp://a.b:80 in private")
            .check(request)
            .is_ok()
    );
}

#[test]
fn what_follows_a_lookup_is_its_purpose_at_the_address() {
    let at = |text: &str| {
        let request = AnyRequest::parse(text).unwrap();
        let at = request.at("10.0.0.5".parse().unwrap());
        at.map(|request| format!("{request:?}").split('(').next().unwrap().to_owned())
    };
    assert_eq!(at("connect tcp://a.b:80").as_deref(), Some("Connect"));
    assert_eq!(at("bind tcp://a.b:80").as_deref(), Some("Bind"));
    assert_eq!(at("listen tcp://a.b:80").as_deref(), Some("Listen"));
    assert_eq!(at("resolve a.b"), None);
    assert_eq!(at("connect tcp://1.2.3.4:80"), None);
}

/// Whether the text of the request is all that there is to it. Where a name
/// led, it leaves out, and whether a socket on `[::]` hears IPv4.
fn is_told_whole(ask: &Ask) -> bool {
    match ask {
        Ask::Bind(spot) | Ask::Connect(spot) => spot.name.is_none(),
        Ask::Listen { listener, dual } => {
            listener.name.is_none() && (*dual || listener.address != "::")
        }
        Ask::Accept { listener, dual, .. } => {
            listener.name.is_none() && (*dual || listener.address != "::")
        }
        Ask::Resolve(name) => *name != "5.0.0.10.in-addr.arpa",
        Ask::Broadcast | Ask::Join { .. } | Ask::Lookup { .. } | Ask::Reverse(_) | Ask::Unix(_) => {
            true
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_request_of_a_denial_is_denied_for_the_same_reason(rules in rules(), ask in ask()) {
        let policy = compile(&rules);
        let Err(denial) = decide(&policy, &ask.to_string()) else { return Ok(()) };
        let request = match AnyRequest::parse(denial.request()) {
            Ok(request) => request,
            // Peers are accepted at addresses.
            Err(_) if matches!(&ask, Ask::Accept { listener, .. } if listener.name.is_some()) => {
                return Ok(());
            }
            Err(error) => return Err(TestCaseError::fail(format!("{}: {error}", denial.request()))),
        };
        prop_assert_eq!(request.to_string(), denial.request());
        if is_told_whole(&ask) {
            prop_assert_eq!(policy.check(request).unwrap_err(), denial);
        }
    }

    #[test]
    fn no_text_upsets_the_reader(
        text in "(accept|connect|bind|listen|join|resolve)?[ \\PC]{0,30}( from)?[ \\PC]{0,9}"
    ) {
        if let Err(error) = AnyRequest::parse(&text) {
            prop_assert!(text.get(error.offset..error.offset + error.len).is_some());
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
