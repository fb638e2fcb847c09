//! The figures of a server, as `docs/metrics.md` lists them. To count must cost a
//! connection next to nothing: no lock, and no memory.

mod address;
pub(crate) mod endpoint;
mod histogram;
mod process;

use std::fmt;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub(crate) use address::MetricsAddress;
use histogram::Histogram;
use portcullis::{
    AccessLog, Audit, Bounds, Ending, Error, Event, Limited, Log, Served, TurnedAway, Visit,
};
use process::Process;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

/// From the fastest handlers to sessions of an hour.
const DURATIONS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
    Duration::from_secs(3600),
];

/// From a place of the pool that is warm to a component that begins with work.
const INSTANTIATIONS: &[Duration] = &[
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(20),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
];

/// What the host keeps the last of, as events and the figures call it.
const DESCRIPTORS: &str = "descriptors";

/// How many listeners are counted without a lock.
const LISTENERS: usize = 64;

/// The figures of a server. Clones are the same.
#[derive(Clone)]
pub(crate) struct Metrics {
    shared: Arc<Shared>,
}

/// What a server is at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Stage {
    /// It does not listen yet.
    #[default]
    Starting,
    /// It lets in who comes.
    Serving,
    /// It ends those whom it serves, and lets in nobody.
    Draining,
    /// The same, while another process serves in its place, and answers for it.
    Replaced,
}

type Label = [(&'static str, &'static str); 1];
type OfListener = [(&'static str, String); 1];
type EndingOfListener = [(&'static str, String); 2];

struct Shared {
    registry: Registry,
    stage: watch::Sender<Stage>,
    connections: Family<EndingOfListener, Counter>,
    failures: Family<OfListener, Counter>,
    listeners: [OnceLock<Endings>; LISTENERS],
    active: Gauge,
    refused_by_policy: Counter,
    refused_by_limit: Counter,
    refused_for_descriptors: Counter,
    refused_full: Counter,
    refused_of_peer: Counter,
    received: Counter,
    sent: Counter,
    answers: Counter,
    duration: Histogram,
    instantiation: Histogram,
    cpu_time: Counter<f64, AtomicU64>,
    allowed: Counter,
    denied: Counter,
    reloads: Counter,
    bad_reloads: Counter,
}

/// The connections of a listener, by how they ended.
struct Endings {
    listener: String,
    counts: [(&'static str, Counter); Ending::WORDS.len()],
}

impl Metrics {
    /// Nothing as yet, of a server with these listeners and bounds.
    pub(crate) fn new(
        listeners: &[String],
        bounds: &Bounds,
        access_log: Option<&AccessLog>,
    ) -> Self {
        let (refused, bytes) = (Family::default(), Family::default());
        let (decisions, reloads) = (Family::default(), Family::default());
        let mut shared = Shared {
            registry: Registry::default(),
            stage: watch::Sender::default(),
            connections: Family::default(),
            failures: Family::default(),
            listeners: [const { OnceLock::new() }; LISTENERS],
            active: Gauge::default(),
            refused_by_policy: labelled(&refused, "reason", "policy"),
            refused_by_limit: labelled(&refused, "reason", "limit"),
            refused_for_descriptors: labelled(&refused, "reason", DESCRIPTORS),
            refused_full: labelled(&refused, "reason", TurnedAway::Full.as_str()),
            refused_of_peer: labelled(&refused, "reason", TurnedAway::TooManyOfPeer.as_str()),
            received: labelled(&bytes, "direction", "received"),
            sent: labelled(&bytes, "direction", "sent"),
            answers: Counter::default(),
            duration: Histogram::new(DURATIONS),
            instantiation: Histogram::new(INSTANTIATIONS),
            cpu_time: Counter::default(),
            allowed: labelled(&decisions, "verdict", "allow"),
            denied: labelled(&decisions, "verdict", "deny"),
            reloads: labelled(&reloads, "result", "good"),
            bad_reloads: labelled(&reloads, "result", "bad"),
        };
        for listener in listeners.iter().filter(|listener| is_endpoint(listener)) {
            shared.endings(listener);
            shared.count_failures_of(listener);
        }
        let mut registry = Registry::default();
        let own = registry.sub_registry_with_prefix("portcullis");
        own.register(
            "connections",
            "Connections and datagrams that were served, by listener and by how that ended",
            shared.connections.clone(),
        );
        own.register(
            "connections_active",
            "Connections and datagrams that are being served",
            shared.active.clone(),
        );
        own.register(
            "connections_limit",
            "How many may be served at once",
            ConstGauge::new(i64::from(bounds.connections)),
        );
        own.register("refused", "Peers that were not served, by why", refused);
        own.register(
            "listener_failures",
            "How often a listener could not take who came, for lack of descriptors say",
            shared.failures.clone(),
        );
        own.register(
            "bytes",
            "Bytes that went through connections and datagrams that are over",
            bytes,
        );
        own.register(
            "answers",
            "Datagrams that datagrams were answered with, once those are over",
            shared.answers.clone(),
        );
        own.register_with_unit(
            "connection_duration",
            "How long connections and datagrams took, from being let in to the end",
            Unit::Seconds,
            shared.duration.clone(),
        );
        own.register_with_unit(
            "instantiation",
            "How long it took to make an instance, where one was made",
            Unit::Seconds,
            shared.instantiation.clone(),
        );
        own.register_with_unit(
            "cpu",
            "How long instances computed for connections that are over",
            Unit::Seconds,
            shared.cpu_time.clone(),
        );
        own.register(
            "policy_decisions",
            "What instances and listeners asked of the policy, by what it said",
            decisions,
        );
        own.register(
            "reloads",
            "How often the policy and the handler were read anew, and whether they are used",
            reloads,
        );
        own.register(
            "build",
            "Which portcullis it is",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        if let Some(log) = access_log {
            own.register_collector(Box::new(Losses(log.clone())));
        }
        registry.register_collector(Box::new(Process::default()));
        shared.registry = registry;
        Self {
            shared: Arc::new(shared),
        }
    }

    /// All of it in the text format of OpenMetrics 1.0.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.shared.registry)?;
        Ok(text)
    }

    /// What the server is at.
    pub(crate) fn stage(&self) -> Stage {
        *self.shared.stage.borrow()
    }

    /// Waits until the server is at such a stage.
    pub(crate) async fn reaches(&self, is_such: impl FnMut(&Stage) -> bool) {
        let mut stage = self.shared.stage.subscribe();
        // The sender is as old as this.
        let _ = stage.wait_for(is_such).await;
    }

    /// Says what the server is at.
    pub(crate) fn enter(&self, stage: Stage) {
        self.shared.stage.send_replace(stage);
    }

    /// Counts that the policy and the handler were read anew.
    pub(crate) fn reloaded(&self, is_good: bool) {
        match is_good {
            true => self.shared.reloads.inc(),
            false => self.shared.bad_reloads.inc(),
        };
    }
}

impl Log for Metrics {
    fn began(&self, _: &Visit<'_>) {
        self.shared.active.inc();
    }

    fn ended(&self, served: &Served<'_>) {
        let shared = &self.shared;
        shared.active.dec();
        let (listener, ending) = (served.visit.listener, served.ending.as_str());
        let endings = shared.endings(listener);
        match endings.and_then(|endings| endings.count(ending)) {
            Some(count) => count.inc(),
            // One too many, and counted all the same.
            None => labels_of(&shared.connections, listener, ending).inc(),
        };
        shared.received.inc_by(served.bytes_received);
        shared.sent.inc_by(served.bytes_sent);
        shared.answers.inc_by(served.answers.unwrap_or(0));
        shared.duration.observe(served.duration);
        if let Some(instantiation) = served.instantiation {
            shared.instantiation.observe(instantiation);
        }
        shared.cpu_time.inc_by(served.cpu_time.as_secs_f64());
    }

    fn turned_away(&self, _: &Visit<'_>, why: TurnedAway) {
        match why {
            TurnedAway::Full => self.shared.refused_full.inc(),
            TurnedAway::TooManyOfPeer => self.shared.refused_of_peer.inc(),
        };
    }

    fn failed(&self, listener: &str, _: &Error) {
        self.shared.count_failures_of(listener).inc();
    }
}

impl Audit for Metrics {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        // There are more kinds of events than there is to count.
        if let Event::Allowed(_) = event {
            self.shared.allowed.inc();
        }
        if let Event::Denied(_) = event {
            self.shared.denied.inc();
        }
        if let Event::Refused(_) = event {
            self.shared.refused_by_policy.inc();
        }
        if let Event::Limited(Limited {
            peer: Some(_),
            limit,
            ..
        }) = event
        {
            match limit {
                DESCRIPTORS => self.shared.refused_for_descriptors.inc(),
                _ => self.shared.refused_by_limit.inc(),
            };
        }
        Ok(())
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics")
            .field("stage", &self.stage())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// The connections of a listener, which has a place from when it is first told
    /// of; none where there is no place left.
    fn endings(&self, listener: &str) -> Option<&Endings> {
        let places = self.listeners.iter();
        let mut taken =
            places.map(|place| place.get_or_init(|| Endings::new(&self.connections, listener)));
        taken.find(|endings| endings.listener == listener)
    }

    fn count_failures_of(&self, listener: &str) -> Counter {
        let labels = [("listener", listener.to_owned())];
        self.failures.get_or_create_owned(&labels)
    }
}

impl Endings {
    fn new(connections: &Family<EndingOfListener, Counter>, listener: &str) -> Self {
        Self {
            listener: listener.to_owned(),
            counts: Ending::WORDS.map(|word| (word, labels_of(connections, listener, word))),
        }
    }

    fn count(&self, ending: &str) -> Option<&Counter> {
        let mut counts = self.counts.iter();
        counts.find_map(|(word, count)| (*word == ending).then_some(count))
    }
}

/// Whether a `--listen` says where that is, rather than who has opened it.
fn is_endpoint(listen: &str) -> bool {
    !["fd:", "systemd"].iter().any(|by| listen.starts_with(by))
}

fn labels_of(
    connections: &Family<EndingOfListener, Counter>,
    listener: &str,
    ending: &str,
) -> Counter {
    connections.get_or_create_owned(&[
        ("listener", listener.to_owned()),
        ("ending", ending.to_owned()),
    ])
}

fn labelled(family: &Family<Label, Counter>, name: &'static str, value: &'static str) -> Counter {
    family.get_or_create_owned(&[(name, value)])
}

/// The lines that the access log could not write.
#[derive(Debug)]
struct Losses(AccessLog);

impl Collector for Losses {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let lost = ConstCounter::new(self.0.lost());
        let help = "Lines that could not be written to the access log.";
        let encoder =
            encoder.encode_descriptor("access_log_lost_lines", help, None, lost.metric_type())?;
        lost.encode(encoder)
    }
}
