//! NNTP against sn.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::peer::{debian, inetd, output};
use super::tap::Tap;
use super::{assert_success, succeed};
use crate::example::Example;
use crate::learned::assert_learned;

const ARTICLE: &str = "\
From: me@example.org
Newsgroups: local.test
Subject: Dots
Message-ID: <dots@example.org>

.
the end.
";

/// A news server with an empty group, and where it keeps its news.
fn server() -> (u16, TempDir) {
    let spool = TempDir::new().unwrap();
    let mut create = debian("usr/sbin/snnewgroup");
    create.arg("local.test").env("SNROOT", spool.path());
    output(create);
    // What is posted is stored by sn's own program.
    let accept = spool.path().join(".SNPOST");
    let store = debian("usr/sbin/snstore");
    let script = format!("#!/bin/sh\nexec {}\n", store.get_program().display());
    fs::write(&accept, script).unwrap();
    fs::set_permissions(&accept, Permissions::from_mode(0o755)).unwrap();
    let folder = spool.path().to_owned();
    let port = inetd(move || {
        let mut snntpd = debian("usr/sbin/snntpd.bin");
        snntpd.env("SNROOT", &folder).env("POSTING_OK", "1");
        snntpd
    });
    (port, spool)
}

#[test]
fn the_nntp_client_posts_and_reads() {
    let (port, _spool) = server();
    let tap = Tap::before(port);
    let posted = Example::named("nntp-client", "nntp/client.toml")
        .port(8119, tap.port)
        .arguments(["post"])
        .finish(ARTICLE);
    assert_success(&posted);
    assert_eq!(posted.stdout, b"The server says: Yummy\n");
    tap.dialogue().assert(&[
        "C connects",
        "S: 200 Hi, you can post (sn version 0.3.8)",
        "C: POST",
        "S: 340 Go ahead",
        "C: From: me@example.org",
        "C: Newsgroups: local.test",
        "C: Subject: Dots",
        "C: Message-ID: <dots@example.org>",
        "C: ",
        "C: ..",
        "C: the end.",
        "C: .",
        "S: 240 Yummy",
        "C: QUIT",
        "S: 205 bye",
    ]);
    let tap = Tap::before(port);
    let printed = succeed(
        Example::named("nntp-client", "nntp/client.toml")
            .port(8119, tap.port)
            .arguments(["read", "local.test"]),
    );
    let (head, body) = printed.split_once("\n\n").unwrap();
    assert!(
        head.starts_with("--- 10\nPath: ") && head.contains("\nMessage-ID: <dots@example.org>\n"),
        "{head}"
    );
    assert_eq!(body, ".\nthe end.\n");
    tap.dialogue().assert(&[
        "C connects",
        "S: 200 Hi, you can post (sn version 0.3.8)",
        "C: GROUP local.test",
        "S: 211 1 10 10 local.test",
        "C: ARTICLE 10",
        "S: 220 10 <dots@example.org> Article follows",
        "S: Path: *",
        "S: From: me@example.org",
        "S: Newsgroups: local.test",
        "S: Subject: Dots",
        "S: Message-ID: <dots@example.org>",
        "S: NNTP-Posting-Host: 127.0.0.1",
        "S: Date: *",
        "S: Bytes: 14",
        "S: Lines: 2",
        "S: Xref: * local.test:10",
        "S: ",
        "S: ..",
        "S: the end.",
        "S: .",
        "C: QUIT",
        "S: 205 bye",
    ]);
}

#[test]
fn the_nntp_client_says_why_a_server_refuses() {
    let (port, _spool) = server();
    let output = Example::named("nntp-client", "nntp/client.toml")
        .port(8119, port)
        .arguments(["read", "no.such.group"])
        .finish("");
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("the server says 411 "), "{complaint}");
}

#[test]
fn what_the_nntp_client_needs_is_learned() {
    let (port, _spool) = server();
    let client = || {
        Example::named("nntp-client", "nntp/client.toml")
            .port(8119, port)
            .arguments(["read", "local.test"])
    };
    assert_learned(1, client, |client| drop(succeed(client)));
}
