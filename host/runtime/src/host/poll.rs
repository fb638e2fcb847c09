//! `portcullis:sockets/poll`.

use std::time::Duration;

use portcullis_net::{Poller, PollerSubscription, Socket};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::Result;
use crate::bindings::portcullis::sockets::poll::{Event, Host, HostPoller};
use crate::bindings::portcullis::sockets::socket::Readiness;
use crate::bindings::portcullis::sockets::types;
use crate::ctx::CtxView;

impl Host for CtxView<'_> {}

impl HostPoller for CtxView<'_> {
    fn open(&mut self) -> Result<Resource<Poller>> {
        let poller = Poller::new(self.ctx.network())?;
        Ok(self.table.push(poller)?)
    }

    fn add(
        &mut self,
        poller: Resource<Poller>,
        socket: Resource<Socket>,
        token: u64,
        interest: Readiness,
    ) -> Result<()> {
        let socket = self.table.get(&socket)?;
        Ok(self
            .table
            .get(&poller)?
            .add(socket, token, interest.into())?)
    }

    fn modify(
        &mut self,
        poller: Resource<Poller>,
        socket: Resource<Socket>,
        token: u64,
        interest: Readiness,
    ) -> Result<()> {
        let socket = self.table.get(&socket)?;
        Ok(self
            .table
            .get(&poller)?
            .modify(socket, token, interest.into())?)
    }

    fn remove(&mut self, poller: Resource<Poller>, socket: Resource<Socket>) -> Result<()> {
        let socket = self.table.get(&socket)?;
        Ok(self.table.get(&poller)?.remove(socket)?)
    }

    async fn wait(
        &mut self,
        poller: Resource<Poller>,
        timeout: Option<types::Duration>,
        maximum: u32,
    ) -> Result<Vec<Event>> {
        let timeout = timeout.map(Duration::from_nanos);
        let maximum = usize::try_from(maximum).unwrap_or(usize::MAX);
        let events = self.table.get(&poller)?.wait(timeout, maximum).await?;
        let events = events.into_iter().map(|event| Event {
            token: event.token,
            readiness: event.ready.into(),
        });
        Ok(events.collect())
    }

    fn subscribe(&mut self, poller: Resource<Poller>) -> wasmtime::Result<Resource<DynPollable>> {
        let waiting = self.table.get(&poller)?.subscribe()?;
        let waiting = self.table.push(Waiting(waiting))?;
        subscribe(self.table, waiting)
    }

    fn drop(&mut self, poller: Resource<Poller>) -> wasmtime::Result<()> {
        self.table.delete(poller)?;
        Ok(())
    }
}

/// What a pollable waits for.
struct Waiting(PollerSubscription);

#[wasmtime_wasi::async_trait]
impl Pollable for Waiting {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}
