//! Answers a datagram by the order in it, and does wrong where it is told to.

use std::io;

use portcullis_guest::{SockAddr, datagram_handler};
use portcullis_test_guests::order;

/// An order of which the answer is more than a line.
type Order = (
    &'static str,
    fn(&str, &SockAddr) -> io::Result<Vec<Vec<u8>>>,
);

const ORDERS: &[Order] = &[
    ("big", big),
    ("echo", echo),
    ("empty", empty),
    ("list", list),
    ("many", many),
    ("nothing", nothing),
    ("peer", peer),
];

datagram_handler!(answer);

fn answer(datagram: Vec<u8>, peer: SockAddr) -> io::Result<Vec<Vec<u8>>> {
    order::count();
    let text = String::from_utf8_lossy(&datagram);
    let (name, argument) = order::parse(&text);
    match ORDERS.iter().find(|(known, _)| *known == name) {
        Some((_, act)) => act(argument, &peer),
        None => Ok(vec![order::obey(name, argument)?.into_bytes()]),
    }
}

fn echo(argument: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok(vec![argument.into()])
}

/// One datagram of as many bytes as the argument says.
fn big(count: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok(vec![vec![b'x'; order::number(count)?]])
}

/// As many datagrams as the argument says, each with its number.
fn many(count: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok((0..order::number(count)?)
        .map(|number| number.to_string().into())
        .collect())
}

/// As many datagrams without a byte as the argument says.
fn empty(count: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok(vec![Vec::new(); order::number(count)?])
}

fn nothing(_: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok(Vec::new())
}

fn peer(_: &str, peer: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    Ok(vec![peer.to_string().into()])
}

/// The orders that there are.
fn list(_: &str, _: &SockAddr) -> io::Result<Vec<Vec<u8>>> {
    let mut names: String = ORDERS.iter().map(|(name, _)| format!("{name}\n")).collect();
    names.push_str(&order::names());
    Ok(vec![names.into()])
}
