//! How long things take, in buckets. Unlike prometheus-client's own it takes no
//! lock, since all who serve tell it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;

/// A histogram of times. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// How many took as long as this, and longer than the one before.
    buckets: Vec<(Duration, AtomicU64)>,
    /// How many took longer than any.
    beyond: AtomicU64,
    seconds: Counter<f64, AtomicU64>,
}

impl Histogram {
    /// An empty one with these upper bounds, in ascending order.
    pub(super) fn new(bounds: &[Duration]) -> Self {
        let buckets = bounds.iter().map(|bound| (*bound, AtomicU64::default()));
        Self {
            shared: Arc::new(Shared {
                buckets: buckets.collect(),
                beyond: AtomicU64::default(),
                seconds: Counter::default(),
            }),
        }
    }

    /// Counts something that took so long.
    pub(super) fn observe(&self, duration: Duration) {
        let Shared {
            buckets,
            beyond,
            seconds,
        } = &*self.shared;
        let bucket = buckets.iter().find(|(bound, _)| duration <= *bound);
        let count = bucket.map_or(beyond, |(_, count)| count);
        count.fetch_add(1, Ordering::Relaxed);
        seconds.inc_by(duration.as_secs_f64());
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Shared {
            buckets,
            beyond,
            seconds,
        } = &*self.shared;
        let bounds = buckets.iter().map(|(bound, _)| bound.as_secs_f64());
        let bounds = bounds.chain([f64::INFINITY]);
        let counts = buckets.iter().map(|(_, count)| count).chain([beyond]);
        let counts = counts.map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        // Of what was read, so that the buckets add up.
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<NoLabelSet>(seconds.get(), count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
