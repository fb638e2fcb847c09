//! What denials say.

use portcullis_policy::{Bind, Connect, Listen, Name, Policy, Protocol};

use crate::check::{decide, denial, policy};

#[track_caller]
fn says(policy: &str, request: &str, line: &str, remedy: Option<&str>) {
    let denial = denial(policy, request);
    assert_eq!(denial.to_string(), line);
    assert_eq!(
        denial.remedy().as_deref(),
        remedy.map(|grant| format!("--allow '{grant}'")).as_deref()
    );
}

#[test]
fn a_report_is_three_lines() {
    let denial = denial("connect tcp://10.0.0.5:5433", "connect tcp://10.0.0.5:5432");
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  connect tcp://10.0.0.5:5432\n  \
           reason: no grant covers it; nearest: connect tcp://10.0.0.5:5433 (port differs)\n  \
           to allow: --allow 'connect tcp://10.0.0.5:5432'"
    );
}

#[test]
fn a_report_of_a_deny_says_which_to_remove() {
    let denial = denial(
        "connect tcp://any:*;deny connect tcp://10.0.0.0/8:*",
        "connect tcp://10.0.0.5:5432",
    );
    assert_eq!(
        denial.report().to_string(),
        "portcullis: denied  connect tcp://10.0.0.5:5432\n  \
           reason: denied by: connect tcp://10.0.0.0/8:*\n  \
           to allow: remove the deny 'connect tcp://10.0.0.0/8:*'"
    );
    assert_eq!(denial.remedy(), None);
}

#[test]
fn the_nearest_grant_differs_least() {
    let near = |policy: &str, request: &str, nearest: &str| {
        let text = denial(policy, request).reason().to_string();
        let expected = match nearest {
            "" => "no grant covers it".to_owned(),
            _ => format!("no grant covers it; nearest: {nearest}"),
        };
        assert_eq!(text, expected);
    };
    let request = "connect tcp://10.0.0.5:5432";
    near("", request, "");
    near(
        "connect tcp://10.0.0.6:5432",
        request,
        "connect tcp://10.0.0.6:5432 (host differs)",
    );
    near(
        "bind tcp://10.0.0.5:5432",
        request,
        "bind tcp://10.0.0.5:5432 (verb differs)",
    );
    near(
        "connect udp://10.0.0.5:5432",
        request,
        "connect udp://10.0.0.5:5432 (protocol differs)",
    );
    near(
        "connect tcp://10.0.0.6:80",
        request,
        "connect tcp://10.0.0.6:80 (host and port differ)",
    );
    near("connect udp://10.0.0.6:80", request, "");
    near(
        "connect tcp://a.b:80;connect tcp://any:80;connect udp://any:*",
        request,
        "connect tcp://any:80 (port differs)",
    );
    near(
        "resolve db.internal",
        "connect tcp://10.0.0.5:5432 named db.internal",
        "resolve db.internal (verb differs)",
    );
    near(
        "listen tcp://127.0.0.1:80",
        "bind tcp://127.0.0.1:81",
        "listen tcp://127.0.0.1:80 (port differs)",
    );
    near(
        "connect tcp://a.b:80",
        "lookup connect tcp a.b 81",
        "connect tcp://a.b:80 (port differs)",
    );
}

/// What `*` and a name stand for is not what they look like to many.
#[test]
fn a_host_that_seems_the_same_is_told_apart() {
    let nearest = |policy: &str, request: &str, nearest: &str| {
        let text = denial(policy, request).reason().to_string();
        assert_eq!(text, format!("no grant covers it; nearest: {nearest}"));
    };
    nearest(
        "connect tcp://*:*",
        "connect tcp://10.0.0.1:80",
        "connect tcp://*:* (host differs); `*` is public addresses, and 10.0.0.1 is private, \
         which `private` covers",
    );
    nearest(
        "connect tcp://*:443",
        "connect tcp://[::1]:80",
        "connect tcp://*:443 (host and port differ); `*` is public addresses, and ::1 is \
         loopback, which `loopback` covers",
    );
    nearest(
        "connect udp://*:*",
        "connect udp://100.64.0.1:53",
        "connect udp://*:* (host differs); `*` is public addresses, and 100.64.0.1 is special, \
         which `any` covers",
    );
    nearest(
        "listen tcp://localhost:80",
        "bind tcp://127.0.0.1:80",
        "listen tcp://localhost:80 (host differs); `localhost` covers what is asked for by that \
         name, and 127.0.0.1 is a number; `loopback` covers both",
    );
    nearest(
        "connect tcp://localhost:80",
        "connect tcp://[::1]:80",
        "connect tcp://localhost:80 (host differs); `localhost` covers what is asked for by that \
         name, and ::1 is a number; `loopback` covers both",
    );
    // Where the host is none of the differences, or another one.
    nearest(
        "connect tcp://*:443",
        "connect tcp://1.1.1.1:80",
        "connect tcp://*:443 (port differs)",
    );
    nearest(
        "listen tcp://localhost:80",
        "bind tcp://10.0.0.1:80",
        "listen tcp://localhost:80 (host differs)",
    );
}

#[test]
fn a_number_whose_name_has_expired_is_told_of_it() {
    let formerly = |policy: &str, name: &str| {
        let policy = Policy::builder().allow(policy).build().unwrap();
        let address = "10.0.0.5:5432".parse().unwrap();
        let request = Connect::new(Protocol::Tcp, address);
        let request = request.formerly(Name::parse(name).unwrap());
        policy.check(request).unwrap_err()
    };
    let denial = formerly("connect tcp://db.internal:5432 in private", "db.internal");
    assert_eq!(denial.request(), "connect tcp://10.0.0.5:5432");
    assert_eq!(
        denial.reason().to_string(),
        "db.internal led to 10.0.0.5, and that answer has expired: the guest is to look it up \
         again, or to connect by the name, which is covered by: connect tcp://db.internal:5432 in \
         private"
    );
    assert!(!denial.is_explicit());
    // Of a name that would not help nothing is said.
    for (policy, name) in [
        ("connect tcp://db.internal:5432", "db.internal"),
        ("connect tcp://db.internal:80 in private", "db.internal"),
        (
            "connect tcp://db.internal:5432 in private",
            "other.internal",
        ),
    ] {
        let reason = formerly(policy, name).reason().to_string();
        assert!(reason.starts_with("no grant covers it"), "{reason}");
    }
}

#[test]
fn a_name_outside_its_range_is_told_where_it_led() {
    says(
        "connect tcp://db.internal:5432",
        "connect tcp://10.0.0.5:5432 named db.internal",
        "connect tcp://db.internal:5432: db.internal is at 10.0.0.5 (private), which is not in \
         the range of: connect tcp://db.internal:5432",
        Some("connect tcp://db.internal:5432 in private"),
    );
}

#[test]
fn remedies_for_names_bound_them_to_where_they_led() {
    for (address, remedy) in [
        ("1.2.3.4", "connect tcp://a.b:80"),
        ("127.0.0.1", "connect tcp://a.b:80 in loopback"),
        ("0.0.0.0", "connect tcp://a.b:80 in loopback"),
        ("10.0.0.5", "connect tcp://a.b:80 in private"),
        ("169.254.1.1", "connect tcp://a.b:80 in link-local"),
        ("169.254.169.254", "connect tcp://a.b:80 in 169.254.169.254"),
        ("100.64.0.1", "connect tcp://a.b:80 in 100.64.0.1"),
        ("224.0.0.1", "connect tcp://a.b:80 in 224.0.0.1"),
        ("[2001:db8::1]", "connect tcp://a.b:80 in 2001:db8::1"),
    ] {
        let denial = denial("", &format!("connect tcp://{address}:80 named a.b"));
        assert_eq!(denial.remedy().unwrap(), format!("--allow '{remedy}'"));
        assert_eq!(denial.request(), "connect tcp://a.b:80");
    }
    let local = denial("", "connect tcp://127.0.0.1:80 named localhost");
    assert_eq!(
        local.remedy().unwrap(),
        "--allow 'connect tcp://localhost:80'"
    );
}

#[test]
fn a_refused_peer_gets_a_grant_of_its_own() {
    says(
        "listen tcp://127.0.0.1:8080 from 192.168.0.0/16",
        "accept tcp://127.0.0.1:8080 from 10.1.2.3:999",
        "accept tcp://127.0.0.1:8080 from 10.1.2.3: the peer 10.1.2.3 is outside of: \
         listen tcp://127.0.0.1:8080 from 192.168.0.0/16",
        Some("listen tcp://127.0.0.1:8080 from 10.1.2.3"),
    );
    says(
        "listen tcp://[::]:80",
        "accept tcp://[::]:80 dual from 10.1.2.3:999",
        "accept tcp://[::]:80 from 10.1.2.3: no grant covers it; nearest: \
         listen tcp://[::]:80 (host differs)",
        Some("listen tcp://0.0.0.0:80 from 10.1.2.3"),
    );
}

#[test]
fn a_dual_stack_socket_is_told_the_missing_family() {
    says(
        "listen tcp://[::]:80",
        "listen tcp://[::]:80 dual",
        "listen tcp://[::]:80: a dual-stack socket also listens on 0.0.0.0, which no grant \
         covers; the other family is covered by: listen tcp://[::]:80",
        Some("listen tcp://0.0.0.0:80"),
    );
    says(
        "listen tcp://0.0.0.0:80",
        "listen tcp://[::]:80 dual",
        "listen tcp://[::]:80: a dual-stack socket also listens on ::, which no grant covers; \
         the other family is covered by: listen tcp://0.0.0.0:80",
        Some("listen tcp://[::]:80"),
    );
    says(
        "",
        "listen tcp://[::]:80 dual",
        "listen tcp://[::]:80: no grant covers it",
        Some("listen tcp://*:80"),
    );
}

#[test]
fn lookups_are_told_by_their_purpose() {
    says(
        "",
        "resolve a.b",
        "resolve a.b: no grant covers it",
        Some("resolve a.b"),
    );
    says(
        "",
        "lookup connect tcp a.b 80",
        "connect tcp://a.b:80: no grant covers it",
        Some("connect tcp://a.b:80"),
    );
}

#[test]
fn a_bind_withheld_by_a_deny_of_listening_names_it() {
    says(
        "listen tcp://*:80;deny listen tcp://*:80",
        "bind tcp://127.0.0.1:80",
        "bind tcp://127.0.0.1:80: denied by: listen tcp://*:80",
        None,
    );
}

/// The last line of the report, and what of it is offered as a flag.
#[track_caller]
fn offers(policy: &str, request: &str, to_allow: &str, flag: &str) {
    let denial = denial(policy, request);
    let report = denial.report().to_string();
    let expected = format!("  to allow: {to_allow}");
    assert_eq!(report.lines().last(), Some(expected.as_str()));
    assert_eq!(denial.remedy().unwrap(), flag);
}

#[test]
fn a_server_that_binds_is_offered_to_listen() {
    offers(
        "",
        "bind tcp://127.0.0.1:80",
        "--allow 'listen tcp://127.0.0.1:80' (or 'bind tcp://127.0.0.1:80' if it is not to listen)",
        "--allow 'listen tcp://127.0.0.1:80'",
    );
    offers(
        "listen unix:/run/app.sock;connect unix:/**",
        "bind unix:/run/web.sock",
        "--allow 'listen unix:/run/web.sock' (or 'bind unix:/run/web.sock' if it is not to listen)",
        "--allow 'listen unix:/run/web.sock'",
    );
    offers(
        "listen tcp://app.internal:80",
        "bind tcp://10.0.0.5:80 named app.internal",
        "--allow 'listen tcp://app.internal:80 in private' \
         (or 'bind tcp://app.internal:80 in private' if it is not to listen)",
        "--allow 'listen tcp://app.internal:80 in private'",
    );
}

#[test]
fn a_server_on_both_families_is_offered_both() {
    let bind = Bind::new(Protocol::Tcp, "[::]:80".parse().unwrap()).dual_stack();
    let denial = Policy::default().check(bind).unwrap_err();
    assert_eq!(denial.remedy().unwrap(), "--allow 'listen tcp://*:80'");
    let listen = Listen::new(Protocol::Tcp, "[::]:80".parse().unwrap(), true);
    assert!(policy("listen tcp://*:80").check(listen).is_ok());
}

#[test]
fn a_server_that_binds_to_a_name_is_offered_to_listen() {
    offers(
        "",
        "lookup bind tcp app.internal 80",
        "--allow 'listen tcp://app.internal:80' \
         (or 'bind tcp://app.internal:80' if it is not to listen)",
        "--allow 'listen tcp://app.internal:80'",
    );
}

#[test]
fn who_thought_of_binding_or_does_not_listen_is_offered_to_bind() {
    for (policy, request) in [
        ("bind tcp://127.0.0.1:81", "bind tcp://127.0.0.1:80"),
        ("bind unix:/run/a", "bind unix:/run/b"),
        // It would not help.
        ("deny listen tcp://*:80", "bind tcp://127.0.0.1:80"),
        // What receives datagrams asks for `listen` itself.
        ("", "bind udp://127.0.0.1:80"),
        ("", "bind unixgram:/run/a"),
    ] {
        let flag = format!("--allow '{request}'");
        offers(policy, request, &flag, &flag);
    }
}

#[test]
fn a_ceiling_is_offered_to_listen_as_well() {
    let policy = Policy::builder()
        .ceiling("operator.toml", "version = 1")
        .allow("listen tcp://*:*")
        .build()
        .unwrap();
    let denial = decide(&policy, "bind tcp://127.0.0.1:80").unwrap_err();
    assert!(
        denial.report().to_string().ends_with(
            "to allow: add 'listen tcp://127.0.0.1:80' to the ceiling operator.toml \
             (or 'bind tcp://127.0.0.1:80' if it is not to listen)"
        ),
        "{}",
        denial.report()
    );
}

#[test]
fn scopes_are_left_out_as_grants_have_none() {
    let denial = denial("", "connect tcp://[fe80::1%3]:80");
    assert_eq!(denial.request(), "connect tcp://[fe80::1]:80");
}

#[test]
fn a_permit_tells_the_innermost_grant() {
    let layered = policy("connect tcp://any:*").and(&policy("connect tcp://10.0.0.0/8:*"));
    let grant = decide(&layered, "connect tcp://10.0.0.5:80")
        .unwrap()
        .unwrap();
    assert_eq!(grant.to_string(), "connect tcp://10.0.0.0/8:*");
}

#[test]
fn results_stay_small() {
    use portcullis_policy::{Connect, Denial, Permit};
    assert!(size_of::<Denial>() <= 2 * size_of::<usize>());
    assert!(size_of::<Result<Permit<Connect>, Denial>>() <= 96);
}

#[test]
fn a_name_spelled_like_a_group_is_never_offered_as_the_group() {
    let remedy = |request: &str| denial("", request).remedy().unwrap();
    assert_eq!(
        remedy("connect tcp://1.2.3.4:80 named any"),
        "--allow 'connect tcp://any.:80'"
    );
    assert_eq!(
        remedy("lookup connect tcp any 80"),
        "--allow 'connect tcp://any.:80'"
    );
    assert_eq!(remedy("resolve public"), "--allow 'resolve public.'");
    let denial = denial("", "connect tcp://1.2.3.4:80 named any");
    assert_eq!(denial.request(), "connect tcp://any.:80");
}
