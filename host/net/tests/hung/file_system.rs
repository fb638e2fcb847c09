//! A file system that does not answer: FUSE, whose daemon agrees to serve and then
//! serves nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

/// When it gives up not to answer: a thread that waits for it has failed the test by
/// then, and would never end.
const MERCY: Duration = Duration::from_secs(60);

/// It is gone, and whoever waits for it goes on, when this is dropped.
pub(crate) struct HungFileSystem {
    folder: TempDir,
    device: File,
    _alive: Sender<()>,
}

impl HungFileSystem {
    /// Takes `/dev/fuse` and the right to mount.
    pub(crate) fn mount() -> io::Result<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/fuse")?;
        let folder = tempfile::tempdir_in("/tmp")?;
        let mut mount = Command::new("mount");
        mount
            .args(["-i", "-t", "fuse", "-o"])
            .arg("fd=0,rootmode=40000,user_id=0,group_id=0,allow_other")
            .arg("hung")
            .arg(folder.path())
            .stdin(device.try_clone()?)
            .stderr(Stdio::piped());
        let done = mount.output()?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(io::Error::other(why));
        }
        agree(&device)?;
        let (alive, ended) = mpsc::channel();
        let at = folder.path().to_owned();
        thread::spawn(move || {
            if ended.recv_timeout(MERCY) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the test waits for the file system");
                abort(&at);
            }
        });
        Ok(Self {
            folder,
            device,
            _alive: alive,
        })
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether anybody waits for it.
    pub(crate) fn is_asked(&self) -> bool {
        let mut asked = [PollFd::new(&self.device, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec::default())).unwrap();
        asked[0].revents().contains(PollFlags::IN)
    }
}

impl Drop for HungFileSystem {
    fn drop(&mut self) {
        abort(self.folder.path());
    }
}

/// Ends all that waits for it. Of what is gone already there is nothing to end.
fn abort(at: &Path) {
    let _ = Command::new("umount").args(["-f", "-l"]).arg(at).output();
}

/// Answers the kernel's first request, `FUSE_INIT` (`linux/fuse.h`).
fn agree(mut device: &File) -> io::Result<()> {
    let mut request = vec![0; 64 * 1024];
    let length = device.read(&mut request)?;
    let unique = &request[8..16];
    let (major, minor) = (&request[40..44], &request[44..48]);
    assert!(length >= 48 && request[4..8] == 26_u32.to_ne_bytes());
    let mut answer = Vec::new();
    answer.extend(80_u32.to_ne_bytes());
    answer.extend(0_u32.to_ne_bytes());
    answer.extend(unique);
    answer.extend(major);
    answer.extend(minor);
    // Of what else there is to agree on, the least.
    answer.resize(80, 0);
    answer[36..40].copy_from_slice(&4096_u32.to_ne_bytes());
    device.write_all(&answer)
}
