//! What holds for every policy and every request. It must not depend on
//! particular ones: tables do.

use portcullis_policy::{
    ConnectUnix, Grant, Host, Name, Policy, Protocol, UnixKind, UnixName, service,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::check::{decide, policy};
use crate::model::{Line, Rules};
use crate::strategies::{allow, ask, deny, rules};

fn compile(rules: &Rules) -> Policy {
    let builder = Policy::builder();
    let builder = rules
        .allow
        .iter()
        .fold(builder, |b, line| b.allow(&line.to_string()));
    let builder = rules
        .deny
        .iter()
        .fold(builder, |b, line| b.deny(&line.to_string()));
    builder.build().unwrap()
}

fn with(rules: &Rules, allow: Option<Line>, deny: Option<Line>) -> Rules {
    let mut more = rules.clone();
    more.allow.extend(allow);
    more.deny.extend(deny);
    more
}

/// The paths among the bytes that upset parsers most.
fn unix_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        2 => select(b"/.*%@ ,'\"\\`\n\x1b\xff2A".to_vec()),
        1 => any::<u8>(),
    ];
    vec(byte, 0..108).prop_map(|bytes| [b"/", bytes.as_slice()].concat())
}

/// How the name is printed is safe, and a grant that covers it and prints the
/// same.
fn is_spelled_safely(name: UnixName) -> Result<(), TestCaseError> {
    let request = ConnectUnix::new(UnixKind::Datagram, name);
    let text = request.to_string();
    prop_assert!(text.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
    prop_assert!(!text.contains(['\'', '"', '`', '\\', ',']));
    prop_assert_eq!(Grant::parse(&text).unwrap().to_string(), text.clone());
    prop_assert!(
        policy(&text.replace(';', "%3B")).check(request).is_ok(),
        "{}",
        text
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_compiled_policy_decides_as_the_specification_reads(rules in rules(), ask in ask()) {
        let allowed = decide(&compile(&rules), &ask.to_string()).is_ok();
        prop_assert_eq!(allowed, rules.allow(&ask));
    }

    #[test]
    fn adding_a_deny_never_allows(rules in rules(), deny in deny(), ask in ask()) {
        let ask = ask.to_string();
        if decide(&compile(&with(&rules, None, Some(deny))), &ask).is_ok() {
            prop_assert!(decide(&compile(&rules), &ask).is_ok());
        }
    }

    #[test]
    fn adding_a_grant_never_denies(rules in rules(), grant in allow(), ask in ask()) {
        let ask = ask.to_string();
        if decide(&compile(&rules), &ask).is_ok() {
            prop_assert!(decide(&compile(&with(&rules, Some(grant), None)), &ask).is_ok());
        }
    }

    #[test]
    fn and_allows_what_both_allow(one in rules(), other in rules(), ask in ask()) {
        let (one, other, ask) = (compile(&one), compile(&other), ask.to_string());
        let both = decide(&one, &ask).is_ok() && decide(&other, &ask).is_ok();
        prop_assert_eq!(decide(&one.and(&other), &ask).is_ok(), both);
        prop_assert_eq!(decide(&other.and(&one), &ask).is_ok(), both);
    }

    #[test]
    fn a_ceiling_bounds_as_a_policy_does(one in rules(), other in rules(), ask in ask()) {
        let list = |lines: &[Line]| {
            lines.iter().map(|line| format!("\"{line}\",")).collect::<String>()
        };
        let file = |rules: &Rules| format!(
            "version = 1\nallow = [{}]\ndeny = [{}]", list(&rules.allow), list(&rules.deny)
        );
        let (ask, bounded) = (ask.to_string(), Policy::builder()
            .ceiling("ceiling", &file(&one))
            .file("policy", &file(&other))
            .build()
            .unwrap());
        let (one, other) = (compile(&one), compile(&other));
        let expected = decide(&one.and(&other), &ask);
        let found = decide(&bounded, &ask);
        prop_assert_eq!(found.is_ok(), expected.is_ok());
        if let (Ok(found), Ok(expected)) = (found, expected) {
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_host_denies_what_it_says_and_nothing_else(
        rules in rules(), own in vec(deny(), 0..3), ask in ask()
    ) {
        let ask = ask.to_string();
        let texts: Vec<String> = own.iter().map(ToString::to_string).collect();
        let found = decide(&compile(&rules).denying(&texts).unwrap(), &ask);
        // A deny of listening does not withhold a `bind` from who denies alone.
        let is_bind = ask.starts_with("bind");
        let denied = own.iter().fold(Policy::builder(), |b, line| b.deny(&line.to_string()));
        let denied = decide(&denied.build().unwrap(), &ask).is_err_and(|d| d.is_explicit());
        match decide(&compile(&rules), &ask) {
            Ok(grant) if !denied => prop_assert_eq!(found.unwrap(), grant),
            Ok(_) => prop_assert!(is_bind || found.unwrap_err().is_explicit()),
            Err(_) => prop_assert!(found.is_err()),
        }
    }

    #[test]
    fn a_flag_is_offered_only_where_it_helps(inner in rules(), outer in rules(), ask in ask()) {
        let ask = ask.to_string();
        let narrower: Vec<String> = outer.allow.iter().map(ToString::to_string).collect();
        let build = |grant: Option<&str>| {
            let lines = inner.allow.iter().map(ToString::to_string);
            let lines = lines.chain(grant.map(str::to_owned));
            let builder = lines.fold(Policy::builder(), |b, line| b.allow(&line));
            let builder = inner.deny.iter().fold(builder, |b, line| b.deny(&line.to_string()));
            builder.build().unwrap().attenuate(&narrower).unwrap()
        };
        let Err(denial) = decide(&build(None), &ask) else { return Ok(()) };
        let Some(remedy) = denial.remedy() else { return Ok(()) };
        let grant = remedy.strip_prefix("--allow '").and_then(|rest| rest.strip_suffix('\''));
        prop_assert!(decide(&build(grant), &ask).is_ok(), "{}", remedy);
    }

    #[test]
    fn the_remedy_allows(rules in rules(), ask in ask()) {
        let ask = ask.to_string();
        let Err(denial) = decide(&compile(&rules), &ask) else { return Ok(()) };
        let Some(remedy) = denial.remedy() else { return Ok(()) };
        let grant = remedy.strip_prefix("--allow '").and_then(|rest| rest.strip_suffix('\''));
        let builder = Policy::builder().allow(grant.unwrap());
        let builder = rules.allow.iter().fold(builder, |b, line| b.allow(&line.to_string()));
        prop_assert!(decide(&builder.build().unwrap(), &ask).is_ok(), "{}", remedy);
    }

    #[test]
    fn a_denial_is_three_printable_lines(rules in rules(), ask in ask()) {
        if let Err(denial) = decide(&compile(&rules), &ask.to_string()) {
            let report = denial.report().to_string();
            prop_assert_eq!(report.lines().count(), 3);
            prop_assert!(report.chars().all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()));
            prop_assert!(!denial.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_grant_prints_as_it_parses(line in allow()) {
        let grant = Grant::parse(&line.to_string()).unwrap();
        let printed = grant.to_string();
        let again = Grant::parse(&printed).unwrap();
        prop_assert_eq!(again.to_string(), printed);
        prop_assert_eq!(again, grant);
    }

    #[test]
    fn ports_print_as_they_parse(items in vec((0u16.., 0u16..), 1..8)) {
        let items: Vec<String> = items
            .into_iter()
            .map(|(a, b)| match (a.min(b), a.max(b)) {
                (0, last) => last.to_string(),
                (first, last) => format!("{first}-{last}"),
            })
            .collect();
        let grant = Grant::parse(&format!("connect tcp://a.b:{}", items.join(","))).unwrap();
        prop_assert_eq!(Grant::parse(&grant.to_string()).unwrap(), grant);
    }

    #[test]
    fn services_are_their_ports(items in vec((any::<bool>(), 0u16..), 1..8)) {
        let named = |(named, port): &(bool, u16)| {
            let service = service::by_port(*port, Some(Protocol::Tcp)).filter(|_| *named);
            service.map_or_else(|| port.to_string(), str::to_owned)
        };
        // Among all ports few have a name.
        let items: Vec<_> = items.into_iter().map(|(named, port)| (named, port % 1024)).collect();
        let services: Vec<String> = items.iter().map(named).collect();
        let numbers: Vec<String> = items.iter().map(|(_, port)| port.to_string()).collect();
        let grant = |ports: &[String]| Grant::parse(&format!("connect tcp://a.b:{}", ports.join(",")));
        prop_assert_eq!(grant(&services).unwrap().to_string(), grant(&numbers).unwrap().to_string());
    }

    #[test]
    fn every_path_has_one_safe_spelling(bytes in unix_bytes()) {
        if let Ok(name) = UnixName::path(&bytes) {
            prop_assert_eq!(UnixName::path(name.as_path().unwrap()), Ok(name.clone()));
            is_spelled_safely(name)?;
        }
    }

    #[test]
    fn every_abstract_name_has_one_safe_spelling(bytes in vec(any::<u8>(), 1..107)) {
        is_spelled_safely(UnixName::abstract_name(&bytes).unwrap())?;
    }

    #[test]
    fn other_names_are_spelled_otherwise(one in unix_bytes(), other in unix_bytes()) {
        for make in [UnixName::path, UnixName::abstract_name] {
            if let (Ok(one), Ok(other)) = (make(&one), make(&other)) {
                prop_assert_eq!(one == other, one.to_string() == other.to_string());
            }
        }
    }

    #[test]
    fn almost_unix_grants_do_not_upset_the_parser(
        text in "(bind|connect|join|listen|resolve) unix(gram)?:[/@]?[\\PC/.%2aA*@]{0,30}"
    ) {
        match Grant::parse(&text) {
            Ok(grant) => prop_assert_eq!(Grant::parse(&grant.to_string()).unwrap(), grant),
            Err(error) => {
                prop_assert!(text.get(error.offset..error.offset + error.len).is_some());
                prop_assert!(!error.to_string().chars().any(char::is_control));
            }
        }
    }

    #[test]
    fn what_a_mistaken_path_is_taken_for_is_a_grant(text in "connect unix:[/.ab*]{1,12}") {
        let Err(error) = Grant::parse(&text) else { return Ok(()) };
        let hint = error.hint.unwrap_or_default();
        if let Some(meant) = hint.split('`').find(|part| part.starts_with("unix:")) {
            prop_assert!(Grant::parse(&format!("connect {meant}")).is_ok(), "{}", hint);
        }
    }

    #[test]
    fn no_text_upsets_the_parser(text in "(connect|listen|resolve)?[ \\PC]{0,40}") {
        if let Err(error) = Grant::parse(&text) {
            prop_assert!(text.get(error.offset..error.offset + error.len).is_some());
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn almost_grants_do_not_upset_the_parser(
        text in "(bind|connect|listen) (tcp|udp|http)://[a-f0-9.:*\\[\\]/%é-]{0,12}:[0-9,*a-z-]{0,6}( (in|from) [a-f0-9.:,/]{0,9})?"
    ) {
        match Grant::parse(&text) {
            Ok(grant) => prop_assert_eq!(Grant::parse(&grant.to_string()).unwrap(), grant),
            Err(error) => prop_assert!(text.get(error.offset..error.offset + error.len).is_some()),
        }
    }

    #[test]
    fn a_name_is_its_own_canonical_form(text in "[a-zA-Z0-9._\\-xnß。é]{1,20}") {
        if let Ok(name) = Name::parse(&text) {
            prop_assert!(name.as_str().is_ascii());
            prop_assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
            prop_assert_eq!(Host::parse(name.as_str()), Ok(Host::Name(name.clone())));
        }
    }

    #[test]
    fn no_file_upsets_the_builder(text in "(version = 1\n)?((allow|deny|hosts|host-name) = )?[\\PC\n]{0,40}") {
        if let Err(error) = Policy::builder().file("p", &text).build() {
            prop_assert!(!error.diagnostics().is_empty());
            prop_assert!(!error.to_string().chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
