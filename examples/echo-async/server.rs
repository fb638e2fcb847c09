//! Sends back what it receives, to hundreds of visitors at once, until `q` is
//! typed.
//!
//! `portcullis run --policy examples/echo-async/server.toml echo-async-server.wasm`

use std::env;
use std::io;

use futures_lite::StreamExt;
use futures_lite::io::{AsyncBufReadExt, BufReader, copy};
use portcullis_guest::TcpListener;
use portcullis_guest::task::{Async, Input, block_on, spawn};

fn main() -> io::Result<()> {
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:12349".into());
    block_on(async {
        let listener = Async::<TcpListener>::bind(&address)?;
        println!("Listening on {}", listener.get_ref().local_addr()?);
        let serving = spawn(serve(listener));
        let mut typed = BufReader::new(Input::stdin()).lines();
        while let Some(line) = typed.next().await {
            if line?.trim() == "q" {
                return Ok(());
            }
        }
        // Nobody is there to type anything.
        serving.await
    })
}

async fn serve(listener: Async<TcpListener>) -> io::Result<()> {
    loop {
        let (visitor, peer) = listener.accept().await?;
        spawn(async move {
            match copy(&visitor, &visitor).await {
                Ok(bytes) => println!("echoed {bytes} bytes to {peer}"),
                // A visitor who hangs up half way is no reason to stop.
                Err(error) => println!("lost {peer}: {error}"),
            }
        });
    }
}
