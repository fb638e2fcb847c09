//! Scatter and gather: one operation over several buffers. The contract knows one
//! buffer, so they are joined and parted here.

use std::borrow::Cow;
use std::io::{self, IoSlice, IoSliceMut};

use super::Socket;
use crate::address::SockAddr;
use crate::datagram::Datagram;
use crate::error::from_host;
use crate::raw::socket::ReceiveFlags;
use crate::socket_endpoint::ToSocketEndpoint;

impl Socket {
    /// Sends what is in `buffers`, one after the other, as one message: POSIX
    /// `writev`.
    ///
    /// # Errors
    ///
    /// Those of the function without `vectored`, here and below.
    pub fn send_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.send(&gather(buffers))
    }

    /// Sends one datagram made of `buffers` to `destination`: POSIX `sendmsg`.
    pub fn send_to_vectored(
        &self,
        buffers: &[IoSlice<'_>],
        destination: impl ToSocketEndpoint,
    ) -> io::Result<usize> {
        self.send_to(&gather(buffers), destination)
    }

    /// Receives into `buffers`, one after the other: POSIX `readv`.
    pub fn recv_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let data = self.0.receive(room(buffers) as u64, ReceiveFlags::empty());
        scatter(buffers, &data.map_err(from_host)?)
    }

    /// Receives one datagram into `buffers`: POSIX `recvmsg`.
    pub fn recv_from_vectored(
        &self,
        buffers: &mut [IoSliceMut<'_>],
    ) -> io::Result<(usize, SockAddr)> {
        let Datagram { data, source, .. } = self.recv_datagram(room(buffers))?;
        Ok((scatter(buffers, &data)?, source))
    }
}

fn gather<'a>(buffers: &'a [IoSlice<'_>]) -> Cow<'a, [u8]> {
    match buffers {
        [only] => Cow::Borrowed(only),
        several => Cow::Owned(
            several
                .iter()
                .flat_map(|buffer| buffer.iter())
                .copied()
                .collect(),
        ),
    }
}

fn room(buffers: &[IoSliceMut<'_>]) -> usize {
    let lengths = buffers.iter().map(|buffer| buffer.len());
    lengths.fold(0, usize::saturating_add)
}

fn scatter(buffers: &mut [IoSliceMut<'_>], data: &[u8]) -> io::Result<usize> {
    let mut rest = data;
    for buffer in buffers {
        let taken = rest.len().min(buffer.len());
        let (here, later) = rest.split_at(taken);
        super::fill(buffer, here)?;
        rest = later;
    }
    if !rest.is_empty() {
        return Err(io::Error::other("the host sent more than was asked for"));
    }
    Ok(data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gathered_is_scattered_again() {
        let parts = [
            IoSlice::new(b"one"),
            IoSlice::new(b""),
            IoSlice::new(b"two"),
        ];
        let whole = gather(&parts);
        assert_eq!(&*whole, b"onetwo");
        let (mut first, mut second, mut third) = ([0; 2], [0; 1], [0; 5]);
        let mut buffers = [
            IoSliceMut::new(&mut first),
            IoSliceMut::new(&mut second),
            IoSliceMut::new(&mut third),
        ];
        assert_eq!(room(&buffers), 8);
        assert_eq!(scatter(&mut buffers, &whole).unwrap(), 6);
        assert_eq!((&first, &second, &third), (b"on", b"e", b"two\0\0"));
    }

    #[test]
    fn more_than_there_is_room_for_is_an_error() {
        let mut small = [0; 2];
        let mut buffers = [IoSliceMut::new(&mut small)];
        assert!(scatter(&mut buffers, b"three").is_err());
    }
}
