//! Answers each datagram: the datagram server without its loop. The host receives,
//! and sends the answer to whom the question came from.
//!
//! `portcullis serve udp-handler.wasm --listen udp://127.0.0.1:12348`

use portcullis_guest::{SockAddr, datagram_handler};

datagram_handler!(answer);

fn answer(question: Vec<u8>, peer: SockAddr) -> Vec<u8> {
    let text = String::from_utf8_lossy(&question);
    println!("{peer} says: {text}");
    text.to_uppercase().into_bytes()
}
