//! What holds between policies: of their order, their layers, and of what comes
//! nearest. It must not depend on how any of it is found.

use std::time::Duration;

use portcullis_policy::{Grant, Limits, Nearest, Policy, Reason};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::check::{decide, shadowed};
use crate::model::{Ask, Rules};
use crate::properties::compile;
use crate::strategies::{ask, rules};

/// Rules, and the same in another order.
fn shuffled() -> impl Strategy<Value = (Rules, Rules)> {
    rules().prop_flat_map(|rules| {
        let lists = (Just(rules.allow.clone()), Just(rules.deny.clone()));
        let lists = (lists.0.prop_shuffle(), lists.1.prop_shuffle());
        let other = lists.prop_map(|(allow, deny)| Rules { allow, deny });
        (Just(rules), other)
    })
}

/// What of a list comes nearest, as that reads: each of the grants is looked at
/// as if there were no other, and the first of those that differ least is it.
fn nearest(rules: &Rules, ask: &str) -> Option<Nearest> {
    let alone = rules.allow.iter().filter_map(|line| {
        let policy = Policy::builder().allow(&line.to_string()).build().unwrap();
        near(decide(&policy, ask).unwrap_err().reason())
    });
    alone.min_by_key(|near| near.differences().len())
}

fn near(reason: &Reason) -> Option<Nearest> {
    let Reason::NoGrant { nearest } = reason else {
        panic!("another reason: {reason}");
    };
    nearest.clone()
}

fn limits() -> impl Strategy<Value = Limits> {
    let count = || option::of(0u32..4);
    let bytes = || option::of(0u64..4);
    let time = || option::of((0u64..4).prop_map(Duration::from_secs));
    let counts = (count(), count(), count(), count(), count());
    (counts, (bytes(), bytes(), bytes()), (time(), time())).prop_map(|(counts, bytes, times)| {
        let mut limits = Limits::default();
        (
            limits.sockets,
            limits.connections,
            limits.connections_per_second,
            limits.lookups_per_minute,
            limits.backlog,
        ) = counts;
        (limits.bytes_sent, limits.bytes_received, limits.bandwidth) = bytes;
        (limits.idle_timeout, limits.connection_timeout) = times;
        limits
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_lines_does_not_matter((one, other) in shuffled(), ask in ask()) {
        let ask = ask.to_string();
        let (one, other) = (decide(&compile(&one), &ask), decide(&compile(&other), &ask));
        prop_assert_eq!(one.is_ok(), other.is_ok());
        if let (Err(one), Err(other)) = (one, other) {
            prop_assert_eq!(one.is_explicit(), other.is_explicit());
            prop_assert_eq!(one.remedy().is_some(), other.remedy().is_some());
        }
    }

    #[test]
    fn layers_decide_as_the_specification_reads(layers in vec(rules(), 1..4), ask in ask()) {
        let policies: Vec<Policy> = layers.iter().map(compile).collect();
        let allowed = layers.iter().all(|layer| layer.allow(&ask));
        let policy = policies.iter().skip(1).fold(policies[0].clone(), |all, one| all.and(one));
        prop_assert_eq!(decide(&policy, &ask.to_string()).is_ok(), allowed);
    }

    #[test]
    fn a_shadowed_layer_tells_and_the_others_deny(
        shadow in rules(), inner in vec(rules(), 0..3), ask in ask()
    ) {
        let policy = inner.iter().fold(compile(&shadow).shadowed(), |all, one| all.and(&compile(one)));
        let text = ask.to_string();
        let allowed = inner.iter().all(|layer| layer.allow(&ask));
        prop_assert_eq!(decide(&policy, &text).is_ok(), allowed);
        if allowed {
            let enforced = decide(&compile(&shadow), &text).err();
            prop_assert_eq!(enforced.is_none(), shadow.allow(&ask));
            prop_assert_eq!(shadowed(&policy, &text), enforced);
        }
    }

    #[test]
    fn the_nearest_grant_is_the_first_of_those_that_differ_least(rules in rules(), ask in ask()) {
        let ask = ask.to_string();
        let Err(denial) = decide(&compile(&rules), &ask) else { return Ok(()) };
        if let Reason::NoGrant { nearest: found } = denial.reason() {
            prop_assert_eq!(found, &nearest(&rules, &ask));
        }
    }

    #[test]
    fn what_reads_as_a_grant_prints_as_the_request(ask in ask()) {
        let Err(denial) = decide(&Policy::default(), &ask.to_string()) else { return Ok(()) };
        match (Grant::parse(denial.request()), ask) {
            (Err(_), Ask::Accept { .. } | Ask::Join { .. }) => {}
            (Ok(grant), Ask::Bind(_) | Ask::Broadcast | Ask::Connect(_) | Ask::Join { .. }
                | Ask::Listen { .. } | Ask::Lookup { .. } | Ask::Resolve(_) | Ask::Reverse(_)
                | Ask::Unix(_)) => prop_assert_eq!(grant.to_string(), denial.request()),
            (parsed, ask) => prop_assert!(false, "{ask}: {parsed:?}"),
        }
    }

    #[test]
    fn limits_hold_in_whatever_order(one in limits(), other in limits(), third in limits()) {
        prop_assert_eq!(one.and(other), other.and(one));
        prop_assert_eq!(one.and(other).and(third), one.and(other.and(third)));
        prop_assert_eq!(one.and(one), one);
        prop_assert_eq!(one.and(Limits::default()), one);
    }
}
