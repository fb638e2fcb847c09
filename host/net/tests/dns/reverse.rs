//! Addresses to names.

use std::net::{SocketAddr, UdpSocket};

use portcullis_net::{DnsResolver, ErrorCode, Network, ReverseOptions, SocketAddress, UnixAddress};
use portcullis_policy::Policy;

use crate::Denials;
use crate::name_server::{CNAME, NameServer, PTR, REFUSED, SERVER_FAILURE, Zone};

const SIX: &str = "8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

fn name_server() -> NameServer {
    let zone = Zone::default()
        .pointer("5.2.0.192.in-addr.arpa", PTR, "Host5.Example")
        .pointer(SIX, PTR, "host8.example")
        // A part of a network that somebody else looks after (RFC 2317).
        .pointer("6.2.0.192.in-addr.arpa", CNAME, "6.0/25.example")
        .pointer("6.0/25.example", PTR, "host6.example")
        // What is no name, and what another address is called.
        .pointer("7.2.0.192.in-addr.arpa", PTR, "<script>.example")
        .pointer("7.2.0.192.in-addr.arpa", PTR, "127.1")
        .pointer("7.2.0.192.in-addr.arpa", PTR, "localhost")
        .pointer("7.2.0.192.in-addr.arpa", PTR, "host7.example")
        .pointer("8.2.0.192.in-addr.arpa", PTR, "-")
        .empty("9.2.0.192.in-addr.arpa")
        .code("10.2.0.192.in-addr.arpa", PTR, SERVER_FAILURE)
        .code("11.2.0.192.in-addr.arpa", PTR, REFUSED);
    zone.serve()
}

fn granting(server: &NameServer, grant: &str) -> Network {
    server.network_within(Policy::builder().allow(grant).build().unwrap())
}

fn inet(address: &str) -> SocketAddress {
    SocketAddress::Inet(address.parse::<SocketAddr>().unwrap())
}

async fn host(network: &Network, address: &str) -> Result<String, ErrorCode> {
    host_with(network, address, ReverseOptions::default()).await
}

/// The host where a name is required.
async fn name(network: &Network, address: &str) -> Result<String, ErrorCode> {
    let options = ReverseOptions {
        name_required: true,
        ..ReverseOptions::default()
    };
    host_with(network, address, options).await
}

async fn host_with(
    network: &Network,
    address: &str,
    options: ReverseOptions,
) -> Result<String, ErrorCode> {
    match network.reverse(&inet(address), options).await {
        Ok((host, _)) => Ok(host),
        Err(error) => Err(error.code()),
    }
}

#[tokio::test]
async fn an_address_has_its_name() {
    let network = name_server().network();
    for (address, expected) in [
        ("192.0.2.5:80", "host5.example"),
        ("[::ffff:192.0.2.5]:80", "host5.example"),
        ("[2001:db8::8]:80", "host8.example"),
        ("192.0.2.6:80", "host6.example"),
    ] {
        assert_eq!(host(&network, address).await.unwrap(), expected);
        assert_eq!(name(&network, address).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_is_no_name_is_not_told() {
    let network = name_server().network();
    assert_eq!(
        host(&network, "192.0.2.7:80").await.unwrap(),
        "host7.example"
    );
    assert_eq!(host(&network, "192.0.2.8:80").await.unwrap(), "192.0.2.8");
}

#[tokio::test]
async fn an_address_without_a_name_is_its_text_unless_a_name_is_required() {
    let network = name_server().network();
    for (address, text) in [
        ("192.0.2.8:80", "192.0.2.8"),
        ("192.0.2.9:80", "192.0.2.9"),
        ("192.0.2.99:80", "192.0.2.99"),
        ("[::ffff:192.0.2.99]:80", "::ffff:192.0.2.99"),
        ("[fe80::1%3]:80", "fe80::1%3"),
    ] {
        assert_eq!(host(&network, address).await.unwrap(), text);
        let required = name(&network, address).await;
        assert_eq!(required, Err(ErrorCode::NameNotFound), "{address}");
    }
}

#[tokio::test]
async fn a_failure_is_not_taken_for_the_want_of_a_name() {
    let network = name_server().network();
    let failed = Err(ErrorCode::NameTemporaryFailure);
    assert_eq!(host(&network, "192.0.2.10:80").await, failed);
    let refused = Err(ErrorCode::NameLookupFailed);
    assert_eq!(host(&network, "192.0.2.11:80").await, refused);
}

#[tokio::test]
async fn a_name_is_told_under_a_grant_for_it_or_for_the_address() {
    let server = name_server();
    for grant in [
        "resolve 5.2.0.192.in-addr.arpa",
        "resolve *.in-addr.arpa",
        "connect tcp://192.0.2.5:80",
        "connect udp://192.0.2.0/24:53",
    ] {
        let found = host(&granting(&server, grant), "192.0.2.5:443").await;
        assert_eq!(found.as_deref(), Ok("host5.example"), "{grant}");
    }
}

#[tokio::test]
async fn a_name_is_not_asked_for_without_a_grant() {
    let server = name_server();
    for grant in [
        "resolve host5.example",
        "resolve 6.2.0.192.in-addr.arpa",
        "connect tcp://host5.example:80",
        "connect tcp://192.0.2.6:80",
        "listen tcp://192.0.2.5:80",
    ] {
        let denials = Denials::default();
        let network = granting(&server, grant).with_audit(denials.clone());
        let denied = Err(ErrorCode::AccessDenied);
        assert_eq!(host(&network, "192.0.2.5:80").await, denied, "{grant}");
        assert_eq!(name(&network, "192.0.2.5:80").await, denied, "{grant}");
        assert_eq!(denials.all().len(), 2, "{grant}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[tokio::test]
async fn an_address_that_is_denied_has_no_name() {
    let server = name_server();
    for deny in [
        "resolve 5.2.0.192.in-addr.arpa",
        "connect tcp://192.0.2.0/24:*",
    ] {
        let policy = Policy::builder().allow("resolve *").deny(deny);
        let network = server.network_within(policy.build().unwrap());
        let denied = Err(ErrorCode::AccessDenied);
        assert_eq!(host(&network, "192.0.2.5:80").await, denied, "{deny}");
    }
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[tokio::test]
async fn loopback_and_the_policys_own_hosts_take_no_grant_and_no_server() {
    let server = name_server();
    let policy = "version = 1\n[hosts]\n\"db.internal\" = [\"192.0.2.5\"]\n";
    let policy = Policy::builder().file("policy.toml", policy);
    let network = server.network_within(policy.clone().build().unwrap());
    for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80"] {
        assert_eq!(name(&network, address).await.unwrap(), "localhost");
    }
    assert_eq!(name(&network, "192.0.2.5:80").await.unwrap(), "db.internal");

    let policy = policy.deny("connect tcp://192.0.2.5:*").build().unwrap();
    let network = server.network_within(policy);
    let denied = Err(ErrorCode::AccessDenied);
    assert_eq!(name(&network, "192.0.2.5:80").await, denied);
    assert!(server.asked().is_empty(), "{:?}", server.asked());
}

#[tokio::test]
async fn a_port_is_its_service_or_its_number() {
    let network = Network::new(Policy::default());
    let service = async |port: u16, datagram, numeric_service| {
        let options = ReverseOptions {
            datagram,
            numeric_service,
            ..ReverseOptions::default()
        };
        let address = inet(&format!("127.0.0.1:{port}"));
        network.reverse(&address, options).await.unwrap().1
    };
    assert_eq!(service(80, false, false).await, "http");
    assert_eq!(service(80, false, true).await, "80");
    assert_eq!(service(514, false, false).await, "shell");
    assert_eq!(service(514, true, false).await, "syslog");
    assert_eq!(service(80, true, false).await, "80");
    assert_eq!(service(2, false, false).await, "2");
}

#[tokio::test]
async fn a_number_that_is_asked_for_takes_no_grant() {
    let network = Network::new(Policy::default());
    let numeric = |name_required| ReverseOptions {
        numeric_host: true,
        name_required,
        ..ReverseOptions::default()
    };
    let address = inet("192.0.2.5:80");
    let (host, _) = network.reverse(&address, numeric(false)).await.unwrap();
    assert_eq!(host, "192.0.2.5");
    let error = network.reverse(&address, numeric(true)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NameNotFound);
}

#[tokio::test]
async fn a_unix_address_has_no_name() {
    let network = Network::new(Policy::default());
    let address = SocketAddress::Unix(UnixAddress::Path(b"/run/x".to_vec()));
    let found = network.reverse(&address, ReverseOptions::default()).await;
    let code = found.unwrap_err().code();
    assert_eq!(code, ErrorCode::NameFamilyNotSupported);
}

#[tokio::test]
async fn a_name_server_that_is_not_there_is_a_failure_that_may_pass() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let policy = Policy::builder().allow("resolve *").build().unwrap();
    let network = Network::new(policy).with_resolver(DnsResolver::at(address));
    let failed = Err(ErrorCode::NameTemporaryFailure);
    assert_eq!(host(&network, "192.0.2.5:80").await, failed);
}
