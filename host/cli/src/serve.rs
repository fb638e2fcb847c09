//! `portcullis serve`.

mod descriptors;
mod entries;
mod house;
mod inherited;
mod listening;
mod obstacle;
mod reload;
mod restart;
mod signals;
mod supervisor;
mod systemd;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use portcullis::{ListenError, Server, Shown};

use crate::arguments::ServeArguments;
use crate::complaints::{say, say_error};
use crate::exit::Exit;
use crate::health::Health;
use crate::metrics::Stage;
use crate::output;
use house::House;
pub(crate) use inherited::Inherited;
use listening::Listening;
use restart::Executable;
use signals::{Asked, Signals};
use supervisor::Supervisor;

/// Serves until a signal ends it.
pub(crate) fn serve(arguments: ServeArguments) -> Result<Exit> {
    // Before anything else is opened, and while there is one thread.
    let inherited = Inherited::take()?;
    let executable = Executable::of_this_process();
    descriptors::raise(&arguments.bounds);
    let health = Health::new();
    let supervisor = Arc::new(Supervisor::new(arguments.drain_timeout, health.clone()));
    // Apart from the threads that serve, so that it goes on whatever they are at.
    let main = tokio::runtime::Builder::new_current_thread();
    let main = { main }.enable_all().build()?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(workers) = arguments.workers {
        runtime.worker_threads(workers.get());
    }
    let runtime = runtime.enable_all().build()?;
    let exit = main.block_on(async {
        let signals = Signals::new()?;
        let serve = operate(
            arguments,
            inherited,
            executable,
            health,
            Arc::clone(&supervisor),
        );
        // On a worker, where whatever it wakes need not be handed over.
        let exit = supervisor.supervise(signals, runtime.spawn(serve)).await;
        output::finish().await;
        exit
    });
    // Threads that compile a handler, or are kept by one, are not waited for.
    runtime.shutdown_background();
    exit
}

async fn operate(
    arguments: ServeArguments,
    mut inherited: Inherited,
    executable: Executable,
    health: Health,
    supervisor: Arc<Supervisor>,
) -> Result<Exit> {
    let house = Arc::new(House::new(arguments, executable, &mut inherited, &health)?);
    let service = house.service()?;
    // From before anybody is told that it serves.
    let mut signals = Signals::new()?;
    supervisor.serves();
    let server = Server::new(service, house.arguments.bounds.bounds(), house.watch.log());
    // Until it is known that it will serve: who is let in is nobody else's to serve.
    server.hold().await;
    let listening = Listening::open(&server, &house, &mut inherited).await;
    let mut listening = match listening {
        Err(error) => return not_begun(error),
        Ok(listening) => listening,
    };
    match inherited.predecessor() {
        // Which then tells the service manager.
        Some(predecessor) => predecessor.tell_ready()?,
        None => systemd::ready(&listening.to_string()),
    }
    server.begin().await;
    listening.belongs(true);
    inherited.leave();
    health.watch(server.clone());
    house.watch.enter(Stage::Serving);
    let operator = Operator {
        house: &house,
        server: &server,
        listening: &listening,
    };
    let (exit, patience, stage) = tokio::select! {
        failure = server.audit_failure() => {
            output::say(&Shown::line(format_args!("error: {failure}")));
            systemd::stopping("the audit failed");
            (Exit::Unaudited, Duration::ZERO, Stage::Draining)
        }
        leave = operator.attend(&mut signals) => {
            let stage = match leave {
                Leave::Ends => {
                    systemd::stopping("serves those who have come");
                    Stage::Draining
                }
                Leave::IsTakenOver => {
                    listening.belongs(false);
                    Stage::Replaced
                }
            };
            (Exit::Guest(0), house.arguments.drain_timeout, stage)
        }
    };
    supervisor.ends_within(patience);
    listening.clear_up();
    house.watch.enter(stage);
    let drained = tokio::select! {
        drained = server.drain(patience) => drained,
        // Whoever asks twice does not want to wait.
        () = signals.end() => server.drain(Duration::ZERO).await,
    };
    if drained.dropped > 0 {
        say(&format!("{} connections were dropped", drained.dropped));
    }
    house.finish();
    Ok(match (exit, drained.dropped) {
        (Exit::Guest(0), 1..) => Exit::Dropped,
        (exit, _) => exit,
    })
}

/// How it ends where it could not listen.
fn not_begun(error: anyhow::Error) -> Result<Exit> {
    let cause = error.downcast_ref().and_then(ListenError::audit_failure);
    match cause {
        Some(_) => {
            say_error(&error);
            Ok(Exit::Unaudited)
        }
        None => Err(error),
    }
}

/// Who does what the operator asks for while it serves.
struct Operator<'a> {
    house: &'a Arc<House>,
    server: &'a Server,
    listening: &'a Listening,
}

/// Why it serves no longer.
enum Leave {
    /// It is to end.
    Ends,
    /// Another process serves in its place.
    IsTakenOver,
}

impl Operator<'_> {
    async fn attend(&self, signals: &mut Signals) -> Leave {
        loop {
            match signals.next().await {
                Asked::End => return Leave::Ends,
                Asked::Reload => tokio::select! {
                    () = reload::reload(self.house, self.server, self.listening) => {}
                    () = signals.end() => return Leave::Ends,
                },
                Asked::Restart => tokio::select! {
                    is_taken_over = self.restart() => if is_taken_over {
                        return Leave::IsTakenOver;
                    },
                    () = signals.end() => return Leave::Ends,
                },
            }
        }
    }

    /// Has another process take over; else says why not, and all is as it was.
    async fn restart(&self) -> bool {
        systemd::status("is about to be taken over");
        let patience = self.house.arguments.restart_timeout;
        let executable = &self.house.executable;
        let sockets = match self.house.check() {
            Ok(()) => self.listening.sockets(self.server).await,
            Err(error) => Err(error),
        };
        let watching = self.house.watch.sockets();
        let sockets = sockets.and_then(|sockets| Ok((sockets, watching?)));
        let successor = match sockets {
            Ok((mut sockets, watching)) => {
                sockets.extend(watching);
                executable.take_over(sockets, patience).await
            }
            Err(error) => Err(error),
        };
        match successor {
            Ok(process) => {
                systemd::hand_over(process, &self.listening.to_string());
                say(&format!("process {process} takes over"));
                true
            }
            Err(error) => {
                systemd::status(&self.listening.to_string());
                say("cannot be taken over, and goes on as before");
                say_error(&error);
                false
            }
        }
    }
}
