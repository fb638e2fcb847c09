//! Names and hosts: what is one, in which form, and what is not.

use std::net::IpAddr;

use portcullis_policy::{Host, Name, NameError, canonical};

use crate::check::{Verdict, check};

#[track_caller]
fn is(text: &str, canonical: &str) {
    assert_eq!(Name::parse(text).unwrap().as_str(), canonical);
}

#[track_caller]
fn is_not(text: &str, why: NameError) {
    assert_eq!(Name::parse(text), Err(why), "{text}");
}

#[test]
fn names_are_lower_case_ascii_without_the_trailing_dot() {
    is("DB.Internal", "db.internal");
    is("example.com.", "example.com");
    is("bücher.example", "xn--bcher-kva.example");
    is("BÜCHER.example", "xn--bcher-kva.example");
    is("xn--bcher-kva.example", "xn--bcher-kva.example");
    is("example。com", "example.com");
    is("ｅｘａｍｐｌｅ.com", "example.com");
    is("_sip._tcp.example.com", "_sip._tcp.example.com");
    is("r3---sn-abc.example.com", "r3---sn-abc.example.com");
    is("1e100.net", "1e100.net");
    is("3com", "3com");
    is(&"a.".repeat(127), "a.".repeat(127).trim_end_matches('.'));
    is(
        &format!("{}.com", "a".repeat(63)),
        &format!("{}.com", "a".repeat(63)),
    );
}

#[test]
fn what_looks_alike_stays_different() {
    let plain = Name::parse("paypal.com").unwrap();
    for other in [
        "p\u{430}ypal.com", // Cyrillic a
        "paypa\u{4cf}.com", // Cyrillic palochka
        "pa\u{443}pal.com",
        "payp\u{e1}l.com",
    ] {
        let other = Name::parse(other).unwrap();
        assert_ne!(plain, other);
        assert!(other.as_str().is_ascii());
    }
    // But what IDNA maps is the same: full width, and what nobody sees.
    is("ｐaypal.com", "paypal.com");
    is("pay\u{ad}pal\u{200b}.com", "paypal.com");
    is("local\u{ad}host", "localhost");
}

#[test]
fn a_name_is_the_same_in_either_form_in_grants_and_requests() {
    for (grant, name) in [
        ("bücher.de", "xn--bcher-kva.de"),
        ("xn--bcher-kva.de", "BÜCHER.de."),
        ("*.bücher.de", "www.xn--bcher-kva.de"),
        ("BU\u{308}CHER.de", "bücher.de"),
    ] {
        let lookup = format!("lookup connect tcp {name} 80");
        let grant = format!("connect tcp://{grant}:80");
        check(&grant, &lookup, Verdict::Allow);
        check(&grant, "lookup connect tcp bucher.de 80", Verdict::Deny);
        let deny = format!("connect tcp://*:80;deny {grant}");
        check(&deny, &lookup, Verdict::Deny);
        check(&deny, "lookup connect tcp bucher.de 80", Verdict::Allow);
    }
}

#[test]
fn what_is_malformed_is_no_name() {
    is_not("", NameError::Empty);
    is_not(".", NameError::EmptyLabel);
    is_not("a..b", NameError::EmptyLabel);
    is_not(".a", NameError::EmptyLabel);
    is_not("a..", NameError::EmptyLabel);
    is_not(&"a".repeat(64), NameError::LabelTooLong);
    is_not(&"a.".repeat(128), NameError::TooLong);
    is_not(&"a".repeat(100_000), NameError::TooLong);
    is_not("-a.com", NameError::Hyphen);
    is_not("a-.com", NameError::Hyphen);
    is_not("xn--a.com", NameError::International);
    is_not("a\u{2100}b.com", NameError::International);
    for c in [
        '\0', '\n', ' ', '\u{7f}', '@', '[', ']', '/', '\\', '%', ':', '?', '#', '*', '\'',
    ] {
        is_not(&format!("a{c}b.com"), NameError::Character(c));
    }
}

#[test]
fn numeric_spellings_are_no_names() {
    for number in [
        "0x7f000001",
        "127.1",
        "2130706433",
        "012.0.0.1",
        "0x7f.1",
        "1.2.3.4.5",
        "256.0.0.1",
        "1.2.3.4.",
        "a.1",
        "a.0x1",
        "a.0X",
        "0x",
        "１２７.0.0.1",
        "127。0。0。1",
        "a.①",
    ] {
        is_not(number, NameError::Number);
        assert_eq!(Host::parse(number), Err(NameError::Number), "{number}");
    }
}

#[test]
fn localhost_is_known_with_what_is_below_it() {
    for (name, local) in [
        ("localhost", true),
        ("LOCALHOST.", true),
        ("app.localhost", true),
        ("notlocalhost", false),
        ("localhost.example.com", false),
    ] {
        assert_eq!(Name::parse(name).unwrap().is_localhost(), local, "{name}");
    }
}

#[test]
fn hosts_are_exact_addresses_or_names() {
    for (text, address) in [
        ("10.0.0.5", "10.0.0.5"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[::ffff:1.2.3.4]", "::ffff:1.2.3.4"),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(Host::parse(text), Ok(Host::Address(address)), "{text}");
    }
    let name = Name::parse("db.internal").unwrap();
    assert_eq!(Host::parse("db.internal"), Ok(Host::Name(name)));
    for (text, why) in [
        ("fe80::1%eth0", NameError::Zone),
        ("[fe80::1%2]", NameError::Zone),
        ("[1.2.3.4]", NameError::Address),
        ("[db.internal]", NameError::Address),
        ("1:2", NameError::Address),
        ("[::1", NameError::Address),
        (" 10.0.0.5", NameError::Character(' ')),
    ] {
        assert_eq!(Host::parse(text), Err(why), "{text}");
    }
}

#[test]
fn canonical_addresses_drop_what_does_not_distinguish_them() {
    use std::net::{SocketAddr, SocketAddrV6};
    let v6 = |ip: &str| SocketAddr::V6(SocketAddrV6::new(ip.parse().unwrap(), 80, 7, 3));
    for (given, expected) in [
        (v6("::ffff:10.0.0.1"), "10.0.0.1:80"),
        (v6("2606::1"), "[2606::1]:80"),
        (v6("fe80::1"), "[fe80::1%3]:80"),
        (v6("ff02::1"), "[ff02::1%3]:80"),
        (v6("ff05::1"), "[ff05::1]:80"),
    ] {
        assert_eq!(canonical(given), expected.parse().unwrap());
    }
    let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
    assert_eq!(canonical(mapped).to_string(), "10.0.0.1");
}
