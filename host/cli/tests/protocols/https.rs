//! HTTPS against Python's `ssl` and `http.server`, with certificates that
//! openssl makes.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::peer::{Server, output, python};
use super::succeed;
use crate::example::Example;
use crate::learned::assert_learned;

/// Certificates and a page, below one folder.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in ["ca", "stranger"] {
        openssl(
            folder.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                 -subj /CN={name} -keyout {name}.key -out {name}.pem \
                 -addext basicConstraints=critical,CA:TRUE"
            ),
        );
    }
    openssl(
        folder.path(),
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
         -subj /CN=web -keyout web.key -out web.pem -CA ca.pem -CAkey ca.key \
         -addext subjectAltName=DNS:web.internal -addext basicConstraints=critical,CA:FALSE",
    );
    fs::create_dir(folder.path().join("pages")).unwrap();
    fs::write(folder.path().join("pages/a"), "in secret\n").unwrap();
    folder
}

fn openssl(folder: &Path, arguments: &str) {
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split_whitespace());
    output({
        openssl.current_dir(folder);
        openssl
    });
}

fn serve(folder: &Path) -> Server {
    let script = r#"
import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="pages")
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("web.pem", "web.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;
    Server::start(|port| {
        let mut server = python(["-c", script]);
        server.arg(port.to_string()).current_dir(folder);
        server
    })
}

fn client(folder: &Path, server: &Server) -> Example {
    Example::named("https-client", "https/client.toml")
        .policy_with(":8443", &format!(":{}", server.port))
        .dir(folder, "/certificates")
}

#[test]
fn the_https_client_gets_a_page_from_a_server_that_it_trusts() {
    let folder = folder();
    let server = serve(folder.path());
    let address = format!("web.internal:{}", server.port);
    let printed =
        succeed(client(folder.path(), &server).arguments(["certificates/ca.pem", &address, "/a"]));
    assert_eq!(printed, "200 OK\nin secret\n");
}

#[test]
fn the_https_client_refuses_whom_it_does_not_trust() {
    let folder = folder();
    let server = serve(folder.path());
    let check = |authorities: &str, host: &str, complaint: &str| {
        let output = client(folder.path(), &server)
            // Another name for the same server, which its certificate has not.
            .policy_with(
                "\n[hosts]\n",
                "\n[hosts]\n\"other.internal\" = [\"127.0.0.1\"]\n",
            )
            .policy_with("//web.internal:", &format!("//{host}:"))
            .arguments([authorities, &format!("{host}:{}", server.port), "/a"])
            .finish("");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty());
        assert!(said.contains(complaint), "{said}");
    };
    check("certificates/stranger.pem", "web.internal", "UnknownIssuer");
    check("certificates/ca.pem", "other.internal", "NotValidForName");
}

#[test]
fn the_https_client_reaches_only_the_name_that_its_policy_grants() {
    let folder = folder();
    let server = serve(folder.path());
    let other = format!("other.internal:{}", server.port);
    let web = format!("web.internal:{}", server.port);
    client(folder.path(), &server)
        .arguments(["certificates/ca.pem", &other, "/a"])
        .assert_denied(&format!("connect tcp://{other}"));
    client(folder.path(), &server)
        .without_policy()
        .arguments(["certificates/ca.pem", &web, "/a"])
        .assert_denied(&format!("connect tcp://{web}"));
}

#[test]
fn what_the_https_client_needs_is_learned() {
    let folder = folder();
    let server = serve(folder.path());
    let address = format!("web.internal:{}", server.port);
    let client =
        || client(folder.path(), &server).arguments(["certificates/ca.pem", &address, "/a"]);
    assert_learned(1, client, |client| drop(succeed(client)));
}
