//! SMTP against aiosmtpd, POP3 against Twisted, IMAP against pymap.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::peer::{Server, python};
use super::succeed;
use super::tap::Tap;
use crate::example::Example;
use crate::learned::assert_learned;

const MESSAGE: &str = "\
From: me@example.org
Subject: Dots

.
..
the end.
";

fn smtp_server(mailbox: &Path) -> Server {
    Server::start(|port| {
        let mut aiosmtpd = python(["-m", "aiosmtpd", "--nosetuid", "--listen"]);
        aiosmtpd
            .arg(format!("127.0.0.1:{port}"))
            .args(["--class", "aiosmtpd.handlers.Mailbox"])
            .arg(mailbox);
        aiosmtpd
    })
}

fn pop3_server(folder: &Path) -> Server {
    fs::write(folder.join("1"), "Subject: One\n\n.one\n").unwrap();
    fs::write(folder.join("2"), "Subject: Two\n\ntwo\n.\n").unwrap();
    Server::start(|port| {
        let mut twisted = python([concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/protocols/pop3_server.py"
        )]);
        twisted.arg(port.to_string()).arg(folder);
        twisted.args(["me@example.org", "secret"]);
        twisted
    })
}

fn imap_server() -> Server {
    Server::start(|port| {
        let mut pymap = python(["-c", "import pymap.main; pymap.main.main()"]);
        pymap.args(["--host", "127.0.0.1", "--no-tls"]);
        pymap.args(["--port", &port.to_string(), "--no-service", "admin"]);
        pymap.args(["dict", "--demo-data"]);
        pymap
    })
}

#[test]
fn the_smtp_client_hands_its_message_over() {
    let folder = TempDir::new().unwrap();
    let mailbox = folder.path().join("mailbox");
    let server = smtp_server(&mailbox);
    let tap = Tap::before(server.port);
    let output = Example::named("smtp-client", "mail/smtp.toml")
        .port(8025, tap.port)
        .arguments(["me@example.org", "you@example.org", "all@example.org"])
        .finish(MESSAGE);
    super::assert_success(&output);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "The server says: OK\n"
    );
    tap.dialogue().assert(&[
        "C connects",
        "S: 220 * Python SMTP 1.4.6",
        "C: EHLO sandbox.example.org",
        "S: 250-*",
        "S: 250-8BITMIME",
        "S: 250 HELP",
        "C: MAIL FROM:<me@example.org>",
        "S: 250 OK",
        "C: RCPT TO:<you@example.org>",
        "S: 250 OK",
        "C: RCPT TO:<all@example.org>",
        "S: 250 OK",
        "C: DATA",
        "S: 354 End data with <CR><LF>.<CR><LF>",
        "C: From: me@example.org",
        "C: Subject: Dots",
        "C: ",
        "C: ..",
        "C: ...",
        "C: the end.",
        "C: .",
        "S: 250 OK",
        "C: QUIT",
        "S: 221 Bye",
    ]);
    let mut stored = fs::read_dir(mailbox.join("new")).unwrap();
    let stored = fs::read_to_string(stored.next().unwrap().unwrap().path()).unwrap();
    let (head, body) = stored.split_once("\n\n").unwrap();
    assert!(head.contains("X-MailFrom: me@example.org"), "{head}");
    assert!(
        head.contains("X-RcptTo: you@example.org, all@example.org"),
        "{head}"
    );
    assert_eq!(body, ".\n..\nthe end.\n");
}

#[test]
fn the_smtp_client_says_why_a_server_refuses() {
    let server = Server::start(|port| {
        let mut aiosmtpd = python(["-m", "aiosmtpd", "--nosetuid", "--size", "10", "--listen"]);
        aiosmtpd.arg(format!("127.0.0.1:{port}"));
        aiosmtpd
    });
    let output = Example::named("smtp-client", "mail/smtp.toml")
        .port(8025, server.port)
        .arguments(["me@example.org", "you@example.org"])
        .finish(MESSAGE);
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("the server says 552 "), "{complaint}");
}

#[test]
fn the_pop3_client_prints_each_message() {
    let folder = TempDir::new().unwrap();
    let server = pop3_server(folder.path());
    let tap = Tap::before(server.port);
    let printed = succeed(
        Example::named("pop3-client", "mail/pop3.toml")
            .port(8110, tap.port)
            .env("PASSWORD", "secret")
            .arguments(["me@example.org"]),
    );
    assert_eq!(
        printed,
        "--- 1 of 2\nSubject: One\n\n.one\n--- 2 of 2\nSubject: Two\n\ntwo\n.\n"
    );
    tap.dialogue().assert(&[
        "C connects",
        "S: +OK <*>",
        "C: USER me@example.org",
        "S: +OK USER accepted, send PASS",
        "C: PASS secret",
        "S: +OK Authentication succeeded",
        "C: STAT",
        "S: +OK 2 39",
        "C: RETR 1",
        "S: +OK 19",
        "S: Subject: One",
        "S: ",
        "S: ..one",
        "S: .",
        "C: RETR 2",
        "S: +OK 20",
        "S: Subject: Two",
        "S: ",
        "S: two",
        "S: ..",
        "S: .",
        "C: QUIT",
        "S: +OK *",
    ]);
    let output = Example::named("pop3-client", "mail/pop3.toml")
        .port(8110, server.port)
        .env("PASSWORD", "guessed")
        .arguments(["me@example.org"])
        .finish("");
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("the server says -ERR Authentication failed"),
        "{complaint}"
    );
}

#[test]
fn the_imap_client_prints_who_wrote_what() {
    let server = imap_server();
    let tap = Tap::before(server.port);
    let printed = succeed(
        Example::named("imap-client", "mail/imap.toml")
            .port(8143, tap.port)
            .env("PASSWORD", "demopass")
            .arguments(["demouser", "INBOX"]),
    );
    assert_eq!(
        printed.replace("\r\n", "\n"),
        "--- 1\nFrom: friend@example.com\nSubject: Re: Re: Random question\n\n\
         --- 2\nFrom: friend@example.com\nSubject: Random question\n\n\
         --- 3\nFrom: corp@example.com\nSubject: Important notice regarding your account\n\n\
         --- 4\nFrom: friend@example.com\nSubject: Hello, World!\n\n"
    );
    tap.dialogue().assert(&[
        "C connects",
        "S: * OK [CAPABILITY IMAP4rev1 *] Server ready *",
        "C: a1 LOGIN \"demouser\" \"demopass\"",
        "S: a1 OK [CAPABILITY IMAP4rev1 *] Authentication successful.",
        "C: a2 EXAMINE \"INBOX\"",
        "S: * OK [PERMANENTFLAGS ()] Read-only mailbox.",
        "S: * FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Recent \\Seen)",
        "S: * 4 EXISTS",
        "S: * 1 RECENT",
        "S: * OK [UIDNEXT 105] Predicted next UID.",
        "S: * OK [UIDVALIDITY *] UIDs valid.",
        "S: * OK [UNSEEN 3] First unseen message.",
        "S: * OK [MAILBOXID (*)] Object ID.",
        "S: a2 OK [READ-ONLY] Selected mailbox.",
        "C: a3 FETCH 1:* (BODY.PEEK[HEADER.FIELDS (FROM SUBJECT)])",
        "S: * 1 FETCH (BODY[HEADER.FIELDS (FROM SUBJECT)] {62}",
        "S: From: friend@example.com",
        "S: Subject: Re: Re: Random question",
        "S: ",
        "S: )",
        "S: * 2 FETCH (BODY[HEADER.FIELDS (FROM SUBJECT)] {54}",
        "S: From: friend@example.com",
        "S: Subject: Random question",
        "S: ",
        "S: )",
        "S: * 3 FETCH (BODY[HEADER.FIELDS (FROM SUBJECT)] {76}",
        "S: From: corp@example.com",
        "S: Subject: Important notice regarding your account",
        "S: ",
        "S: )",
        "S: * 4 FETCH (BODY[HEADER.FIELDS (FROM SUBJECT)] {52}",
        "S: From: friend@example.com",
        "S: Subject: Hello, World!",
        "S: ",
        "S: )",
        "S: a3 OK FETCH completed.",
        "C: a4 LOGOUT",
        "S: * BYE Logging out.",
        "S: a4 OK Logout successful.",
    ]);
}

#[test]
fn what_the_mail_clients_need_is_learned() {
    let folder = TempDir::new().unwrap();
    let server = smtp_server(&folder.path().join("mailbox"));
    let client = || {
        Example::named("smtp-client", "mail/smtp.toml")
            .port(8025, server.port)
            .arguments(["me@example.org", "you@example.org"])
    };
    assert_learned(1, client, |client| {
        super::assert_success(&client.finish(MESSAGE));
    });
    let folder = TempDir::new().unwrap();
    let server = pop3_server(folder.path());
    let client = || {
        Example::named("pop3-client", "mail/pop3.toml")
            .port(8110, server.port)
            .env("PASSWORD", "secret")
            .arguments(["me@example.org"])
    };
    assert_learned(1, client, |client| drop(succeed(client)));
    let server = imap_server();
    let client = || {
        Example::named("imap-client", "mail/imap.toml")
            .port(8143, server.port)
            .env("PASSWORD", "demopass")
            .arguments(["demouser", "INBOX"])
    };
    assert_learned(1, client, |client| drop(succeed(client)));
}
