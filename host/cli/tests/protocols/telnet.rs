//! Telnet against telnetlib3.

use super::assert_success;
use super::peer::{Server, python};
use super::tap::Tap;
use crate::example::Example;
use crate::learned::assert_learned;

fn server() -> Server {
    Server::start(|port| {
        let mut telnetlib3 = python(["-c", "import telnetlib3.server as s; s.main()"]);
        telnetlib3.args(["--connect-maxwait", "0.5", "127.0.0.1"]);
        telnetlib3.arg(port.to_string());
        telnetlib3
    })
}

#[test]
fn the_telnet_client_types_at_the_prompts_and_refuses_options() {
    let server = server();
    let tap = Tap::before(server.port);
    let output = Example::named("telnet-client", "telnet/client.toml")
        .port(6023, tap.port)
        .arguments(["tel:sh> "])
        .finish("help\nquit\n");
    assert_success(&output);
    assert_eq!(
        String::from_utf8(output.stdout)
            .unwrap()
            .replace("\r\n", "\n"),
        "Ready.\ntel:sh> \n\
         quit, writer, slc, linemode, toggle [option|all], reader, proto, dump\n\
         tel:sh> \nGoodbye.\n"
    );
    // DO TERMINAL-TYPE and WONT TERMINAL-TYPE; GO AHEAD after each prompt.
    tap.dialogue().assert(&[
        "C connects",
        r"S: \xff\xfd\x18Ready.",
        r"C: \xff\xfc\x18help",
        r"S: tel:sh> \xff\xf9",
        "S: quit, writer, slc, linemode, toggle [option|all], reader, proto, dump",
        "C: quit",
        r"S: tel:sh> \xff\xf9",
        "S: Goodbye.",
    ]);
}

#[test]
fn what_the_telnet_client_needs_is_learned() {
    let server = server();
    let client = || {
        Example::named("telnet-client", "telnet/client.toml")
            .port(6023, server.port)
            .arguments(["tel:sh> "])
    };
    assert_learned(1, client, |client| {
        assert_success(&client.finish("help\nquit\n"))
    });
}
