//! SIGHUP: what it serves with is swapped as a whole, or not at all.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use portcullis_policy::Shown;
use portcullis_tests::visit_from;
use tempfile::TempDir;

use crate::server::{
    Server, answer, echoes, echoing, guest, is_let_in, obeyed, order, serve, shown, visitor,
    write_policy,
};

/// A server whose policy, ceiling and handler are in a folder.
struct House {
    folder: TempDir,
    server: Server,
    address: SocketAddr,
}

/// Whatever there is to serve.
const EVERYTHING: &str = "allow = [\"listen tcp://*:*\", \"connect tcp://loopback:*\"]\n";

impl House {
    fn new(policy: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::copy(guest("handler-faults"), file("handler.wasm")).unwrap();
        write_policy(&file("policy.toml"), policy);
        write_policy(&file("ceiling.toml"), EVERYTHING);
        let mut command = serve(["--listen", "tcp://127.0.0.1:0"]);
        command
            .args(arguments)
            .arg("--policy")
            .arg(file("policy.toml"))
            .arg("--ceiling")
            .arg(file("ceiling.toml"))
            .arg(file("handler.wasm"));
        let mut server = Server::start(command);
        let address = server.address();
        Self {
            folder,
            server,
            address,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        write_policy(&self.file(name), text);
    }

    /// Puts another handler in place, as an installer does.
    fn install(&self, name: &str) {
        let new = self.file("new.wasm");
        fs::copy(guest(name), &new).unwrap();
        fs::rename(new, self.file("handler.wasm")).unwrap();
    }
}

#[test]
fn a_new_policy_holds_for_whoever_comes_and_the_old_one_for_whoever_is_there() {
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let connect = format!("connect {}", peer.local_addr().unwrap());
    let policy = format!(
        "allow = [\"connect tcp://{}\"]\n",
        peer.local_addr().unwrap()
    );
    let mut house = House::new(&policy, &[]);
    let early = visitor(house.address);
    // Whoever comes later is served later.
    assert_eq!(obeyed(house.address, &connect), "ok");
    house.write("policy.toml", "");
    house.server.reload();
    assert_eq!(obeyed(house.address, &connect), "ErrorCode::AccessDenied");
    order(&early, &connect);
    assert_eq!(answer(early), "ok");
    // And back again.
    house.write("policy.toml", &policy);
    house.server.reload();
    assert_eq!(obeyed(house.address, &connect), "ok");
    house.server.finish();
}

#[test]
fn a_new_handler_serves_whoever_comes_and_the_old_one_whoever_is_there() {
    let mut house = House::new("", &[]);
    let early = echoing(house.address);
    house.install("greeting-handler");
    house.server.reload();
    assert_eq!(answer(visitor(house.address)), "Thank you for connecting");
    assert!(echoes(&early));
    drop(early);
    house.server.finish();
}

#[test]
fn what_cannot_be_served_with_is_refused_and_the_old_serves_on() {
    let mut house = House::new("", &[]);
    let port = house.address.port();
    let early = echoing(house.address);
    let refused = |house: &mut House, why: &str| {
        let error = house.server.fail_to_reload();
        let said = format!("{error}\n");
        assert!(!said.starts_with("error"), "{said}");
        assert!(said.contains(why), "{why}: {said}");
        assert!(echoes(&early), "{why}");
        assert_eq!(obeyed(house.address, "state"), "1", "{why}");
    };
    // Policies.
    house.write("policy.toml", "allow = [\"connect tcp://127.0.0.1\"]\n");
    refused(&mut house, "policy.toml");
    for deny in [
        "listen tcp://127.0.0.1:*".to_owned(),
        "listen tcp://*:*".to_owned(),
        format!("listen tcp://127.0.0.1:{port}"),
    ] {
        house.write("policy.toml", &format!("deny = [\"{deny}\"]\n"));
        refused(&mut house, "listen tcp://127.0.0.1:");
    }
    fs::remove_file(house.file("policy.toml")).unwrap();
    refused(&mut house, "cannot read the policy");
    house.write("policy.toml", "");
    house.write("ceiling.toml", "allow = [\"connect tcp://loopback:*\"]\n");
    refused(&mut house, "listen tcp://127.0.0.1:0");
    house.write("ceiling.toml", EVERYTHING);
    // Handlers.
    house.install("greeting-server");
    refused(&mut house, "handler.wasm");
    house.install("udp-handler");
    refused(&mut house, "serves no connections");
    fs::write(house.file("handler.wasm"), "no component").unwrap();
    refused(&mut house, "handler.wasm");
    fs::remove_file(house.file("handler.wasm")).unwrap();
    refused(&mut house, "handler.wasm");
    // And what can be served with is.
    house.install("greeting-handler");
    house.server.reload();
    assert_eq!(answer(visitor(house.address)), "Thank you for connecting");
    drop(early);
    house.server.finish();
}

/// The next handler is somebody else's.
#[test]
fn a_handler_that_does_not_compile_writes_nothing_raw() {
    let mut house = House::new("", &[]);
    let name = "\\1b[2J\\0aportcullis: \\e2\\80\\aeend";
    let twice =
        format!(r#"(component (core module (func (export "{name}")) (func (export "{name}"))))"#);
    fs::write(house.file("handler.wasm"), wat::parse_str(twice).unwrap()).unwrap();
    let error = house.server.fail_to_reload();
    assert_eq!(error, Shown::whole(&error).as_str());
    let told = "duplicate export name `\u{fffd}[2J portcullis: \u{fffd}end`";
    assert!(error.contains(told), "{error}");
    house.server.finish();
}

#[test]
fn a_deny_or_a_ceiling_keeps_peers_out_who_could_come_before() {
    let deny = "deny = [\"listen tcp://*:* from 127.0.0.2\"]\n";
    let ceiling = "allow = [\"listen tcp://*:* from 127.0.0.1\", \
                   \"listen tcp://*:* from 127.0.0.3\"]\n";
    for (file, text, before) in [
        ("policy.toml", deny, ""),
        ("ceiling.toml", ceiling, EVERYTHING),
    ] {
        let mut house = House::new("", &[]);
        let address = house.address;
        let early = visit_from([127, 0, 0, 2], address);
        order(&early, "echo");
        assert!(echoes(&early), "{file}");
        house.write(file, text);
        house.server.reload();
        assert!(!is_let_in([127, 0, 0, 2], address), "{file}");
        assert!(is_let_in([127, 0, 0, 1], address), "{file}");
        assert!(is_let_in([127, 0, 0, 3], address), "{file}");
        assert!(echoes(&early), "it lasts as it began: {file}");
        house.write(file, before);
        house.server.reload();
        assert!(is_let_in([127, 0, 0, 2], address), "{file}");
        drop(early);
        house.server.finish();
    }
}

#[test]
fn whoever_would_not_be_let_in_any_more_can_be_dropped() {
    let mut house = House::new("", &["--drop-denied"]);
    let address = house.address;
    let mut denied = visit_from([127, 0, 0, 2], address);
    let allowed = visit_from([127, 0, 0, 3], address);
    for visitor in [&denied, &allowed] {
        order(visitor, "echo");
        assert!(echoes(visitor));
    }
    house.write(
        "policy.toml",
        "deny = [\"listen tcp://*:* from 127.0.0.2\"]\n",
    );
    house.server.reload();
    let mut rest = Vec::new();
    let _ = denied.read_to_end(&mut rest);
    assert_eq!(rest, b"", "it is closed");
    assert!(echoes(&allowed));
    drop(allowed);
    let said = house.server.finish();
    assert_eq!(said.matches(": dropped").count(), 1, "{said}");
}

#[test]
fn a_grant_to_listen_in_the_policy_does_not_widen_a_listener() {
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.toml");
    write_policy(&policy, "");
    let mut command = serve(["--listen", "tcp://127.0.0.1:0 from 127.0.0.3"]);
    command
        .args(["--policy", shown(&policy)])
        .arg(guest("handler-faults"));
    let mut server = Server::start(command);
    let address = server.address();
    assert!(!is_let_in([127, 0, 0, 1], address));
    assert!(is_let_in([127, 0, 0, 3], address));
    write_policy(&policy, "allow = [\"listen tcp://*:*\"]\n");
    server.reload();
    assert!(!is_let_in([127, 0, 0, 1], address));
    assert!(is_let_in([127, 0, 0, 3], address));
    server.finish();
}
