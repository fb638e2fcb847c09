//! A socket of which no operation holds up the other tasks.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};

use super::reactor::Reactor;
use super::sources::{Direction, Key, Waiter};
use super::time::sleep;
use crate::socket::Socket;

const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(32);

/// A socket, of whichever type, whose operations are asynchronous.
///
/// One task may wait for reading while another one waits for writing, through
/// references on the same value or through `Rc`s. Several may wait for the same
/// with the asynchronous functions; with [`AsyncRead`] and [`AsyncWrite`] there is
/// one reader and one writer at a time.
///
/// A socket is in one `Async` at a time: a second one for another handle on it
/// fails with `AlreadyExists` where it has to wait while the first one waits.
#[derive(Debug)]
pub struct Async<T> {
    place: Place,
    io: Rc<T>,
}

impl<T: AsRef<Socket> + 'static> Async<T> {
    /// Takes a socket, which becomes non-blocking.
    ///
    /// # Errors
    ///
    /// None; it returns a result because others of its kind do.
    pub fn new(io: T) -> io::Result<Self> {
        io.as_ref().set_nonblocking(true);
        let io = Rc::new(io);
        let source = Rc::clone(&io);
        let place = Place(Reactor::with(|reactor| reactor.insert(source)));
        Ok(Self { place, io })
    }

    /// The socket within, non-blocking.
    pub fn get_ref(&self) -> &T {
        &self.io
    }

    /// The socket itself, which stays non-blocking.
    ///
    /// # Errors
    ///
    /// None; it returns a result because others of its kind do.
    pub fn into_inner(self) -> io::Result<T> {
        let Self { place, io } = self;
        drop(place);
        Rc::into_inner(io).ok_or_else(|| io::Error::other("the socket is still waited for"))
    }

    /// Waits until receiving or accepting would not block.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::add`](crate::Poller::add).
    pub async fn readable(&self) -> io::Result<()> {
        Ready::new(self.place.0, Direction::Read).await
    }

    /// Waits until sending would not block, or a connect has ended.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::add`](crate::Poller::add).
    pub async fn writable(&self) -> io::Result<()> {
        Ready::new(self.place.0, Direction::Write).await
    }

    /// Does something that may have to wait for data, until it has not.
    ///
    /// # Errors
    ///
    /// Those of `operation` but `WouldBlock`, and those of
    /// [`readable`](Self::readable).
    pub async fn read_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        loop {
            match operation(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            self.readable().await?;
        }
    }

    /// Does something that may have to wait for room, until it has not.
    ///
    /// Whether a socket is writable does not depend on where a datagram is to go, and
    /// the queue of a unix socket there can be full all the same. What would still have
    /// to wait when the socket is writable is tried again after pauses that grow to 32
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// Those of `operation` but `WouldBlock`, and those of
    /// [`writable`](Self::writable).
    pub async fn write_with<R>(
        &self,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut pause = None;
        loop {
            match operation(&self.io) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
            if let Some(pause) = pause {
                sleep(pause).await;
            }
            pause = Some(pause.map_or(SHORTEST_PAUSE, |pause| LONGEST_PAUSE.min(2 * pause)));
            self.writable().await?;
        }
    }

    fn poll_with<R>(
        &self,
        direction: Direction,
        context: &mut Context<'_>,
        operation: impl FnOnce(&T) -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        match operation(&self.io) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
        let key = self.place.0;
        Reactor::with(|reactor| reactor.wait(key, direction, Waiter::Poll, context.waker()))?;
        Poll::Pending
    }
}

impl<T> AsRef<T> for Async<T> {
    fn as_ref(&self) -> &T {
        &self.io
    }
}

impl<T> AsyncRead for &Async<T>
where
    T: AsRef<Socket> + 'static,
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Read, context, |mut io| io.read(buffer))
    }
}

impl<T> AsyncRead for Async<T>
where
    T: AsRef<Socket> + 'static,
    for<'a> &'a T: Read,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(context, buffer)
    }
}

impl<T> AsyncWrite for &Async<T>
where
    T: AsRef<Socket> + 'static,
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_with(Direction::Write, context, |mut io| io.write(data))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the sending direction; the other one stays open.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket: &Socket = (*self.io).as_ref();
        match socket.shutdown(Shutdown::Write) {
            // It is closed already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            outcome => Poll::Ready(outcome),
        }
    }
}

impl<T> AsyncWrite for Async<T>
where
    T: AsRef<Socket> + 'static,
    for<'a> &'a T: Write,
{
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(context)
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(context)
    }
}

/// A socket's place in the reactor, which ends with it.
#[derive(Debug)]
struct Place(Key);

impl Drop for Place {
    fn drop(&mut self) {
        Reactor::try_with(|reactor| reactor.remove(self.0));
    }
}

/// Waits once for one direction.
struct Ready {
    key: Key,
    direction: Direction,
    waiter: Option<Waiter>,
}

impl Ready {
    fn new(key: Key, direction: Direction) -> Self {
        Self {
            key,
            direction,
            waiter: None,
        }
    }
}

impl Future for Ready {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (key, direction) = (self.key, self.direction);
        Reactor::with(|reactor| {
            let waiter = match self.waiter {
                Some(waiter) if !reactor.waits(key, direction, waiter) => {
                    return Poll::Ready(Ok(()));
                }
                Some(waiter) => waiter,
                None => reactor.number(),
            };
            reactor.wait(key, direction, waiter, context.waker())?;
            self.waiter = Some(waiter);
            Poll::Pending
        })
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            Reactor::try_with(|reactor| reactor.stop(self.key, self.direction, waiter));
        }
    }
}
