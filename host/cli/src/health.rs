//! Whether the threads of a server come back from what they do. A caller learns it without
//! waiting for one of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use portcullis::{Held, Server};
use tokio::time::interval;

/// How often the threads are asked for a sign.
const BEAT: Duration = Duration::from_millis(500);

/// How long a thread may be kept, and how old the last sign may be. Guests pause every ten
/// milliseconds, so this allows for a machine that is very busy.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is known of the threads of a server. Clones know the same.
#[derive(Clone)]
pub(crate) struct Health(Arc<Inner>);

struct Inner {
    began: Instant,
    /// Milliseconds from the beginning to the last sign of the threads.
    beat: AtomicU64,
    server: OnceLock<Server>,
}

impl Health {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            began: Instant::now(),
            beat: AtomicU64::default(),
            server: OnceLock::new(),
        }))
    }

    /// Has the threads of the runtime that this is called in give signs of life, and asks
    /// `server` which connections keep them.
    pub(crate) fn watch(&self, server: Server) {
        // A process has one server.
        let _ = self.0.server.set(server);
        self.beat();
        let health = self.clone();
        tokio::spawn(async move {
            let mut beats = interval(BEAT);
            loop {
                beats.tick().await;
                health.beat();
            }
        });
    }

    fn beat(&self) {
        self.0.beat.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the threads are watched, and nothing is wrong with them.
    pub(crate) fn is_good(&self) -> bool {
        self.0.server.get().is_some() && self.trouble().is_none()
    }

    /// What is wrong with the threads of the server, in a line; none where they serve, or
    /// are not watched yet.
    pub(crate) fn trouble(&self) -> Option<String> {
        let server = self.0.server.get()?;
        if let Some(Held {
            connection, time, ..
        }) = server.held().filter(|held| held.time >= PATIENCE)
        {
            let seconds = time.as_secs();
            return Some(format!(
                "connection {connection} has kept a thread for {seconds} s"
            ));
        }
        let silence = self
            .now()
            .saturating_sub(self.0.beat.load(Ordering::Relaxed));
        let silence = Duration::from_millis(silence);
        (silence >= PATIENCE)
            .then(|| format!("no thread has been free for {} s", silence.as_secs()))
    }
}
