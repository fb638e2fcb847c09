//! Lists, gets and puts files (RFC 959, with RFC 2428 for IPv6). What is put
//! comes from standard input, what is got goes to standard output.
//!
//! `portcullis run --policy examples/ftp/passive.toml ftp-client.wasm 127.0.0.1:2121 passive get readme`
//! `portcullis run --policy examples/ftp/active.toml ftp-client.wasm 127.0.0.1:2121 active list`

use std::env;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};

use portcullis_examples::{LineStream, Reply};
use portcullis_guest::{TcpListener, TcpStream};

const USAGE: &str = "usage: ftp-client SERVER passive|active list|get|put [NAME]";

fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [server, mode, what @ ..] = words.as_slice() else {
        return Err(io::Error::other(USAGE));
    };
    let command = match what {
        ["list"] => "LIST".to_owned(),
        ["get", name] => format!("RETR {name}"),
        ["put", name] => format!("STOR {name}"),
        _ => return Err(io::Error::other(USAGE)),
    };

    let mut server = LineStream::new(TcpStream::connect(server)?);
    Reply::expect(&mut server, &[220])?;
    log_in(&mut server)?;
    server.send("TYPE I")?;
    Reply::expect(&mut server, &[200])?;
    let mut data = match *mode {
        "passive" => passive(&mut server, &command)?,
        "active" => active(&mut server, &command)?,
        _ => return Err(io::Error::other(USAGE)),
    };
    if command.starts_with("STOR") {
        io::copy(&mut io::stdin().lock(), &mut data)?;
    } else {
        io::copy(&mut data, &mut io::stdout())?;
        io::stdout().flush()?;
    }
    // Closing is how the end of a file is said.
    drop(data);
    Reply::expect(&mut server, &[226, 250])?;
    server.send("QUIT")?;
    Reply::expect(&mut server, &[221])?;
    Ok(())
}

/// As `USER` with `PASSWORD` from the environment, or as anybody.
fn log_in(server: &mut LineStream<TcpStream>) -> io::Result<()> {
    let user = env::var("USER").unwrap_or_else(|_| "anonymous".into());
    server.send(&format!("USER {user}"))?;
    if Reply::expect(server, &[230, 331])?.code == 331 {
        let password = env::var("PASSWORD").unwrap_or_else(|_| "anonymous@".into());
        server.send(&format!("PASS {password}"))?;
        Reply::expect(server, &[230])?;
    }
    Ok(())
}

/// The server listens: it says at which port, `(|||49152|)`, and the host is the
/// one that we talk to already.
fn passive(server: &mut LineStream<TcpStream>, command: &str) -> io::Result<TcpStream> {
    server.send("EPSV")?;
    let reply = Reply::expect(server, &[229])?;
    let port = reply
        .text()
        .rsplit_once("(|||")
        .and_then(|(_, rest)| rest.split_once("|)"))
        .and_then(|(port, _)| port.parse().ok())
        .ok_or_else(|| io::Error::other(format!("no port in {}", reply.text())))?;
    let host = server.stream().peer_addr()?.ip();
    let data = TcpStream::connect(SocketAddr::new(host, port))?;
    server.send(command)?;
    Reply::expect(server, &[125, 150])?;
    Ok(data)
}

/// We listen, at a port that the OS chooses, and tell the server where. The grant
/// says from whom connections are let in.
fn active(server: &mut LineStream<TcpStream>, command: &str) -> io::Result<TcpStream> {
    let host = server.stream().local_addr()?.ip();
    let listener = TcpListener::bind(SocketAddr::new(host, 0))?;
    let port = listener.local_addr()?.port();
    let family = match host {
        IpAddr::V4(_) => 1,
        IpAddr::V6(_) => 2,
    };
    server.send(&format!("EPRT |{family}|{host}|{port}|"))?;
    Reply::expect(server, &[200])?;
    server.send(command)?;
    Reply::expect(server, &[125, 150])?;
    let (data, _) = listener.accept()?;
    Ok(data)
}
