//! Policies that let everything pass and tell what would have been denied.

use portcullis_policy::{Accept, Connect, Listen, Name, Policy, Protocol, Request};

fn connect(address: &str) -> Connect {
    Connect::new(Protocol::Tcp, address.parse().unwrap())
}

#[test]
fn a_shadowed_policy_lets_pass_and_tells_of_it() {
    let policy = Policy::builder()
        .allow("connect tcp://10.0.0.5:1")
        .deny("connect tcp://10.0.0.6:*")
        .build()
        .unwrap();
    let shadowed = policy.clone().shadowed();
    for address in ["10.0.0.5:1", "10.0.0.5:2", "10.0.0.6:1"] {
        let enforced = policy.check(connect(address));
        let permit = shadowed.check(connect(address)).unwrap();
        assert_eq!(permit.shadowed(), enforced.as_ref().err(), "{address}");
    }
}

#[test]
fn a_layer_that_is_added_to_a_shadowed_policy_denies() {
    let narrower = Policy::builder().allow("connect tcp://10.0.0.5:1").build();
    let policy = Policy::default().shadowed().and(&narrower.unwrap());
    let permit = policy.check(connect("10.0.0.5:1")).unwrap();
    assert!(permit.shadowed().is_some());
    let _ = policy.check(connect("10.0.0.5:2")).unwrap_err();
}

#[test]
fn the_narrowest_grant_allows_the_request_and_is_what_a_denial_names() {
    let listen = Listen::new(Protocol::Tcp, "10.0.0.1:80".parse().unwrap(), false);
    let peer = "10.9.9.9:4000".parse().unwrap();
    let name = Name::parse("db.internal").unwrap();
    check(connect("10.0.0.5:1"), "connect tcp://10.0.0.5:1");
    check(
        connect("10.0.0.5:1").named(name),
        "connect tcp://db.internal:1 in private",
    );
    check(
        Accept::new(&listen, peer),
        "listen tcp://10.0.0.1:80 from 10.9.9.9",
    );
    check(listen, "listen tcp://10.0.0.1:80");
}

fn check(request: impl Request + Clone, text: &str) {
    let narrowest = request.narrowest().unwrap();
    assert_eq!(narrowest.to_string(), text);
    let denial = Policy::default().check(request.clone()).unwrap_err();
    assert_eq!(denial.remedy().unwrap(), format!("--allow '{narrowest}'"));
    let policy = Policy::builder().allow(text).build().unwrap();
    let _ = policy.check(request).unwrap();
}
