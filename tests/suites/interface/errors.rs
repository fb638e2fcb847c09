//! Chapter "Errors".

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use portcullis::{
    Answer, Error, ErrorCode, Families, Lookup, Name, Pending, Permit, Resolver, Reverse,
    TableResolver,
};
use portcullis_tests::{Nobody, read_to_end};
use socket2::SockRef;
use tempfile::TempDir;

use crate::native::{deaf, wait};
use crate::{ANY_PORT, against, connect, granted, guest, refused, send};

#[test]
fn row_errors_oserror() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    std::fs::write(path.join("file"), "").unwrap();
    symlink(path.join("loop"), path.join("loop")).unwrap();
    drop(UnixListener::bind(path.join("closed")).unwrap());
    let _listening = UnixListener::bind(path.join("listening")).unwrap();
    guest("errors::oserror")
        .argument(path.display())
        .policy(granted([
            "listen tcp://127.0.0.1:0",
            "connect tcp://127.0.0.1:*",
            "connect udp://127.0.0.1:*",
            "bind tcp://127.0.0.1:*",
            "bind tcp://203.0.113.77:0",
            "join udp://224.0.0.251:0",
            &format!("connect unix:{}/**", path.display()),
            &format!("connect unixgram:{}/**", path.display()),
        ]))
        .succeed();
}

/// A resolver that fails as the name says.
struct Failing;

impl Failing {
    fn fail(name: &str) -> Error {
        let code = match name {
            "again.example" => ErrorCode::NameTemporaryFailure,
            "empty.example" => ErrorCode::NameNoData,
            "fail.example" => ErrorCode::NameLookupFailed,
            _ => ErrorCode::NameNotFound,
        };
        code.into()
    }
}

impl Resolver for Failing {
    fn look_up(&self, permit: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        Box::pin(async move { Err(Self::fail(permit.request().name().as_str())) })
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        Box::pin(async { Err(Self::fail("again.example")) })
    }
}

#[test]
fn row_errors_gaierror() {
    let client = || {
        guest("errors::gaierror")
            .argument("nobody.example NameNotFound")
            .argument("again.example NameTemporaryFailure")
            .argument("empty.example NameNoData")
            .argument("fail.example NameLookupFailed")
            .resolver(Failing)
    };
    refused(client(), "resolve nobody.example");
    client().allow("connect tcp://*.example:80").succeed();
}

#[test]
fn row_errors_herror() {
    guest("errors::herror")
        .argument("nobody.example NameNotFound")
        .argument("empty.example NameNoData")
        .argument("again.example NameTemporaryFailure")
        .argument("fail.example NameLookupFailed")
        .argument("192.0.2.9 NameTemporaryFailure")
        .resolver(Failing)
        .allow("resolve *")
        .succeed();
    guest("errors::herror")
        .argument("192.0.2.9 NameNotFound")
        .resolver(TableResolver::default())
        .allow("resolve *")
        .succeed();
    refused(
        guest("errors::herror").argument("192.0.2.9 NameNotFound"),
        "resolve 9.2.0.192.in-addr.arpa",
    );
}

#[test]
fn row_errors_timeout() {
    against("errors::timeout", |visitor| wait(&visitor));
}

#[test]
fn row_errors_connectionrefusederror() {
    let (nobody, deaf) = (Nobody::new(), deaf());
    let (address, to) = (nobody.address(), deaf.local_addr().unwrap());
    guest("errors::connectionrefusederror")
        .argument(address)
        .argument(to)
        .policy(granted([connect(address), send(to)]))
        .succeed();
}

#[test]
fn row_errors_connectionreseterror() {
    against("errors::connectionreseterror", |mut visitor| {
        visitor.read_exact(&mut [0; 5]).unwrap();
        let socket = SockRef::from(&visitor);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
}

#[test]
fn row_errors_connectionabortederror() {
    let nobody = Nobody::new();
    guest("errors::connectionabortederror")
        .argument(nobody.address())
        .allow(&connect(nobody.address()))
        .succeed();
}

#[test]
fn row_errors_brokenpipeerror() {
    assert_eq!(against("errors::brokenpipeerror", read_to_end), b"");
}

/// Everything is there, and nothing is granted.
#[test]
fn row_errors_permissionerror() {
    let listener = TcpListener::bind(ANY_PORT).unwrap();
    let address = listener.local_addr().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let finished = guest("errors::permissionerror")
        .argument(address)
        .argument(folder.path().display())
        .finish();
    let port = address.port();
    let path = path.display();
    let asked = [
        format!("connect tcp://{address}"),
        format!("bind tcp://{address}"),
        format!("listen udp://{address}"),
        format!("connect udp://{address}"),
        format!("connect udp://{address}"),
        "join udp://224.0.0.251:0".to_owned(),
        "connect udp://255.255.255.255:*".to_owned(),
        "resolve www.example".to_owned(),
        "resolve 1.2.0.192.in-addr.arpa".to_owned(),
        format!("connect tcp://www.example:{port}"),
        format!("connect unix:{path}"),
        format!("bind unix:{path}"),
        format!("listen unixgram:{path}"),
    ];
    assert_eq!(
        finished.output.lines().collect::<Vec<_>>(),
        asked
            .iter()
            .map(|request| format!("{request} is not granted"))
            .collect::<Vec<_>>(),
        "{finished:#?}"
    );
    for request in &asked {
        let denied = format!("portcullis: denied  {request}\n");
        let mut denials = finished.denials.iter();
        assert!(denials.any(|denial| denial.starts_with(&denied)));
    }
    // Nobody came.
    listener.set_nonblocking(true).unwrap();
    listener.accept().unwrap_err();
    unix.set_nonblocking(true).unwrap();
    unix.accept().unwrap_err();
}

#[test]
fn row_errors_blockingioerror() {
    guest("errors::blockingioerror").succeed();
}
