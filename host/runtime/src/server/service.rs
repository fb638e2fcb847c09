//! What a server serves with: swapped as a whole, while it serves.

use std::fmt;
use std::sync::Arc;

use portcullis_net::{Network, Socket, SocketType};
use wasmtime_wasi::WasiCtx;

use super::ListenError;
use super::bounds::Bounds;
use super::crew::Crew;
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;
use crate::handler::Handler;
use crate::state::MakeWasi;

/// A handler, and what each of its instances may do.
#[derive(Clone)]
pub struct Service {
    handler: Handler,
    network: Network,
    make_wasi: MakeWasi,
}

impl Service {
    /// Instances of `handler`, each of which is a guest of its own within
    /// `network`. For the rest they have WASI without files, arguments and
    /// variables, and their output goes nowhere.
    pub fn new(handler: Handler, network: Network) -> Self {
        Self {
            handler,
            network,
            make_wasi: Arc::new(|| WasiCtx::builder().build()),
        }
    }

    /// The same with the rest of an instance's world, which is made when an
    /// instance first uses it.
    #[must_use]
    pub fn with_wasi(self, make: impl Fn() -> WasiCtx + Send + Sync + 'static) -> Self {
        Self {
            make_wasi: Arc::new(make),
            ..self
        }
    }

    /// What the instances may do.
    pub fn network(&self) -> &Network {
        &self.network
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("handler", &self.handler)
            .finish_non_exhaustive()
    }
}

/// A service in use.
pub(crate) struct Generation {
    stream: Option<Arc<Crew<StreamServer>>>,
    datagram: Option<Arc<Crew<DatagramServer>>>,
    /// The one that listens is a guest of its own as well.
    pub(crate) network: Network,
    name: String,
}

/// What is to be done with whoever comes to a socket, and by whom.
pub(crate) enum Duty {
    Connections(Arc<Crew<StreamServer>>),
    Datagrams(Arc<Crew<DatagramServer>>),
}

impl Generation {
    pub(crate) fn new(service: Service, bounds: &Bounds) -> Self {
        let Service {
            handler,
            network,
            make_wasi,
        } = service;
        let name = handler.name().to_owned();
        let stream = handler.stream.map(|pre| {
            let make_wasi = Arc::clone(&make_wasi);
            Arc::new(Crew::new(pre, network.clone(), make_wasi, bounds))
        });
        let datagram = handler
            .datagram
            .map(|pre| Arc::new(Crew::new(pre, network.clone(), make_wasi, bounds)));
        Self {
            stream,
            datagram,
            network: network.for_another_guest(),
            name,
        }
    }

    /// What it does with whoever comes to a socket.
    pub(crate) fn duty(&self, socket: &Socket) -> Result<Duty, ListenError> {
        let name = || self.name.clone();
        match socket.socket_type() {
            SocketType::Datagram => {
                let crew = self.datagram.as_ref().map(Arc::clone);
                let crew = crew.ok_or_else(|| ListenError::NoDatagramHandler(name()))?;
                Ok(Duty::Datagrams(crew))
            }
            SocketType::Raw
            | SocketType::ReliableMessage
            | SocketType::Seqpacket
            | SocketType::Stream => {
                let crew = self.stream.as_ref().map(Arc::clone);
                let crew = crew.ok_or_else(|| ListenError::NoStreamHandler(name()))?;
                Ok(Duty::Connections(crew))
            }
        }
    }
}
