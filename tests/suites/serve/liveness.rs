//! Host calls that something keeps going: each ends with its connection, and others are
//! served meanwhile.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::house::{WORKERS, serve};

/// How long an honest client waits for its answer, on a machine where others are busy.
const PROMPT: Duration = Duration::from_secs(1);

/// An address of loopback where nothing listens.
fn nowhere() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

#[test]
fn waiting_after_a_refused_datagram_keeps_no_thread() {
    let (nowhere, limit) = (nowhere(), Duration::from_secs(2));
    let house = serve("handler-faults")
        .policy(&format!(
            "allow = ['connect udp://{nowhere}', 'bind udp://127.0.0.1:0']"
        ))
        .bounds(|bounds| bounds.time = Some(limit))
        .start();
    let mut honest = house.visit("echo");
    honest.echo();
    let order = format!("refused {nowhere}");
    let visitors: Vec<_> = (0..WORKERS + 1).map(|_| house.visit(&order)).collect();
    for _ in 0..20 {
        let asked = Instant::now();
        honest.echo();
        assert!(asked.elapsed() < PROMPT, "{:?}", asked.elapsed());
        thread::sleep(Duration::from_millis(50));
    }
    for visitor in visitors {
        visitor.wait_for_end();
    }
    for _ in 0..WORKERS + 2 {
        let ended = house.expect("out-of-time");
        assert!(ended.cpu_time < limit / 4, "{ended:?}");
    }
    drop(honest);
    let held = house.server.held();
    assert!(held.is_none_or(|held| held.time < PROMPT), "{held:?}");
}

/// A loop of the host ends by itself, as its comment says, or comes to an `await` in each
/// round: what `net` awaits lets others have the thread.
#[test]
fn each_loop_of_the_host_awaits_or_says_what_bounds_it() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![top.join("host/net/src"), top.join("host/runtime/src")];
    let (mut loops, mut endless) = (0, Vec::new());
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).unwrap();
            files.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        let lines: Vec<&str> = code.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let text = line.trim_start();
            let is_loop = text.starts_with("loop {") || text.starts_with("while ");
            if !is_loop {
                continue;
            }
            loops += 1;
            let indent = line.len() - text.len();
            let end = format!("{}}}", " ".repeat(indent));
            let body = lines[number..]
                .iter()
                .take_while(|line| !line.starts_with(&end));
            let awaits = body
                .into_iter()
                .any(|line| line.contains(".await") || line.contains("select!"));
            let comment = lines[..number]
                .iter()
                .rev()
                .take_while(|line| line.trim_start().starts_with("//"));
            let is_bounded = comment.into_iter().any(|line| line.contains("// Bounded"));
            if !awaits && !is_bounded {
                endless.push(format!("{}:{}: {text}", path.display(), number + 1));
            }
        }
    }
    assert!(loops > 10, "only {loops} loops were found");
    assert!(
        endless.is_empty(),
        "neither awaits nor says `// Bounded: …`:\n{}",
        endless.join("\n")
    );
}
