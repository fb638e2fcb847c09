//! One receive of the OS, into memory of as many bytes as came.

use std::cell::{Cell, RefCell};
use std::io;

use rustix::buffer::spare_capacity;
use rustix::net::{RecvFlags, SocketAddrAny};

/// What one receive makes room for at the most: more than any datagram has.
pub(crate) const LONGEST: usize = 1024 * 1024;

/// How much fits into the scratch of a thread: one receive of a stream, and any
/// datagram.
const SCRATCH: usize = 64 * 1024;

/// Up to how many bytes are copied out of the scratch. That takes less than to make
/// room for as many as were asked for, which may be a thousand times as many.
const SMALL: usize = 4 * 1024;

thread_local! {
    static SCRATCH_OF_THREAD: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    /// Whether the last receive that could have brought much did.
    static IS_MUCH: Cell<bool> = const { Cell::new(false) };
}

/// What came, how long it was in all, and where from.
type Taken = (Vec<u8>, usize, Option<SocketAddrAny>);

/// Receives up to `maximum` bytes, or as many as there is reason to make room
/// for.
pub(crate) fn receive_from(
    socket: &socket2::Socket,
    maximum: usize,
    flags: RecvFlags,
) -> io::Result<Taken> {
    match maximum {
        0 => {
            let nothing: &mut [u8] = &mut [];
            let (_, length, source) = rustix::net::recvfrom(socket, nothing, flags)?;
            Ok((Vec::new(), length, source))
        }
        // As it was the last time, it mostly is the next.
        SMALL..=SCRATCH if !IS_MUCH.get() => SCRATCH_OF_THREAD
            .with_borrow_mut(|scratch| receive_by_scratch(socket, scratch, maximum, flags)),
        _ => {
            let mut data = Vec::with_capacity(maximum.min(LONGEST));
            let (_, length, source) =
                rustix::net::recvfrom(socket, spare_capacity(&mut data), flags)?;
            if maximum >= SMALL {
                IS_MUCH.set(data.len() > SMALL);
            }
            Ok((data, length, source))
        }
    }
}

/// Receives a datagram in a way of the caller's, which tells how long it was.
pub(crate) fn receive_by<T>(
    maximum: usize,
    receive: impl FnOnce(&mut [u8]) -> io::Result<T>,
    length: impl FnOnce(&T) -> usize,
) -> io::Result<(Vec<u8>, T)> {
    SCRATCH_OF_THREAD.with_borrow_mut(|scratch| {
        scratch.resize(SCRATCH, 0);
        let room = scratch.get_mut(..maximum.min(SCRATCH)).unwrap_or_default();
        let received = receive(&mut *room)?;
        let data = room.get(..length(&received)).unwrap_or(room).to_vec();
        Ok((data, received))
    })
}

fn receive_by_scratch(
    socket: &socket2::Socket,
    scratch: &mut Vec<u8>,
    maximum: usize,
    flags: RecvFlags,
) -> io::Result<Taken> {
    scratch.resize(SCRATCH, 0);
    let room = scratch.get_mut(..maximum).unwrap_or_default();
    let (_, length, source) = rustix::net::recvfrom(socket, &mut *room, flags)?;
    // What is left of others' lies behind it.
    let data = room.get(..length).unwrap_or(room);
    IS_MUCH.set(data.len() > SMALL);
    Ok((data.to_vec(), length, source))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use socket2::{Domain, Socket, Type};

    use super::*;

    #[track_caller]
    fn check(sent: &[&Vec<u8>], maximum: usize) {
        let (mut sender, receiver) = Socket::pair(Domain::UNIX, Type::DGRAM, None).unwrap();
        for data in sent {
            sender.write_all(data).unwrap();
            let (taken, length, _) = receive_from(&receiver, maximum, RecvFlags::TRUNC).unwrap();
            let kept = data.len().min(maximum);
            assert_eq!(taken, data[..kept], "of {maximum}");
            assert_eq!(length, data.len());
        }
    }

    #[test]
    fn what_comes_is_what_was_sent_whatever_came_before() {
        let (little, much) = (vec![1; 100], vec![2; SCRATCH - 1]);
        let between = [3, 4, 5, 6].repeat(SMALL / 4 + 1);
        let sent = [&little, &much, &little, &much, &much, &between, &little];
        for maximum in [
            0,
            1,
            SMALL - 1,
            SMALL,
            SMALL + 1,
            SCRATCH,
            LONGEST,
            usize::MAX,
        ] {
            check(&sent, maximum);
        }
    }
}
