//! Sending and receiving several datagrams with one call of the OS: Linux
//! `sendmmsg` and `recvmmsg`.

use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use rustix::net::RecvFlags;
use tokio::io::Interest;

use crate::address::{Endpoint, Family, SocketAddress, SocketType};
use crate::datagram::Datagram;
use crate::error::Error;
use crate::intake::LONGEST;
use crate::limits::Direction;
use crate::os;
use crate::os::asked;
use crate::socket::Socket;
use crate::transfer::{ReceiveOptions, SendOptions};
use crate::wait::{Wait, take_turn};

/// How many one call of the OS takes or gives: a bound on what a guest can have
/// done in one go.
const BATCH: usize = 256;

/// How many bytes one receive makes room for, over all datagrams.
const ROOM: usize = 4 * LONGEST;

impl Socket {
    /// Sends datagrams, each to its destination or to the peer, until one fails;
    /// says how many went out. An error is that of the first.
    ///
    /// # Errors
    ///
    /// See `send-datagrams` in `wit/socket.wit`.
    pub async fn send_datagrams(
        &self,
        datagrams: &[(&[u8], Option<&Endpoint>)],
        options: SendOptions,
    ) -> Result<usize, Error> {
        let mut sent = 0;
        for batch in datagrams.chunks(BATCH) {
            let done = match (self.shared.family, self.shared.kind) {
                (Family::Inet | Family::Inet6, SocketType::Datagram)
                    if !options.more && !self.has_begun() && !self.answers_as_asked() =>
                {
                    self.send_batch(batch, options).await
                }
                (Family::Inet | Family::Inet6 | Family::Unix, _) => {
                    self.send_each(batch, options).await
                }
            };
            match done {
                Ok(count) => sent += count,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
            if sent % BATCH != 0 {
                break;
            }
            // However many there are, others get the thread in between.
            tokio::task::yield_now().await;
        }
        Ok(sent)
    }

    async fn send_batch(
        &self,
        batch: &[(&[u8], Option<&Endpoint>)],
        options: SendOptions,
    ) -> Result<usize, Error> {
        let mut ready = Vec::with_capacity(batch.len());
        for (data, destination) in batch {
            let passage = match destination {
                Some(destination) => self.passage_to(destination).await,
                None => self.passage_to_peer(),
            };
            match passage {
                Ok(passage) => ready.push((*data, passage)),
                Err(error) if ready.is_empty() => return Err(error),
                // It is for the next call to tell.
                Err(_) => break,
            }
        }
        let (family, flags) = (self.shared.family, options.flags_of_datagram());
        let wait = self.send_wait(options.dont_wait);
        self.pace(Direction::Outgoing, wait).await?;
        let count = self.piece_of(ready.iter().map(|(data, _)| data.len()));
        let ready = ready.get(..count).unwrap_or_default();
        let sent = self.perform(Interest::WRITABLE, wait, |socket| {
            let lengths = ready.iter().map(|(data, _)| data.len());
            self.move_messages(lengths, |count| {
                let datagrams = ready.iter().map(|(data, passage)| (*data, passage));
                os::inet::send_many(socket, family, datagrams.take(count), flags)
            })
        });
        let sent = sent.await?;
        for (data, passage) in ready.iter().take(sent) {
            self.note_sent(data.len(), passage);
        }
        Ok(sent)
    }

    async fn send_each(
        &self,
        batch: &[(&[u8], Option<&Endpoint>)],
        options: SendOptions,
    ) -> Result<usize, Error> {
        for (sent, (data, destination)) in batch.iter().enumerate() {
            let done = match destination {
                Some(destination) => self.send_to(data, options, destination).await,
                None => self.send(data, options).await,
            };
            match done {
                Ok(_) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
        }
        Ok(batch.len())
    }

    /// Waits for one datagram, then takes all that are there and may come in, up
    /// to `count` of at most `maximum` bytes each.
    ///
    /// # Errors
    ///
    /// See `receive-datagrams` in `wit/socket.wit`.
    pub async fn receive_datagrams(
        &self,
        count: usize,
        maximum: usize,
        options: ReceiveOptions,
    ) -> Result<Vec<Datagram>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        // A peek sees the same datagram again; others tell no bounds.
        if options.peek || self.shared.kind != SocketType::Datagram {
            return Ok(vec![self.receive_from(maximum, options).await?]);
        }
        let wait = self.receive_wait(options.dont_wait);
        self.may_take()?;
        self.pace(Direction::Incoming, wait).await?;
        let maximum = maximum.min(LONGEST);
        let room = self.piece(Direction::Incoming, ROOM);
        let count = count.min(BATCH).min(room / maximum.max(1)).max(1);
        let mut turned_away = 0;
        loop {
            let Some(found) = self.take_batch(count, maximum, options, wait).await? else {
                return Ok(vec![self.no_datagram()]);
            };
            let all = found.len();
            let mut admitted = Vec::with_capacity(all);
            for datagram in found {
                take_turn().await;
                if self.lets_in(&datagram.source)? {
                    match self.take_message(datagram.length, false) {
                        Ok(()) => {
                            self.note_received(&datagram);
                            admitted.push(datagram);
                        }
                        Err(error) if admitted.is_empty() => return Err(error),
                        // It is for the next call to tell.
                        Err(_) => return Ok(admitted),
                    }
                }
            }
            if !admitted.is_empty() {
                return Ok(admitted);
            }
            turned_away += u32::try_from(all).unwrap_or(u32::MAX);
            wait.go_on(turned_away)?;
        }
    }

    async fn take_batch(
        &self,
        count: usize,
        maximum: usize,
        options: ReceiveOptions,
        wait: Wait,
    ) -> Result<Option<Vec<Datagram>>, Error> {
        let flags = options.flags();
        self.perform(Interest::READABLE, wait, |socket| {
            let found = match self.shared.family {
                Family::Inet | Family::Inet6 if !self.answers_as_asked() => {
                    receive_many(socket, count, maximum, flags)
                }
                Family::Inet | Family::Inet6 | Family::Unix => {
                    self.receive_each(socket, count, maximum, flags)
                }
            };
            self.unless_ended(wait, found)
        })
        .await
    }

    /// Receives datagrams one by one. The OS leaves out the source that is a unix socket
    /// without a name, and `recvmmsg` does not tell that apart.
    fn receive_each(
        &self,
        socket: &socket2::Socket,
        count: usize,
        maximum: usize,
        flags: RecvFlags,
    ) -> io::Result<Vec<Datagram>> {
        let mut found = vec![self.take(socket, maximum, flags)?];
        // Bounded: by the size of a batch.
        while found.len() < count {
            match self.take(socket, maximum, flags) {
                Ok(datagram) => found.push(datagram),
                // It is for the next call to tell.
                Err(_) => break,
            }
        }
        Ok(found)
    }
}

/// As many as there are. Their sources are always told: these are internet
/// sockets.
fn receive_many(
    socket: &socket2::Socket,
    count: usize,
    maximum: usize,
    flags: RecvFlags,
) -> io::Result<Vec<Datagram>> {
    // These pages are zero, and not there before they are written to.
    let room = maximum.max(1);
    let mut buffer = vec![0; count * room];
    let mut slots: Vec<[IoSliceMut<'_>; 1]> = (buffer.chunks_mut(room))
        .map(|slot| [IoSliceMut::new(slot)])
        .collect();
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(count, None);
    let flags = MsgFlags::from_bits_truncate((flags | RecvFlags::TRUNC).bits().cast_signed());
    let found = recvmmsg(socket.as_raw_fd(), &mut headers, &mut slots, flags, None)?;
    let found: Vec<_> = found
        .map(|message| (message.bytes, message.address))
        .collect();
    (found.into_iter().zip(buffer.chunks(room)))
        .map(|((length, source), slot)| {
            let data = slot.get(..length.min(maximum)).unwrap_or_default();
            Ok(Datagram {
                data: data.to_vec(),
                length,
                source: SocketAddress::Inet(asked::address(source)?),
                asked: None,
            })
        })
        .collect()
}
