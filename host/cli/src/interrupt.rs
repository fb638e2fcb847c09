//! Ctrl-C and SIGTERM while a program runs: it ends, and what there is to tell is told.
//! It must not rely on the thread that the program is on, which may hang.

use std::future;
use std::process;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::exit::Exit;

/// How long the program, and what there is to tell, may each take to come to an end.
const GRACE: Duration = Duration::from_millis(500);

/// Waits for a signal, from now on. Where the process has not ended a moment later, it
/// is ended with what `finish` tells.
pub(crate) fn heed(finish: impl FnOnce() + Send + 'static) -> Result<impl Future<Output = Exit>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mut interrupt, mut terminate) = {
        let _within = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        )
    };
    let (tell, told) = oneshot::channel();
    let wait = move || {
        let exit = runtime.block_on(async {
            let kind = tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
            };
            let exit = Exit::Signal(kind.as_raw_value());
            let _ = tell.send(exit);
            sleep(GRACE).await;
            exit
        });
        // The reader of standard error may have stopped reading.
        let (done, is_done) = channel();
        let telling = thread::Builder::new().spawn(move || {
            finish();
            let _ = done.send(());
        });
        if telling.is_ok() {
            let _ = is_done.recv_timeout(GRACE);
        }
        process::exit(exit.code());
    };
    thread::Builder::new().name("signals".into()).spawn(wait)?;
    Ok(async {
        match told.await {
            Ok(exit) => exit,
            Err(_) => future::pending().await,
        }
    })
}
