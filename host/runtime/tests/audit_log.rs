//! The audit log as others read it: what `docs/audit.md` says is what is written.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and the peers are not guests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis::{AuditLog, Name, Network, Policy, TableResolver};
use portcullis_net::{
    Endpoint, Family, ResolveHints, ReverseOptions, SendOptions, Service, Socket, SocketAddress,
    SocketType,
};
use serde_json::{Map, Value};

const DOCUMENTATION: &str = include_str!("../../../docs/audit.md");
const SCHEMA: &str = include_str!("../../../docs/audit.schema.json");

type Line = Map<String, Value>;

/// What was written, a call a piece.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<String>>>);

impl Write for Paper {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8(data.to_vec()).unwrap();
        self.0.lock().unwrap().push(text);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn lines(&self) -> Vec<String> {
        let written = self.0.lock().unwrap();
        let whole = |piece: &String| piece.strip_suffix('\n').unwrap().to_owned();
        written.iter().map(whole).collect()
    }
}

fn at(address: impl Into<SocketAddr>) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(address.into()))
}

fn stream(network: &Network) -> Socket {
    network.open(Family::Inet, SocketType::Stream, 0).unwrap()
}

async fn listen(network: &Network, ip: [u8; 4]) -> (Socket, SocketAddr) {
    let listener = stream(network);
    listener.bind(&at((ip, 0))).await.unwrap();
    listener.listen(None).unwrap();
    let SocketAddress::Inet(address) = listener.local_address().unwrap() else {
        unreachable!("it is bound to an address");
    };
    (listener, address)
}

/// At least one of each event.
async fn everything() -> Vec<String> {
    let paper = Paper::default();
    let log = AuditLog::writer(paper.clone()).for_guest("shop");
    let name = |text| Name::parse(text).unwrap();
    let addresses = [(name("db1.internal"), vec!["127.0.0.1".parse().unwrap()])];
    let names =
        TableResolver::from_iter(addresses).with_alias(name("db.internal"), name("db1.internal"));
    let policy = Policy::builder()
        .allow("connect tcp://db.internal:* in loopback")
        .allow("listen tcp://127.0.0.1:0 from 127.0.0.1")
        .allow("listen tcp://127.0.0.2:0 from 10.0.0.0/8")
        .allow("resolve *.in-addr.arpa")
        .build()
        .unwrap();
    let network = Network::new(policy.clone())
        .with_resolver(names)
        .with_audit(log.clone());

    // By name, there and back again.
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = database.local_addr().unwrap().port();
    let client = stream(&network);
    let endpoint = Endpoint::Name {
        host: "db.internal".into(),
        port: Service::Port(port),
    };
    client.connect(&endpoint).await.unwrap();
    let options = SendOptions::default();
    client.send(b"select", options).await.unwrap();
    drop(client);

    let (listener, address) = listen(&network, [127, 0, 0, 1]).await;
    let visitor = TcpStream::connect(address).unwrap();
    drop(listener.accept().await.unwrap());
    drop(visitor);

    // What is not allowed.
    let denied = stream(&network);
    let redis = at(([127, 0, 0, 3], 6379));
    denied.connect(&redis).await.unwrap_err();
    let (guarded, address) = listen(&network, [127, 0, 0, 2]).await;
    let stranger = TcpStream::connect(address).unwrap();
    let mut impatient = guarded.duplicate();
    impatient.set_timeout(Some(Duration::ZERO));
    impatient.accept().await.unwrap_err();
    drop(stranger);

    let unknown = SocketAddress::Inet(([10, 0, 0, 5], 0).into());
    let options = ReverseOptions::default();
    network.reverse(&unknown, options).await.unwrap();
    let shadowed = network.with_policy(policy.shadowed());
    let found = shadowed.resolve(Some("cache.internal"), None, ResolveHints::default());
    found.await.unwrap_err();

    let limits = "version = 1\n[limits]\nsockets = 1\n";
    let policy = Policy::builder().file("policy", limits).build().unwrap();
    let limited = Network::new(policy).with_audit(log);
    let _all_there_are = stream(&limited);
    let opened = limited.open(Family::Inet, SocketType::Stream, 0);
    opened.unwrap_err();
    paper.lines()
}

/// The line without what is another each time: the time, the number of the line,
/// how long something took, and ports that the system chose.
fn constant(line: &str) -> String {
    let (mut text, mut field) = (String::new(), String::new());
    for part in line.split(',') {
        if let Some((name, _)) = part.split_once(':') {
            name.clone_into(&mut field);
        }
        match field.trim_matches(['"', '{']) {
            "seq" | "time" | "duration_ms" => text.push_str(&field),
            _ => text.push_str(&without_ports(part)),
        }
        text.push(',');
    }
    text
}

fn without_ports(part: &str) -> String {
    let (mut text, mut digits) = (String::new(), String::new());
    for char in part.chars().chain(['\n']) {
        if char.is_ascii_digit() {
            digits.push(char);
            continue;
        }
        // A test has its ports from the upper end.
        text.push_str(if digits.len() < 5 { &digits } else { "N" });
        text.push(char);
        digits.clear();
    }
    text
}

fn documented() -> Vec<&'static str> {
    let lines = DOCUMENTATION.lines();
    lines.filter(|line| line.starts_with("{\"v\":")).collect()
}

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn event(line: &str) -> String {
    let line: Line = serde_json::from_str(line).unwrap();
    line["event"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_documentation_shows_what_is_written() {
    let written = everything().await;
    let constants: BTreeSet<String> = written.iter().map(|line| constant(line)).collect();
    for line in documented() {
        assert!(
            constants.contains(&constant(line)),
            "{line}\nis none of\n{}",
            written.join("\n")
        );
    }
}

#[test]
fn each_event_has_an_example() {
    let shown: BTreeSet<String> = documented().into_iter().map(event).collect();
    let known = schema()["properties"]["event"]["enum"].take();
    let known: BTreeSet<String> = serde_json::from_value(known).unwrap();
    assert_eq!(shown, known);
}

/// The schema holds for each line: its fields, their types, and which must be
/// there.
#[tokio::test]
async fn each_line_is_as_the_schema_says() {
    let schema = schema();
    let properties = schema["properties"].as_object().unwrap();
    let written = everything().await;
    for line in written.iter().map(String::as_str).chain(documented()) {
        let line: Line = serde_json::from_str(line).unwrap();
        for (field, value) in &line {
            let kind = properties[field]["type"].as_str().unwrap();
            let fits = match value {
                Value::String(_) => kind == "string",
                Value::Number(number) => kind == "integer" && number.is_u64(),
                Value::Array(items) => kind == "array" && items.iter().all(Value::is_string),
                Value::Null | Value::Bool(_) | Value::Object(_) => false,
            };
            assert!(fits, "{field}: {value}");
        }
        for field in schema["required"].as_array().unwrap() {
            assert!(line.contains_key(field.as_str().unwrap()), "{line:?}");
        }
    }
}

#[tokio::test]
async fn the_lines_are_counted_and_in_order() {
    let written = everything().await;
    let mut last = String::new();
    for (line, number) in written.iter().zip(1u64..) {
        let line: Line = serde_json::from_str(line).unwrap();
        assert_eq!(line["seq"], number);
        let time = line["time"].as_str().unwrap().to_owned();
        assert!(time.ends_with('Z') && time >= last, "{last} {time}");
        last = time;
    }
}

/// Has an event or two written.
fn use_up(log: &AuditLog) {
    let network = Network::new(Policy::default()).with_audit(log.clone());
    drop(stream(&network));
}

#[test]
fn a_log_is_appended_to_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    use_up(&AuditLog::open(&path).unwrap());
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(first.lines().count(), 2);
    // Somebody was cut off.
    fs::write(&path, format!("{first}{{\"v\":1,\"se")).unwrap();
    use_up(&AuditLog::open(&path).unwrap());
    let both = fs::read_to_string(&path).unwrap();
    assert!(both.starts_with(&first));
    let lines: Vec<_> = both.lines().collect();
    assert_eq!(lines.len(), 5);
    let whole = |line: &&&str| serde_json::from_str::<Value>(line).is_ok();
    assert_eq!(lines.iter().filter(whole).count(), 4);
}

#[test]
fn a_log_that_was_renamed_goes_on_where_it_was_until_it_is_opened_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, old) = (folder.path().join("audit"), folder.path().join("audit.1"));
    let log = AuditLog::open(&path).unwrap();
    fs::rename(&path, &old).unwrap();
    use_up(&log);
    assert!(!path.exists());
    log.reopen().unwrap();
    use_up(&log);
    let lines = |path| fs::read_to_string(path).unwrap().lines().count();
    assert_eq!((lines(&old), lines(&path)), (2, 2));
    // Where it cannot be opened it goes on.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen().unwrap_err();
    use_up(&log);
}
