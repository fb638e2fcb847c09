//! Policies as wholes: layers, host names, and what they are by default.

use portcullis_policy::{Name, Policy};

use crate::check::{decide, policy};

#[test]
fn the_default_policy_allows_nothing() {
    for request in [
        "connect tcp://1.1.1.1:80",
        "bind tcp://127.0.0.1:0",
        "resolve a.b",
    ] {
        assert!(decide(&Policy::default(), request).is_err(), "{request}");
    }
    assert_eq!(Policy::default().host_name(), "localhost");
}

#[test]
fn every_layer_must_allow_and_the_first_denial_is_told() {
    let outer = policy("connect tcp://10.0.0.0/8:*");
    let inner = policy("connect tcp://10.0.0.5:*;connect tcp://1.1.1.1:*");
    let both = outer.and(&inner);
    assert!(decide(&both, "connect tcp://10.0.0.5:80").is_ok());
    assert!(decide(&both, "connect tcp://10.0.0.6:80").is_err());
    assert!(decide(&both, "connect tcp://1.1.1.1:80").is_err());
    assert!(decide(&both.and(&Policy::default()), "connect tcp://10.0.0.5:80").is_err());
    let denial = decide(&both, "connect tcp://1.1.1.1:80").unwrap_err();
    assert_eq!(
        denial.reason().to_string(),
        "no grant covers it; nearest: connect tcp://10.0.0.0/8:* (host differs)"
    );
}

#[test]
fn host_names_and_hosts_come_from_the_first_layer_that_has_them() {
    let file = |text: &str| Policy::builder().file("p", text).build().unwrap();
    let plain = policy("connect tcp://any:*");
    let named = file("version = 1\nhost-name = \"one\"\nhosts.a = [\"10.0.0.1\"]");
    let other = file("version = 1\nhost-name = \"two\"\nhosts.a = [\"10.0.0.2\"]");
    let name = Name::parse("a").unwrap();
    for (policy, host_name, address) in [
        (plain.and(&named).and(&other), "one", "10.0.0.1"),
        (other.and(&named), "two", "10.0.0.2"),
    ] {
        assert_eq!(policy.host_name(), host_name);
        assert_eq!(
            policy.hosts(&name).unwrap(),
            [address.parse::<std::net::IpAddr>().unwrap()]
        );
    }
}

#[test]
fn hosts_are_found_by_address_as_they_are_by_name() {
    let file = |hosts: &str| {
        let text = format!("version = 1\n[hosts]\n{hosts}");
        Policy::builder().file("p", &text).build().unwrap()
    };
    let found = |policy: &Policy, address: &str| {
        let name = policy.hosts_by_address(address.parse().unwrap());
        name.map(|name| name.as_str().to_owned())
    };
    let outer = file("c = [\"10.0.0.1\"]\nb = [\"10.0.0.1\", \"::ffff:10.0.0.2\"]");
    assert_eq!(found(&outer, "10.0.0.1").unwrap(), "b");
    assert_eq!(found(&outer, "10.0.0.2").unwrap(), "b");
    assert_eq!(found(&outer, "::ffff:10.0.0.2").unwrap(), "b");
    assert_eq!(found(&outer, "10.0.0.3"), None);
    assert_eq!(found(&Policy::default(), "10.0.0.1"), None);

    // What the inner layer says of `b` counts no more than it does by name.
    let inner = file("a = [\"10.0.0.1\"]\nb = [\"10.0.0.3\"]\nd = [\"10.0.0.3\"]");
    let both = outer.and(&inner);
    assert_eq!(found(&both, "10.0.0.1").unwrap(), "b");
    assert_eq!(found(&both, "10.0.0.3").unwrap(), "d");
    assert_eq!(found(&policy("").and(&inner), "10.0.0.1").unwrap(), "a");
}

#[test]
fn a_name_in_hosts_still_takes_a_grant() {
    let text = "version = 1\nhosts.\"db.internal\" = [\"10.0.0.5\"]";
    let policy = Policy::builder().file("p", text).build().unwrap();
    assert!(decide(&policy, "resolve db.internal").is_err());
}

#[test]
fn a_policy_of_several_layers_narrows_with_all_of_them() {
    let any = policy("connect tcp://any:*");
    let layered = any.and(&any.and(&policy("connect tcp://10.0.0.5:*")));
    assert!(decide(&layered, "connect tcp://10.0.0.5:80").is_ok());
    assert!(decide(&layered, "connect tcp://10.0.0.6:80").is_err());
}
