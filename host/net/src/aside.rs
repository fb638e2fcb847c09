//! Work that may wait for the machine, in a thread of its own: not one of the
//! runtime's, which would wait for it before it ends.

use std::io;
use std::thread;

use tokio::sync::oneshot;

/// Begins the work, which keeps its place until it is done, whether or not anybody
/// still waits for what comes of it.
///
/// # Errors
///
/// Where the machine has no thread left.
pub(crate) fn aside<T: Send + 'static>(
    name: &str,
    place: impl Send + 'static,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<T>> {
    let (done, pending) = oneshot::channel();
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(move || {
        let outcome = work();
        drop(place);
        let _ = done.send(outcome);
    })?;
    Ok(pending)
}
