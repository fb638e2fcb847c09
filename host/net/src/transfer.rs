//! Moving data: through connected sockets here, by datagrams in `datagram`.

use nix::sys::socket::MsgFlags;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketType};
use crate::datagram::Datagram;
use crate::error::{Error, ErrorCode};
use crate::intake::receive_from;
use crate::limits::{Charge, Direction};
use crate::ready::Ready;
use crate::socket::Socket;
use crate::wait::{Pauses, Wait};

/// What one receive of a stream makes room for at the most.
const CHUNK: usize = 64 * 1024;

/// How to send: the `MSG_` constants of POSIX and Linux.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions {
    /// `MSG_DONTROUTE`
    pub dont_route: bool,
    /// `MSG_DONTWAIT`
    pub dont_wait: bool,
    /// `MSG_EOR`
    pub end_of_record: bool,
    /// `MSG_MORE`
    pub more: bool,
    /// `MSG_OOB`
    pub out_of_band: bool,
}

/// How to receive: the `MSG_` constants of POSIX.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiveOptions {
    /// `MSG_DONTWAIT`
    pub dont_wait: bool,
    /// `MSG_OOB`
    pub out_of_band: bool,
    /// `MSG_PEEK`
    pub peek: bool,
    /// `MSG_WAITALL`
    pub wait_all: bool,
}

impl Socket {
    /// POSIX `send`: how many bytes were taken, perhaps fewer.
    ///
    /// # Errors
    ///
    /// See `send` in `wit/socket.wit`, as for every operation here.
    pub async fn send(&self, data: &[u8], options: SendOptions) -> Result<usize, Error> {
        match (self.shared.family, self.shared.kind) {
            (Family::Inet | Family::Inet6, SocketType::Datagram) => {
                self.send_datagram(data, options).await
            }
            (Family::Inet | Family::Inet6 | Family::Unix, _) => {
                let wait = self.send_wait(options.dont_wait);
                self.send_on(data, options.flags(), wait).await
            }
        }
    }

    /// Python's `sendall`: all of `data`, within one timeout.
    pub async fn send_all(&self, data: &[u8]) -> Result<(), Error> {
        if self.shared.kind == SocketType::Datagram {
            self.send(data, SendOptions::default()).await?;
            return Ok(());
        }
        let flags = SendOptions::default().flags();
        let wait = self.send_wait(false);
        let mut rest = data;
        loop {
            let sent = self.send_on(rest, flags, wait).await?;
            rest = rest.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// POSIX `sendto`: of streams, what the OS makes of it.
    pub async fn send_to(
        &self,
        data: &[u8],
        options: SendOptions,
        destination: &Endpoint,
    ) -> Result<usize, Error> {
        match (self.shared.family, self.shared.kind) {
            (Family::Inet | Family::Inet6, SocketType::Datagram) => {
                self.send_datagram_to(data, options, destination).await
            }
            (Family::Unix, SocketType::Datagram) => {
                self.send_unix_datagram_to(data, options, destination).await
            }
            (Family::Unix, SocketType::Stream) => Err(match self.remote_address() {
                Ok(_) => ErrorCode::IsConnected.into(),
                Err(_) => ErrorCode::NotSupported.into(),
            }),
            (Family::Inet | Family::Inet6 | Family::Unix, _) => self.send(data, options).await,
        }
    }

    async fn send_on(&self, data: &[u8], flags: SendFlags, wait: Wait) -> Result<usize, Error> {
        self.pace(Direction::Outgoing, wait).await?;
        let sent = self.perform(Interest::WRITABLE, wait, |os| match self.shared.kind {
            SocketType::Stream => {
                let wanted = self.piece(Direction::Outgoing, data.len());
                self.move_some(Direction::Outgoing, wanted, |room| {
                    let piece = data.get(..room).unwrap_or(data);
                    let sent = rustix::net::send(os, piece, flags)?;
                    Ok((sent, sent))
                })
            }
            SocketType::Datagram
            | SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket => {
                self.move_message(data, || Ok(rustix::net::send(os, data, flags)?))
            }
        });
        let sent = sent.await?;
        match self.shared.kind {
            SocketType::Datagram => self.shared.account.sent.add_datagram(sent),
            SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket
            | SocketType::Stream => self.shared.account.sent.add(sent),
        }
        Ok(sent)
    }

    /// POSIX `recv`: up to `maximum` bytes; none at the end of the stream.
    pub async fn receive(&self, maximum: usize, options: ReceiveOptions) -> Result<Vec<u8>, Error> {
        if self.shared.kind == SocketType::Datagram {
            return Ok(self.receive_datagram(maximum, options).await?.data);
        }
        let wait = self.receive_wait(options.dont_wait);
        if options.wait_all && !options.out_of_band && self.shared.kind == SocketType::Stream {
            return match options.peek {
                true => self.gather_peeking(maximum, options, wait).await,
                false => self.gather(maximum, options, wait).await,
            };
        }
        if options.out_of_band {
            self.shared.readiness.note_urgent();
        } else {
            self.fill_to_low_water_mark(wait).await?;
        }
        let (data, _) = self.receive_some(maximum, options, wait).await?;
        Ok(data)
    }

    /// POSIX `recvfrom`: the source of stream data is the peer.
    pub async fn receive_from(
        &self,
        maximum: usize,
        options: ReceiveOptions,
    ) -> Result<Datagram, Error> {
        if self.shared.kind == SocketType::Datagram {
            return self.receive_datagram(maximum, options).await;
        }
        let (data, length) = if self.shared.kind == SocketType::Seqpacket {
            let wait = self.receive_wait(options.dont_wait);
            self.receive_some(maximum, options, wait).await?
        } else {
            let data = self.receive(maximum, options).await?;
            let length = data.len();
            (data, length)
        };
        Ok(Datagram {
            data,
            length,
            source: self.remote_address().unwrap_or(self.nowhere()),
            asked: None,
        })
    }

    /// One receive, as the kernel does it: the data, and how long the message
    /// was.
    async fn receive_some(
        &self,
        maximum: usize,
        options: ReceiveOptions,
        wait: Wait,
    ) -> Result<(Vec<u8>, usize), Error> {
        if !options.peek {
            self.pace(Direction::Incoming, wait).await?;
        }
        if self.shared.kind != SocketType::Stream {
            return self.receive_message(maximum, options, wait).await;
        }
        // More comes with the next.
        let mut wanted = maximum.min(CHUNK);
        if !options.peek {
            wanted = self.piece(Direction::Incoming, wanted);
        }
        let receive = |os: &socket2::Socket| {
            self.move_some(Direction::Incoming, wanted, |room| {
                let (data, length, _) = receive_from(os, room, options.flags())?;
                let moved = if options.peek { 0 } else { data.len() };
                let is_last = (1..room).contains(&data.len());
                Ok(((data, length, is_last), moved))
            })
        };
        let (data, length, _) = match self.drains(options) {
            true => {
                self.drain(wait, receive, |(_, _, is_last)| *is_last)
                    .await?
            }
            false => self.perform(Interest::READABLE, wait, receive).await?,
        };
        if !options.peek {
            self.shared.account.received.add(data.len());
        }
        Ok((data, length))
    }

    /// Whether the kernel gives what a receive asks for if it has it. It does not
    /// tell of less than the low-water mark, and parts what comes through a unix
    /// socket from different senders.
    fn drains(&self, options: ReceiveOptions) -> bool {
        let is_internet = matches!(self.shared.family, Family::Inet | Family::Inet6);
        let is_plain = !options.peek && !options.out_of_band;
        is_internet && is_plain && !self.shared.settings.lock().has_low_water_mark
    }

    async fn receive_message(
        &self,
        maximum: usize,
        options: ReceiveOptions,
        wait: Wait,
    ) -> Result<(Vec<u8>, usize), Error> {
        self.may_take()?;
        let flags = options.flags() | RecvFlags::TRUNC;
        let received = self.perform(Interest::READABLE, wait, |os| {
            let (data, length, _) = receive_from(os, maximum, flags)?;
            Ok((data, length))
        });
        let (data, length) = received.await?;
        self.take_message(length, options.peek)?;
        if !options.peek {
            self.shared.account.received.add(length);
        }
        Ok((data, length))
    }

    /// Waits for as much as a receive on a socket with `SO_RCVLOWAT` waits for.
    /// The kernel heeds it only where it waits itself.
    async fn fill_to_low_water_mark(&self, wait: Wait) -> Result<(), Error> {
        let heeded = self.shared.settings.lock().has_low_water_mark;
        // Where nothing can come, the receive says why.
        if heeded && !matches!(wait, Wait::Never) && self.remote_address().is_ok() {
            wait.bound(self.shared.readiness.wait(Ready::READABLE))
                .await?;
        }
        Ok(())
    }

    /// `MSG_WAITALL`: what had come when the wait ended is returned, as POSIX
    /// has it; the reason only where nothing had.
    async fn gather(
        &self,
        maximum: usize,
        options: ReceiveOptions,
        wait: Wait,
    ) -> Result<Vec<u8>, Error> {
        let _memory = self.may_gather(maximum)?;
        let mut data = Vec::new();
        loop {
            let rest = (maximum - data.len()).min(CHUNK);
            let received = match self.receive_some(rest, options, wait).await {
                Ok((more, _)) => {
                    data.extend_from_slice(&more);
                    more.len()
                }
                Err(_) if !data.is_empty() => break,
                Err(error) => return Err(error),
            };
            if received == 0 || data.len() >= maximum {
                break;
            }
            if received < rest && !self.goes_on(wait).await? {
                break;
            }
        }
        Ok(data)
    }

    /// Takes the memory for all that may come while one waits for it.
    fn may_gather(&self, maximum: usize) -> Result<Charge, Error> {
        let memory = self.shared.network.memory().take(maximum);
        memory.map_err(|limit| self.record().exceeded(limit))
    }

    /// Whether more comes after all that had come was received. An error is for
    /// the next receive to tell, and urgent data ends this one: so neither is
    /// taken to find out.
    async fn goes_on(&self, wait: Wait) -> Result<bool, Error> {
        if self.shared.readiness.is_urgent()? {
            return Ok(false);
        }
        let more = self.shared.readiness.wait(Ready::READABLE);
        Ok(match wait.bound(more).await {
            Ok(ready) => !ready.failed,
            Err(_) => false,
        })
    }

    /// The same with `MSG_PEEK`, of as much as one receive takes. Nothing wakes somebody who waits for more than
    /// there is, so it looks again and again.
    async fn gather_peeking(
        &self,
        maximum: usize,
        options: ReceiveOptions,
        wait: Wait,
    ) -> Result<Vec<u8>, Error> {
        let _memory = self.may_gather(maximum)?;
        let mut pauses = Pauses::new();
        let maximum = maximum.min(CHUNK);
        loop {
            let (data, _) = self.receive_some(maximum, options, wait).await?;
            let ended = Ready {
                urgent: true,
                ..Ready::default()
            };
            let over = self.shared.readiness.now(ended)?;
            let all = data.len() >= maximum.min(self.left());
            if all || !over.is_nothing() || wait.go_on(u32::MAX).is_err() {
                return Ok(data);
            }
            pauses.next().await?;
        }
    }
}

impl SendOptions {
    /// For a socket that sends to its one peer.
    pub(crate) fn flags(self) -> SendFlags {
        let mut flags = self.flags_of_datagram().0;
        flags.set(SendFlags::MORE, self.more);
        flags
    }

    /// For a datagram that goes where its permit says.
    pub(crate) fn flags_of_datagram(self) -> DatagramFlags {
        // A broken pipe is an error code, never a signal to the host.
        let mut flags = SendFlags::NOSIGNAL;
        flags.set(SendFlags::DONTROUTE, self.dont_route);
        flags.set(SendFlags::EOR, self.end_of_record);
        flags.set(SendFlags::OOB, self.out_of_band);
        DatagramFlags(flags)
    }
}

/// Flags that leave nothing in the kernel's socket for the next datagram, which may
/// go elsewhere. `MSG_MORE` would: the kernel sends what is begun to where it was
/// begun, whatever the next call says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DatagramFlags(SendFlags);

impl DatagramFlags {
    pub(crate) fn bits(self) -> SendFlags {
        self.0
    }

    pub(crate) fn as_msg(self) -> MsgFlags {
        MsgFlags::from_bits_retain(self.0.bits().cast_signed())
    }
}

impl ReceiveOptions {
    pub(crate) fn flags(self) -> RecvFlags {
        let mut flags = RecvFlags::empty();
        flags.set(RecvFlags::OOB, self.out_of_band);
        flags.set(RecvFlags::PEEK, self.peek);
        flags
    }
}
