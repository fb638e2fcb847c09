//! Serves a connection by the order in its first line, and does wrong where it is
//! told to.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;

use portcullis_guest::{SockAddr, TcpStream, stream_handler};
use portcullis_test_guests::order;

/// An order that needs the connection, which is read behind its first line.
type Order = (
    &'static str,
    fn(BufReader<TcpStream>, &str) -> io::Result<()>,
);

const ORDERS: &[Order] = &[
    ("big", big),
    ("close", close),
    ("drain", drain),
    ("echo", echo),
    ("flood", flood),
    ("keep", keep),
    ("kept", kept),
    ("list", list),
    ("peer", peer),
    ("shut", shut),
];

thread_local! {
    /// The connection that was kept.
    static KEPT: RefCell<Option<TcpStream>> = const { RefCell::new(None) };
}

stream_handler!(handle);

fn handle(connection: TcpStream, _peer: SockAddr) -> io::Result<()> {
    order::count();
    let mut connection = BufReader::new(connection);
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let (name, argument) = order::parse(&line);
    match ORDERS.iter().find(|(known, _)| *known == name) {
        Some((_, act)) => act(connection, argument),
        None => {
            let answer = order::obey(name, argument)?;
            writeln!(connection.get_mut(), "{answer}")
        }
    }
}

/// Sends back what comes after the order.
fn echo(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    loop {
        let data = connection.fill_buf()?.to_vec();
        if data.is_empty() {
            return Ok(());
        }
        connection.consume(data.len());
        connection.get_mut().write_all(&data)?;
    }
}

/// Sends as many bytes as the argument says.
fn big(mut connection: BufReader<TcpStream>, count: &str) -> io::Result<()> {
    let mut bytes = io::repeat(b'x').take(order::number(count)? as u64);
    io::copy(&mut bytes, connection.get_mut()).map(drop)
}

/// Sends for ever.
fn flood(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    io::copy(&mut io::repeat(b'x'), connection.get_mut()).map(drop)
}

/// Receives to the end, and says how many bytes came.
fn drain(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    let count = io::copy(&mut connection, &mut io::sink())?;
    writeln!(connection.get_mut(), "{count}")
}

/// Closes the connection and does not return.
fn close(connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    drop(connection);
    order::obey("hang", "").map(drop)
}

/// Shuts down both directions, and uses the connection nonetheless.
fn shut(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    connection.get_ref().shutdown(Shutdown::Both)?;
    writeln!(connection.get_mut(), "more")
}

/// Keeps the connection: it is closed all the same when the handler returns.
fn keep(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    writeln!(connection.get_mut(), "kept")?;
    KEPT.with(|kept| kept.replace(Some(connection.into_inner())));
    Ok(())
}

/// Uses what an earlier call has kept, and says how that ended.
fn kept(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    let answer = KEPT.with(|kept| {
        kept.borrow_mut()
            .as_mut()
            .map(|kept| order::outcome(kept.write_all(b"still here\n")))
    });
    let answer = answer.unwrap_or_else(|| "nothing".into());
    writeln!(connection.get_mut(), "{answer}")
}

/// The two ends of the connection.
fn peer(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    let socket = connection.get_ref().as_socket();
    let answer = format!("{} {}", socket.peer_addr()?, socket.local_addr()?);
    writeln!(connection.get_mut(), "{answer}")
}

/// The orders that there are.
fn list(mut connection: BufReader<TcpStream>, _: &str) -> io::Result<()> {
    for (name, _) in ORDERS {
        writeln!(connection.get_mut(), "{name}")?;
    }
    connection.get_mut().write_all(order::names().as_bytes())
}
