//! The system calls of sockets as Linux has them, with no library's opinion in
//! between: what the guest is compared with. It decides nothing.

#![expect(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the libraries that make these calls safe also make up errors and round values, and \
              the host is built on them"
)]

use std::io::{Error, Result};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// `struct sockaddr` as bytes, of the length that it is said to have.
pub(crate) type Sockaddr = Vec<u8>;

const LONGEST: usize = size_of::<libc::sockaddr_storage>();

fn check(result: libc::c_int) -> Result<libc::c_int> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(result)
}

fn check_length(result: isize) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::last_os_error())
}

fn length(bytes: usize) -> libc::socklen_t {
    bytes.try_into().unwrap()
}

/// SAFETY of every call below: pointers lead to buffers that live through the
/// call, and lengths are theirs; descriptors that are returned are nobody
/// else's.
fn own(descriptor: RawFd) -> OwnedFd {
    // SAFETY: as above.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: as above.
    check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) }).map(own)
}

pub(crate) fn socketpair(family: i32, kind: i32, protocol: i32) -> Result<(OwnedFd, OwnedFd)> {
    let mut pair = [0; 2];
    let kind = kind | libc::SOCK_CLOEXEC;
    // SAFETY: as above.
    check(unsafe { libc::socketpair(family, kind, protocol, pair.as_mut_ptr()) })?;
    Ok((own(pair[0]), own(pair[1])))
}

pub(crate) fn bind(socket: &OwnedFd, address: &[u8]) -> Result<()> {
    let (at, size) = (address.as_ptr().cast(), length(address.len()));
    // SAFETY: as above.
    check(unsafe { libc::bind(socket.as_raw_fd(), at, size) }).map(drop)
}

pub(crate) fn connect(socket: &OwnedFd, address: &[u8]) -> Result<()> {
    let (at, size) = (address.as_ptr().cast(), length(address.len()));
    // SAFETY: as above.
    check(unsafe { libc::connect(socket.as_raw_fd(), at, size) }).map(drop)
}

pub(crate) fn listen(socket: &OwnedFd, backlog: i32) -> Result<()> {
    // SAFETY: as above.
    check(unsafe { libc::listen(socket.as_raw_fd(), backlog) }).map(drop)
}

pub(crate) fn shutdown(socket: &OwnedFd, how: i32) -> Result<()> {
    // SAFETY: as above.
    check(unsafe { libc::shutdown(socket.as_raw_fd(), how) }).map(drop)
}

/// Calls `call` with room for an address.
fn told(
    call: impl FnOnce(*mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int,
) -> Result<(libc::c_int, Sockaddr)> {
    let mut address = vec![0; LONGEST];
    let mut size = length(LONGEST);
    let result = check(call(address.as_mut_ptr().cast(), &raw mut size))?;
    address.truncate(size as usize);
    Ok((result, address))
}

pub(crate) fn accept(socket: &OwnedFd) -> Result<(OwnedFd, Sockaddr)> {
    let socket = socket.as_raw_fd();
    // SAFETY: as above.
    let accepted =
        told(|address, size| unsafe { libc::accept4(socket, address, size, libc::SOCK_CLOEXEC) });
    accepted.map(|(descriptor, address)| (own(descriptor), address))
}

pub(crate) fn getsockname(socket: &OwnedFd) -> Result<Sockaddr> {
    let socket = socket.as_raw_fd();
    // SAFETY: as above.
    let name = told(|address, size| unsafe { libc::getsockname(socket, address, size) });
    name.map(|(_, address)| address)
}

pub(crate) fn getpeername(socket: &OwnedFd) -> Result<Sockaddr> {
    let socket = socket.as_raw_fd();
    // SAFETY: as above.
    let name = told(|address, size| unsafe { libc::getpeername(socket, address, size) });
    name.map(|(_, address)| address)
}

/// Without an address it is `send`.
pub(crate) fn sendto(
    socket: &OwnedFd,
    data: &[u8],
    flags: i32,
    address: Option<&[u8]>,
) -> Result<usize> {
    let (at, size) = match address {
        Some(address) => (address.as_ptr().cast(), length(address.len())),
        None => (ptr::null(), 0),
    };
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: as above.
    check_length(unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            flags,
            at,
            size,
        )
    })
}

/// The data, what the call returned, and the address.
pub(crate) fn recvfrom(
    socket: &OwnedFd,
    maximum: usize,
    flags: i32,
) -> Result<(Vec<u8>, usize, Sockaddr)> {
    let mut data = vec![0; maximum];
    let mut address = vec![0; LONGEST];
    let mut size = length(LONGEST);
    // SAFETY: as above.
    let received = check_length(unsafe {
        libc::recvfrom(
            socket.as_raw_fd(),
            data.as_mut_ptr().cast(),
            maximum,
            flags,
            address.as_mut_ptr().cast(),
            &raw mut size,
        )
    })?;
    data.truncate(received);
    address.truncate(size as usize);
    Ok((data, received, address))
}

/// How many went out.
pub(crate) fn sendmmsg(
    socket: &OwnedFd,
    datagrams: &[(Vec<u8>, Option<Sockaddr>)],
    flags: i32,
) -> Result<usize> {
    let mut slices: Vec<libc::iovec> = datagrams
        .iter()
        .map(|(data, _)| libc::iovec {
            iov_base: data.as_ptr().cast_mut().cast(),
            iov_len: data.len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = (datagrams.iter().zip(&mut slices))
        .map(|((_, address), slice)| {
            // SAFETY: zero is nothing at all for each member.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            if let Some(address) = address {
                header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
                header.msg_hdr.msg_namelen = length(address.len());
            }
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let (at, count) = (headers.as_mut_ptr(), length(headers.len()));
    let flags = flags | libc::MSG_NOSIGNAL;
    // SAFETY: as above.
    let sent = check(unsafe { libc::sendmmsg(socket.as_raw_fd(), at, count, flags) })?;
    Ok(sent.try_into().unwrap())
}

/// Of each datagram what `recvfrom` would say.
pub(crate) fn recvmmsg(
    socket: &OwnedFd,
    count: usize,
    maximum: usize,
    flags: i32,
) -> Result<Vec<(Vec<u8>, usize, Sockaddr)>> {
    let mut buffers = vec![(vec![0_u8; maximum], vec![0_u8; LONGEST]); count];
    let mut slices: Vec<libc::iovec> = (buffers.iter_mut())
        .map(|(data, _)| libc::iovec {
            iov_base: data.as_mut_ptr().cast(),
            iov_len: data.len(),
        })
        .collect();
    let mut headers: Vec<libc::mmsghdr> = (buffers.iter_mut().zip(&mut slices))
        .map(|((_, address), slice)| {
            // SAFETY: zero is nothing at all for each member.
            let mut header: libc::mmsghdr = unsafe { zeroed() };
            header.msg_hdr.msg_name = address.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = length(address.len());
            header.msg_hdr.msg_iov = slice;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect();
    let (at, room) = (headers.as_mut_ptr(), length(headers.len()));
    let flags = flags | libc::MSG_WAITFORONE;
    // SAFETY: as above.
    let found =
        check(unsafe { libc::recvmmsg(socket.as_raw_fd(), at, room, flags, ptr::null_mut()) })?;
    let told: Vec<_> = headers
        .iter()
        .take(found.try_into().unwrap())
        .map(|header| (header.msg_len as usize, header.msg_hdr.msg_namelen as usize))
        .collect();
    Ok((told.into_iter().zip(buffers))
        .map(|((received, size), (mut data, mut address))| {
            data.truncate(received);
            address.truncate(size);
            (data, received, address)
        })
        .collect())
}

pub(crate) fn getsockopt<const SIZE: usize>(
    socket: &OwnedFd,
    level: i32,
    name: i32,
) -> Result<[u8; SIZE]> {
    let mut value = [0; SIZE];
    let mut size = length(SIZE);
    let at = value.as_mut_ptr().cast();
    // SAFETY: as above.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, at, &raw mut size) })?;
    Ok(value)
}

pub(crate) fn setsockopt(socket: &OwnedFd, level: i32, name: i32, value: &[u8]) -> Result<()> {
    let (at, size) = (value.as_ptr().cast(), length(value.len()));
    // SAFETY: as above.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, at, size) }).map(drop)
}

/// Sets or clears `O_NONBLOCK`.
pub(crate) fn set_blocking(socket: &OwnedFd, blocking: bool) -> Result<()> {
    let socket = socket.as_raw_fd();
    // SAFETY: as above.
    let flags = check(unsafe { libc::fcntl(socket, libc::F_GETFL) })?;
    let flags = if blocking {
        flags & !libc::O_NONBLOCK
    } else {
        flags | libc::O_NONBLOCK
    };
    // SAFETY: as above.
    check(unsafe { libc::fcntl(socket, libc::F_SETFL, flags) }).map(drop)
}

/// What of `events` is so now, and what is told unasked.
pub(crate) fn poll(socket: &OwnedFd, events: i16) -> Result<i16> {
    let mut asked = libc::pollfd {
        fd: socket.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: as above.
    check(unsafe { libc::poll(&raw mut asked, 1, 0) })?;
    Ok(asked.revents)
}
