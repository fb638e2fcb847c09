//! Whose a layer is: ceilings, attenuated networks, the host's own denies and
//! sockets that are opened for a guest, and what a denial says of each.

use portcullis_policy::{Connect, Grant, Limits, Name, Origin, Policy, PolicyBuilder, Protocol};

use crate::check::{decide, policy};

const CEILING: &str = "version = 1\n\
     allow = [\"connect tcp://10.0.0.0/8:*\", \"listen tcp://127.0.0.1:*\"]\n\
     deny = [\"connect tcp://10.0.0.9:*\"]\n\
     host-name = \"outside\"\n\
     [limits]\n\
     sockets = 5\n";

fn bounded(allow: &str) -> PolicyBuilder {
    Policy::builder()
        .ceiling("operator.toml", CEILING)
        .allow(allow)
}

/// The last line of what the operator is told.
#[track_caller]
fn to_allow(policy: &Policy, request: &str) -> String {
    let report = decide(policy, request).unwrap_err().report().to_string();
    assert_eq!(report.lines().count(), 3, "{report}");
    let last = report.lines().last().unwrap();
    last.strip_prefix("  to allow: ").unwrap().to_owned()
}

#[test]
fn a_ceiling_bounds_what_the_policy_says() {
    let policy = bounded("connect tcp://any:*").build().unwrap();
    assert!(decide(&policy, "connect tcp://10.0.0.5:80").is_ok());
    assert!(decide(&policy, "connect tcp://1.1.1.1:80").is_err());
    // What it grants it does not give.
    assert!(decide(&policy, "listen tcp://127.0.0.1:80").is_err());
}

#[test]
fn a_ceiling_brings_its_denies_its_limits_and_its_names() {
    let mut looser = Limits::default();
    looser.sockets = Some(9);
    looser.backlog = Some(2);
    let inner = "version = 1\nhost-name = \"inside\"\nhosts.db = [\"10.0.0.1\"]";
    let policy = bounded("connect tcp://any:*")
        .limits(looser)
        .file("inner.toml", inner)
        .build()
        .unwrap();
    assert!(decide(&policy, "connect tcp://10.0.0.9:80").is_err());
    assert_eq!(policy.limits().to_string(), "sockets = 5\nbacklog = 2\n");
    assert_eq!(policy.host_name(), "outside");
    assert!(policy.hosts(&Name::parse("db").unwrap()).is_some());
}

#[test]
fn each_of_several_ceilings_bounds() {
    let other = "version = 1\nallow = [\"connect tcp://10.0.0.5:*\"]";
    let policy = bounded("connect tcp://any:*")
        .ceiling("other.toml", other)
        .build()
        .unwrap();
    assert!(decide(&policy, "connect tcp://10.0.0.5:80").is_ok());
    assert_eq!(
        to_allow(&policy, "connect tcp://10.0.0.6:80"),
        "add 'connect tcp://10.0.0.6:80' to the ceiling other.toml"
    );
    assert_eq!(
        to_allow(&policy, "connect tcp://1.1.1.1:80"),
        "add 'connect tcp://1.1.1.1:80' to the ceiling operator.toml, \
         and add 'connect tcp://1.1.1.1:80' to the ceiling other.toml"
    );
}

#[test]
fn an_empty_ceiling_allows_nothing() {
    let policy = Policy::builder()
        .ceiling("none.toml", "version = 1")
        .allow("connect tcp://any:*")
        .build()
        .unwrap();
    assert!(decide(&policy, "connect tcp://10.0.0.5:80").is_err());
}

#[test]
fn mistakes_of_ceilings_are_told_with_those_of_the_policy() {
    let error = Policy::builder()
        .ceiling("operator.toml", "version = 1\nalow = []")
        .allow("conect tcp://a.b:1")
        .build()
        .unwrap_err();
    let places: Vec<&str> = error
        .diagnostics()
        .iter()
        .map(|diagnostic| diagnostic.place.as_str())
        .collect();
    assert_eq!(places, ["operator.toml", "--allow 'conect tcp://a.b:1'"]);
}

#[test]
fn a_denial_offers_the_flag_only_where_it_helps() {
    let policy = bounded("connect tcp://1.1.1.1:*").build().unwrap();

    // The policy alone does not grant it.
    let denial = decide(&policy, "connect tcp://10.0.0.5:80").unwrap_err();
    assert_eq!(denial.origin(), &Origin::Policy);
    assert_eq!(
        denial.remedy().unwrap(),
        "--allow 'connect tcp://10.0.0.5:80'"
    );

    // The ceiling alone does not.
    let denial = decide(&policy, "connect tcp://1.1.1.1:80").unwrap_err();
    let place = "operator.toml".into();
    assert_eq!(denial.origin(), &Origin::Ceiling { place });
    assert_eq!(denial.remedy(), None);
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  connect tcp://1.1.1.1:80\n  \
           reason: the ceiling operator.toml: no grant covers it; nearest: \
         connect tcp://10.0.0.0/8:* (host differs)\n  \
           to allow: add 'connect tcp://1.1.1.1:80' to the ceiling operator.toml"
    );

    // Neither does.
    let denial = decide(&policy, "connect tcp://1.2.3.4:80").unwrap_err();
    assert_eq!(denial.origins().count(), 2);
    assert_eq!(denial.remedy(), None);
    assert_eq!(
        to_allow(&policy, "connect tcp://1.2.3.4:80"),
        "add 'connect tcp://1.2.3.4:80' to the ceiling operator.toml, \
         and --allow 'connect tcp://1.2.3.4:80'"
    );
    assert_eq!(
        to_allow(&policy, "connect tcp://10.0.0.9:80"),
        "remove the deny 'connect tcp://10.0.0.9:*' from the ceiling operator.toml, \
         and --allow 'connect tcp://10.0.0.9:80'"
    );
}

#[test]
fn what_a_guest_attenuated_no_flag_widens() {
    let narrow = policy("connect tcp://10.0.0.5:*")
        .attenuate(&["connect tcp://10.0.0.5:80", "connect tcp://1.1.1.1:80"])
        .unwrap();
    assert!(decide(&narrow, "connect tcp://10.0.0.5:80").is_ok());
    let denial = decide(&narrow, "connect tcp://10.0.0.5:81").unwrap_err();
    assert_eq!(denial.origin(), &Origin::Attenuated);
    assert_eq!(denial.remedy(), None);
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  connect tcp://10.0.0.5:81\n  \
           reason: the network that the guest attenuated: no grant covers it; nearest: \
         connect tcp://10.0.0.5:80 (port differs)\n  \
           to allow: nothing can but the guest, which keeps itself from it"
    );
    // Where the policy does not grant it either, its flag alone does not help.
    let both = decide(&narrow, "connect tcp://10.0.0.6:80").unwrap_err();
    assert_eq!(both.origin(), &Origin::Policy);
    assert_eq!(both.remedy(), None);
    // But where only the policy does not, it does.
    let outer = decide(&narrow, "connect tcp://1.1.1.1:80").unwrap_err();
    assert!(outer.remedy().is_some());
}

#[test]
fn networks_attenuated_in_a_row_are_told_once() {
    let narrow = (0..60).fold(policy("connect tcp://10.0.0.5:*"), |policy, _| {
        policy.attenuate(&["connect tcp://10.0.0.5:80"]).unwrap()
    });
    let denial = decide(&narrow, "connect tcp://1.1.1.1:80").unwrap_err();
    assert_eq!(denial.origins().count(), 2);
}

#[test]
fn a_mistake_in_attenuating_names_the_grant_and_no_flag() {
    let error = Policy::default()
        .attenuate(&["connect tcp://a.b:1", "conect tcp://a.b:1"])
        .unwrap_err();
    let [diagnostic] = error.diagnostics() else {
        panic!("{error}");
    };
    assert_eq!(
        diagnostic.to_string(),
        "grant 'conect tcp://a.b:1': unknown verb `conect`; did you mean `connect`?"
    );
}

fn kept(builder: PolicyBuilder) -> Policy {
    let policy = builder.build().unwrap();
    policy
        .denying(&["connect tcp://127.0.0.1:9100", "listen tcp://*:9100"])
        .unwrap()
}

#[test]
fn what_the_host_denies_nothing_overrides() {
    let request = "connect tcp://127.0.0.1:9100";
    let anything = "version = 1\nallow = [\"connect tcp://any:*\"]";
    let granted = Grant::parse(request).unwrap();
    for policy in [
        kept(Policy::builder().allow("connect tcp://any:*")),
        kept(Policy::builder().allow(request)),
        kept(
            Policy::builder()
                .ceiling("c", anything)
                .allow("connect tcp://any:*"),
        ),
        kept(Policy::builder()).granting(&granted),
        kept(Policy::builder().allow("connect tcp://any:*")).shadowed(),
        policy("connect tcp://any:*")
            .shadowed()
            .denying(&[request])
            .unwrap(),
    ] {
        let denial = decide(&policy, request).unwrap_err();
        assert!(denial.is_explicit());
        assert_eq!(denial.origin(), &Origin::Host);
        assert_eq!(denial.remedy(), None);
        assert_eq!(
            denial.report().to_string(),
            "portcullis: denied  connect tcp://127.0.0.1:9100\n  \
               reason: the host itself: denied by: connect tcp://127.0.0.1:9100\n  \
               to allow: nothing can: the host keeps every guest from it"
        );
        assert!(decide(&policy, "connect tcp://[::ffff:127.0.0.1]:9100").is_err());
        assert!(decide(&policy, "connect tcp://0.0.0.0:9100").is_err());
    }
    let ungranted = kept(Policy::builder().allow("connect tcp://any:*"));
    assert!(decide(&ungranted, "connect tcp://127.0.0.1:9101").is_ok());
    assert!(Policy::default().denying(&["conect tcp://a.b:1"]).is_err());
}

#[test]
fn the_grant_of_a_permit_is_not_that_of_the_host() {
    let policy = kept(Policy::builder().allow("connect tcp://10.0.0.0/8:80"));
    let grant = decide(&policy, "connect tcp://10.0.0.5:80").unwrap();
    assert_eq!(grant.unwrap().to_string(), "connect tcp://10.0.0.0/8:80");
}

#[test]
fn a_socket_that_is_opened_for_a_guest_keeps_to_its_grant_and_the_ceiling() {
    let web = Grant::parse("listen tcp://127.0.0.1:8080 from loopback").unwrap();
    let policy = bounded("connect tcp://any:*").build().unwrap();
    let socket = policy.granting(&web);
    assert!(decide(&socket, "listen tcp://127.0.0.1:8080").is_ok());
    assert!(decide(&socket, "connect tcp://10.0.0.5:80").is_err());
    let peer = "accept tcp://127.0.0.1:8080 from 10.1.2.3:999";
    let denial = decide(&socket, peer).unwrap_err();
    assert_eq!(denial.origin(), &Origin::Socket);
    assert_eq!(denial.remedy(), None);
    assert_eq!(
        to_allow(&socket, peer),
        "open the socket for what 'listen tcp://127.0.0.1:8080 from 10.1.2.3' allows as well"
    );
    let outside = Grant::parse("listen tcp://127.0.0.2:8080").unwrap();
    let outside = policy.granting(&outside);
    assert_eq!(
        to_allow(&outside, "listen tcp://127.0.0.2:8080"),
        "add 'listen tcp://127.0.0.2:8080' to the ceiling operator.toml"
    );
}

#[test]
fn a_deny_of_the_policy_is_told_as_its_own_of_a_socket_that_is_opened_for_a_guest() {
    let deny = "listen tcp://127.0.0.1:8080";
    let policy = Policy::builder().deny(deny).build().unwrap();
    let socket = policy.granting(&Grant::parse("listen tcp://127.0.0.1:*").unwrap());
    let denial = decide(&socket, deny).unwrap_err();
    assert_eq!(denial.origin(), &Origin::Policy);
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  listen tcp://127.0.0.1:8080\n  \
         reason: denied by: listen tcp://127.0.0.1:8080\n  \
         to allow: remove the deny 'listen tcp://127.0.0.1:8080'"
    );
    let bounded = bounded("connect tcp://any:*").deny("connect tcp://10.0.0.7:*");
    let bounded = bounded.build().unwrap();
    let socket = bounded.granting(&Grant::parse("connect tcp://10.0.0.0/8:80").unwrap());
    assert_eq!(
        to_allow(&socket, "connect tcp://10.0.0.7:80"),
        "remove the deny 'connect tcp://10.0.0.7:*'"
    );
}

#[test]
fn a_deny_is_explicit_in_whichever_layer_it_is() {
    let policy = bounded("connect tcp://1.1.1.1:*").build().unwrap();
    let denial = decide(&policy, "connect tcp://10.0.0.9:80").unwrap_err();
    assert!(denial.is_explicit());
    let inner = policy_with_deny().and(&Policy::default());
    let outer = Policy::default().and(&policy_with_deny());
    for policy in [inner, outer] {
        let denial = decide(&policy, "connect tcp://10.0.0.9:80").unwrap_err();
        assert!(denial.is_explicit());
    }
    let silent = decide(&Policy::default(), "connect tcp://10.0.0.9:80").unwrap_err();
    assert!(!silent.is_explicit());
}

fn policy_with_deny() -> Policy {
    policy("connect tcp://any:*;deny connect tcp://10.0.0.9:*")
}

#[test]
fn a_shadowed_policy_stays_below_its_ceiling() {
    let policy = bounded("connect tcp://1.1.1.1:*")
        .build()
        .unwrap()
        .shadowed();
    let connect =
        |address: &str| policy.check(Connect::new(Protocol::Tcp, address.parse().unwrap()));
    let permit = connect("10.0.0.5:80").unwrap();
    assert_eq!(permit.shadowed().unwrap().origin(), &Origin::Policy);
    assert!(connect("10.0.0.9:80").is_err());
    assert!(connect("1.1.1.1:80").is_err());
}

#[test]
fn the_name_of_a_ceiling_cannot_write_on_a_terminal() {
    let place = "a\u{1b}[31m\nb";
    let policy = Policy::builder().ceiling(place, "version = 1").build();
    let denial = decide(&policy.unwrap(), "connect tcp://1.1.1.1:80").unwrap_err();
    let report = denial.report().to_string();
    assert!(
        report.contains("the ceiling a\\u{1b}[31m\\nb: "),
        "{report}"
    );
    assert_eq!(report.lines().count(), 3);
}
