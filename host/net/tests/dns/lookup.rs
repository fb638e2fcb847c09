//! Names to addresses.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use portcullis_net::{
    DnsResolver, Endpoint, ErrorCode, Family, Network, ResolveHints, Service, SocketAddress,
    SocketType,
};
use portcullis_policy::Policy;

use crate::Denials;
use crate::name_server::{
    A, AAAA, CNAME, FORMAT_ERROR, NOT_IMPLEMENTED, NameServer, REFUSED, SERVER_FAILURE, Zone,
};

/// Addresses, aliases, and all that can go wrong.
fn name_server() -> NameServer {
    let zone = Zone::default()
        .address("db.example", "192.0.2.7")
        .address("db.example", "2001:db8::7")
        .address_for("short.example", "192.0.2.7", 1)
        .empty("empty.example")
        .code("refused.example", A, REFUSED)
        .code("refused.example", AAAA, REFUSED)
        .code("broken.example", A, SERVER_FAILURE)
        .code("broken.example", AAAA, SERVER_FAILURE)
        .code("puzzled.example", A, FORMAT_ERROR)
        .code("puzzled.example", AAAA, FORMAT_ERROR)
        .code("unwilling.example", A, NOT_IMPLEMENTED)
        .code("unwilling.example", AAAA, NOT_IMPLEMENTED)
        // One family only, and one that nobody knows about.
        .address("half.example", "192.0.2.8")
        .code("half.example", AAAA, SERVER_FAILURE)
        .empty("perhaps.example")
        .code("perhaps.example", A, SERVER_FAILURE)
        // Two aliases to an address.
        .pointer("www.example", CNAME, "WEB.example")
        .pointer("web.example", CNAME, "db.example")
        .pointer("lost.example", CNAME, "nobody.example")
        .pointer("round.example", CNAME, "about.example")
        .pointer("about.example", CNAME, "round.example")
        .pointer("strange.example", CNAME, "what is.this.example")
        .address("what is.this.example", "192.0.2.9");
    let long = (0..40).fold(zone, |zone, step| {
        let (here, there) = (
            format!("{step}.long.example"),
            format!("{}.long.example", step + 1),
        );
        zone.pointer(&here, CNAME, &there)
    });
    long.address("40.long.example", "192.0.2.10").serve()
}

fn asked_names(server: &NameServer) -> Vec<String> {
    server.asked().into_iter().map(|(name, _)| name).collect()
}

/// How often IPv4 addresses were asked for.
fn asked_for_ipv4(server: &NameServer) -> usize {
    server.asked().iter().filter(|(_, kind)| *kind == A).count()
}

async fn addresses(network: &Network, name: &str) -> Result<Vec<String>, ErrorCode> {
    let found = network
        .resolve(Some(name), None, ResolveHints::default())
        .await;
    let mut addresses: Vec<_> = found
        .map_err(|error| error.code())?
        .iter()
        .map(|info| info.address.ip().to_string())
        .collect();
    addresses.dedup();
    Ok(addresses)
}

#[tokio::test]
async fn a_name_has_its_addresses_of_both_families() {
    let server = name_server();
    let mut found = addresses(&server.network(), "DB.example.").await.unwrap();
    found.sort();
    assert_eq!(found, ["192.0.2.7", "2001:db8::7"]);
}

#[tokio::test]
async fn failures_are_told_apart() {
    let network = name_server().network();
    for (name, code) in [
        ("puzzled.example", ErrorCode::NameLookupFailed),
        ("unwilling.example", ErrorCode::NameLookupFailed),
        ("perhaps.example", ErrorCode::NameTemporaryFailure),
        ("lost.example", ErrorCode::NameNotFound),
        ("round.example", ErrorCode::NameNoData),
        ("strange.example", ErrorCode::NameLookupFailed),
        ("0.long.example", ErrorCode::NameLookupFailed),
        ("nobody.example", ErrorCode::NameNotFound),
        ("empty.example", ErrorCode::NameNoData),
        ("refused.example", ErrorCode::NameLookupFailed),
        ("broken.example", ErrorCode::NameTemporaryFailure),
    ] {
        assert_eq!(addresses(&network, name).await, Err(code), "{name}");
    }
}

#[tokio::test]
async fn one_family_is_enough() {
    let network = name_server().network();
    let found = addresses(&network, "half.example").await;
    assert_eq!(found.unwrap(), ["192.0.2.8"]);
}

async fn canonical_name(network: &Network, name: &str) -> Option<String> {
    let hints = ResolveHints {
        canonical_name: true,
        ..ResolveHints::default()
    };
    let found = network.resolve(Some(name), None, hints).await.unwrap();
    assert!(
        found
            .iter()
            .skip(1)
            .all(|info| info.canonical_name.is_none())
    );
    found.into_iter().next().unwrap().canonical_name
}

#[tokio::test]
async fn the_canonical_name_is_the_end_of_the_aliases() {
    let network = name_server().network();
    for name in ["www.example", "web.example", "DB.example"] {
        let found = canonical_name(&network, name).await;
        assert_eq!(found.as_deref(), Some("db.example"), "{name}");
        // From memory as well.
        let found = canonical_name(&network, name).await;
        assert_eq!(found.as_deref(), Some("db.example"), "{name}");
    }
    let found = canonical_name(&network, "25.long.example").await;
    assert_eq!(found.as_deref(), Some("40.long.example"));
}

#[tokio::test]
async fn the_name_asked_for_is_granted_and_not_what_it_is_an_alias_of() {
    let server = name_server();
    let check = async |grant: &str, expected| {
        let network = server.network_within(Policy::builder().allow(grant).build().unwrap());
        let found = addresses(&network, "www.example")
            .await
            .map(|found| found.len());
        assert_eq!(found, expected, "{grant}");
    };
    check("resolve www.example", Ok(2)).await;
    check("resolve web.example", Err(ErrorCode::AccessDenied)).await;
    check("resolve db.example", Err(ErrorCode::AccessDenied)).await;
}

#[tokio::test]
async fn an_alias_is_no_way_around_a_deny() {
    let server = name_server();
    for (deny, denied) in [
        ("resolve web.example", "resolve web.example"),
        ("resolve db.example", "resolve db.example"),
        ("connect tcp://web.example:*", "resolve web.example"),
        ("connect tcp://db.example:*", "resolve db.example"),
    ] {
        let policy = Policy::builder().allow("resolve *").deny(deny);
        let denials = Denials::default();
        let network = server.network_within(policy.build().unwrap());
        let network = network.with_audit(denials.clone());
        let hints = ResolveHints::default();
        let error = network.resolve(Some("www.example"), None, hints).await;
        // The guest hears of its own request.
        let error = error.unwrap_err();
        assert_eq!(error.code(), ErrorCode::AccessDenied, "{deny}");
        assert_eq!(error.message(), "resolve www.example is not granted");
        let expected = format!("{denied}: denied by: {deny}");
        assert_eq!(denials.all(), [expected]);
    }
}

#[tokio::test]
async fn an_alias_is_no_way_around_a_deny_of_one_port() {
    let server = name_server();
    let policy = Policy::builder()
        .allow("connect tcp://www.example:*")
        .deny("connect tcp://web.example:443");
    let denials = Denials::default();
    let network = server.network_within(policy.build().unwrap());
    let network = network.with_audit(denials.clone());
    let socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    let by_name = Endpoint::Name {
        host: "www.example".into(),
        port: Service::Port(443),
    };
    let error = socket.connect(&by_name).await.unwrap_err();
    assert_eq!(
        error.message(),
        "connect tcp://www.example:443 is not granted"
    );
    // What it leads to may be known, and is not to be connected to.
    addresses(&network, "www.example").await.unwrap();
    let by_number = Endpoint::Address(SocketAddress::Inet(([192, 0, 2, 7], 443).into()));
    let error = socket.connect(&by_number).await.unwrap_err();
    // Of names that it did not ask for, the guest does not hear.
    let asked = "connect tcp://192.0.2.7:443 is not granted";
    assert_eq!(
        (error.code(), error.message()),
        (ErrorCode::AccessDenied, asked)
    );
    let denial = "connect tcp://web.example:443: denied by: connect tcp://web.example:443";
    assert_eq!(denials.all(), [denial, denial]);
}

#[tokio::test]
async fn an_answer_is_kept_for_its_time_to_live_and_no_longer() {
    let server = name_server();
    let network = server.network();
    addresses(&network, "short.example").await.unwrap();
    let asked = asked_for_ipv4(&server);
    server.change(Zone::default().address("short.example", "192.0.2.99"));
    let found = addresses(&network, "short.example").await.unwrap();
    assert_eq!(found, ["192.0.2.7"]);
    assert_eq!(asked_for_ipv4(&server), asked, "it is remembered");
    let begin = Instant::now();
    while asked_for_ipv4(&server) == asked {
        assert!(
            begin.elapsed() < Duration::from_secs(30),
            "it is never asked again"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        addresses(&network, "short.example").await.unwrap();
    }
    let found = addresses(&network, "short.example").await.unwrap();
    assert_eq!(found, ["192.0.2.99"]);
    assert!(
        begin.elapsed() >= Duration::from_millis(500),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test]
async fn what_is_asked_is_what_was_checked() {
    let server = name_server();
    // Without search domains, whatever this machine is set up with.
    let _ = addresses(&server.network(), "single").await;
    assert!(
        asked_names(&server).iter().all(|name| name == "single"),
        "{:?}",
        asked_names(&server)
    );
}

#[tokio::test]
async fn an_ungranted_name_and_localhost_are_never_asked_for() {
    let server = name_server();
    let policy = Policy::builder().allow("resolve other.example");
    let network = server.network_within(policy.build().unwrap());
    assert_eq!(
        addresses(&network, "db.example").await,
        Err(ErrorCode::AccessDenied)
    );
    assert_eq!(
        addresses(&network, "deep.localhost").await.unwrap(),
        ["::1", "127.0.0.1"]
    );
    assert!(asked_names(&server).is_empty());
}

#[tokio::test]
async fn a_name_server_that_does_not_answer_is_a_failure_that_may_pass() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    drop(silent);
    let policy = Policy::builder().allow("resolve *").build().unwrap();
    let network = Network::new(policy).with_resolver(DnsResolver::at(address));
    assert_eq!(
        addresses(&network, "db.example").await,
        Err(ErrorCode::NameTemporaryFailure)
    );
}

/// How long a lookup may take at most that waits for no answer that never comes;
/// one that does takes ten seconds.
const PROMPT: Duration = Duration::from_secs(4);

#[tokio::test]
async fn an_answer_for_one_family_does_not_wait_for_one_that_never_comes() {
    let server = Zone::default()
        .address("four.example", "192.0.2.7")
        .drop("four.example", AAAA)
        .address("six.example", "2001:db8::7")
        .drop("six.example", A)
        .drop("lost.example", AAAA)
        .serve();
    let network = server.network();
    let begin = Instant::now();
    let found = addresses(&network, "four.example").await;
    assert_eq!(found.unwrap(), ["192.0.2.7"]);
    let found = addresses(&network, "six.example").await;
    assert_eq!(found.unwrap(), ["2001:db8::7"]);
    // That a name is not there holds for both families.
    let found = addresses(&network, "lost.example").await;
    assert_eq!(found, Err(ErrorCode::NameNotFound));
    assert!(begin.elapsed() < PROMPT, "{:?}", begin.elapsed());
}

async fn of_family(network: &Network, name: &str, family: Family) -> Result<usize, ErrorCode> {
    let hints = ResolveHints {
        family: Some(family),
        ..ResolveHints::default()
    };
    let found = network.resolve(Some(name), None, hints).await;
    found.map(|found| found.len()).map_err(|error| error.code())
}

#[tokio::test]
async fn one_family_is_asked_for_where_one_is_wanted() {
    let server = Zone::default()
        .address("four.example", "192.0.2.7")
        .drop("four.example", AAAA)
        .address("six.example", "2001:db8::7")
        .serve();
    let network = server.network();
    let begin = Instant::now();
    let found = of_family(&network, "four.example", Family::Inet).await;
    assert_eq!(found, Ok(2), "a stream and datagrams");
    let missing = of_family(&network, "six.example", Family::Inet).await;
    assert_eq!(missing, Err(ErrorCode::NameFamilyNotSupported));
    assert!(begin.elapsed() < PROMPT, "{:?}", begin.elapsed());
    // Where an answer is late, the other family is a witness.
    assert!(server.asked().first().is_some_and(|(_, kind)| *kind == A));
}

/// The SDK tries IPv6 first, and then IPv4.
#[tokio::test]
async fn a_family_that_is_never_answered_for_fails_while_the_other_is() {
    let server = Zone::default()
        .address("four.example", "192.0.2.7")
        .drop("four.example", AAAA)
        .serve();
    let network = server.network();
    let begin = Instant::now();
    let missing = of_family(&network, "four.example", Family::Inet6).await;
    assert_eq!(missing, Err(ErrorCode::NameTemporaryFailure));
    assert!(begin.elapsed() < PROMPT, "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_socket_looks_its_own_family_up() {
    let server = Zone::default()
        .address("four.example", "127.0.0.1")
        .drop("four.example", AAAA)
        .serve();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = Policy::builder()
        .allow(&format!("connect tcp://four.example:{port} in loopback"))
        .build()
        .unwrap();
    let network = server.network_within(policy);
    let socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    let remote = Endpoint::Name {
        host: "four.example".into(),
        port: Service::Port(port),
    };
    let begin = Instant::now();
    socket.connect(&remote).await.unwrap();
    assert!(begin.elapsed() < PROMPT, "{:?}", begin.elapsed());
    // Where an answer is late, the other family is a witness.
    assert!(server.asked().first().is_some_and(|(_, kind)| *kind == A));
}

/// The SDK tries the other family next, and this one must not look like an attack.
#[tokio::test]
async fn a_family_that_may_not_be_connected_to_is_no_denial_where_the_other_may() {
    let server = name_server();
    let of = |range: &str| {
        let grant = format!("connect udp://db.example:9 in {range}");
        let policy = Policy::builder().allow(&grant).build().unwrap();
        let denials = Denials::default();
        let network = server.network_within(policy).with_audit(denials.clone());
        (network, denials)
    };
    let connect = async |network: &Network| {
        let socket = network.open(Family::Inet6, SocketType::Datagram, 0);
        let there = Endpoint::Name {
            host: "db.example".into(),
            port: Service::Port(9),
        };
        socket.unwrap().connect(&there).await.unwrap_err().code()
    };
    let (network, denials) = of("192.0.2.0/24");
    assert_eq!(connect(&network).await, ErrorCode::NameFamilyNotSupported);
    assert!(denials.all().is_empty(), "{:?}", denials.all());
    let (network, denials) = of("private");
    assert_eq!(connect(&network).await, ErrorCode::AccessDenied);
    assert_eq!(denials.all().len(), 1, "{:?}", denials.all());
}

#[tokio::test]
async fn a_name_with_very_many_addresses_has_some_of_each_family() {
    let zone = (1..=35).fold(Zone::default(), |zone, number| {
        zone.address("m.x", &format!("192.0.2.{number}"))
            .address("m.x", &format!("2001:db8::{number}"))
    });
    let found = addresses(&zone.serve().network(), "m.x").await;
    let found = found.unwrap();
    assert_eq!(found.len(), 64);
    assert_eq!(found.iter().filter(|ip| ip.contains(':')).count(), 32);
}

#[tokio::test]
async fn a_timeout_covers_the_lookup() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let policy = Policy::builder()
        .allow("connect tcp://db.example:1")
        .build()
        .unwrap();
    let resolver = DnsResolver::at(silent.local_addr().unwrap());
    let network = Network::new(policy).with_resolver(resolver);
    let mut socket = network.open(Family::Inet, SocketType::Stream, 0).unwrap();
    socket.set_timeout(Some(Duration::from_millis(100)));
    let server = Endpoint::Name {
        host: "db.example".into(),
        port: Service::Port(1),
    };
    let begin = Instant::now();
    let error = socket.connect(&server).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TimedOut);
    assert!(begin.elapsed() < Duration::from_secs(2));
}
