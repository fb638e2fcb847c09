//! What a server prints, written by a thread for each stream: a reader who stalls
//! keeps nobody from being served. It must not know what is printed.

mod lines;

use std::io::{self, IsTerminal, Write};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use lines::Lines;
use portcullis::wasmtime_wasi::cli::{self, StdoutStream};
use portcullis::{Shown, Speaker};
use tokio::io::AsyncWrite;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The standard output of the process.
pub(crate) static STDOUT: LazyLock<Output> =
    LazyLock::new(|| Output::to(io::stdout(), io::stdout().is_terminal()));

/// Its standard error.
pub(crate) static STDERR: LazyLock<Output> =
    LazyLock::new(|| Output::to(io::stderr(), io::stderr().is_terminal()));

/// How many bytes of handlers are kept for the reader of a stream; then they wait.
const OF_HANDLERS: u32 = 64 << 10;

/// How many bytes of the server's own are kept for the reader; what comes then is
/// lost. They are apart, so that no handler takes the room of what is told of it.
const OF_SERVER: u32 = 1 << 20;

/// How much a handler prints in one piece: as much as WASI writes with one call.
const PIECE: usize = 4 << 10;

/// How long the process waits at its end for who reads what it has printed.
const PATIENCE: Duration = Duration::from_millis(500);

/// A stream of the process. Clones are the same.
#[derive(Clone)]
pub(crate) struct Output {
    queue: Sender<Printed>,
    room_of_handlers: Arc<Semaphore>,
    room_of_server: Arc<Semaphore>,
    lost: Arc<AtomicU64>,
    is_terminal: bool,
}

/// A piece that is to be written, with the room that it takes until then.
struct Printed {
    bytes: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

impl Output {
    fn to(mut stream: impl Write + Send + 'static, is_terminal: bool) -> Self {
        let (queue, printed) = channel::<Printed>();
        let write = move || {
            for Printed { bytes, _room } in printed {
                // Where the stream is gone the server goes on all the same.
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
            }
        };
        // Without a thread to be had, what is printed goes nowhere.
        let _ = thread::Builder::new().name("output".into()).spawn(write);
        Self {
            queue,
            room_of_handlers: Arc::new(Semaphore::new(OF_HANDLERS as usize)),
            room_of_server: Arc::new(Semaphore::new(OF_SERVER as usize)),
            lost: Arc::default(),
            is_terminal,
        }
    }

    /// Prints what is the server's own, in one piece and without waiting.
    ///
    /// # Errors
    ///
    /// Where nobody has read what was printed before: then it is lost, which the next
    /// that is not says.
    fn print(&self, text: &[u8]) -> io::Result<()> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        let mut bytes = match lost {
            0 => Vec::new(),
            lost => format!("portcullis: {lost} messages that nobody read are lost\n").into_bytes(),
        };
        bytes.extend_from_slice(text);
        // For what is more there never is room.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let length = length.min(OF_SERVER + 1);
        match Arc::clone(&self.room_of_server).try_acquire_many_owned(length) {
            Ok(room) => {
                self.queue(bytes, room);
                Ok(())
            }
            Err(_) => {
                self.lost.fetch_add(lost + 1, Ordering::Relaxed);
                let why = "nobody reads what was printed before";
                Err(io::Error::new(io::ErrorKind::WouldBlock, why))
            }
        }
    }

    fn queue(&self, bytes: Vec<u8>, _room: OwnedSemaphorePermit) {
        // Where there is no thread, see above.
        let _ = self.queue.send(Printed { bytes, _room });
    }

    /// The stream, for a handler: each line behind the number of who speaks, or as it is.
    pub(crate) fn of(&self, speaker: Option<&Speaker>) -> OfHandlers {
        OfHandlers {
            output: self.clone(),
            speaker: speaker.cloned(),
        }
    }

    /// Waits until all is written.
    async fn written(&self) {
        // All of the room is free then, and neither is ever closed.
        let _ = self.room_of_handlers.acquire_many(OF_HANDLERS).await;
        let _ = self.room_of_server.acquire_many(OF_SERVER).await;
    }
}

/// Tells the operator something on standard error, in whole lines.
pub(crate) fn say(lines: &Shown) {
    // Who reads nothing is told of it later.
    let _ = STDERR.print(format!("{lines}\n").as_bytes());
}

/// Waits until all that was printed is written, but not for a reader who stalls.
pub(crate) async fn finish() {
    let written = async { tokio::join!(STDOUT.written(), STDERR.written()) };
    // What is left then nobody reads.
    let _ = timeout(PATIENCE, written).await;
}

/// What is the server's own, in one piece for each call.
impl Write for &Output {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.print(text)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream of the process, for a handler.
pub(crate) struct OfHandlers {
    output: Output,
    /// None where what it prints is passed on as it is.
    speaker: Option<Speaker>,
}

impl StdoutStream for OfHandlers {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(OfHandler {
            output: self.output.clone(),
            speaker: self.speaker.clone(),
            lines: Lines::default(),
            room: None,
        })
    }
}

impl cli::IsTerminal for OfHandlers {
    fn is_terminal(&self) -> bool {
        self.output.is_terminal
    }
}

/// A stream of a handler, who waits for room.
struct OfHandler {
    output: Output,
    speaker: Option<Speaker>,
    lines: Lines,
    /// What is waited for.
    room: Option<Pin<Box<dyn Future<Output = io::Result<OwnedSemaphorePermit>> + Send + Sync>>>,
}

impl OfHandler {
    /// What is to be printed with a piece, and how much of the piece is in it.
    fn text(&self, piece: &[u8]) -> (Vec<u8>, usize) {
        match &self.speaker {
            Some(speaker) => self.lines.with(speaker.number(), piece),
            None => (piece.to_vec(), piece.len()),
        }
    }
}

/// Prints the line that it has begun and not ended.
impl Drop for OfHandler {
    fn drop(&mut self) {
        let rest = self.lines.rest();
        let length = u32::try_from(rest.len()).unwrap_or(OF_HANDLERS);
        let room = Arc::clone(&self.output.room_of_handlers);
        match room.try_acquire_many_owned(length) {
            Ok(_) if rest.is_empty() => {}
            Ok(room) => self.output.queue(rest, room),
            // The room was given up: no handler waits for it any more.
            Err(_) => drop(self.output.lost.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

impl AsyncWrite for OfHandler {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let (piece, _) = bytes.split_at(bytes.len().min(PIECE));
        let (text, printed) = this.text(piece);
        let is_printed = !text.is_empty();
        if is_printed {
            let output = &this.output;
            let wait = this.room.get_or_insert_with(|| {
                let length = u32::try_from(text.len()).unwrap_or(OF_HANDLERS);
                let length = length.min(OF_HANDLERS);
                let all = Arc::clone(&output.room_of_handlers);
                Box::pin(async move {
                    all.acquire_many_owned(length)
                        .await
                        .map_err(io::Error::other)
                })
            });
            let taken = ready!(wait.as_mut().poll(context));
            this.room = None;
            this.output.queue(text, taken?);
        }
        if let Some(speaker) = &this.speaker {
            this.lines.add(speaker.number(), piece, is_printed, printed);
        }
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is written without anybody's asking.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Receiver;

    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A stream whose reader takes nothing before it is told to go on.
    struct Stalled {
        goes_on: Receiver<()>,
        read: Sender<Vec<u8>>,
    }

    impl Write for Stalled {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            // Without waiting, once nobody is there to tell it.
            let _ = self.goes_on.recv();
            self.read.send(text.to_vec()).unwrap();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn stalled() -> (Output, Sender<()>, Receiver<Vec<u8>>) {
        let ((go_on, goes_on), (read, reads)) = (channel(), channel());
        (Output::to(Stalled { goes_on, read }, false), go_on, reads)
    }

    fn all(reads: &Receiver<Vec<u8>>) -> Vec<u8> {
        reads.try_iter().flatten().collect()
    }

    #[tokio::test]
    async fn handlers_wait_for_room_and_the_server_does_not() {
        let (output, go_on, reads) = stalled();
        let mut handler = Pin::from(output.of(None).async_stream());
        let piece = [b'x'; PIECE];
        for _ in 0..OF_HANDLERS as usize / PIECE {
            handler.write_all(&piece).await.unwrap();
        }
        let mut another = Pin::from(output.of(None).async_stream());
        let waits = timeout(Duration::from_millis(50), another.write_all(b"more"));
        waits.await.unwrap_err();
        output.print(b"told of it\n").unwrap();
        drop(go_on);
        another.write_all(b"more").await.unwrap();
        output.written().await;
        let read = all(&reads);
        assert_eq!(read.len(), OF_HANDLERS as usize + 11 + 4);
        assert!(read.ends_with(b"told of it\nmore"));
    }

    #[tokio::test]
    async fn what_the_server_says_to_nobody_is_counted() {
        let (output, go_on, reads) = stalled();
        let line = [b'x'; PIECE];
        for _ in 0..OF_SERVER as usize / PIECE {
            output.print(&line).unwrap();
        }
        for _ in 0..3 {
            output.print(b"lost\n").unwrap_err();
        }
        drop(go_on);
        output.written().await;
        assert_eq!(all(&reads).len(), OF_SERVER as usize);
        output.print(b"back\n").unwrap();
        output.written().await;
        let told = String::from_utf8(all(&reads)).unwrap();
        assert_eq!(
            told,
            "portcullis: 3 messages that nobody read are lost\nback\n"
        );
    }
}
