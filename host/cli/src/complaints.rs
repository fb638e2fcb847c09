//! What goes wrong with those who are served, on standard error. It must not
//! fill the journal, however many try.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis::{Ending, Error, Log, PolicyError, Served, Shown, TurnedAway, Visit};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::output;

/// For how long one of a kind stands for all.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells of the first of each kind of mishap, and a second later how many more
/// there were. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Complaints {
    shared: Arc<Shared>,
    /// Whether those who are served are told of somewhere else.
    only_listeners: bool,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many of each kind have come since one was told of.
    more: Mutex<BTreeMap<&'static str, u64>>,
    told: Notify,
}

impl Complaints {
    /// Complaints about listeners, and about those who are served.
    pub(crate) fn new() -> Self {
        Self {
            shared: Arc::default(),
            only_listeners: false,
        }
    }

    /// Complaints about listeners.
    pub(crate) fn of_listeners() -> Self {
        Self {
            only_listeners: true,
            ..Self::new()
        }
    }

    /// Tells how many more there were, for as long as it is polled.
    pub(crate) async fn count(self) {
        loop {
            self.shared.told.notified().await;
            sleep(PAUSE).await;
            self.finish();
        }
    }

    /// Tells how many more there were.
    pub(crate) fn finish(&self) {
        let counted = std::mem::take(&mut *self.more());
        for (kind, count) in counted {
            if count > 0 {
                say(&format!("{count} more: {kind}"));
            }
        }
    }

    fn tell(&self, kind: &'static str, what: impl FnOnce() -> String) {
        let mut more = self.more();
        if let Some(count) = more.get_mut(kind) {
            *count += 1;
            return;
        }
        more.insert(kind, 0);
        drop(more);
        say(&what());
        self.shared.told.notify_one();
    }

    fn more(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        let more = self.shared.more.lock();
        more.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Complaints {
    fn ended(&self, served: &Served<'_>) {
        if self.only_listeners || matches!(served.ending, Ending::Finished) {
            return;
        }
        let (visit, ending) = (served.visit, served.ending.as_str());
        self.tell(ending, || {
            let why = served.ending.reason();
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            format!("{} from {}: {ending}{why}", visit.number, visit.peer)
        });
    }

    fn turned_away(&self, visit: &Visit<'_>, why: TurnedAway) {
        if self.only_listeners {
            return;
        }
        let (kind, reason) = match why {
            TurnedAway::Full => ("not served: full", "as many are served as may be"),
            TurnedAway::TooManyOfPeer => (
                "not served: too many of a peer",
                "the peer has as many connections as it may have",
            ),
        };
        self.tell(kind, || {
            format!("{} from {}: not served: {reason}", visit.number, visit.peer)
        });
    }

    fn failed(&self, listener: &str, error: &Error) {
        self.tell("a listener fails", || format!("{listener}: {error}"));
    }
}

/// Tells the operator something, in a line.
pub(crate) fn say(what: &str) {
    output::say(&Shown::line(format_args!("portcullis: {what}")));
}

/// Tells what went wrong, as the command does at its end.
pub(crate) fn say_error(error: &anyhow::Error) {
    output::say(&match error.downcast_ref::<PolicyError>() {
        // It begins with that itself.
        Some(error) => error.shown(),
        None => Shown::lines(format_args!("error: {error:#}")),
    });
}
