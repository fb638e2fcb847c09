//! The calls of unix sockets that reach others.
//!
//! A path is held open before it is judged by where it really is, and then used
//! through that handle: whoever swaps folders or links in between changes
//! nothing.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use landlock::{
    AccessFs, CompatLevel, Compatible, PathBeneath, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus,
};
use nix::sys::socket::setsockopt;
use nix::{libc, setsockopt_impl, sockopt_impl};
use portcullis_policy::{BindUnix, ConnectUnix, ListenUnix, Permit, UnixName};
use rustix::fs::{AtFlags, statat};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{SendFlags, SocketAddrUnix, sendto};

use crate::address::UnixAddress;
use crate::error::Error;
pub(crate) use crate::os::walk::Goal;
use crate::os::walk::Leg;

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

/// What one leg of the way finds.
#[derive(Debug)]
pub(crate) enum Found {
    /// The end of the way, or why there is none.
    End(Located),
    /// A link, which leads here.
    Link(UnixName),
}

impl Located {
    /// Walks to where a name leads, or to the first link on the way. It waits for the
    /// file system, where the name is a path.
    pub(crate) fn along(name: &UnixName, goal: Goal) -> io::Result<Found> {
        let Some(path) = name.as_path() else {
            return Ok(Found::End(Self::in_no_folder(name)));
        };
        let (name, place) = match Leg::along(path, goal)? {
            Leg::AtLink(path) => return Ok(Found::Link(named(&path)?)),
            Leg::AtGoal(end, path) => {
                let place = match goal {
                    Goal::Folder => Place::Folder(end),
                    Goal::Socket => Place::Socket(end),
                };
                (named(&path)?, Ok(place))
            }
            Leg::Stuck(error) => (name.clone(), Err(error)),
        };
        Ok(Found::End(Self { name, place }))
    }

    /// Where more links lead on than the kernel follows.
    pub(crate) fn lost(name: UnixName) -> Self {
        Self {
            name,
            place: Err(Errno::LOOP),
        }
    }

    /// Whether the kernel finds it in a file system, which may let it wait.
    pub(crate) fn is_in_files(&self) -> bool {
        matches!(self.place, Ok(Place::Folder(_) | Place::Socket(_)))
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

fn named(path: &[u8]) -> io::Result<UnixName> {
    let name = UnixName::path(path);
    name.map_err(|error| io::Error::other(Error::from(error)))
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
/// others will see, and as it is without links on the way. The thread is of no use
/// for another bind, and is to end.
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
            // By the whole path, which the kernel walks once more. Bound through the
            // handle, the socket would tell its peers a name that leads nowhere.
            if confine(folder).is_none() {
                return Ok(rustix::net::bind(socket, &located.address()?)?);
            }
            rustix::net::bind(socket, &SocketAddrUnix::new(OsStr::from_bytes(path))?)?;
            match is_there(folder, last)? {
                true => Ok(()),
                // Somebody led it into a folder within that one.
                false => Err(Errno::ACCESS.into()),
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

/// Has the thread make sockets nowhere but beneath the folder from now on (Linux
/// Landlock), where the kernel can.
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
    let address = located.address()?;
    Ok(retry_on_intr(|| rustix::net::connect(socket, &address))?)
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
    let address = located.address()?;
    Ok(retry_on_intr(|| sendto(socket, data, flags, &address))?)
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
