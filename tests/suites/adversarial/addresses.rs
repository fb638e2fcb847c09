//! Other spellings of an address that is denied, and addresses that are not what
//! they look like.

use std::net::SocketAddr;

use portcullis::TableResolver;
use portcullis_policy::{Connect, Name, Protocol};
use portcullis_tests::{Guest, Script};

use crate::{Server, guest, is_greeted, policy};

/// Everything, over both protocols.
const EVERYTHING: [&str; 4] = [
    "connect tcp://any:*",
    "connect udp://any:*",
    "listen tcp://*:*",
    "listen udp://*:*",
];

fn family(address: &str) -> &'static str {
    match address.parse().unwrap() {
        SocketAddr::V4(_) => "inet",
        SocketAddr::V6(_) => "inet6",
    }
}

/// An address in an order, which has `%` for something else.
fn word(address: &str) -> String {
    address.replace('%', "%25")
}

/// Tries each way to a destination.
#[track_caller]
fn is_denied_every_way(guest: &mut Script, address: &str) {
    let request = |protocol| Connect::new(protocol, address.parse().unwrap()).to_string();
    let (tcp, udp) = (request(Protocol::Tcp), request(Protocol::Udp));
    let (family, address) = (family(address), word(address));
    guest.does(&format!("open s {family} stream"));
    guest.is_denied(&format!("connect s {address}"), &tcp);
    guest.does(&format!("open d {family} datagram"));
    guest.is_denied(&format!("connect d {address}"), &udp);
    guest.is_denied(&format!("send-to d x {address}"), &udp);
    guest.is_denied(&format!("send-many d x {address}"), &udp);
}

/// Reaches the OS, which connects datagram sockets without sending anything; it
/// may have no way there.
#[track_caller]
fn reaches_the_os(guest: &mut Script, address: &str) {
    guest.does(&format!("open d {} datagram", family(address)));
    // Linux lets no other socket have a broadcast address as its peer.
    guest.does("broadcast d");
    let answer = guest.tell(&format!("connect d {}", word(address)));
    assert!(!answer.is_denied(), "{address}: {answer:?}");
}

/// Checks that forms of 10.1.2.3 are denied with it, and are not without.
#[track_caller]
fn is_denied_with_10_1_2_3(forms: &[&str]) {
    let denied = ["connect tcp://10.1.2.3:*", "connect udp://10.1.2.3:*"];
    let mut attacker = guest(&EVERYTHING, &denied);
    let mut twin = guest(&EVERYTHING, &[]);
    for form in forms {
        let address = format!("[{form}]:80");
        is_denied_every_way(&mut attacker, &address);
        reaches_the_os(&mut twin, &address);
    }
    let told = attacker.end().denials;
    assert_eq!(told.len(), 4 * forms.len(), "{told:?}");
    twin.end();
}

#[test]
fn the_ipv4_mapped_form_of_a_denied_address() {
    is_denied_with_10_1_2_3(&["::ffff:10.1.2.3"]);
    let server = Server::new();
    let port = server.port();
    let mapped = format!("[::ffff:127.0.0.1]:{port}");
    let denied = ["connect tcp://127.0.0.1:*", "connect udp://127.0.0.1:*"];
    let mut attacker = guest(&EVERYTHING, &denied);
    is_denied_every_way(&mut attacker, &mapped);
    assert_eq!(server.visitors(), 0);
    is_greeted(&mut guest(&EVERYTHING, &[]), "inet6", &mapped);
}

#[test]
fn the_ipv4_compatible_form_of_a_denied_address() {
    is_denied_with_10_1_2_3(&["::10.1.2.3"]);
}

#[test]
fn the_nat64_form_of_a_denied_address() {
    is_denied_with_10_1_2_3(&["64:ff9b::10.1.2.3"]);
}

/// RFC 6052, section 2.2: prefixes of 48, 56, 64 and 96 bits.
#[test]
fn the_local_nat64_forms_of_a_denied_address() {
    is_denied_with_10_1_2_3(&[
        "64:ff9b:1:a01:2:300::",
        "64:ff9b:1:a:1:203::",
        "64:ff9b:1:0:a:102:300:0",
        "64:ff9b:1::10.1.2.3",
    ]);
}

#[test]
fn the_6to4_form_of_a_denied_address() {
    is_denied_with_10_1_2_3(&["2002:a01:203::", "2002:a01:203::1"]);
}

/// The server's address as it is, the client's inverted.
#[test]
fn the_teredo_forms_of_a_denied_address() {
    is_denied_with_10_1_2_3(&[
        "2001:0:a01:203:8000:63bf:3fff:fdd2",
        "2001:0:4136:e378:8000:63bf:f5fe:fdfc",
    ]);
}

#[test]
fn the_isatap_and_translated_forms_of_a_denied_address() {
    is_denied_with_10_1_2_3(&[
        "2001:db8::5efe:10.1.2.3",
        "fe80::200:5efe:10.1.2.3",
        "::ffff:0:10.1.2.3",
    ]);
}

/// Who may reach an address may not reach whatever a translator makes of others.
#[test]
fn a_grant_covers_no_address_that_carries_its_own() {
    let grants = ["connect tcp://10.1.2.3:80", "connect udp://10.1.2.3:80"];
    let mut guest = guest(&grants, &[]);
    for form in [
        "::10.1.2.3",
        "64:ff9b::10.1.2.3",
        "64:ff9b:1::10.1.2.3",
        "2002:a01:203::",
        "2001:0:4136:e378:8000:63bf:f5fe:fdfc",
    ] {
        is_denied_every_way(&mut guest, &format!("[{form}]:80"));
    }
    guest.does("open d inet6 datagram");
    let mapped = guest.tell("connect d [::ffff:10.1.2.3]:80");
    assert!(!mapped.is_denied(), "the same address: {mapped:?}");
    guest.end();
}

#[test]
fn the_mapped_form_of_an_address_that_is_not_to_be_bound() {
    let denied = [
        "listen tcp://127.0.0.1:*",
        "listen udp://127.0.0.1:*",
        "bind tcp://127.0.0.1:*",
    ];
    let mut attacker = guest(&EVERYTHING, &denied);
    attacker.does("open s inet6 stream");
    attacker.is_denied("bind s [::ffff:127.0.0.1]:0", "bind tcp://127.0.0.1:0");
    attacker.does("open d inet6 datagram");
    attacker.is_denied("bind d [::ffff:127.0.0.1]:0", "bind udp://127.0.0.1:0");
    let mut twin = guest(&EVERYTHING, &[]);
    for kind in ["stream", "datagram"] {
        twin.does(&format!("open s inet6 {kind}"));
        twin.does("bind s [::ffff:127.0.0.1]:0");
    }
}

#[test]
fn the_unspecified_address_as_a_destination_is_loopback() {
    for (here, unspecified) in [
        ("127.0.0.1:0", "0.0.0.0"),
        ("127.0.0.1:0", "[::ffff:0.0.0.0]"),
        ("[::1]:0", "[::]"),
    ] {
        let server = Server::at(here);
        let address = format!("{unspecified}:{}", server.port());
        let loopback = ["connect tcp://loopback:*", "connect udp://loopback:*"];
        // Public addresses are not loopback; and a deny of loopback is one of it.
        let public = ["connect tcp://*:*", "connect udp://*:*"];
        is_denied_every_way(&mut guest(&public, &[]), &address);
        is_denied_every_way(&mut guest(&EVERYTHING, &loopback), &address);
        // A grant of it as an address to listen at is none to connect.
        let listening = ["listen tcp://0.0.0.0:*", "listen tcp://[::]:*"];
        is_denied_every_way(&mut guest(&listening, &[]), &address);
        assert_eq!(server.visitors(), 0);
        let mut twin = guest(&[&format!("connect tcp://{}", server.address)], &[]);
        is_greeted(&mut twin, family(&address), &address);
    }
}

const METADATA: [&str; 9] = [
    "169.254.169.254:80",
    "[::ffff:169.254.169.254]:80",
    "[64:ff9b::169.254.169.254]:80",
    "[2002:a9fe:a9fe::1]:80",
    "[fd00:ec2::254]:80",
    "[fe80::a9fe:a9fe%1]:80",
    "100.100.100.200:80",
    "168.63.129.16:80",
    "192.0.0.192:80",
];

#[test]
fn metadata_servers_are_not_public() {
    let words = ["*", "any", "public", "private", "link-local"];
    let grants = |protocol: &str| words.map(|word| format!("connect {protocol}://{word}:*"));
    let grants = [grants("tcp"), grants("udp")].concat();
    let grants: Vec<&str> = grants.iter().map(String::as_str).collect();
    let mut attacker = guest(&grants, &[]);
    for address in METADATA {
        is_denied_every_way(&mut attacker, address);
        // Grants have no zones.
        let grant = format!("connect udp://{}", address.replace("%1", ""));
        let mut twin = guest(&[&grant], &[]);
        twin.does(&format!("open d {} datagram", family(address)));
        let answer = twin.tell(&format!("connect d {}", word(address)));
        assert!(!answer.is_denied(), "{address}: {answer:?}");
    }
}

#[test]
fn a_name_of_a_metadata_server_is_not_public() {
    let resolver = || {
        let name = Name::parse("metadata.google.internal").unwrap();
        let address = "169.254.169.254".parse().unwrap();
        TableResolver::from_iter([(name, vec![address])])
    };
    let to = "name:metadata.google.internal:80";
    let request = "udp://metadata.google.internal:80";
    for grant in [
        "connect udp://*:*",
        "connect udp://*.internal:80",
        "connect udp://*.internal:80 in any,link-local",
    ] {
        let attacker = Guest::script().policy(policy(&[grant], &[]));
        let mut attacker = attacker.resolver(resolver()).begin();
        attacker.does("open d inet datagram");
        attacker.is_denied(&format!("connect d {to}"), &format!("connect {request}"));
        attacker.is_denied(&format!("send-to d x {to}"), &format!("connect {request}"));
    }
    let grant = format!("connect {request} in metadata");
    let twin = Guest::script().policy(policy(&[&grant], &[]));
    let mut twin = twin.resolver(resolver()).begin();
    twin.does("open d inet datagram");
    let answer = twin.tell(&format!("connect d {to}"));
    assert!(!answer.is_denied(), "{answer:?}");
}

#[test]
fn broadcast_multicast_and_reserved_addresses_are_not_public() {
    let mut attacker = guest(&["connect tcp://*:*", "connect udp://*:*"], &[]);
    let mut twin = guest(&EVERYTHING, &[]);
    for address in [
        "255.255.255.255:9",
        "[::ffff:255.255.255.255]:9",
        "224.0.0.1:9",
        "239.255.255.250:1900",
        "[ff02::1%1]:9",
        "[ff05::2]:9",
        "240.0.0.1:9",
        "[::ffff:240.0.0.1]:9",
        "0.1.2.3:9",
    ] {
        is_denied_every_way(&mut attacker, address);
        reaches_the_os(&mut twin, address);
    }
    attacker.does("open d inet datagram");
    let broadcast = attacker.tell("broadcast d");
    assert!(broadcast.is_denied(), "{broadcast:?}");
}

#[test]
fn a_zone_does_not_make_it_another_address() {
    let server = Server::at("[::1]:0");
    let port = server.port();
    let forms = [format!("[::1%1]:{port}"), format!("[::1%77]:{port}")];
    let denied = [
        "connect tcp://[::1]:*",
        "connect udp://[::1]:*",
        "connect tcp://[fe80::1]:*",
        "connect udp://[fe80::1]:*",
        "connect tcp://127.0.0.1:*",
        "connect udp://127.0.0.1:*",
    ];
    let mut attacker = guest(&EVERYTHING, &denied);
    let mut twin = guest(&EVERYTHING, &[]);
    for form in &forms {
        is_denied_every_way(&mut attacker, form);
        is_greeted(&mut twin, "inet6", &word(form));
    }
    assert_eq!(server.visitors(), forms.len());
    for form in [
        "[fe80::1%1]:80",
        "[fe80::1%77]:80",
        "[::ffff:127.0.0.1%7]:9",
    ] {
        is_denied_every_way(&mut attacker, form);
        reaches_the_os(&mut twin, form);
    }
}

#[test]
fn port_zero_to_bind_is_in_no_range() {
    let ranges = [
        "bind tcp://127.0.0.1:1-65535",
        "bind udp://127.0.0.1:1-65535",
        "listen tcp://*:1-65535",
    ];
    let mut attacker = guest(&ranges, &[]);
    attacker.does("open s inet stream");
    attacker.is_denied("bind s 127.0.0.1:0", "bind tcp://127.0.0.1:0");
    attacker.is_denied("bind s name:127.0.0.1:0", "bind tcp://127.0.0.1:0");
    attacker.is_denied("listen s", "listen tcp://0.0.0.0:0");
    attacker.does("open d inet datagram");
    attacker.is_denied("bind d 127.0.0.1:0", "listen udp://127.0.0.1:0");
    let zeros = [
        "listen tcp://127.0.0.1:0",
        "listen udp://127.0.0.1:0",
        "listen tcp://0.0.0.0:0",
    ];
    let mut twin = guest(&zeros, &[]);
    twin.does("open s inet stream");
    twin.does("bind s 127.0.0.1:0");
    twin.does("listen s");
    twin.does("open s inet stream");
    twin.does("listen s");
    twin.does("open d inet datagram");
    twin.does("bind d 127.0.0.1:0");
}

#[test]
fn port_zero_to_connect_to_is_in_no_range() {
    let ranges = ["connect tcp://any:1-65535", "connect udp://any:1-65535"];
    let mut attacker = guest(&ranges, &[]);
    is_denied_every_way(&mut attacker, "127.0.0.1:0");
    is_denied_every_way(&mut attacker, "[::1]:0");
    let mut twin = guest(&EVERYTHING, &[]);
    for address in ["127.0.0.1:0", "[::1]:0"] {
        twin.does(&format!("open s {} stream", family(address)));
        twin.fails(&format!("connect s {address}"), "ConnectionRefused");
        twin.does(&format!("open d {} datagram", family(address)));
        twin.fails(&format!("send-to d x {address}"), "InvalidArgument");
    }
}
