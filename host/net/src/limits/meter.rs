//! Moving data within the limits.

use std::time::Duration;
use std::{io, iter};

use super::Direction;
use super::flow::Flow;
use crate::address::SocketType;
use crate::error::{Error, ErrorCode};
use crate::ready::Ready;
use crate::socket::Socket;
use crate::wait::Wait;

/// How long a wait for bandwidth keeps from looking whether something else is
/// ready, which the kernel then tells nobody of.
const PAUSE: Duration = Duration::from_millis(10);

/// What a message counts for: one without a byte takes the network as well.
pub(crate) fn weight(length: usize) -> usize {
    length.max(1)
}

impl Socket {
    fn flow(&self, direction: Direction) -> &Flow {
        self.shared.network.budget().flow(direction)
    }

    /// How many of `wanted` bytes to move at once.
    pub(crate) fn piece(&self, direction: Direction, wanted: usize) -> usize {
        self.flow(direction).piece(wanted)
    }

    /// How many messages of these lengths to send at once.
    pub(crate) fn piece_of(&self, lengths: impl Iterator<Item = usize>) -> usize {
        let mut left = self.piece(Direction::Outgoing, usize::MAX);
        let more = lengths.take_while(|length| {
            let more = left > 0;
            left = left.saturating_sub(weight(*length));
            more
        });
        more.count()
    }

    /// Waits until the bandwidth lets something move.
    pub(crate) async fn pace(&self, direction: Direction, wait: Wait) -> Result<(), Error> {
        while let Some(delay) = self.flow(direction).delay() {
            self.shared.check_ended()?;
            let slept = async {
                tokio::time::sleep(delay.min(PAUSE)).await;
                Ok::<_, ErrorCode>(())
            };
            wait.bound(slept).await?;
        }
        Ok(())
    }

    /// Moves bytes of a stream: as many of `wanted` as the limit leaves.
    pub(crate) fn move_some<T>(
        &self,
        direction: Direction,
        wanted: usize,
        call: impl FnOnce(usize) -> io::Result<(T, usize)>,
    ) -> io::Result<T> {
        let reserved = self.flow(direction).reserve(wanted);
        let reserved = reserved.map_err(|limit| self.over(limit))?;
        let (done, bytes) = call(reserved.bytes())?;
        reserved.moved(bytes);
        self.note_moved(bytes);
        Ok(done)
    }

    /// Sends one message, if the limit leaves room for all of it.
    pub(crate) fn move_message(
        &self,
        data: &[u8],
        send: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let lengths = iter::once(data.len());
        self.move_messages(lengths, |_| send().map(|_| 1))?;
        Ok(data.len())
    }

    /// Sends one message by a future, if the limit leaves room for all of it.
    pub(crate) async fn move_message_by(
        &self,
        length: usize,
        send: impl Future<Output = Result<usize, Error>>,
    ) -> Result<usize, Error> {
        let (flow, length) = (self.flow(Direction::Outgoing), weight(length));
        let reserved = flow.reserve(length);
        let reserved = reserved.map_err(|limit| self.record().exceeded(limit))?;
        if let (true, Some(limit)) = (reserved.bytes() < length, flow.limit()) {
            return Err(self.record().exceeded(limit));
        }
        let sent = send.await?;
        reserved.moved(length);
        self.note_moved(length);
        Ok(sent)
    }

    /// Sends messages, whose lengths are told: as many of them as the limit leaves,
    /// which is at least one.
    pub(crate) fn move_messages(
        &self,
        lengths: impl Iterator<Item = usize> + Clone,
        call: impl FnOnce(usize) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let flow = self.flow(Direction::Outgoing);
        let lengths = lengths.map(weight);
        let reserved = flow.reserve(lengths.clone().fold(0, usize::saturating_add));
        let reserved = reserved.map_err(|limit| self.over(limit))?;
        let fitting = lengths.clone().scan(0_usize, |sum, length| {
            *sum = sum.saturating_add(length);
            (*sum <= reserved.bytes()).then_some(())
        });
        let count = fitting.count();
        if let (0, Some(limit)) = (count, flow.limit()) {
            return Err(self.over(limit));
        }
        let moved = call(count)?;
        let bytes = lengths.take(moved).sum();
        reserved.moved(bytes);
        self.note_moved(bytes);
        Ok(moved)
    }

    /// Takes note of a message that came in, of whose length nobody knew: all of it
    /// counts, since a peek may have shown what there was no room for. One that is
    /// more than the limit leaves is lost; a peek takes nothing.
    pub(crate) fn take_message(&self, length: usize, peek: bool) -> Result<(), Error> {
        let length = weight(length);
        let flow = self.flow(Direction::Incoming);
        let fits = flow.check(length);
        fits.map_err(|limit| self.record().exceeded(limit))?;
        if !peek {
            let reserved = flow.reserve(length);
            let reserved = reserved.map_err(|limit| self.record().exceeded(limit))?;
            reserved.moved(length);
            self.note_moved(length);
        }
        Ok(())
    }

    /// How many bytes may still come in.
    pub(crate) fn left(&self) -> usize {
        self.flow(Direction::Incoming).left()
    }

    /// Fails where no message may come in any more.
    pub(crate) fn may_take(&self) -> Result<(), Error> {
        let left = self.flow(Direction::Incoming).check(1);
        left.map_err(|limit| self.record().exceeded(limit))
    }

    /// The error of an OS call that a limit keeps from being made.
    pub(crate) fn over(&self, limit: super::Limit) -> io::Error {
        io::Error::other(self.record().exceeded(limit))
    }

    fn note_moved(&self, bytes: usize) {
        let limits = self.shared.network.budget().limits();
        if limits.idle_timeout.is_some() && bytes > 0 {
            self.shared.usage.note_moved();
        }
    }

    /// Takes back what of `ready` would wait for bandwidth.
    pub(crate) fn hold(&self, mut ready: Ready) -> Ready {
        if self.held(ready, Direction::Incoming).is_some() {
            ready.readable = false;
        }
        if self.held(ready, Direction::Outgoing).is_some() {
            ready.writable = false;
        }
        ready
    }

    /// For how long nobody need look again at what is held back of `ready`, where
    /// the kernel says it is so.
    pub(crate) fn pause(&self, ready: Ready) -> Option<Duration> {
        let directions = [Direction::Incoming, Direction::Outgoing];
        let held = directions.into_iter();
        let held = held.filter_map(|direction| self.held(ready, direction));
        held.min().map(|delay| delay.min(PAUSE))
    }

    fn held(&self, ready: Ready, direction: Direction) -> Option<Duration> {
        let asked = match direction {
            Direction::Incoming => ready.readable,
            Direction::Outgoing => ready.writable,
        };
        if !asked || ready.failed {
            return None;
        }
        let delay = self.flow(direction).delay()?;
        // Connections come in and come about at any time.
        let moves = self.socket_type() == SocketType::Datagram || self.remote_address().is_ok();
        moves.then_some(delay)
    }
}
