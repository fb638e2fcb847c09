//! Servers that send back what they receive, to however many.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};

use futures_lite::io::copy;
use portcullis_guest::task::{Async, block_on, spawn};
use portcullis_guest::{Event, Events, Poller, SocketBuilder, TcpListener, TcpStream};
use portcullis_test_guests::behaviours;

behaviours! {
    echo_by_poller,
    echo_by_tasks,
}

/// What a listener is told by; visitors are numbered from one.
const LISTENER: u64 = 0;

/// How much is received at once.
const CHUNK: usize = 64 * 1024;

/// Serves, on one poller, as many visitors as the second argument says; who comes
/// after them waits at the door. Prints where it listens and, when all are there
/// and when all have left, how large its memory is.
fn echo_by_poller(args: &[&str]) -> io::Result<()> {
    let listener = listen(args[0])?;
    listener.set_nonblocking(true)?;
    let expected: u64 = args[1].parse().unwrap();
    let poller = Poller::new()?;
    poller.add(&listener, Event::readable(LISTENER))?;
    let mut visitors = HashMap::new();
    let mut came = 0;
    let mut lost = 0;
    let mut buffer = vec![0; CHUNK];
    let mut events = Events::new();
    println!("{}", listener.local_addr()?);
    print_memory();
    while came < expected || !visitors.is_empty() {
        poller.wait(&mut events, None)?;
        for event in &events {
            if event.key == LISTENER {
                if came == expected {
                    poller.modify(&listener, Event::none(LISTENER))?;
                }
                while came < expected
                    && let Some(stream) = next_visitor(&listener)?
                {
                    came += 1;
                    poller.add(&stream, Event::readable(came))?;
                    visitors.insert(came, Visitor::new(stream));
                    if came == expected {
                        print_memory();
                    }
                }
                continue;
            }
            let visitor = visitors.get_mut(&event.key).unwrap();
            match visitor.serve(&poller, event.key, &mut buffer) {
                Ok(State::Here) => {}
                Ok(State::Left) => drop(visitors.remove(&event.key)),
                Err(error) if is_loss(&error) => {
                    lost += 1;
                    visitors.remove(&event.key);
                }
                Err(error) => return Err(error),
            }
        }
    }
    print_memory();
    println!("{lost}");
    Ok(())
}

/// The same with a task for each visitor.
fn echo_by_tasks(args: &[&str]) -> io::Result<()> {
    let expected: u64 = args[1].parse().unwrap();
    block_on(async {
        let listener = Async::new(listen(args[0])?)?;
        println!("{}", listener.get_ref().local_addr()?);
        print_memory();
        let mut tasks = Vec::new();
        for _ in 0..expected {
            let (visitor, _) = listener.accept().await?;
            tasks.push(spawn(async move { copy(&visitor, &visitor).await }));
        }
        print_memory();
        let mut lost = 0;
        for task in tasks {
            match task.await {
                Ok(_) => {}
                Err(error) if is_loss(&error) => lost += 1,
                Err(error) => return Err(error),
            }
        }
        print_memory();
        println!("{lost}");
        Ok(())
    })
}

/// Many may knock at once, and no answer waits for an acknowledgement.
fn listen(address: &str) -> io::Result<TcpListener> {
    let builder = SocketBuilder::stream()
        .backlog(4096)
        .configure(|socket| socket.set_tcp_nodelay(true));
    Ok(builder.listen(address)?.into())
}

fn next_visitor(listener: &TcpListener) -> io::Result<Option<TcpStream>> {
    match listener.accept() {
        Ok((stream, _)) => {
            stream.set_nonblocking(true)?;
            Ok(Some(stream))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_loss(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
    )
}

/// In bytes.
fn print_memory() {
    #[cfg(target_arch = "wasm32")]
    println!("{}", core::arch::wasm32::memory_size::<0>() * 65536);
}

struct Visitor {
    stream: TcpStream,
    /// What was received and there was no room to send; while there is any,
    /// nothing more is received.
    unsent: Vec<u8>,
}

enum State {
    Here,
    Left,
}

impl Visitor {
    fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unsent: Vec::new(),
        }
    }

    /// Takes one step.
    fn serve(&mut self, poller: &Poller, key: u64, buffer: &mut [u8]) -> io::Result<State> {
        if !self.unsent.is_empty() {
            let sent = send(&mut self.stream, &self.unsent)?;
            self.unsent.drain(..sent);
            if self.unsent.is_empty() {
                self.unsent = Vec::new();
                poller.modify(&self.stream, Event::readable(key))?;
            }
            return Ok(State::Here);
        }
        let received = match self.stream.read(buffer) {
            Ok(0) => return Ok(State::Left),
            Ok(received) => &buffer[..received],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the poller said that there is something")
            }
            Err(error) => return Err(error),
        };
        let sent = send(&mut self.stream, received)?;
        if sent < received.len() {
            self.unsent = received[sent..].to_vec();
            poller.modify(&self.stream, Event::writable(key))?;
        }
        Ok(State::Here)
    }
}

fn send(stream: &mut TcpStream, data: &[u8]) -> io::Result<usize> {
    match stream.write(data) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        sent => sent,
    }
}
