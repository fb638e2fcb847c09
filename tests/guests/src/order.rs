//! What a test handler can be ordered to do by whom it serves, in a line of text:
//! an order and its argument.
//!
//! Here is what needs no connection; each kind of handler knows more.

use std::fs::{self, File};
use std::hint::black_box;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_guest::raw::socket::Readiness;
use portcullis_guest::{
    Family, Network, SocketType, TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream,
    error_code, lookup, preopens,
};
use wasip2::clocks::monotonic_clock;

/// An order that needs no connection: its name, and what it does with the
/// argument. It gives the answer.
type Order = (&'static str, fn(&str) -> io::Result<String>);

const ORDERS: &[Order] = &[
    ("call", call),
    ("cat", cat),
    ("connect", connect),
    ("exit", exit),
    ("fail", fail),
    ("files", files),
    ("hang", hang),
    ("hog", hog),
    ("link", link),
    ("listen", listen),
    ("loop", loop_for_ever),
    ("move", move_file),
    ("narrow", narrow),
    ("open", open),
    ("overflow", overflow),
    ("panic", panic),
    ("preopens", names_of_preopens),
    ("print", print),
    ("read", read),
    ("refused", refused),
    ("resolve", resolve),
    ("send", send),
    ("sleep", sleep),
    ("spam", spam),
    ("state", state),
    ("surroundings", surroundings),
    ("trap", trap),
    ("write", write),
];

/// How many this instance has been called for.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Counts one call of the handler.
pub fn count() {
    CALLS.fetch_add(1, Ordering::Relaxed);
}

/// An order and its argument, which may be empty.
pub fn parse(line: &str) -> (&str, &str) {
    line.trim_end()
        .split_once(' ')
        .unwrap_or((line.trim_end(), ""))
}

/// Obeys, and gives the answer.
pub fn obey(order: &str, argument: &str) -> io::Result<String> {
    match ORDERS.iter().find(|(name, _)| *name == order) {
        Some((_, act)) => act(argument),
        None => Err(invalid(&format!("no order is called {order}"))),
    }
}

/// The names of the orders above, one on a line: a suite can tell whether it gives
/// them all.
pub fn names() -> String {
    ORDERS.iter().map(|(name, _)| format!("{name}\n")).collect()
}

/// A number that an order takes.
pub fn number(argument: &str) -> io::Result<usize> {
    argument
        .parse()
        .map_err(|_| invalid(&format!("{argument} is not a number")))
}

fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// How something ended, in one word: `ok`, or the code of the error.
pub fn outcome<T>(result: io::Result<T>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(error) => match error_code(&error) {
            Some(code) => format!("{code:?}"),
            None => error.to_string(),
        },
    }
}

/// Networks narrowed by grants that take much memory, as many as there can be had; says
/// how many, and holds them for ever.
fn narrow(_: &str) -> io::Result<String> {
    let grant = |first: usize| {
        let ports = (0..8).map(|item| 5 * item + 1 + first);
        let ports = ports.map(|port| format!("{port}-{}", port + 2));
        format!("connect udp://any:{}", ports.collect::<Vec<_>>().join(","))
    };
    let mut grants: Vec<String> = (0..1000).map(grant).collect();
    let mut networks = Vec::new();
    let refusal = loop {
        let texts: Vec<&str> = grants.iter().map(String::as_str).collect();
        match Network::default().attenuate(&texts) {
            Ok(network) => networks.push(network),
            Err(refusal) if grants.len() < 10 => break refusal,
            Err(_) => grants.truncate(grants.len() / 2),
        }
    };
    eprintln!("{} networks, then {refusal}", networks.len());
    hang("")
}

fn connect(address: &str) -> io::Result<String> {
    Ok(match address.strip_prefix("unix:") {
        Some(path) => outcome(UnixStream::connect(path)),
        None => outcome(TcpStream::connect(address)),
    })
}

fn listen(address: &str) -> io::Result<String> {
    Ok(match address.strip_prefix("unix:") {
        Some(path) => outcome(UnixListener::bind(path)),
        None => outcome(TcpListener::bind(address)),
    })
}

/// A datagram.
fn send(address: &str) -> io::Result<String> {
    let sent = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"sent", address));
    Ok(outcome(sent))
}

/// A datagram to a port that nothing listens at, and the error that comes of it; then
/// waits for the socket to be ready for nothing.
fn refused(address: &str) -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    let _ = socket.recv(&mut [0]);
    socket.send(b"x")?;
    // The host hears of the error before this takes it.
    std::thread::sleep(Duration::from_millis(50));
    let code = outcome(socket.recv(&mut [0]));
    if code != "ErrorCode::ConnectionRefused" {
        return Ok(code);
    }
    let pollable = socket.as_socket().subscribe(Readiness::empty());
    while !pollable.ready() {
        pollable.block();
    }
    Ok("ready".into())
}

fn resolve(name: &str) -> io::Result<String> {
    Ok(outcome(lookup((name, 80))))
}

/// As many sockets as the argument says, all at once.
fn open(count: &str) -> io::Result<String> {
    let network = Network::default();
    let mut sockets = Vec::new();
    for _ in 0..number(count)? {
        match network.open(Family::Inet, SocketType::Stream) {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                let code = outcome::<()>(Err(error));
                return Ok(format!("{} sockets, then {code}", sockets.len()));
            }
        }
    }
    Ok(format!("{} sockets", sockets.len()))
}

/// A file, as often as there can be had, all at once; holds them for ever.
fn files(path: &str) -> io::Result<String> {
    let mut files = Vec::new();
    while let Ok(file) = File::open(path) {
        files.push(file);
    }
    hang("")
}

/// What is in a file.
fn cat(path: &str) -> io::Result<String> {
    Ok(fs::read_to_string(path).unwrap_or_else(|error| error.to_string()))
}

/// A text into a file: its path, and the text.
fn write(argument: &str) -> io::Result<String> {
    let (path, text) = parse(argument);
    Ok(outcome(fs::write(path, text)))
}

/// A file or a folder by another name: the old and the new one.
fn move_file(argument: &str) -> io::Result<String> {
    let (from, to) = parse(argument);
    Ok(outcome(fs::rename(from, to)))
}

/// A symbolic link in the first folder, in the place of what has its name there: where
/// it leads, and its name.
fn link(argument: &str) -> io::Result<String> {
    let (target, name) = parse(argument);
    let folders = wasip2::filesystem::preopens::get_directories();
    let Some((folder, _)) = folders.first() else {
        return Err(invalid("there is no folder"));
    };
    // Where there is nothing it need not be out of the way.
    let _ = folder.rename_at(name, folder, &format!("{name}.old"));
    Ok(match folder.symlink_at(target, name) {
        Ok(()) => "ok".into(),
        Err(error) => format!("{error:?}"),
    })
}

fn names_of_preopens(_: &str) -> io::Result<String> {
    let names: Vec<String> = preopens().map(|(name, _)| name).collect();
    Ok(names.join(" "))
}

fn print(text: &str) -> io::Result<String> {
    println!("{text}");
    eprintln!("{text}");
    Ok("printed".into())
}

/// As many lines as the argument says, of 99 bytes each, on both streams.
fn spam(count: &str) -> io::Result<String> {
    for number in 0..number(count)? {
        // In one piece on standard error as well, which has no buffer.
        let line = format!("{number:->99}\n");
        print!("{line}");
        eprint!("{line}");
    }
    Ok("printed".into())
}

/// How many bytes the program's own input has, to its end.
fn read(_: &str) -> io::Result<String> {
    let length = io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(format!("{length} bytes"))
}

/// How many calls this instance has seen, with this one.
fn state(_: &str) -> io::Result<String> {
    Ok(CALLS.load(Ordering::Relaxed).to_string())
}

/// Whatever the host lets a program see of where it is.
fn surroundings(_: &str) -> io::Result<String> {
    let arguments: Vec<String> = std::env::args().collect();
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let folders = wasip2::filesystem::preopens::get_directories();
    let folders: Vec<String> = folders.into_iter().map(|(_, path)| path).collect();
    Ok(format!(
        "arguments {arguments:?} variables {variables:?} folders {folders:?}"
    ))
}

fn sleep(milliseconds: &str) -> io::Result<String> {
    std::thread::sleep(Duration::from_millis(number(milliseconds)? as u64));
    Ok("slept".into())
}

/// With a message of its own, if the order has one.
fn fail(message: &str) -> io::Result<String> {
    let message = match message {
        "" => "as ordered",
        message => message,
    };
    Err(io::Error::new(io::ErrorKind::TimedOut, message))
}

#[expect(clippy::panic, reason = "as ordered")]
fn panic(_: &str) -> io::Result<String> {
    panic!("as ordered")
}

fn trap(_: &str) -> io::Result<String> {
    std::process::abort()
}

/// With the code of the argument, or 7.
fn exit(code: &str) -> io::Result<String> {
    std::process::exit(code.parse().unwrap_or(7))
}

/// On the CPU, without a call of the host.
fn loop_for_ever(_: &str) -> io::Result<String> {
    loop {
        std::hint::spin_loop();
    }
}

/// Calls the host all the time and never waits.
fn call(_: &str) -> io::Result<String> {
    let network = Network::default();
    loop {
        black_box(network.host_name());
    }
}

/// In a call that never returns.
fn hang(_: &str) -> io::Result<String> {
    loop {
        monotonic_clock::subscribe_duration(u64::MAX).block();
    }
}

/// All the memory that there is, and uses it.
fn hog(_: &str) -> io::Result<String> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

fn overflow(_: &str) -> io::Result<String> {
    Ok(deeper(0).to_string())
}

/// Without an end that the compiler could see.
fn deeper(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    frame.iter().sum::<u64>() + black_box(deeper as fn(u64) -> u64)(depth + 1)
}
