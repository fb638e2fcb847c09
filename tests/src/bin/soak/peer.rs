//! Those who visit the server: each kind once, and what it has to hear.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_tests::dice::Dice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

/// What is said, in parts of any length: it is not the same anywhere.
const NOISE: usize = 1 << 15;

/// Whom the server lets in, and whom not.
const FRIEND: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [127, 0, 0, 2];

/// What somebody does.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// Talks, and hears all of it.
    Talk,
    /// Asks, and hears the answer.
    Ask,
    /// Says all it has to say, and hears how much it was.
    HalfClose,
    /// Talks a byte at a time.
    Slow,
    /// Goes in the midst of it, without a word.
    Reset,
    /// Has the handler trap, exit or fail.
    Trap,
    /// Has it take memory without end.
    Hog,
    /// Has it compute without end.
    Loop,
    /// Does not take what it is sent, and goes.
    Flood,
    /// Is not to be let in.
    Denied,
}

/// Something to say.
fn text(dice: &mut Dice) -> Vec<u8> {
    let mut byte = dice.below(256).to_le_bytes()[0];
    let length = 1 + dice.length(NOISE);
    let next = || {
        byte = byte.wrapping_mul(5).wrapping_add(17);
        byte
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Visits the server. An error says what should not have been.
pub(crate) async fn visit(address: SocketAddr, kind: Kind, dice: &mut Dice) -> Result<(), String> {
    let done = match kind {
        Kind::Talk => talk(address, dice).await,
        Kind::Ask => ask(address).await,
        Kind::HalfClose => half_close(address, dice).await,
        Kind::Slow => slow(address).await,
        Kind::Reset => reset(address, dice).await,
        Kind::Trap => trap(address, dice).await,
        Kind::Hog => ends(address, "hog").await,
        Kind::Loop => ends(address, "loop").await,
        Kind::Flood => flood(address).await,
        Kind::Denied => denied(address).await,
    };
    done.map_err(|error| format!("{kind:?}: {error}"))
}

async fn begin(address: SocketAddr, order: &str) -> io::Result<TcpStream> {
    let mut stream = connect(address, FRIEND).await?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("{order}\n").as_bytes()).await?;
    Ok(stream)
}

async fn connect(address: SocketAddr, from: [u8; 4]) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    socket.connect(address).await
}

async fn talk(address: SocketAddr, dice: &mut Dice) -> io::Result<()> {
    let mut stream = begin(address, "echo").await?;
    for _ in 0..1 + dice.below(8) {
        let text = text(dice);
        let (mut incoming, mut outgoing) = stream.split();
        let mut heard = vec![0; text.len()];
        tokio::try_join!(outgoing.write_all(&text), incoming.read_exact(&mut heard))?;
        expect(&heard, &text)?;
    }
    stream.shutdown().await?;
    expect(&rest(&mut stream).await?, b"")
}

async fn ask(address: SocketAddr) -> io::Result<()> {
    let mut stream = begin(address, "state").await?;
    expect(&rest(&mut stream).await?, b"1\n")
}

async fn half_close(address: SocketAddr, dice: &mut Dice) -> io::Result<()> {
    let mut stream = begin(address, "drain").await?;
    let text = text(dice);
    stream.write_all(&text).await?;
    stream.shutdown().await?;
    let length = format!("{}\n", text.len());
    expect(&rest(&mut stream).await?, length.as_bytes())
}

async fn slow(address: SocketAddr) -> io::Result<()> {
    let mut stream = begin(address, "echo").await?;
    for byte in 0..100 {
        stream.write_all(&[byte]).await?;
        let mut heard = [0];
        stream.read_exact(&mut heard).await?;
        expect(&heard, &[byte])?;
        sleep(Duration::from_millis(30)).await;
    }
    stream.shutdown().await?;
    expect(&rest(&mut stream).await?, b"")
}

async fn reset(address: SocketAddr, dice: &mut Dice) -> io::Result<()> {
    let mut stream = begin(address, "echo").await?;
    stream.write_all(&text(dice)).await?;
    stream.set_zero_linger()
}

async fn trap(address: SocketAddr, dice: &mut Dice) -> io::Result<()> {
    let order = match dice.below(5) {
        0 => "panic",
        1 => "exit",
        2 => "fail",
        3 => "overflow",
        _ => "trap",
    };
    ends(address, order).await
}

/// The connection ends, in whichever way, and nothing is answered.
async fn ends(address: SocketAddr, order: &str) -> io::Result<()> {
    let mut stream = begin(address, order).await?;
    expect_nothing(&mut stream).await
}

async fn flood(address: SocketAddr) -> io::Result<()> {
    let mut stream = begin(address, "flood").await?;
    stream.read_exact(&mut [0; 1000]).await?;
    sleep(Duration::from_millis(50)).await;
    Ok(())
}

async fn denied(address: SocketAddr) -> io::Result<()> {
    // It may hear of it at any time.
    let Ok(mut stream) = connect(address, STRANGER).await else {
        return Ok(());
    };
    match stream.write_all(b"state\n").await {
        Ok(()) => expect_nothing(&mut stream).await,
        Err(_) => Ok(()),
    }
}

async fn expect_nothing(stream: &mut TcpStream) -> io::Result<()> {
    match stream.read(&mut [0; 16]).await {
        Ok(0) | Err(_) => Ok(()),
        Ok(length) => Err(io::Error::other(format!("{length} bytes came"))),
    }
}

async fn rest(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await?;
    Ok(heard)
}

fn expect(heard: &[u8], said: &[u8]) -> io::Result<()> {
    match heard == said {
        true => Ok(()),
        false => Err(io::Error::other("something else came")),
    }
}
