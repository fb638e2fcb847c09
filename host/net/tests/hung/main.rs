//! Unix sockets and file systems that do not answer, or not soon: only the guest that
//! asks for them waits, within its bounds.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

mod file_system;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc::ELOOP;
use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, SendOptions, Socket, SocketAddress, SocketType,
    UnixAddress,
};
use portcullis_policy::Policy;

use file_system::HungFileSystem;

/// How long the guests here wait, but for file systems: for those a little longer.
const TIME: Duration = Duration::from_millis(300);

/// What no wait of theirs takes, however busy the machine is.
const LONG: Duration = Duration::from_secs(30);

fn granted(folders: &[&Path]) -> Network {
    let verbs = ["connect unix", "connect unixgram", "listen unix"];
    let mut policy = Policy::builder();
    for folder in folders {
        for verb in verbs {
            policy = policy.allow(&format!("{verb}:{}/**", folder.display()));
        }
    }
    Network::new(policy.build().unwrap())
}

fn open(network: &Network, kind: SocketType) -> Socket {
    let mut socket = network.open(Family::Unix, kind, 0).unwrap();
    socket.set_timeout(Some(TIME));
    socket
}

fn endpoint(path: &Path) -> Endpoint {
    let path = path.as_os_str().as_bytes().to_vec();
    Endpoint::Address(SocketAddress::Unix(UnixAddress::Path(path)))
}

/// Whatever a guest can do with a path.
async fn try_all(network: &Network, path: &Path) -> [Result<(), ErrorCode>; 4] {
    let at = endpoint(path);
    let stream = || open(network, SocketType::Stream);
    let datagram = || open(network, SocketType::Datagram);
    let (connects, binds, sends) = (stream(), stream(), datagram());
    let options = SendOptions::default();
    [
        connects.connect(&at).await,
        datagram().connect(&at).await,
        binds.bind(&at).await,
        sends.send_to(b"word", options, &at).await.map(|_| ()),
    ]
    .map(|done| done.map_err(|error| error.code()))
}

/// None where it cannot be mounted here, which is said.
fn hung() -> Option<HungFileSystem> {
    match HungFileSystem::mount() {
        Ok(hung) => Some(hung),
        Err(error) => {
            eprintln!("skipped: no FUSE can be mounted here: {error}");
            None
        }
    }
}

/// How many threads wait for file systems.
fn waiting() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| {
        let name = thread.unwrap().path().join("comm");
        // It may have ended meanwhile.
        fs::read_to_string(name).ok()
    });
    names.filter(|name| name.trim_end() == "files").count()
}

#[tokio::test]
async fn a_file_system_that_does_not_answer_holds_no_thread() {
    let Some(hung) = hung() else { return };
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (there, path) = (folder.path().join("there"), hung.path("folder/socket"));
    let _listener = UnixListener::bind(&there).unwrap();
    let network = granted(&[folder.path(), hung.root()]);
    // There is one thread here for all tasks.
    let begin = Instant::now();
    let others = tokio::spawn(async {
        let mut slowest = Duration::ZERO;
        for _ in 0..20 {
            let begin = Instant::now();
            tokio::time::sleep(TIME / 20).await;
            slowest = slowest.max(begin.elapsed());
        }
        slowest
    });
    assert_eq!(
        try_all(&network, &path).await,
        [Err(ErrorCode::TimedOut); 4]
    );
    assert!(hung.is_asked());
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    let slowest = others.await.unwrap();
    assert!(slowest < LONG / 12, "others waited for {slowest:?}");
    // How little a guest waits makes no difference where the file system answers.
    let bound = folder.path().join("bound");
    let mut hasty = open(&network.clone().for_another_guest(), SocketType::Stream);
    hasty.set_timeout(Some(Duration::from_nanos(1)));
    hasty.bind(&endpoint(&bound)).await.unwrap();
    assert!(bound.exists());
    // This one has no thread left, and others have.
    let connect = async |network: &Network| {
        let (socket, at) = (open(network, SocketType::Stream), endpoint(&there));
        socket.connect(&at).await.map_err(|error| error.code())
    };
    assert_eq!(connect(&network).await, Err(ErrorCode::TimedOut));
    assert_eq!(waiting(), 4, "threads");
    assert_eq!(connect(&network.clone().for_another_guest()).await, Ok(()));
    drop(hung);
    let begin = Instant::now();
    while waiting() > 0 {
        assert!(begin.elapsed() < LONG, "{} threads wait", waiting());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(connect(&network).await, Ok(()));
}

/// Where a link leads is judged before anybody looks there.
#[tokio::test]
async fn a_link_into_a_file_system_that_is_not_granted_reaches_nothing() {
    let Some(hung) = hung() else { return };
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let (link, tree) = (folder.path().join("link"), folder.path().join("tree"));
    let network = granted(&[folder.path()]);
    symlink(hung.path("socket"), &link).unwrap();
    symlink(hung.path("folder"), &tree).unwrap();
    let begin = Instant::now();
    let [connected, joined, bound, sent] = try_all(&network, &link).await;
    let denied = Err(ErrorCode::AccessDenied);
    assert_eq!([connected, joined, sent], [denied; 3]);
    assert_eq!(bound, Err(ErrorCode::AddressInUse), "it is not followed");
    let deeper = tree.join("socket");
    assert_eq!(try_all(&network, &deeper).await, [denied; 4]);
    assert!(!hung.is_asked());
    assert!(begin.elapsed() < LONG, "{:?}", begin.elapsed());
    // Who is granted it finds out that it does not answer.
    let twin = granted(&[folder.path(), hung.root()]);
    let (socket, at) = (open(&twin, SocketType::Stream), endpoint(&link));
    let connected = socket.connect(&at).await.map_err(|error| error.code());
    assert_eq!(connected, Err(ErrorCode::TimedOut));
    assert!(hung.is_asked());
}

/// What a link says takes room, and each time that it is followed takes time.
#[tokio::test]
async fn a_link_that_refers_to_itself_many_times_is_no_work() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let network = granted(&[folder.path()]);
    let link = |name: &str, text: String| {
        let link = folder.path().join(name);
        symlink(text, &link).unwrap();
        link
    };
    let long = link("l", vec!["l"; 2000].join("/"));
    let dots = link("d", format!("{}d/d", "./".repeat(2000)));
    let short = link("s", "s/s".to_owned());
    let begin = Instant::now();
    for _ in 0..20 {
        for path in [&long, &dots, &short] {
            let [connected, joined, _, sent] = try_all(&network, path).await;
            for done in [connected, joined, sent] {
                let code = done.unwrap_err();
                let endless = [ErrorCode::NameTooLong, ErrorCode::TooManyLinks];
                assert!(endless.contains(&code), "{code:?}");
            }
        }
    }
    let taken = begin.elapsed();
    assert!(taken < LONG / 6, "it took {taken:?}");
}

/// As many links as the kernel follows, and no more.
#[tokio::test]
async fn a_chain_of_links_is_followed_as_far_as_by_the_kernel() {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let network = granted(&[folder.path()]);
    let path = |number: usize| folder.path().join(number.to_string());
    let _listener = UnixListener::bind(path(0)).unwrap();
    for number in 1..=41 {
        symlink(path(number - 1), path(number)).unwrap();
    }
    let connect = async |number| {
        let socket = open(&network, SocketType::Stream);
        let connected = socket.connect(&endpoint(&path(number))).await;
        connected.map_err(|error| error.code())
    };
    assert_eq!(connect(40).await, Ok(()));
    assert_eq!(connect(41).await, Err(ErrorCode::TooManyLinks));
    let native = std::os::unix::net::UnixStream::connect(path(41));
    assert_eq!(
        native.unwrap_err().raw_os_error(),
        Some(ELOOP),
        "the kernel"
    );
}
