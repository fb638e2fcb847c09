//! Standard error, where there is no access log: it tells of what goes wrong, and
//! nobody fills it.

use crate::server::{Server, order, until};

#[test]
fn of_each_kind_one_is_told_of_and_the_others_are_counted() {
    let server = Server::start("handler-faults", &["--listen", "tcp://127.0.0.1:0"]);
    const TRAPS: u64 = 60;
    for _ in 0..TRAPS {
        order(server.address(), "trap");
    }
    order(server.address(), "exit");
    order(server.address(), "echo");
    // The counts come without anything else going wrong.
    until(|| {
        let told = server.told();
        told.iter()
            .any(|line| line.ends_with(" more: trapped"))
            .then_some(())
    });
    let (_, told) = server.end();
    let (mut single, mut counted) = (0, 0);
    for line in &told {
        if line.contains(": trapped: wasm trap: ") {
            single += 1;
        } else if let Some(count) = line.strip_suffix(" more: trapped") {
            let count = count.strip_prefix("portcullis: ").unwrap();
            counted += count.parse::<u64>().unwrap();
        }
    }
    assert_eq!(single + counted, TRAPS, "{told:#?}");
    assert!(single < TRAPS / 2, "{told:#?}");
    let exits = told
        .iter()
        .filter(|line| line.ends_with(": exited: exit code 1"));
    assert_eq!(exits.count(), 1, "{told:#?}");
    assert!(
        !told.iter().any(|line| line.contains("finished")),
        "{told:#?}"
    );
}
