//! How long something computes: the time within its polls, since between them
//! it waits.

use std::future::{self, Future};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Runs a future until it has computed for `limit`; none if it had to be ended.
/// `spent` tells how long it has computed, also if this is dropped.
pub(crate) async fn within<T>(
    limit: Duration,
    spent: &mut Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    future::poll_fn(|context| {
        let began = Instant::now();
        let polled = future.as_mut().poll(context);
        *spent += began.elapsed();
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if *spent >= limit => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
