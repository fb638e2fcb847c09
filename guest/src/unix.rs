//! Unix sockets in the shape of `std::os::unix::net`.

mod address;
mod datagram;
mod listener;
mod stream;

pub use address::UnixAddr;
pub use datagram::UnixDatagram;
pub use listener::{UnixIncoming, UnixListener};
pub use stream::UnixStream;
