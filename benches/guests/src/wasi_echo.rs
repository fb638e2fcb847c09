//! Echoes to all visitors at once over the sockets of WASI 0.2 itself: one poll
//! for the listener and every connection, as that interface has it.

use std::io;
use std::net::SocketAddrV4;

use portcullis_bench_guests::{arguments, ipv4, wasi_error};
use wasip2::io::poll::{Pollable, poll};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::network::{ErrorCode, IpAddressFamily};
use wasip2::sockets::tcp::TcpSocket;
use wasip2::sockets::tcp_create_socket::create_tcp_socket;

/// Fields are dropped in their order: what was made of the socket comes first.
struct Connection {
    readable: Pollable,
    input: InputStream,
    output: OutputStream,
    _socket: TcpSocket,
}

fn main() -> io::Result<()> {
    let (address, size) = arguments()?;
    let address: SocketAddrV4 = address.parse().map_err(io::Error::other)?;
    let listener = listen(address).map_err(wasi_error)?;
    let waiting = listener.subscribe();
    let mut connections: Vec<Connection> = Vec::new();
    loop {
        let readable = connections.iter().map(|connection| &connection.readable);
        let pollables: Vec<&Pollable> = readable.chain([&waiting]).collect();
        let ready = poll(&pollables);
        let listening = connections.len();
        // From the end, so that those that go leave the others' places alone.
        for index in ready.into_iter().rev() {
            let index = usize::try_from(index).map_err(io::Error::other)?;
            if index == listening {
                accept(&listener, &mut connections).map_err(wasi_error)?;
            } else if let Some(connection) = connections.get(index)
                && echo(connection, size).is_err()
            {
                connections.remove(index);
            }
        }
    }
}

fn listen(address: SocketAddrV4) -> Result<TcpSocket, ErrorCode> {
    let socket = create_tcp_socket(IpAddressFamily::Ipv4)?;
    socket.start_bind(&instance_network(), ipv4(address))?;
    socket.finish_bind()?;
    socket.start_listen()?;
    socket.finish_listen()?;
    Ok(socket)
}

fn accept(listener: &TcpSocket, connections: &mut Vec<Connection>) -> Result<(), ErrorCode> {
    loop {
        match listener.accept() {
            Ok((socket, input, output)) => connections.push(Connection {
                readable: input.subscribe(),
                input,
                output,
                _socket: socket,
            }),
            Err(ErrorCode::WouldBlock) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// What is there by now. An error is the end of the connection.
fn echo(connection: &Connection, size: usize) -> Result<(), StreamError> {
    let received = connection.input.read(size as u64)?;
    let mut rest = received.as_slice();
    while !rest.is_empty() {
        let room = connection.output.check_write()?;
        if room == 0 {
            connection.output.subscribe().block();
            continue;
        }
        let length = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
        let (now, later) = rest.split_at(length);
        connection.output.write(now)?;
        rest = later;
    }
    Ok(())
}
