//! Moving data through a connected stream socket.

use std::io;

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SendFlags};
use tokio::io::Interest;

use crate::address::SocketAddress;
use crate::error::{Error, ErrorCode};
use crate::socket::Socket;

/// What one receive makes room for at the most; more comes with the next.
const CHUNK: usize = 64 * 1024;

/// What `wait_all` may gather.
const GATHER_LIMIT: usize = 64 * 1024 * 1024;

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
        let flags = options.flags();
        let wait = self.send_wait(options.dont_wait);
        self.perform(Interest::WRITABLE, wait, |os| {
            Ok(rustix::net::send(os, data, flags)?)
        })
        .await
    }

    /// Python's `sendall`: all of `data`, within one timeout.
    pub async fn send_all(&self, data: &[u8]) -> Result<(), Error> {
        let flags = SendOptions::default().flags();
        let wait = self.send_wait(false);
        let mut rest = data;
        while !rest.is_empty() {
            let sent = self
                .perform(Interest::WRITABLE, wait, |os| {
                    Ok(rustix::net::send(os, rest, flags)?)
                })
                .await?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// POSIX `recv`: up to `maximum` bytes; none at the end of the stream.
    pub async fn receive(&self, maximum: usize, options: ReceiveOptions) -> Result<Vec<u8>, Error> {
        if options.wait_all && !options.peek && !options.out_of_band {
            return self.gather(maximum, options).await;
        }
        let mut data = Vec::with_capacity(maximum.min(CHUNK));
        let wait = self.receive_wait(options.dont_wait);
        self.perform(Interest::READABLE, wait, |os| {
            receive(os, &mut data, options.flags())
        })
        .await?;
        Ok(data)
    }

    /// POSIX `recvfrom`: the source of stream data is the peer.
    pub async fn receive_from(
        &self,
        maximum: usize,
        options: ReceiveOptions,
    ) -> Result<(Vec<u8>, SocketAddress), Error> {
        let data = self.receive(maximum, options).await?;
        Ok((data, self.remote_address()?))
    }

    /// `MSG_WAITALL`: what had come when the wait ended is returned, as POSIX
    /// has it; the reason only where nothing had.
    async fn gather(&self, maximum: usize, options: ReceiveOptions) -> Result<Vec<u8>, Error> {
        if maximum > GATHER_LIMIT {
            return Err(Error::new(
                ErrorCode::NoBufferSpace,
                "wait-all gathers at most 64 MiB",
            ));
        }
        let wait = self.receive_wait(options.dont_wait);
        let mut data = Vec::new();
        while data.len() < maximum {
            data.reserve_exact((maximum - data.len()).min(CHUNK));
            match self
                .perform(Interest::READABLE, wait, |os| {
                    receive(os, &mut data, options.flags())
                })
                .await
            {
                Ok(0) => break,
                Ok(_) => {}
                Err(_) if !data.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(data)
    }
}

fn receive(os: &socket2::Socket, data: &mut Vec<u8>, flags: RecvFlags) -> io::Result<usize> {
    Ok(rustix::net::recv(os, spare_capacity(data), flags)?.0)
}

impl SendOptions {
    fn flags(self) -> SendFlags {
        // A broken pipe is an error code, never a signal to the host.
        let mut flags = SendFlags::NOSIGNAL;
        flags.set(SendFlags::DONTROUTE, self.dont_route);
        flags.set(SendFlags::EOR, self.end_of_record);
        flags.set(SendFlags::MORE, self.more);
        flags.set(SendFlags::OOB, self.out_of_band);
        flags
    }
}

impl ReceiveOptions {
    fn flags(self) -> RecvFlags {
        let mut flags = RecvFlags::empty();
        flags.set(RecvFlags::OOB, self.out_of_band);
        flags.set(RecvFlags::PEEK, self.peek);
        flags
    }
}
