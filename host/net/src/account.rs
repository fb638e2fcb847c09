//! What the audit is told of one socket when it is closed: who it was, with whom
//! it was connected, and how much went through it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::address::SocketAddress;

#[derive(Debug)]
pub(crate) struct Account {
    /// The socket's number.
    pub(crate) socket: u64,
    pub(crate) sent: Amount,
    pub(crate) received: Amount,
    opened: Instant,
    ends: Mutex<Ends>,
    /// Whether a connect has begun that nobody knows the end of.
    is_connecting: AtomicBool,
    /// Whether the socket is closed.
    is_over: AtomicBool,
}

/// Between where a connection is, or was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ends {
    /// None where nobody has asked the OS yet.
    pub(crate) local: Option<SocketAddress>,
    pub(crate) remote: Option<SocketAddress>,
}

/// How many bytes have gone through a socket, by now.
#[derive(Clone, Debug)]
pub struct Traffic(Arc<Account>);

impl Traffic {
    pub(crate) fn of(account: Arc<Account>) -> Self {
        Self(account)
    }

    /// The bytes that the guest sent.
    pub fn sent(&self) -> u64 {
        self.0.sent.bytes()
    }

    /// The bytes that it received.
    pub fn received(&self) -> u64 {
        self.0.received.bytes()
    }

    /// Whether nobody has the socket any more, by whichever handle.
    pub fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }
}

/// How much went one way.
#[derive(Debug, Default)]
pub(crate) struct Amount {
    bytes: AtomicU64,
    datagrams: AtomicU64,
}

impl Account {
    pub(crate) fn new(socket: u64) -> Self {
        Self {
            socket,
            sent: Amount::default(),
            received: Amount::default(),
            opened: Instant::now(),
            ends: Mutex::default(),
            is_connecting: AtomicBool::default(),
            is_over: AtomicBool::default(),
        }
    }

    pub(crate) fn set_over(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(crate) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Between where it is, or was, connected.
    pub(crate) fn ends(&self) -> Ends {
        self.ends.lock().clone()
    }

    pub(crate) fn set_ends(&self, ends: Ends) {
        *self.ends.lock() = ends;
    }

    pub(crate) fn set_connecting(&self, is_connecting: bool) {
        self.is_connecting.store(is_connecting, Ordering::Relaxed);
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.is_connecting.load(Ordering::Relaxed)
    }
}

impl Amount {
    /// Counts the bytes of a stream.
    pub(crate) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts one datagram.
    pub(crate) fn add_datagram(&self, bytes: usize) {
        self.add(bytes);
        self.datagrams.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn datagrams(&self) -> u64 {
        self.datagrams.load(Ordering::Relaxed)
    }
}
