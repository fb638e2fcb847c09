//! Peers that the guests talk to, and that do not wish them well.

use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portcullis_tests::dice::Dice;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use crate::Result;
use crate::sequence::Places;

/// How long one of them keeps at it.
const TIME: Duration = Duration::from_secs(4);

/// What they send at a time.
const PIECE: usize = 1 << 16;

/// Between two pieces: the flood is to reach the server, and not to take the machine.
const PAUSE: Duration = Duration::from_millis(2);

/// Starts them, which last as long as the runtime does.
pub(crate) fn start(runtime: &Runtime, folder: &Path, seed: u64) -> Result<Places> {
    let _context = runtime.enter();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let streams = vec![listener.local_addr()?.port()];
    let mut dice = Dice::new(seed);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let way = dice.below(8);
            tokio::spawn(timeout(TIME, over_tcp(stream, way)));
        }
    });
    let socket = runtime.block_on(UdpSocket::bind("127.0.0.1:0"))?;
    let datagrams = vec![socket.local_addr()?.port()];
    runtime.spawn(over_udp(socket, Dice::new(seed)));
    over_unix(runtime, folder, seed)?;
    ways(folder)?;
    Ok(Places {
        folder: folder.to_string_lossy().into_owned(),
        streams,
        datagrams,
    })
}

async fn over_tcp(mut stream: TcpStream, way: u64) -> io::Result<()> {
    match way {
        0 => stream.set_zero_linger(),
        1 => {
            stream.read_exact(&mut [0]).await?;
            stream.set_zero_linger()
        }
        2 => {
            for _ in 0..2000 {
                stream.writable().await?;
                // No room is no error.
                let _ = SockRef::from(&stream).send_out_of_band(b"!");
                sleep(PAUSE).await;
            }
            Ok(())
        }
        _ => over_any(stream, way).await,
    }
}

async fn over_any(mut stream: impl AsyncRead + AsyncWrite + Unpin, way: u64) -> io::Result<()> {
    match way {
        0..=2 => Ok(()),
        3 => {
            stream.shutdown().await?;
            sleep(TIME).await;
            Ok(())
        }
        4 => loop {
            stream.write_all(&[b'f'; PIECE]).await?;
            sleep(PAUSE).await;
        },
        // Neither reads nor writes.
        5 => {
            sleep(TIME).await;
            Ok(())
        }
        6 => loop {
            stream.write_all(b".").await?;
            sleep(PAUSE).await;
        },
        _ => {
            let mut buffer = vec![0; PIECE];
            loop {
                let length = stream.read(&mut buffer).await?;
                if length == 0 {
                    return Ok(());
                }
                stream
                    .write_all(buffer.get(..length).unwrap_or_default())
                    .await?;
            }
        }
    }
}

/// Answers with many datagrams, long ones and empty ones, or with none.
async fn over_udp(socket: UdpSocket, mut dice: Dice) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let data = vec![b'd'; 60_000];
    loop {
        // A client that is gone is told as an error.
        let Ok((_, client)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let count = dice.pick(&[0, 1, 30, 500]).unwrap_or(0);
        let length = dice.pick(&[0, 1, 1400, 60_000]).unwrap_or(0);
        let answer = data.get(..length).unwrap_or_default();
        for _ in 0..count {
            let _ = socket.try_send_to(answer, client);
        }
    }
}

fn over_unix(runtime: &Runtime, folder: &Path, seed: u64) -> Result<()> {
    let _context = runtime.enter();
    let listener = UnixListener::bind(folder.join("peer"))?;
    let mut dice = Dice::new(seed);
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let way = dice.below(8);
            tokio::spawn(timeout(TIME, over_any(stream, way)));
        }
    });
    let silent = UnixDatagram::bind(folder.join("peer-datagram"))?;
    runtime.spawn(async move {
        std::future::pending::<()>().await;
        drop(silent);
    });
    Ok(())
}

/// Paths that lead to no socket, to themselves, or nowhere.
fn ways(folder: &Path) -> Result<()> {
    let status = Command::new("mkfifo").arg(folder.join("pipe")).status()?;
    if !status.success() {
        return Err("mkfifo fails".into());
    }
    std::fs::write(folder.join("file"), "")?;
    std::fs::create_dir(folder.join("folder"))?;
    symlink("s1", folder.join("link"))?;
    symlink("folder", folder.join("linked"))?;
    symlink("loop", folder.join("loop"))?;
    symlink(vec!["many"; 800].join("/"), folder.join("many"))?;
    symlink(crate::ground::HANGS_ELSEWHERE, folder.join("out"))?;
    Ok(())
}
