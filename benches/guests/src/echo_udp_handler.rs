//! Echoes a datagram.

use portcullis_guest::{SockAddr, datagram_handler};

datagram_handler!(echo);

fn echo(datagram: Vec<u8>, _peer: SockAddr) -> Vec<u8> {
    datagram
}
