//! The web server without its loop: the host accepts, and runs this for each
//! visitor.
//!
//! `portcullis serve http-handler.wasm --listen tcp://127.0.0.1:8080`

mod site;

use std::io;

use portcullis_guest::{SockAddr, TcpStream, stream_handler};

stream_handler!(serve);

fn serve(connection: TcpStream, _peer: SockAddr) -> io::Result<()> {
    site::serve(&connection)
}
