//! The echo as one writes it with tokio: a task for each connection.

#![expect(
    clippy::disallowed_methods,
    reason = "this is what sandboxed sockets are held against"
)]

use std::io;
use std::net::SocketAddr;

use anyhow::{Result, anyhow};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Echoes streams, by so many threads.
pub(super) fn tcp(address: SocketAddr, buffer: usize, workers: usize) -> Result<()> {
    on_workers(workers, async move {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (visitor, _) = listener.accept().await?;
            // A visitor who resets is gone as well.
            tokio::spawn(async move { echo(visitor, buffer).await.unwrap_or_default() });
        }
    })
}

/// Echoes datagrams.
pub(super) fn udp(address: SocketAddr, buffer: usize, workers: usize) -> Result<()> {
    on_workers(workers, async move {
        let socket = UdpSocket::bind(address).await?;
        let mut buffer = vec![0; buffer];
        loop {
            let (length, source) = socket.recv_from(&mut buffer).await?;
            socket
                .send_to(buffer.get(..length).unwrap_or_default(), source)
                .await?;
        }
    })
}

async fn echo(mut visitor: TcpStream, buffer: usize) -> io::Result<()> {
    let mut buffer = vec![0; buffer];
    loop {
        let length = visitor.read(&mut buffer).await?;
        match buffer.get(..length) {
            Some(received) if !received.is_empty() => visitor.write_all(received).await?,
            _ => return Ok(()),
        }
    }
}

/// On a worker, and not on the thread that waits for it, which would be woken by
/// another for each event.
fn on_workers(
    workers: usize,
    server: impl Future<Output = Result<()>> + Send + 'static,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()?;
    let server = runtime.spawn(server);
    runtime
        .block_on(server)
        .map_err(|_| anyhow!("the server panicked"))?
}
