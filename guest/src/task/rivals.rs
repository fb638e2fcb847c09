//! Attempts at the same, of which the first to succeed is wanted: RFC 8305.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::time::sleep;

/// Attempts that go on next to each other. Those that are left when it is dropped are
/// given up.
pub(crate) struct Rivals<'a, T> {
    running: Vec<Pin<Box<dyn Future<Output = T> + 'a>>>,
    /// How long one has before the next begins; none is until it has failed.
    delay: Option<Duration>,
}

impl<'a, T> Rivals<'a, T> {
    pub(crate) fn new(delay: Option<Duration>) -> Self {
        Self {
            running: Vec::new(),
            delay,
        }
    }

    pub(crate) fn start(&mut self, attempt: impl Future<Output = T> + 'a) {
        self.running.push(Box::pin(attempt));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// What comes of the next that ends; none where it is time for another one, if
    /// there are more, or where none is running.
    pub(crate) async fn next(&mut self, has_more: bool) -> Option<T> {
        let delay = self.delay.filter(|_| has_more);
        let mut pause = pin!(async {
            match delay {
                Some(delay) => sleep(delay).await,
                None => std::future::pending().await,
            }
        });
        poll_fn(|context| {
            for index in 0..self.running.len() {
                let Some(attempt) = self.running.get_mut(index) else {
                    break;
                };
                if let Poll::Ready(outcome) = attempt.as_mut().poll(context) {
                    drop(self.running.swap_remove(index));
                    return Poll::Ready(Some(outcome));
                }
            }
            if self.running.is_empty() {
                return Poll::Ready(None);
            }
            pause.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::task::block_on;

    const BRIEF: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(600);

    async fn after<T>(time: Duration, outcome: T) -> T {
        sleep(time).await;
        outcome
    }

    #[test]
    fn the_next_begins_after_a_while_and_the_first_to_end_is_told() {
        let mut rivals = Rivals::new(Some(BRIEF));
        rivals.start(after(LONG, "late"));
        assert_eq!(block_on(rivals.next(true)), None);
        rivals.start(after(BRIEF, "early"));
        assert_eq!(block_on(rivals.next(false)), Some("early"));
        assert!(!rivals.is_empty());
    }

    #[test]
    fn one_that_fails_makes_way_at_once() {
        let begin = Instant::now();
        let mut rivals = Rivals::new(Some(LONG));
        rivals.start(after(BRIEF, "failed"));
        assert_eq!(block_on(rivals.next(true)), Some("failed"));
        assert!(rivals.is_empty());
        assert!(begin.elapsed() < LONG);
        assert_eq!(block_on(rivals.next(true)), None);
    }

    #[test]
    fn in_turn_the_next_waits_for_the_end() {
        let mut rivals = Rivals::new(None);
        rivals.start(after(BRIEF * 5, "over"));
        assert_eq!(block_on(rivals.next(true)), Some("over"));
    }
}
