//! What a policy says to a request, step by step.

use portcullis_policy::{AnyRequest, Explanation, Leads, Policy};

use crate::check::policy;

fn explain(policy: &Policy, request: &str, leads: Option<&[&str]>) -> Explanation {
    let leads = leads.map(|addresses| Leads {
        aliases: Vec::new(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
    });
    policy.explain(&AnyRequest::parse(request).unwrap(), leads.as_ref())
}

/// The decision that counts: the grant, or the whole denial.
fn decisive(explanation: &Explanation) -> String {
    match &explanation.decisive().unwrap().verdict {
        Ok(Some(grant)) => grant.to_string(),
        Ok(None) => "no grant needed".to_owned(),
        Err(denial) => denial.to_string(),
    }
}

#[track_caller]
fn check(text: &str, request: &str, leads: Option<&[&str]>, allowed: bool, why: &str) {
    let explanation = explain(&policy(text), request, leads);
    assert_eq!(decisive(&explanation), why);
    assert_eq!(explanation.is_allowed(), allowed);
}

#[test]
fn a_request_for_an_address_takes_one_decision() {
    let policy = policy("connect tcp://10.0.0.0/8:5432");
    let allowed = explain(&policy, "connect tcp://10.0.0.5:5432", None);
    assert_eq!((allowed.is_allowed(), allowed.steps().len()), (true, 1));
    assert_eq!(decisive(&allowed), "connect tcp://10.0.0.0/8:5432");
    let denied = explain(&policy, "connect tcp://10.0.0.5:5433", None);
    assert_eq!((denied.is_allowed(), denied.steps().len()), (false, 1));
}

#[test]
fn a_name_is_judged_by_where_it_may_lead() {
    let destinations = |text: &str| {
        let explanation = explain(&policy(text), "connect tcp://a.b:80", None);
        assert_eq!(
            explanation.is_allowed(),
            !explanation.destinations().is_empty()
        );
        explanation.destinations().join(" or ")
    };
    assert_eq!(destinations("connect tcp://a.b:80"), "public");
    assert_eq!(
        destinations("connect tcp://a.b:80 in private"),
        "private,public"
    );
    assert_eq!(destinations("connect tcp://a.b:80 in any"), "any");
    assert_eq!(
        destinations("connect tcp://a.b:80 in any;deny connect tcp://10.0.0.0/8:*"),
        "any but not 10.0.0.0/8 except carrying 10.0.0.0/8"
    );
    assert_eq!(
        destinations("resolve a.b;connect tcp://10.0.0.0/8:*"),
        "10.0.0.0/8"
    );
    assert_eq!(destinations("resolve a.b"), "");
    assert_eq!(destinations(""), "");
}

#[test]
fn a_lookup_that_is_granted_is_not_yet_a_connection() {
    check(
        "resolve a.b",
        "connect tcp://a.b:80",
        None,
        false,
        "connect tcp://a.b:80: no grant covers it; nearest: resolve a.b (verb differs)",
    );
    check("resolve a.b", "resolve a.b", None, true, "resolve a.b");
}

#[test]
fn one_address_that_is_allowed_is_enough() {
    let grant = "connect tcp://a.b:80";
    check(grant, grant, Some(&["10.0.0.5", "1.1.1.1"]), true, grant);
    check(
        grant,
        grant,
        Some(&["10.0.0.5"]),
        false,
        "connect tcp://a.b:80: a.b is at 10.0.0.5 (private), which is not in the range of: \
         connect tcp://a.b:80",
    );
}

#[test]
fn localhost_and_hosts_lead_where_they_always_do() {
    let grant = "connect tcp://localhost:80";
    let explanation = explain(&policy(grant), grant, None);
    let addresses = explanation.steps().iter().filter_map(|step| step.address);
    let addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
    assert_eq!(addresses, ["::1", "127.0.0.1"]);
    assert!(explanation.is_allowed());

    let hosts = |allow: &str| {
        let text =
            format!("version = 1\nallow = [\"{allow}\"]\nhosts = {{ \"a.b\" = [\"10.0.0.5\"] }}");
        let policy = Policy::builder().file("p", &text).build().unwrap();
        explain(&policy, "connect tcp://a.b:80", None).is_allowed()
    };
    assert!(!hosts("connect tcp://a.b:80"));
    assert!(hosts("connect tcp://a.b:80 in private"));
}

#[test]
fn an_alias_is_denied_by_its_own_name_and_takes_no_grant() {
    let explain = |text: &str| {
        let leads = Leads {
            aliases: vec![portcullis_policy::Name::parse("c.d").unwrap()],
            addresses: vec!["1.1.1.1".parse().unwrap()],
        };
        let request = AnyRequest::parse("connect tcp://a.b:80").unwrap();
        decisive(&policy(text).explain(&request, Some(&leads)))
    };
    assert_eq!(explain("connect tcp://a.b:80"), "connect tcp://a.b:80");
    assert_eq!(
        explain("connect tcp://a.b:80;deny connect tcp://c.d:80"),
        "connect tcp://c.d:80: denied by: connect tcp://c.d:80"
    );
}

#[test]
fn the_name_of_the_machine_is_told_without_a_grant() {
    let policy = |more: &str| {
        let text = format!("version = 1\nhost-name = \"box.internal\"\n{more}");
        Policy::builder().file("p", &text).build().unwrap()
    };
    assert!(explain(&policy(""), "resolve box.internal", None).is_allowed());
    let denied = policy("deny = [\"resolve *.internal\"]");
    assert!(!explain(&denied, "resolve box.internal", None).is_allowed());
    assert!(!explain(&policy(""), "resolve other.internal", None).is_allowed());
}
