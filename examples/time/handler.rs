//! Tells the time to whoever connects, and to whoever sends a datagram (RFC 868):
//! the seconds since 1900, as four bytes.
//!
//! `portcullis serve time-handler.wasm --listen tcp://127.0.0.1:12337 --listen udp://127.0.0.1:12337`

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_guest::{SockAddr, Socket, datagram_handler, stream_handler};

/// 70 years, of which 17 were leap years.
const FROM_1900_TO_1970: u64 = (70 * 365 + 17) * 24 * 60 * 60;

stream_handler!(tell);
datagram_handler!(answer);

fn tell(connection: Socket, _peer: SockAddr) -> io::Result<()> {
    connection.send_all(&now()?)
}

/// Whatever the datagram says is a question.
fn answer(_datagram: Vec<u8>, _peer: SockAddr) -> io::Result<Vec<u8>> {
    Ok(now()?.to_vec())
}

/// The lower four bytes: from 2036 on they begin anew.
fn now() -> io::Result<[u8; 4]> {
    let since_1970 = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(io::Error::other)?;
    let [.., a, b, c, d] = (FROM_1900_TO_1970 + since_1970.as_secs()).to_be_bytes();
    Ok([a, b, c, d])
}
