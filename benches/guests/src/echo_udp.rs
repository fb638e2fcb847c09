//! Echoes datagrams.

use std::io;

use portcullis_guest::UdpSocket;

fn main() -> io::Result<()> {
    let (address, size) = portcullis_bench_guests::arguments()?;
    let socket = UdpSocket::bind(&address)?;
    let mut buffer = vec![0; size];
    loop {
        let (length, source) = socket.recv_from(&mut buffer)?;
        socket.send_to(buffer.get(..length).unwrap_or_default(), source)?;
    }
}
