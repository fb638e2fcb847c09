//! Waiting for what is no socket: standard input, and whatever else in WASI can
//! be waited for.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;
use wasip2::cli::stdin::get_stdin;
use wasip2::io::streams::{InputStream, StreamError};

use super::reactor::Reactor;
use crate::raw::wasi_poll::Pollable;

/// Waits until `pollable` is ready.
pub async fn wait_for(pollable: Pollable) {
    WaitFor::new(pollable).await;
}

#[derive(Debug)]
struct WaitFor {
    pollable: Rc<Pollable>,
    input: Option<usize>,
}

impl WaitFor {
    fn new(pollable: Pollable) -> Self {
        Self {
            pollable: Rc::new(pollable),
            input: None,
        }
    }
}

impl Future for WaitFor {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let waker = context.waker();
        Reactor::with(|reactor| match self.input {
            Some(input) if reactor.rewake_input(input, &self.pollable, waker) => Poll::Pending,
            Some(_) => Poll::Ready(()),
            None => {
                let pollable = Rc::clone(&self.pollable);
                self.input = Some(reactor.start_input(pollable, waker));
                Poll::Pending
            }
        })
    }
}

impl Drop for WaitFor {
    fn drop(&mut self) {
        if let Some(input) = self.input {
            Reactor::try_with(|reactor| reactor.stop_input(input, &self.pollable));
        }
    }
}

/// Standard input, or another stream of WASI, read without holding up the other
/// tasks.
///
/// What [`std::io::stdin`] has read ahead does not come up here: use one of them.
#[derive(Debug)]
pub struct Input {
    /// Before the stream, as it has to be dropped before.
    waiting: Option<WaitFor>,
    stream: InputStream,
}

impl Input {
    /// Standard input.
    pub fn stdin() -> Self {
        Self::new(get_stdin())
    }

    /// Any stream of WASI.
    pub fn new(stream: InputStream) -> Self {
        Self {
            waiting: None,
            stream,
        }
    }
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        loop {
            if let Some(waiting) = &mut self.waiting {
                ready!(pin!(waiting).poll(context));
                self.waiting = None;
            }
            match self.stream.read(buffer.len() as u64) {
                Ok(data) if data.is_empty() => {
                    self.waiting = Some(WaitFor::new(self.stream.subscribe()));
                }
                Ok(data) => {
                    let room = buffer.get_mut(..data.len()).ok_or_else(too_much)?;
                    room.copy_from_slice(&data);
                    return Poll::Ready(Ok(data.len()));
                }
                Err(StreamError::Closed) => return Poll::Ready(Ok(0)),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Poll::Ready(Err(io::Error::other(error.to_debug_string())));
                }
            }
        }
    }
}

fn too_much() -> io::Error {
    io::Error::other("the host sent more than was asked for")
}
