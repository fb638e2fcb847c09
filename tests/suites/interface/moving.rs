//! Chapter "Moving data".

use std::io::{IoSlice, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;
use std::{fs, thread};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use portcullis::Name;
use portcullis_tests::{Peer, read_to_end};
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tempfile::TempDir;

use crate::native::{answer, is_quiet, text, udp, udp_echo, wait};
use crate::{ANY_PORT, ITSELF, LISTEN, against, connect, granted, guest, refused, send};

/// Runs a behaviour against peers that take datagrams, after its twin.
#[track_caller]
fn towards(behaviour: &str, peers: &[&UdpSocket]) {
    let addresses = peers.iter().map(|peer| peer.local_addr().unwrap());
    let addresses: Vec<_> = addresses.collect();
    let client = || {
        let test = guest(behaviour);
        addresses.iter().fold(test, |test, to| test.argument(to))
    };
    refused(client(), &send(addresses[0]));
    client()
        .policy(granted(addresses.iter().map(send)))
        .succeed();
}

/// Runs a behaviour against somebody who sends datagrams back, after its twin.
#[track_caller]
fn with_echo(behaviour: &str) {
    let echo = udp_echo();
    let client = || guest(behaviour).argument(echo);
    refused(client(), &send(echo));
    client().allow(&send(echo)).succeed();
}

#[test]
fn row_recv() {
    against("moving::recv", |mut visitor| {
        visitor.write_all(b"0123456789").unwrap();
    });
}

#[test]
fn row_recv_into() {
    against("moving::recv_into", |mut visitor| {
        visitor.write_all(b"into").unwrap();
    });
}

#[test]
fn row_recv_msg_peek() {
    against("moving::recv_msg_peek", |mut visitor| {
        visitor.write_all(b"twice").unwrap();
    });
}

#[test]
fn row_recv_msg_waitall() {
    against("moving::recv_msg_waitall", |mut visitor| {
        visitor.set_nodelay(true).unwrap();
        for digit in b"0123456789" {
            visitor.write_all(&[*digit]).unwrap();
        }
        answer(&visitor, "end");
    });
}

#[test]
fn row_recv_msg_dontwait() {
    against("moving::recv_msg_dontwait", |visitor| {
        answer(&visitor, "here")
    });
}

fn send_urgently(mut visitor: TcpStream) {
    answer(&visitor, "before");
    SockRef::from(&visitor).send_out_of_band(b"!").unwrap();
    visitor.write_all(b"after").unwrap();
}

#[test]
fn row_recv_msg_oob() {
    against("moving::recv_msg_oob", send_urgently);
}

#[test]
fn row_send() {
    let (begin, begun) = std::sync::mpsc::channel::<()>();
    let peer = Peer::serve(move |visitor| {
        // Until the guest has filled what there is room for.
        begun.recv().unwrap_err();
        read_to_end(visitor).len()
    });
    let client = || guest("moving::send").argument(peer.address);
    refused(client(), &connect(peer.address));
    let output = client().allow(&connect(peer.address)).succeed();
    drop(begin);
    assert_eq!(output, format!("{}\n", peer.join()), "all that was taken");
}

#[test]
fn row_send_msg_dontwait() {
    let (give_up, given_up) = std::sync::mpsc::channel::<()>();
    let peer = Peer::serve(move |_visitor| given_up.recv().unwrap_err());
    guest("moving::send_msg_dontwait")
        .argument(peer.address)
        .allow(&connect(peer.address))
        .succeed();
    drop(give_up);
    peer.join();
}

#[test]
fn row_send_msg_oob() {
    let heard = against("moving::send_msg_oob", |mut visitor| {
        let mut before = [0; 6];
        visitor.read_exact(&mut before).unwrap();
        // It is to be had apart until what follows it is read.
        let mut urgent = [std::mem::MaybeUninit::uninit(); 1];
        let socket = SockRef::from(&visitor);
        while socket.recv_out_of_band(&mut urgent).is_err() {
            thread::yield_now();
        }
        let mut after = [0; 5];
        visitor.read_exact(&mut after).unwrap();
        [before.to_vec(), after.to_vec()].concat()
    });
    assert_eq!(heard, b"beforeafter");
}

#[test]
fn row_send_msg_more() {
    let peer = udp(ANY_PORT);
    towards("moving::send_msg_more", &[&peer]);
    assert_eq!(text(&peer), "one and two");
    assert_eq!(text(&peer), "three");
}

#[test]
fn row_send_msg_eor() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let listener = Socket::new(Domain::UNIX, Type::SEQPACKET, None).unwrap();
    listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(1).unwrap();
    let client = || guest("moving::send_msg_eor").argument(path.display());
    let request = format!("connect unix:{}", path.display());
    refused(client(), &request);
    client().allow(&request).succeed();
    let (mut visitor, _) = listener.accept().unwrap();
    let mut record = [0; 64];
    for expected in [&b"first"[..], b"second record", b""] {
        let length = visitor.read(&mut record).unwrap();
        assert_eq!(&record[..length], expected);
    }
}

/// An address that no network of this machine's own has.
const FAR: &str = "203.0.113.1:9";

#[test]
fn row_send_msg_dontroute() {
    let peer = udp(ANY_PORT);
    let near = peer.local_addr().unwrap();
    let client = || {
        guest("moving::send_msg_dontroute")
            .argument(near)
            .argument(FAR)
    };
    refused(client(), &send(near));
    client().policy(granted([send(near), send(FAR)])).succeed();
    assert_eq!(text(&peer), "near");
}

#[test]
fn row_sendall() {
    let patient = Peer::serve(|visitor| {
        thread::sleep(Duration::from_millis(50));
        read_to_end(visitor)
    });
    let slow = Peer::serve(|mut visitor| {
        SockRef::from(&visitor).set_recv_buffer_size(4096).unwrap();
        let mut total = 0;
        loop {
            match visitor.read(&mut [0; 1024]) {
                Ok(0) => return total,
                Ok(length) => total += length,
                // The guest gave up with data still to be sent.
                Err(_) => return total,
            }
            thread::sleep(Duration::from_millis(10));
        }
    });
    let client = || {
        guest("moving::sendall")
            .argument(patient.address)
            .argument(slow.address)
    };
    refused(client(), &connect(patient.address));
    client()
        .policy(granted([patient.address, slow.address].map(connect)))
        .succeed();
    let received = patient.join();
    assert_eq!(received.len(), 8 << 20);
    assert!(
        (0..8 << 20)
            .zip(&received)
            .all(|(index, byte): (u32, _)| index.to_le_bytes()[1] == *byte)
    );
    let total = slow.join();
    assert!(total > 0 && total < 8 << 20, "{total}");
}

#[test]
fn row_recvfrom() {
    let (one, other) = (udp_echo(), udp_echo());
    let client = || guest("moving::recvfrom").argument(one).argument(other);
    refused(client(), &send(one));
    let grants = [send(one), send(other)];
    let itself = ITSELF.map(str::to_owned);
    client()
        .policy(granted(grants.into_iter().chain(itself)))
        .succeed();
}

#[test]
fn row_recvfrom_into() {
    with_echo("moving::recvfrom_into");
}

#[test]
fn row_recvfrom_msg_trunc() {
    with_echo("moving::recvfrom_msg_trunc");
}

#[test]
fn row_sendto() {
    let (peer, other) = (udp(ANY_PORT), udp(ANY_PORT));
    let address = peer.local_addr().unwrap();
    let named = format!("peer.example:{}", address.port());
    let addresses = vec![address.ip()];
    let name = Name::parse("peer.example").unwrap();
    guest("moving::sendto")
        .argument(address)
        .argument(&named)
        .argument(other.local_addr().unwrap())
        .resolver(portcullis::TableResolver::from_iter([(name, addresses)]))
        .policy(granted([
            send(address),
            format!("connect udp://{named} in loopback"),
        ]))
        .succeed();
    for expected in ["by address", "by name", "", "connected"] {
        assert_eq!(text(&peer), expected);
    }
    assert!(is_quiet(&peer) && is_quiet(&other));
}

#[test]
fn row_recvmsg() {
    with_echo("moving::recvmsg");
}

#[test]
fn row_sendmsg() {
    let peer = udp(ANY_PORT);
    towards("moving::sendmsg", &[&peer]);
    assert_eq!(text(&peer), "one message");
}

/// Neither the guest nor the host keeps what a peer slips in.
#[test]
fn row_recvmsg_ancillary() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let client = || guest("moving::recvmsg_ancillary").argument(path.display());
    let request = format!("connect unix:{}", path.display());
    refused(client(), &request);
    let running = client().allow(&request).start();
    let (visitor, _) = listener.accept().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let descriptors = [writer.as_raw_fd()];
    let sent = sendmsg::<()>(
        visitor.as_raw_fd(),
        &[IoSlice::new(b"data")],
        &[ControlMessage::ScmRights(&descriptors)],
        MsgFlags::empty(),
        None,
    );
    assert_eq!(sent.unwrap(), 4);
    drop(writer);
    // The end comes when nobody has the other side any more.
    assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
    drop(visitor);
    running.succeed();
}

#[test]
fn row_sendmmsg() {
    let peers = [(); 3].map(|()| udp(ANY_PORT));
    let addresses = peers.each_ref().map(|peer| peer.local_addr().unwrap());
    let client = addresses
        .iter()
        .fold(guest("moving::sendmmsg"), |test, to| test.argument(to));
    client
        .policy(granted(addresses[..2].iter().map(send)))
        .succeed();
    for expected in ["one", "three", "four"] {
        assert_eq!(text(&peers[0]), expected);
    }
    assert_eq!(text(&peers[1]), "two");
    assert!(peers.iter().all(is_quiet));
}

#[test]
fn row_recvmmsg() {
    with_echo("moving::recvmmsg");
}

#[test]
fn row_sendfile() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("digits");
    let digits = "0123456789".repeat(100_000);
    fs::write(&path, &digits).unwrap();
    let peer = Peer::serve(read_to_end);
    let client = || {
        guest("moving::sendfile")
            .argument(peer.address)
            .argument(path.display())
            .folder(folder.path())
    };
    refused(client(), &connect(peer.address));
    client().allow(&connect(peer.address)).succeed();
    assert_eq!(peer.join(), format!("3456{digits}").as_bytes());
}

#[test]
fn row_makefile() {
    let heard = against("moving::makefile", |mut visitor| {
        visitor.write_all(b"one\ntw").unwrap();
        answer(&visitor, "o\nthree");
        visitor.shutdown(Shutdown::Write).unwrap();
        read_to_end(visitor)
    });
    assert_eq!(heard, b"");
}

#[test]
fn row_shutdown_shut_rd() {
    let heard = against("moving::shutdown_shut_rd", |mut visitor| {
        visitor.write_all(b"unheard").unwrap();
        let mut heard = Vec::new();
        // Linux resets a connection of which not all was read.
        let _ = visitor.read_to_end(&mut heard);
        heard
    });
    assert_eq!(heard, b"the other way is open");
}

#[test]
fn row_shutdown_shut_wr() {
    against("moving::shutdown_shut_wr", |mut visitor| {
        let said = read_to_end(&visitor);
        visitor.write_all(&said).unwrap();
    });
}

#[test]
fn row_shutdown_shut_rdwr() {
    let heard = against("moving::shutdown_shut_rdwr", read_to_end);
    assert_eq!(heard, b"last words");
}

#[test]
fn row_close() {
    let peer = Peer::serve(|visitor| {
        thread::sleep(Duration::from_millis(50));
        read_to_end(visitor)
    });
    let client = || guest("moving::close").argument(peer.address);
    refused(client(), &connect(peer.address));
    client()
        .policy(granted([
            LISTEN,
            "bind tcp://127.0.0.1:*",
            "connect tcp://127.0.0.1:*",
        ]))
        .succeed();
    assert_eq!(peer.join(), vec![7; 1 << 20]);
}

#[test]
fn row_detach() {
    let heard = against("moving::detach", |visitor| {
        let mut data = [0; 64];
        let mut heard = Vec::new();
        let mut visitor = &visitor;
        loop {
            match visitor.read(&mut data).unwrap() {
                0 => return heard,
                length => heard.extend_from_slice(&data[..length]),
            }
        }
    });
    assert_eq!(heard, b"before and after");
    // Where nothing is sent, waiting tells that the end has come.
    assert!(against("moving::detach", |visitor| wait(&visitor)) > 0);
}
