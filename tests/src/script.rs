//! A guest that does what a test tells it while it runs: `tests/guests`' `script`,
//! in whose words it is told.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use portcullis::wasmtime_wasi::cli::{IsTerminal, StdinStream};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use crate::{Finished, Guest, Running};

/// The guest, waiting for what it is told next.
pub struct Script {
    guest: Running,
    orders: Orders,
    answers: usize,
}

/// What came of an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// `done`, or the code of the error as the contract's bindings spell it.
    pub outcome: String,
    /// What there is to tell, or the error's message.
    pub told: String,
}

impl Answer {
    /// Whether the policy, or the OS, does not allow it.
    pub fn is_denied(&self) -> bool {
        self.outcome == "AccessDenied"
    }
}

impl Guest {
    /// The guest that does what it is told, granted nothing.
    pub fn script() -> Self {
        Self::new("script", "")
    }

    /// Starts a [`Guest::script`].
    pub fn begin(self) -> Script {
        let orders = Orders::default();
        Script {
            guest: self.input(orders.clone()).start(),
            orders,
            answers: 0,
        }
    }
}

impl Script {
    /// Has it do something.
    #[track_caller]
    pub fn tell(&mut self, order: &str) -> Answer {
        self.begin_to(order);
        self.answer()
    }

    /// Has it begin something that waits; [`Script::answer`] tells what came of it.
    pub fn begin_to(&mut self, order: &str) {
        assert!(!order.contains('\n'), "an order is a line");
        self.orders.give(order);
    }

    /// What came of what it was told to begin.
    #[track_caller]
    pub fn answer(&mut self) -> Answer {
        let line = self.guest.line(self.answers);
        self.answers += 1;
        let (outcome, told) = line.split_once(' ').unwrap();
        Answer {
            outcome: outcome.to_owned(),
            told: told.to_owned(),
        }
    }

    /// Has it do something, which has to work; returns what there is to tell.
    #[track_caller]
    pub fn does(&mut self, order: &str) -> String {
        let answer = self.tell(order);
        assert!(answer.outcome == "done", "{order}: {answer:?}");
        answer.told
    }

    /// Has it try something, of which it has to be told that `request` is not
    /// granted, and nothing else.
    #[track_caller]
    pub fn is_denied(&mut self, order: &str, request: &str) {
        let answer = self.tell(order);
        let expected = Answer {
            outcome: "AccessDenied".to_owned(),
            told: format!("{request} is not granted"),
        };
        assert_eq!(answer, expected, "{order}");
    }

    /// Has it try something that is a mistake, whatever is granted.
    #[track_caller]
    pub fn fails(&mut self, order: &str, outcome: &str) {
        let answer = self.tell(order);
        assert!(answer.outcome == outcome, "{order}: {answer:?}");
    }

    /// How many descriptors it and its host have open.
    pub fn descriptors(&self) -> usize {
        self.guest.descriptors()
    }

    /// Ends it; its sockets have to be gone then.
    #[track_caller]
    pub fn end(self) -> Finished {
        self.orders.end();
        let finished = self.guest.finish();
        assert!(
            matches!(finished.outcome, portcullis::Outcome::Exit(0)),
            "{finished:?}"
        );
        finished
    }
}

/// Standard input of a guest, which a test writes while the guest runs. Nothing
/// wakes a guest's runtime from outside, so it looks now and then.
#[derive(Clone, Default)]
pub(crate) struct Orders(Arc<Mutex<Input>>);

#[derive(Default)]
struct Input {
    bytes: VecDeque<u8>,
    ended: bool,
}

impl Orders {
    fn give(&self, order: &str) {
        let mut input = self.0.lock().unwrap();
        input.bytes.extend(order.bytes());
        input.bytes.push_back(b'\n');
    }

    fn end(&self) {
        self.0.lock().unwrap().ended = true;
    }

    /// Takes what fits, if there is anything or nothing will be.
    fn take(&self, buffer: &mut ReadBuf<'_>) -> bool {
        let mut input = self.0.lock().unwrap();
        let count = input.bytes.len().min(buffer.remaining());
        let taken: Vec<u8> = input.bytes.drain(..count).collect();
        buffer.put_slice(&taken);
        count > 0 || input.ended
    }
}

impl IsTerminal for Orders {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Orders {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(Reader {
            orders: self.clone(),
            pause: None,
        })
    }
}

struct Reader {
    orders: Orders,
    pause: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.orders.take(buffer) {
            let begin = || Box::pin(tokio::time::sleep(Duration::from_millis(1)));
            let pause = self.pause.get_or_insert_with(begin);
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.pause = None;
        }
        Poll::Ready(Ok(()))
    }
}
