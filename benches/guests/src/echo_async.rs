//! Echoes to all visitors at once: a task for each.

use std::io;

use futures_lite::io::{AsyncReadExt, AsyncWriteExt};
use portcullis_guest::task::{Async, block_on, spawn};
use portcullis_guest::{TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let (address, size) = portcullis_bench_guests::arguments()?;
    block_on(async {
        let listener = Async::<TcpListener>::bind(&address)?;
        loop {
            let (visitor, _) = listener.accept().await?;
            // A visitor who resets is gone as well.
            spawn(async move { echo(&visitor, size).await.unwrap_or_default() });
        }
    })
}

async fn echo(mut visitor: &Async<TcpStream>, size: usize) -> io::Result<()> {
    let mut buffer = vec![0; size];
    loop {
        let length = visitor.read(&mut buffer).await?;
        match buffer.get(..length) {
            Some(received) if !received.is_empty() => visitor.write_all(received).await?,
            _ => return Ok(()),
        }
    }
}
