//! The calls of unix sockets that reach others.
//!
//! A path is held open before it is judged by where it really is, and then used
//! through that handle: whoever swaps folders or links in between changes
//! nothing.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::thread;

use landlock::{
    AccessFs, CompatLevel, Compatible, PathBeneath, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use nix::sys::socket::setsockopt;
use nix::{libc, setsockopt_impl, sockopt_impl};
use portcullis_policy::{BindUnix, ConnectUnix, ListenUnix, Permit, UnixName};
use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;
use rustix::net::{SendFlags, SocketAddrUnix, sendto};

use crate::address::UnixAddress;
use crate::error::{Error, ErrorCode};
use crate::os::walk::Walk;

/// Where a name leads. Having it reaches nothing, and tells nothing: what is wrong
/// with the place is for who uses it, with a permit for the name.
#[derive(Debug)]
pub(crate) struct Located {
    /// The name without links on the way.
    name: UnixName,
    place: Result<Place, Errno>,
}

#[derive(Debug)]
enum Place {
    /// The abstract namespace, which is flat.
    Abstract,
    /// The folder that is to hold the socket, or holds it.
    Folder(OwnedFd),
    /// The socket itself.
    Socket(OwnedFd),
}

impl Located {
    /// Finds the folder in which a name is to be made.
    pub(crate) fn folder(name: &UnixName) -> Result<Self, Error> {
        let Some((folder, last)) = name.as_path().and_then(split) else {
            return Ok(Self::in_no_folder(name));
        };
        let Walk { mut path, end } = Walk::to(folder)?;
        if !path.ends_with(b"/") {
            path.push(b'/');
        }
        path.extend_from_slice(last);
        Ok(Self {
            name: named(&path)?,
            place: end.map(Place::Folder),
        })
    }

    /// Finds the socket that a name leads to.
    pub(crate) fn socket(name: &UnixName) -> Result<Self, Error> {
        let Some(path) = name.as_path() else {
            return Ok(Self::in_no_folder(name));
        };
        let Walk { path, end } = Walk::to(path)?;
        Ok(Self {
            name: named(&path)?,
            place: end.map(Place::Socket),
        })
    }

    fn in_no_folder(name: &UnixName) -> Self {
        Self {
            name: name.clone(),
            place: Ok(Place::Abstract),
        }
    }

    /// The name without links on the way: what is to be judged.
    pub(crate) fn name(&self) -> &UnixName {
        &self.name
    }

    fn place(&self) -> io::Result<&Place> {
        Ok(self.place.as_ref().map_err(|error| *error)?)
    }

    /// The address by which the kernel finds what is held here.
    fn address(&self) -> io::Result<SocketAddrUnix> {
        match self.place()? {
            Place::Abstract => abstract_address(&self.name),
            Place::Folder(folder) => {
                let (_, last) = self.name.as_path().and_then(split).ok_or(Errno::INVAL)?;
                let mut path = format!("/proc/thread-self/fd/{}/", folder.as_raw_fd()).into_bytes();
                path.extend_from_slice(last);
                Ok(SocketAddrUnix::new(path)?)
            }
            Place::Socket(socket) => {
                let path = format!("/proc/thread-self/fd/{}", socket.as_raw_fd());
                Ok(SocketAddrUnix::new(path)?)
            }
        }
    }
}

fn named(path: &[u8]) -> Result<UnixName, Error> {
    UnixName::path(path).map_err(|error| Error::new(ErrorCode::NameTooLong, error.to_string()))
}

/// A path's folder and last component.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    let folder = if slash == 0 { b"/" } else { path.get(..slash)? };
    Some((folder, path.get(slash + 1..)?))
}

fn abstract_address(name: &UnixName) -> io::Result<SocketAddrUnix> {
    Ok(match name.as_abstract_name() {
        Some(name) => SocketAddrUnix::new_abstract_name(name)?,
        None => SocketAddrUnix::new_unnamed(),
    })
}

/// Gives a socket the name that the permits are for: as it was asked for, which
/// others will see, and as it is without links on the way.
pub(crate) fn bind(
    socket: &socket2::Socket,
    asked: &Permit<BindUnix>,
    real: &Permit<BindUnix>,
    located: &Located,
) -> io::Result<()> {
    must_be(real.request().name(), located)?;
    match (located.place()?, asked.request().name().as_path()) {
        (Place::Folder(folder), Some(path)) => {
            let (_, last) = split(path).ok_or(Errno::INVAL)?;
            if is_there(folder, last)? {
                return Err(Errno::ADDRINUSE.into());
            }
            let address = SocketAddrUnix::new(OsStr::from_bytes(path))?;
            match bind_within(socket, folder, &address)? {
                Confined::Bound if is_there(folder, last)? => Ok(()),
                // Somebody led it into a folder within that one.
                Confined::Bound => Err(Errno::ACCESS.into()),
                Confined::Impossible => Ok(rustix::net::bind(socket, &located.address()?)?),
            }
        }
        (Place::Abstract | Place::Folder(_) | Place::Socket(_), _) => {
            Ok(rustix::net::bind(socket, &located.address()?)?)
        }
    }
}

fn is_there(folder: &OwnedFd, name: &[u8]) -> io::Result<bool> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

enum Confined {
    Bound,
    /// This kernel cannot confine a thread.
    Impossible,
}

/// Binds by a whole path, which the kernel walks once more, from a thread that
/// can make sockets nowhere but beneath the folder (Linux Landlock). Bound through
/// the handle instead, the socket would tell its peers a name that leads nowhere.
fn bind_within(
    socket: &socket2::Socket,
    folder: &OwnedFd,
    address: &SocketAddrUnix,
) -> io::Result<Confined> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("bind".to_owned());
        // Where there is no thread to be had, that is an error and no panic.
        let bound = thread.spawn_scoped(scope, || match confine(folder) {
            Some(_) => rustix::net::bind(socket, address).map(|()| Confined::Bound),
            None => Ok(Confined::Impossible),
        });
        let bound = bound?.join().map_err(|_| Errno::IO)?;
        Ok(bound?)
    })
}

fn confine(folder: &OwnedFd) -> Option<RestrictionStatus> {
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::MakeSock)
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rule(PathBeneath::new(folder, AccessFs::MakeSock)))
        .and_then(|rules| rules.restrict_self())
        .ok()?;
    (status.ruleset == RulesetStatus::FullyEnforced).then_some(status)
}

/// Lets a socket take connections under the name that the permits are for, as in
/// `bind`.
pub(crate) fn listen(
    socket: &socket2::Socket,
    backlog: i32,
    _asked: &Permit<ListenUnix>,
    _real: &Permit<ListenUnix>,
) -> io::Result<()> {
    socket.listen(backlog)
}

/// Connects to the socket that the permit is for.
pub(crate) fn connect(
    socket: &socket2::Socket,
    permit: &Permit<ConnectUnix>,
    located: &Located,
) -> io::Result<()> {
    must_be(permit.request().name(), located)?;
    Ok(rustix::net::connect(socket, &located.address()?)?)
}

/// Sends one datagram to the socket that the permit is for.
pub(crate) fn send_to(
    socket: &socket2::Socket,
    data: &[u8],
    flags: SendFlags,
    permit: &Permit<ConnectUnix>,
    located: &Located,
) -> io::Result<usize> {
    must_be(permit.request().name(), located)?;
    Ok(sendto(socket, data, flags, &located.address()?)?)
}

/// Lets nobody send descriptors to a socket, nor to those that it accepts (Linux
/// 6.16, `SO_PASSRIGHTS`). The kernel would close what nobody takes on the thread
/// that receives, and a descriptor can take as long to close as its sender likes
/// (`SO_LINGER`). Older kernels cannot refuse them.
pub(crate) fn refuse_descriptors(socket: &socket2::Socket) -> io::Result<()> {
    match setsockopt(socket, PassRights, &false) {
        Ok(()) | Err(nix::errno::Errno::ENOPROTOOPT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `SO_PASSRIGHTS`, which libc does not know yet.
const SO_PASSRIGHTS: libc::c_int = 83;

sockopt_impl!(PassRights, SetOnly, libc::SOL_SOCKET, SO_PASSRIGHTS, bool);

fn must_be(name: &UnixName, located: &Located) -> io::Result<()> {
    if *name == located.name {
        return Ok(());
    }
    Err(Errno::ACCESS.into())
}

/// An address as the OS tells it.
pub(crate) fn address(told: &SocketAddrUnix) -> UnixAddress {
    match (told.path_bytes(), told.abstract_name()) {
        (Some(path), _) => UnixAddress::Path(path.to_vec()),
        (None, Some(name)) if !name.is_empty() => UnixAddress::Abstract(name.to_vec()),
        (None, _) => UnixAddress::Unnamed,
    }
}
