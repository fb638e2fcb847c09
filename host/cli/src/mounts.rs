//! Where a path is in its file system, whichever mounts lead there. It must not say who
//! may go there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// The mounts that this process sees (`proc_pid_mountinfo(5)`), by their numbers.
#[derive(Debug)]
pub(crate) struct Mounts(HashMap<u64, Mount>);

#[derive(Debug)]
struct Mount {
    device: String,
    /// What of the file system is mounted.
    root: PathBuf,
    point: PathBuf,
}

/// A place in the file system. Two paths can be one place, as where a folder is mounted
/// twice.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: PathBuf,
    /// The device, and the path from the root of what is on it. None where the kernel
    /// does not tell.
    within: Option<(String, PathBuf)>,
}

impl Mounts {
    /// Reads what there is now.
    pub(crate) fn read() -> io::Result<Self> {
        Ok(Self::parse(&fs::read("/proc/self/mountinfo")?))
    }

    fn parse(lines: &[u8]) -> Self {
        let lines = lines.split(|byte| *byte == b'\n');
        Self(lines.filter_map(mount).collect())
    }

    /// The place of a path that has no links in it. Its end need not be there.
    pub(crate) fn place(&self, path: &Path) -> Place {
        let mount = path.ancestors().find_map(|above| {
            let about = statx(CWD, above, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
            let is_told = about.stx_mask & StatxFlags::MNT_ID.bits() != 0;
            is_told.then_some(about.stx_mnt_id)
        });
        let mount = mount.and_then(|number| self.0.get(&number));
        let within = mount.and_then(|mount| {
            let rest = path.strip_prefix(&mount.point).ok()?;
            Some((mount.device.clone(), mount.root.join(rest)))
        });
        Place {
            path: path.to_owned(),
            within,
        }
    }
}

/// The number of a mount, and the mount.
fn mount(line: &[u8]) -> Option<(u64, Mount)> {
    let mut words = line.split(|byte| *byte == b' ');
    let number = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let device = String::from_utf8(words.nth(1)?.to_vec()).ok()?;
    let mount = Mount {
        device,
        root: unescaped(words.next()?),
        point: unescaped(words.next()?),
    };
    Some((number, mount))
}

/// A path as it is: white space and backslashes are three octal digits there.
fn unescaped(path: &[u8]) -> PathBuf {
    let mut pieces = path.split(|byte| *byte == b'\\');
    let mut bytes = pieces.next().unwrap_or_default().to_vec();
    for piece in pieces {
        let digits = piece
            .get(..3)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(piece.get(3..).unwrap_or_default());
            }
            None => {
                bytes.push(b'\\');
                bytes.extend_from_slice(piece);
            }
        }
    }
    OsString::from_vec(bytes).into()
}

impl Place {
    /// Whether it is a folder or within it.
    pub(crate) fn is_within(&self, folder: &Self) -> bool {
        let is_within = match (&self.within, &folder.within) {
            (Some((device, path)), Some((other, folder))) => {
                device == other && path.starts_with(folder)
            }
            (None, _) | (_, None) => false,
        };
        is_within || self.path.starts_with(&folder.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWICE: &[u8] = b"27 1 254:0 / / rw - ext4 /dev/vda rw\n\
        31 27 254:0 /srv/a\\040b /mnt/x\\134y rw,relatime shared:1 - ext4 /dev/vda rw\n\
        nonsense\n\n";

    #[test]
    fn the_lines_of_the_kernel_are_read() {
        let Mounts(mounts) = Mounts::parse(TWICE);
        assert_eq!(mounts.len(), 2);
        let mount = &mounts[&31];
        assert_eq!(mount.device, "254:0");
        assert_eq!(mount.root, Path::new("/srv/a b"));
        assert_eq!(mount.point, Path::new("/mnt/x\\y"));
    }

    #[test]
    fn a_place_is_the_same_by_whichever_mount() {
        let place = |path: &str, within: &str| Place {
            path: path.into(),
            within: Some(("254:0".to_owned(), within.into())),
        };
        let folder = place("/srv/app", "/srv/app");
        assert!(place("/etc/app/policy.toml", "/srv/app/policy.toml").is_within(&folder));
        assert!(!place("/etc/app/policy.toml", "/srv/apple").is_within(&folder));
        assert!(place("/srv/app/x", "/elsewhere").is_within(&folder));
        let other = Place {
            within: Some(("0:7".to_owned(), "/srv/app/x".into())),
            ..place("/mnt", "/")
        };
        assert!(!other.is_within(&folder));
    }

    #[test]
    fn this_machine_tells_where_its_paths_are() {
        let mounts = Mounts::read().unwrap();
        let place = |path: &str| mounts.place(Path::new(path));
        assert!(place("/no such/file").within.is_some());
        assert!(place("/proc/self").is_within(&place("/proc")));
        assert!(!place("/proc/self").is_within(&place("/tmp")));
    }
}
