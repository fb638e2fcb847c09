//! What differs between two policies and is no request. It must not leave a limit
//! out.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use crate::{Limits, Name, Policy};

/// Something that a policy sets, and what it is set to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setting {
    /// What is set, as policy files call it: `host-name`, `hosts "db.internal"`,
    /// `limits sockets`.
    pub key: String,
    /// What the one policy sets it to; none where it does not.
    pub before: Option<String>,
    /// What the other policy sets it to; none where it does not.
    pub after: Option<String>,
}

pub(crate) fn differing(before: &Policy, after: &Policy) -> Vec<Setting> {
    let mut settings = vec![Setting {
        key: "host-name".to_owned(),
        before: Some(before.host_name().to_owned()),
        after: Some(after.host_name().to_owned()),
    }];
    let names: BTreeSet<&Name> = before.listed_hosts().chain(after.listed_hosts()).collect();
    settings.extend(names.into_iter().map(|name| Setting {
        key: format!("hosts \"{name}\""),
        before: addresses(before, name),
        after: addresses(after, name),
    }));
    let limits = limits(before.limits())
        .into_iter()
        .zip(limits(after.limits()));
    settings.extend(limits.map(|((key, before), (_, after))| Setting {
        key: format!("limits {key}"),
        before,
        after,
    }));
    settings.retain(|setting| setting.before != setting.after);
    settings
}

fn addresses(policy: &Policy, name: &Name) -> Option<String> {
    let addresses = policy.hosts(name)?;
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Some(texts.join(", "))
}

fn limits(limits: Limits) -> [(&'static str, Option<String>); 10] {
    let Limits {
        sockets,
        connections,
        connections_per_second,
        lookups_per_minute,
        bytes_sent,
        bytes_received,
        bandwidth,
        idle_timeout,
        connection_timeout,
        backlog,
    } = limits;
    let count = |count: Option<u32>| count.map(|count| count.to_string());
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes.to_string());
    let time =
        |time: Option<Duration>| time.map(|time| humantime::format_duration(time).to_string());
    [
        ("sockets", count(sockets)),
        ("connections", count(connections)),
        ("connections-per-second", count(connections_per_second)),
        ("lookups-per-minute", count(lookups_per_minute)),
        ("bytes-sent", bytes(bytes_sent)),
        ("bytes-received", bytes(bytes_received)),
        ("bandwidth", bytes(bandwidth)),
        ("idle-timeout", time(idle_timeout)),
        ("connection-timeout", time(connection_timeout)),
        ("backlog", count(backlog)),
    ]
}

impl Limits {
    /// How many of them are set.
    pub(crate) fn count(self) -> usize {
        let limits = limits(self).into_iter();
        limits.filter(|(_, limit)| limit.is_some()).count()
    }
}

/// On one line: `limits sockets: 128 → none`.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let Self { key, before, after } = self;
        write!(f, "{key}: {} → {}", shown(before), shown(after))
    }
}
