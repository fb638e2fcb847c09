//! What the fuzz stands on: a network and a view of the file system of its own, in which
//! it can be the name server, and mount a file system that does not answer.
//!
//! That takes root, or user namespaces. Without them the rest is tried, and what is not
//! is said.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

use crate::{Result, loopback};

/// Where the name server is asked.
pub(crate) const NAME_SERVER: &str = "127.0.0.1:53";

/// Beneath it no look-up ends, and no guest is granted it.
pub(crate) const HANGS_ELSEWHERE: &str = "/mnt";

/// A mount of which nothing is answered for as long as its device is held.
struct Hanging {
    place: PathBuf,
    _device: File,
}

impl Drop for Hanging {
    fn drop(&mut self) {
        // Otherwise the folder that it is in cannot be removed.
        let _ = umount2(&self.place, MntFlags::MNT_DETACH);
    }
}

/// What there is.
#[derive(Default)]
pub(crate) struct Ground {
    /// Names are looked up with our own name server.
    pub(crate) names: bool,
    /// The file systems that do not answer.
    hangs: Vec<Hanging>,
    /// What is not tried, and why.
    pub(crate) missing: Vec<String>,
}

impl Ground {
    /// Leaves the machine's network and mounts; before there are other threads.
    pub(crate) fn prepare(folder: &Path) -> Self {
        let mut ground = Self::default();
        if let Err(error) = leave() {
            ground
                .missing
                .push(format!("name server, file system: {error}"));
            return ground;
        }
        match own_resolver(folder) {
            Ok(()) => ground.names = true,
            Err(error) => ground.missing.push(format!("name server: {error}")),
        }
        let within = folder.join("hangs");
        for place in [within.as_path(), Path::new(HANGS_ELSEWHERE)] {
            match hang(place) {
                Ok(hanging) => ground.hangs.push(hanging),
                Err(error) => ground.missing.push(format!("{}: {error}", place.display())),
            }
        }
        ground
    }

    /// How many file systems do not answer.
    pub(crate) fn hangs(&self) -> usize {
        self.hangs.len()
    }
}

fn leave() -> Result<()> {
    let spaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
    if unshare(spaces).is_err() {
        let (user, group) = (getuid(), getgid());
        unshare(spaces | CloneFlags::CLONE_NEWUSER)
            .map_err(|error| format!("no namespaces: {error}"))?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))?;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    loopback::bring_up()
}

/// Has this machine's names looked up with our name server, as far as we see.
fn own_resolver(folder: &Path) -> Result<()> {
    let (address, _) = NAME_SERVER.rsplit_once(':').ok_or("no port")?;
    let file = folder.join("resolv.conf");
    fs::write(&file, format!("nameserver {address}\n"))?;
    let onto = "/etc/resolv.conf";
    mount(
        Some(&file),
        onto,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    Ok(())
}

/// Mounts a file system of which nothing is ever answered: the kernel's first question is
/// not read.
fn hang(place: &Path) -> Result<Hanging> {
    fs::create_dir_all(place)?;
    let device = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/fuse")?;
    let options = format!(
        "fd={},rootmode=40000,user_id=0,group_id=0",
        device.as_raw_fd()
    );
    mount(
        Some("portcullis"),
        place,
        Some("fuse"),
        MsFlags::MS_NOSUID | MsFlags::MS_NODEV,
        Some(options.as_str()),
    )?;
    Ok(Hanging {
        place: place.to_owned(),
        _device: device,
    })
}
