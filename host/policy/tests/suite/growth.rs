//! Policies that are granted more while they are in use.

use portcullis_policy::{Accept, Connect, Grant, Listen, Policy, Protocol};

fn connect(address: &str) -> Connect {
    Connect::new(Protocol::Tcp, address.parse().unwrap())
}

fn grant(text: &str) -> Grant {
    Grant::parse(text).unwrap()
}

#[test]
fn a_growing_policy_takes_a_grant_in_every_clone() {
    let policy = Policy::default().growing();
    let (clone, attenuated) = (
        policy.clone(),
        policy.and(
            &Policy::builder()
                .allow("connect tcp://10.0.0.0/8:*")
                .build()
                .unwrap(),
        ),
    );
    policy.grow(&grant("connect tcp://10.0.0.5:1"));
    policy.grow(&grant("connect tcp://192.168.0.1:1"));
    for policy in [&policy, &clone] {
        let _ = policy.check(connect("10.0.0.5:1")).unwrap();
        let _ = policy.check(connect("192.168.0.1:1")).unwrap();
        let _ = policy.check(connect("10.0.0.5:2")).unwrap_err();
    }
    let _ = attenuated.check(connect("10.0.0.5:1")).unwrap();
    let _ = attenuated.check(connect("192.168.0.1:1")).unwrap_err();
}

#[test]
fn a_policy_that_does_not_grow_takes_no_grant() {
    let policy = Policy::default();
    policy.grow(&grant("connect tcp://10.0.0.5:1"));
    let _ = policy.check(connect("10.0.0.5:1")).unwrap_err();
    let supposed = policy.supposing(&grant("connect tcp://10.0.0.5:1"));
    let _ = supposed.check(connect("10.0.0.5:1")).unwrap_err();
}

#[test]
fn what_is_supposed_of_a_policy_is_not_so() {
    let policy = Policy::default().growing();
    let supposed = policy.supposing(&grant("connect tcp://10.0.0.5:1"));
    let _ = supposed.check(connect("10.0.0.5:1")).unwrap();
    let _ = policy.check(connect("10.0.0.5:1")).unwrap_err();
    supposed.grow(&grant("connect tcp://10.0.0.5:2"));
    let _ = supposed.check(connect("10.0.0.5:2")).unwrap();
    let _ = policy.check(connect("10.0.0.5:2")).unwrap_err();
}

#[test]
fn growth_overcomes_neither_a_deny_nor_a_ceiling() {
    let own = Policy::builder().deny("connect tcp://10.0.0.6:*").build();
    let ceiling = Policy::builder()
        .allow("connect tcp://10.0.0.0/8:*")
        .build();
    let policy = ceiling.unwrap().and(&own.unwrap().growing());
    for (address, passes) in [
        ("10.0.0.5:1", true),
        ("10.0.0.6:1", false),
        ("192.168.0.1:1", false),
    ] {
        let grant = grant(&format!("connect tcp://{address}"));
        let supposed = policy.supposing(&grant).check(connect(address));
        assert_eq!(supposed.is_ok(), passes, "{address}");
        policy.grow(&grant);
        assert_eq!(policy.check(connect(address)).is_ok(), passes, "{address}");
    }
}

#[test]
fn a_half_is_made_whole() {
    let policy = Policy::builder().allow("listen tcp://0.0.0.0:80").build();
    let policy = policy.unwrap().growing();
    let listen = Listen::new(Protocol::Tcp, "[::]:80".parse().unwrap(), true);
    let denial = policy.check(listen.clone()).unwrap_err();
    policy.grow(denial.grant().unwrap());
    let _ = policy.check(listen.clone()).unwrap();
    let peer = "10.0.0.5:1".parse().unwrap();
    let _ = policy.check(Accept::new(&listen, peer)).unwrap();
}
