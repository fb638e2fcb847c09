//! The ungranted twin of every example that speaks a protocol.

use std::net::TcpListener;

use crate::example::Example;

/// Somebody who would be talked to, if it were allowed.
fn server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[test]
fn no_client_reaches_what_its_policy_does_not_name() {
    let clients: [(&str, &str, &[&str]); 10] = [
        ("ftp-client", "ftp/active.toml", &["active", "list"]),
        ("ftp-client", "ftp/passive.toml", &["passive", "list"]),
        ("gopher-client", "gopher/client.toml", &[]),
        ("http-client", "http/client.toml", &[]),
        ("imap-client", "mail/imap.toml", &["me", "INBOX"]),
        ("nntp-client", "nntp/client.toml", &["read", "local.test"]),
        ("pop3-client", "mail/pop3.toml", &["me"]),
        ("redis-client", "redis/client.toml", &[]),
        ("smtp-client", "mail/smtp.toml", &["me@example.org"]),
        ("telnet-client", "telnet/client.toml", &["$ "]),
    ];
    for (name, policy, arguments) in clients {
        let (listener, address) = server();
        let request = format!("connect tcp://{address}");
        let example = || {
            Example::named(name, policy)
                .env("PASSWORD", "secret")
                .arguments([&*address])
                .arguments(arguments.iter().copied())
        };
        // The policy of the example names another port, at which it would have
        // to be.
        example().assert_denied(&request);
        example().without_policy().assert_denied(&request);
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "{name} connected all the same");
    }
}
