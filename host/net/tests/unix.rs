//! Unix sockets: names are judged as they are asked for and as they really are.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::fs;
use std::io::{IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use portcullis_net::{
    Endpoint, ErrorCode, Family, Network, Ready, ReceiveOptions, SendOptions, Socket,
    SocketAddress, SocketType, UnixAddress,
};
use portcullis_policy::Policy;
use tempfile::TempDir;

/// A folder whose own path goes through no link.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir_in("/tmp").unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        path
    }
}

fn network(allow: &[String]) -> Network {
    let policy = allow
        .iter()
        .fold(Policy::builder(), |policy, grant| policy.allow(grant));
    Network::new(policy.build().unwrap())
}

fn open(network: &Network, kind: SocketType) -> Socket {
    let mut socket = network.open(Family::Unix, kind, 0).unwrap();
    socket.set_timeout(Some(Duration::from_secs(20)));
    socket
}

fn path_endpoint(path: &Path) -> Endpoint {
    let path = path.as_os_str().as_bytes().to_vec();
    Endpoint::Address(SocketAddress::Unix(UnixAddress::Path(path)))
}

fn abstract_endpoint(name: &str) -> Endpoint {
    Endpoint::Address(SocketAddress::Unix(UnixAddress::Abstract(name.into())))
}

fn grant(verb: &str, path: &Path) -> String {
    format!("{verb}:{}", path.display())
}

fn code<T>(result: Result<T, portcullis_net::Error>) -> Option<ErrorCode> {
    result.err().map(|error| error.code())
}

async fn receive(socket: &Socket) -> Vec<u8> {
    socket.receive(64, ReceiveOptions::default()).await.unwrap()
}

#[tokio::test]
async fn a_stream_connects_to_what_is_granted_and_nothing_else() {
    let folder = Folder::new();
    let (granted, other) = (folder.path("granted"), folder.path("other"));
    let listener = UnixListener::bind(&granted).unwrap();
    let _other = UnixListener::bind(&other).unwrap();
    let network = network(&[grant("connect unix", &granted)]);
    let socket = open(&network, SocketType::Stream);
    let refused = socket.connect(&path_endpoint(&other)).await.unwrap_err();
    assert_eq!(
        refused.message(),
        format!("connect unix:{} is not granted", other.display())
    );
    socket.connect(&path_endpoint(&granted)).await.unwrap();
    let (mut visitor, _) = listener.accept().unwrap();
    socket.send_all(b"hello").await.unwrap();
    let mut heard = [0; 5];
    visitor.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    let peer = socket.remote_address().unwrap();
    let path = granted.as_os_str().as_bytes().to_vec();
    assert_eq!(peer, SocketAddress::Unix(UnixAddress::Path(path)));
}

/// What is not granted is not looked at either: whether it is there is no
/// business of the guest's.
#[tokio::test]
async fn an_ungranted_path_tells_nothing() {
    let folder = Folder::new();
    let _there = UnixListener::bind(folder.path("there")).unwrap();
    let network = network(&[grant("connect unix", &folder.path("granted"))]);
    for name in ["there", "missing", "missing/deeper"] {
        let path = path_endpoint(&folder.path(name));
        let refused = open(&network, SocketType::Stream).connect(&path).await;
        assert_eq!(code(refused), Some(ErrorCode::AccessDenied), "{name}");
    }
    let granted = path_endpoint(&folder.path("granted"));
    let missing = open(&network, SocketType::Stream).connect(&granted).await;
    assert_eq!(code(missing), Some(ErrorCode::NotFound));
}

#[tokio::test]
async fn a_listener_serves_native_clients_under_its_own_name() {
    let folder = Folder::new();
    let path = folder.path("web.sock");
    let network = network(&[grant("listen unix", &path)]);
    let socket = open(&network, SocketType::Stream);
    assert_eq!(code(socket.listen(None)), Some(ErrorCode::InvalidArgument));
    socket.bind(&path_endpoint(&path)).await.unwrap();
    socket.listen(None).unwrap();
    let client = thread::spawn({
        let path = path.clone();
        move || {
            let mut client = UnixStream::connect(&path).unwrap();
            let peer = client.peer_addr().unwrap();
            client.write_all(b"hello").unwrap();
            peer.as_pathname().map(Path::to_owned)
        }
    });
    let (connection, peer) = socket.accept().await.unwrap();
    assert_eq!(peer, SocketAddress::Unix(UnixAddress::Unnamed));
    assert_eq!(receive(&connection).await, b"hello");
    assert_eq!(client.join().unwrap(), Some(path.clone()));
    assert_eq!(
        connection.local_address().unwrap(),
        socket.local_address().unwrap()
    );
    drop(socket);
    assert!(path.exists(), "unlinking is for the guest, as in POSIX");
    let again = open(&network, SocketType::Stream)
        .bind(&path_endpoint(&path))
        .await;
    assert_eq!(code(again), Some(ErrorCode::AddressInUse));
}

#[tokio::test]
async fn a_refused_bind_leaves_no_trace() {
    let folder = Folder::new();
    let network = network(&[grant("listen unix", &folder.path("granted"))]);
    let other = folder.path("other");
    let refused = open(&network, SocketType::Stream)
        .bind(&path_endpoint(&other))
        .await;
    assert_eq!(code(refused), Some(ErrorCode::AccessDenied));
    assert!(!other.exists());
}

#[tokio::test]
async fn a_link_leads_no_further_than_what_is_granted() {
    let folder = Folder::new();
    let (inside, outside) = (folder.folder("inside"), folder.folder("outside"));
    fs::create_dir(inside.join("deeper")).unwrap();
    symlink(&outside, inside.join("folder-out")).unwrap();
    symlink(inside.join("deeper"), inside.join("folder-in")).unwrap();
    symlink(outside.join("secret"), inside.join("socket-out")).unwrap();
    symlink(inside.join("deeper/open"), inside.join("socket-in")).unwrap();
    let _secret = UnixListener::bind(outside.join("secret")).unwrap();
    let _open = UnixListener::bind(inside.join("deeper/open")).unwrap();
    let tree = format!("{}/**", inside.display());
    let network = network(&[
        format!("connect unix:{tree}"),
        format!("listen unix:{tree}"),
    ]);
    let connect = async |name: &str| {
        let socket = open(&network, SocketType::Stream);
        code(socket.connect(&path_endpoint(&inside.join(name))).await)
    };
    assert_eq!(
        connect("folder-out/secret").await,
        Some(ErrorCode::AccessDenied)
    );
    assert_eq!(connect("socket-out").await, Some(ErrorCode::AccessDenied));
    assert_eq!(connect("folder-in/open").await, None);
    assert_eq!(connect("socket-in").await, None);
    let bind = async |name: &str| {
        let socket = open(&network, SocketType::Stream);
        code(socket.bind(&path_endpoint(&inside.join(name))).await)
    };
    assert_eq!(bind("folder-out/new").await, Some(ErrorCode::AccessDenied));
    assert!(!outside.join("new").exists());
    assert_eq!(bind("folder-in/new").await, None);
    assert!(inside.join("deeper/new").exists());
    assert_eq!(bind("socket-out").await, Some(ErrorCode::AddressInUse));
    assert_eq!(
        bind("../outside/new").await,
        Some(ErrorCode::InvalidArgument)
    );
    assert!(!outside.join("new").exists());
}

/// The guest hears its own words, not where the link leads.
#[tokio::test]
async fn a_denial_tells_the_guest_nothing_of_links() {
    let folder = Folder::new();
    let secret = folder.path("secret");
    let _listener = UnixListener::bind(&secret).unwrap();
    let link = folder.path("link");
    symlink(&secret, &link).unwrap();
    let network = network(&[grant("connect unix", &link)]);
    let socket = open(&network, SocketType::Stream);
    let refused = socket.connect(&path_endpoint(&link)).await.unwrap_err();
    assert_eq!(
        refused.message(),
        format!("connect unix:{} is not granted", link.display())
    );
}

/// Somebody swaps a folder for a link, over and over, while a guest binds and
/// connects through it.
#[tokio::test]
async fn swapped_folders_lead_nowhere_else() {
    let folder = Folder::new();
    let (inside, outside) = (folder.folder("inside"), folder.folder("outside"));
    let (current, spare, link) = (
        inside.join("current"),
        inside.join("spare"),
        inside.join("link"),
    );
    fs::create_dir(&current).unwrap();
    symlink(&outside, &link).unwrap();
    let secret = UnixListener::bind(outside.join("secret")).unwrap();
    secret.set_nonblocking(true).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let swapper = thread::spawn({
        let over = Arc::clone(&over);
        move || {
            let mut swaps = 0_u32;
            while !over.load(Ordering::Relaxed) {
                fs::rename(&current, &spare).unwrap();
                fs::rename(&link, &current).unwrap();
                fs::rename(&current, &link).unwrap();
                fs::rename(&spare, &current).unwrap();
                swaps += 1;
            }
            swaps
        }
    });
    let tree = format!("{}/**", inside.display());
    let grants = [
        format!("connect unix:{tree}"),
        format!("listen unix:{tree}"),
    ];
    let mut bound = 0;
    for number in 0..3000 {
        // One alone leaves no more files than it may.
        let network = network(&grants);
        let path = inside.join(format!("current/{number}"));
        let socket = open(&network, SocketType::Stream);
        bound += u32::from(socket.bind(&path_endpoint(&path)).await.is_ok());
        let secret = path_endpoint(&inside.join("current/secret"));
        let reached = open(&network, SocketType::Stream).connect(&secret).await;
        assert!(reached.is_err());
    }
    over.store(true, Ordering::Relaxed);
    let swaps = swapper.join().unwrap();
    assert!(bound > 0 && swaps > 100, "{bound} bound in {swaps} swaps");
    assert!(secret.accept().is_err(), "somebody got through");
    let names: Vec<_> = fs::read_dir(&outside).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn abstract_names_are_apart_from_paths() {
    let name = format!("portcullis-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = UnixListener::bind_addr(&address).unwrap();
    let granted = network(&[format!("connect unix:@{name}")]);
    let socket = open(&granted, SocketType::Stream);
    socket.connect(&abstract_endpoint(&name)).await.unwrap();
    listener.accept().unwrap();
    let paths = network(&["connect unix:/**".into()]);
    let refused = open(&paths, SocketType::Stream)
        .connect(&abstract_endpoint(&name))
        .await;
    assert_eq!(code(refused), Some(ErrorCode::AccessDenied));

    let own = format!("{name}-own");
    let listens = network(&[
        format!("listen unix:@{own}"),
        format!("connect unix:@{own}"),
    ]);
    let server = open(&listens, SocketType::Seqpacket);
    server.bind(&abstract_endpoint(&own)).await.unwrap();
    server.listen(None).unwrap();
    let client = open(&listens, SocketType::Seqpacket);
    client.connect(&abstract_endpoint(&own)).await.unwrap();
    let (connection, _) = server.accept().await.unwrap();
    client.send(b"one", SendOptions::default()).await.unwrap();
    client.send(b"other", SendOptions::default()).await.unwrap();
    let first = connection
        .receive_from(2, ReceiveOptions::default())
        .await
        .unwrap();
    assert_eq!((first.data.as_slice(), first.length), (&b"on"[..], 3));
    assert_eq!(receive(&connection).await, b"other");
}

#[tokio::test]
async fn datagrams_go_where_they_may_and_answers_come_back() {
    let folder = Folder::new();
    let (server, client) = (folder.path("server"), folder.path("client"));
    let native = UnixDatagram::bind(&server).unwrap();
    let granted = network(&[
        format!("connect unixgram:{}", server.display()),
        format!("bind unixgram:{}", client.display()),
    ]);
    let socket = open(&granted, SocketType::Datagram);
    socket.bind(&path_endpoint(&client)).await.unwrap();
    let send = |to: &Path| {
        let (socket, to) = (socket.duplicate(), path_endpoint(to));
        async move { socket.send_to(b"hello", SendOptions::default(), &to).await }
    };
    send(&server).await.unwrap();
    let mut heard = [0; 16];
    let (length, source) = native.recv_from(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"hello");
    assert_eq!(
        source.as_pathname(),
        Some(client.as_path()),
        "peers see the name"
    );

    // Somebody else may not write to it, whoever was written to may.
    let stranger = UnixDatagram::unbound().unwrap();
    stranger.send_to(b"stranger", &client).unwrap();
    native
        .send_to(b"answer", source.as_pathname().unwrap())
        .unwrap();
    assert_eq!(receive(&socket).await, b"answer");
    assert_eq!(
        code(send(&folder.path("other")).await),
        Some(ErrorCode::AccessDenied)
    );
}

#[tokio::test]
async fn a_datagram_listener_answers_who_wrote_and_may_be_written_to() {
    let folder = Folder::new();
    let (server, client, other) = (
        folder.path("server"),
        folder.path("client"),
        folder.path("other"),
    );
    let network = network(&[
        format!("listen unixgram:{}", server.display()),
        format!("connect unixgram:{}", client.display()),
    ]);
    let socket = open(&network, SocketType::Datagram);
    socket.bind(&path_endpoint(&server)).await.unwrap();
    let native = UnixDatagram::bind(&client).unwrap();
    let stranger = UnixDatagram::bind(&other).unwrap();
    for (sender, name) in [(&native, &client), (&stranger, &other)] {
        sender.send_to(b"ping", &server).unwrap();
        let options = ReceiveOptions::default();
        let datagram = socket.receive_from(64, options).await.unwrap();
        let source = path_endpoint(name);
        assert_eq!(datagram.data, b"ping");
        assert_eq!(Endpoint::Address(datagram.source), source);
    }
    let answer = |to: &Path| {
        let (socket, to) = (socket.duplicate(), path_endpoint(to));
        async move { socket.send_to(b"pong", SendOptions::default(), &to).await }
    };
    answer(&client).await.unwrap();
    let mut heard = [0; 16];
    assert_eq!(native.recv(&mut heard).unwrap(), 4);
    // What the datagram says of where it came from is no grant.
    assert_eq!(code(answer(&other).await), Some(ErrorCode::AccessDenied));
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut heard).is_err());
    // Who makes their name lead elsewhere gets no answer there.
    fs::remove_file(&client).unwrap();
    symlink(&other, &client).unwrap();
    assert_eq!(code(answer(&client).await), Some(ErrorCode::AccessDenied));
    // Nor does a batch lose those without a name.
    for _ in 0..3 {
        UnixDatagram::unbound()
            .unwrap()
            .send_to(b"x", &server)
            .unwrap();
    }
    let batch = socket
        .receive_datagrams(8, 16, ReceiveOptions::default())
        .await
        .unwrap();
    assert_eq!(batch.len(), 3);
    assert_eq!(batch[0].source, SocketAddress::Unix(UnixAddress::Unnamed));
}

#[tokio::test]
async fn pairs_need_no_grant_and_reach_nobody_else() {
    let network = network(&[]);
    for kind in [
        SocketType::Stream,
        SocketType::Seqpacket,
        SocketType::Datagram,
    ] {
        let (one, other) = network.pair(Family::Unix, kind, 0).unwrap();
        one.send(b"ping", SendOptions::default()).await.unwrap();
        other.ready(Ready::READABLE).await;
        assert_eq!(receive(&other).await, b"ping", "{kind:?}");
        other.send(b"pong", SendOptions::default()).await.unwrap();
        assert_eq!(receive(&one).await, b"pong", "{kind:?}");
        let elsewhere = path_endpoint(Path::new("/dev/log"));
        let sent = one.send_to(b"x", SendOptions::default(), &elsewhere).await;
        match kind {
            SocketType::Datagram => assert_eq!(code(sent), Some(ErrorCode::AccessDenied)),
            SocketType::Stream => assert_eq!(code(sent), Some(ErrorCode::IsConnected)),
            SocketType::Seqpacket | SocketType::Raw | SocketType::ReliableMessage => {
                assert_eq!(sent.unwrap(), 1, "goes to the peer");
            }
        }
    }
    let inet = network.pair(Family::Inet, SocketType::Stream, 0);
    assert_eq!(code(inet), Some(ErrorCode::NotSupported));
}

#[tokio::test]
async fn a_connect_waits_for_room_in_the_queue() {
    let folder = Folder::new();
    let path = folder.path("busy");
    let listener =
        socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    listener
        .bind(&socket2::SockAddr::unix(&path).unwrap())
        .unwrap();
    listener.listen(0).unwrap();
    let network = network(&[grant("connect unix", &path)]);
    let first = open(&network, SocketType::Stream);
    first.connect(&path_endpoint(&path)).await.unwrap();
    let mut second = open(&network, SocketType::Stream);
    second.set_timeout(Some(Duration::ZERO));
    assert_eq!(
        code(second.connect(&path_endpoint(&path)).await),
        Some(ErrorCode::WouldBlock)
    );
    second.set_timeout(Some(Duration::from_millis(50)));
    assert_eq!(
        code(second.connect(&path_endpoint(&path)).await),
        Some(ErrorCode::TimedOut)
    );
    second.set_timeout(None);
    let accepts = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        (listener.accept().unwrap().0, listener)
    });
    second.connect(&path_endpoint(&path)).await.unwrap();
    accepts.join().unwrap();
}

/// What nobody takes is closed on the host's thread, and can take an hour to
/// close.
#[tokio::test]
async fn peers_can_send_no_descriptors() {
    if !kernel_refuses_descriptors() {
        return;
    }
    let name = format!("portcullis-rights-{}", std::process::id());
    let network = network(&[
        format!("listen unix:@{name}"),
        format!("listen unixgram:@{name}"),
    ]);
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let listener = open(&network, SocketType::Stream);
    listener.bind(&abstract_endpoint(&name)).await.unwrap();
    listener.listen(None).unwrap();
    let visitor = UnixStream::connect_addr(&address).unwrap();
    let (connection, _) = listener.accept().await.unwrap();
    assert_eq!(pass_descriptor(&visitor), Err(Errno::EPERM));

    let datagrams = open(&network, SocketType::Datagram);
    datagrams.bind(&abstract_endpoint(&name)).await.unwrap();
    let visitor = UnixDatagram::unbound().unwrap();
    visitor.connect_addr(&address).unwrap();
    assert_eq!(pass_descriptor(&visitor), Err(Errno::EPERM));
    drop(connection);
}

fn pass_descriptor(socket: &impl AsRawFd) -> nix::Result<usize> {
    let passed = [socket.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&passed)];
    let data = [IoSlice::new(b"x")];
    sendmsg::<()>(socket.as_raw_fd(), &data, &rights, MsgFlags::empty(), None)
}

fn kernel_refuses_descriptors() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(16))
}

/// An abstract name means something else in another network namespace, and no name
/// says nothing.
#[tokio::test]
async fn abstract_and_unnamed_senders_are_answered_by_no_more_than_a_grant() {
    let name = format!("portcullis-answers-{}", std::process::id());
    let (server, one, other) = (
        format!("{name}-server"),
        format!("{name}-one"),
        format!("{name}-other"),
    );
    let network = network(&[
        format!("listen unixgram:@{server}"),
        format!("connect unixgram:@{one}"),
    ]);
    let socket = open(&network, SocketType::Datagram);
    socket.bind(&abstract_endpoint(&server)).await.unwrap();
    let server = SocketAddr::from_abstract_name(&server).unwrap();
    let mut answers = Vec::new();
    for name in [Some(&one), Some(&other), None] {
        let sender = match name {
            Some(name) => {
                let address = SocketAddr::from_abstract_name(name).unwrap();
                UnixDatagram::bind_addr(&address).unwrap()
            }
            None => UnixDatagram::unbound().unwrap(),
        };
        sender.send_to_addr(b"ping", &server).unwrap();
        let options = ReceiveOptions::default();
        let datagram = socket.receive_from(64, options).await.unwrap();
        let to = Endpoint::Address(datagram.source);
        let options = SendOptions::default();
        answers.push(code(socket.send_to(b"pong", options, &to).await));
    }
    let expected = [
        None,
        Some(ErrorCode::AccessDenied),
        Some(ErrorCode::InvalidArgument),
    ];
    assert_eq!(answers, expected);
}

/// What the host opens for a guest hears what was asked for, and answers as far as
/// the policy goes.
#[tokio::test]
async fn a_preopened_datagram_socket_answers_as_far_as_the_policy_goes() {
    let folder = Folder::new();
    let (server, client, other) = (
        folder.path("server"),
        folder.path("client"),
        folder.path("other"),
    );
    let network = network(&[format!("connect unixgram:{}", client.display())]);
    let grant = format!("unixgram:{}", server.display());
    let socket = network.preopen(&grant).await.unwrap();
    let answer = async |name: &Path| {
        let sender = UnixDatagram::bind(name).unwrap();
        sender.send_to(b"ping", &server).unwrap();
        assert_eq!(receive(&socket).await, b"ping");
        let to = path_endpoint(name);
        let sent = socket.send_to(b"pong", SendOptions::default(), &to).await;
        sender.set_nonblocking(true).unwrap();
        (code(sent), sender.recv(&mut [0; 8]).ok())
    };
    assert_eq!(answer(&client).await, (None, Some(4)));
    let denied = (Some(ErrorCode::AccessDenied), None);
    assert_eq!(answer(&other).await, denied);
}

/// They stay when their sockets are closed, so that no limit on sockets bounds them,
/// nor does one on each guest of a server.
#[tokio::test]
async fn the_files_that_sockets_leave_are_bounded() {
    let folder = Folder::new();
    let tree = format!("{}/**", folder.0.path().display());
    let network = network(&[format!("listen unix:{tree}"), "bind unix:@*".into()]);
    let bind = async |name: usize| {
        // Each is a guest of its own.
        let guest = network.clone().for_another_guest();
        let socket = open(&guest, SocketType::Stream);
        let path = path_endpoint(&folder.path(&name.to_string()));
        let bound = socket.bind(&path).await;
        bound.map_err(|error| error.to_string())
    };
    let mut left = 0;
    let refused = loop {
        match bind(left).await {
            Ok(()) => left += 1,
            Err(error) => break error,
        }
        assert!(left < 1000, "{left} files");
    };
    assert_eq!(refused, format!("limit reached: socket-files = {left}"));
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), left);
    let unnamed = Endpoint::Address(SocketAddress::Unix(UnixAddress::Unnamed));
    let abstracts = open(&network, SocketType::Stream);
    abstracts.bind(&unnamed).await.unwrap();
    // What is removed counts no more, though another file be there.
    fs::remove_file(folder.path("1")).unwrap();
    fs::write(folder.path("1"), "").unwrap();
    assert_eq!(bind(left).await, Ok(()));
    assert!(bind(left + 1).await.is_err());
}

/// Who wrote before the socket was connected is not its peer.
#[tokio::test]
async fn connecting_gives_no_ear_for_what_came_before() {
    let folder = Folder::new();
    let (here, peer) = (folder.path("here"), folder.path("peer"));
    let network = network(&[
        format!("bind unixgram:{}", here.display()),
        format!("connect unixgram:{}", peer.display()),
    ]);
    let socket = open(&network, SocketType::Datagram);
    socket.bind(&path_endpoint(&here)).await.unwrap();
    let native = UnixDatagram::bind(&peer).unwrap();
    let stranger = UnixDatagram::unbound().unwrap();
    stranger.send_to(b"stranger", &here).unwrap();
    socket.connect(&path_endpoint(&peer)).await.unwrap();
    native.send_to(b"peer", &here).unwrap();
    assert_eq!(receive(&socket).await, b"peer");
}

#[tokio::test]
async fn a_link_gives_no_ear_where_none_is_granted() {
    let folder = Folder::new();
    let (real, link) = (folder.folder("real"), folder.path("link"));
    symlink(&real, &link).unwrap();
    let network = network(&[
        format!("listen unixgram:{}/*", link.display()),
        format!("bind unixgram:{}/*", real.display()),
    ]);
    let mut socket = open(&network, SocketType::Datagram);
    let here = link.join("here");
    socket.bind(&path_endpoint(&here)).await.unwrap();
    let stranger = UnixDatagram::unbound().unwrap();
    stranger.send_to(b"stranger", &here).unwrap();
    socket.set_timeout(Some(Duration::ZERO));
    let heard = socket.receive(64, ReceiveOptions::default()).await;
    assert_eq!(code(heard), Some(ErrorCode::WouldBlock));
}

/// Who can put links where they are granted could ask for any path of the machine.
#[tokio::test]
async fn a_link_tells_nothing_of_where_it_leads() {
    let folder = Folder::new();
    let (inside, outside) = (folder.folder("inside"), folder.folder("outside"));
    fs::write(outside.join("there"), "").unwrap();
    fs::create_dir(outside.join("folder")).unwrap();
    let network = network(&[
        format!("connect unix:{}/**", inside.display()),
        format!("listen unix:{}/**", inside.display()),
    ]);
    let link = inside.join("link");
    let ask = async |target: &str| {
        symlink(target, &link).unwrap();
        let mut told = Vec::new();
        for path in [link.clone(), link.join("deeper")] {
            let connects = open(&network, SocketType::Stream);
            told.push(code(connects.connect(&path_endpoint(&path)).await));
        }
        let path = link.join("new");
        let binds = open(&network, SocketType::Stream);
        told.push(code(binds.bind(&path_endpoint(&path)).await));
        fs::remove_file(&link).unwrap();
        told
    };
    for target in [
        "../outside/there",
        "../outside/folder",
        "../outside/missing",
        "../outside/there/deeper",
        "../outside/missing/deeper",
        "/proc/self/fd/0",
        "/proc/self/fd/3",
        "/proc/self/fd/9876",
        "/proc/self/root/etc/passwd",
        "/proc/1/root/missing",
    ] {
        let denied = Some(ErrorCode::AccessDenied);
        assert_eq!(ask(target).await, [denied; 3], "{target}");
    }
    // Nor by coming back from there.
    let back = format!("{}/back", inside.display());
    let _listener = UnixListener::bind(&back).unwrap();
    for there in ["folder", "missing"] {
        let target = format!("../outside/{there}/../../inside/back");
        let told = ask(&target).await;
        assert_eq!(told, [Some(ErrorCode::TooManyLinks); 3], "{target}");
    }
    assert_eq!(ask("link").await, [Some(ErrorCode::TooManyLinks); 3]);
    assert_eq!(
        ask("missing").await,
        [Some(ErrorCode::NotFound); 3],
        "what is granted may be told"
    );
    assert_eq!(ask("../inside/back").await[0], None);
    assert_eq!(ask(&back).await[0], None);
}

/// Somebody makes a link lead to a granted folder and to one within it that is
/// not granted, over and over, while a guest binds through it.
#[tokio::test]
async fn swapped_links_lead_no_deeper() {
    let folder = Folder::new();
    let (granted, current) = (folder.folder("granted"), folder.path("current"));
    let deeper = granted.join("deeper");
    fs::create_dir(&deeper).unwrap();
    symlink(&granted, &current).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let swapper = thread::spawn({
        let (over, current, spare) = (Arc::clone(&over), current.clone(), folder.path("spare"));
        let targets = [deeper.clone(), granted.clone()];
        move || {
            while !over.load(Ordering::Relaxed) {
                for target in &targets {
                    symlink(target, &spare).unwrap();
                    fs::rename(&spare, &current).unwrap();
                }
            }
        }
    });
    let grants = [
        format!("listen unix:{}/*", current.display()),
        format!("listen unix:{}/*", granted.display()),
    ];
    let mut strayed = Vec::new();
    let mut bound = 0;
    for number in 0..3000 {
        let network = network(&grants);
        let name = number.to_string();
        let socket = open(&network, SocketType::Stream);
        let path = path_endpoint(&current.join(&name));
        if socket.bind(&path).await.is_ok() {
            bound += 1;
            strayed.extend(Some(name.clone()).filter(|_| !granted.join(&name).exists()));
        }
    }
    over.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
    assert!(bound > 0);
    assert!(strayed.is_empty(), "{strayed:?} of {bound}");
}
