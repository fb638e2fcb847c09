//! What a server serves with: swapped as a whole, while it serves.

use std::fmt;
use std::sync::Arc;

use portcullis_net::{Audit, Network, PreopenError, Socket, SocketAddress, SocketType};
use portcullis_policy::{Act, Grant, Limits};
use wasmtime_wasi::WasiCtx;

use super::ListenError;
use super::bounds::Bounds;
use super::crew::{Crew, World};
use super::numbered::MakeAudit;
use crate::bindings::datagram::DatagramServer;
use crate::bindings::stream::StreamServer;
use crate::handler::Handler;
use crate::speaker::Speaker;
use crate::state::{MakeWasi, TryMakeWasi};
use crate::wasi::wasi;

/// A handler, and what each of its instances may do.
#[derive(Clone)]
pub struct Service {
    handler: Handler,
    network: Network,
    make_wasi: MakeWasi,
    make_wasi_before: Option<TryMakeWasi>,
    make_audit: Option<MakeAudit>,
    sockets: Vec<(String, String)>,
}

impl Service {
    /// Instances of `handler`, each of which is a guest of its own within
    /// `network`. For the rest they have WASI without files, arguments and
    /// variables, and their output goes nowhere.
    pub fn new(handler: Handler, network: Network) -> Self {
        Self {
            handler,
            network,
            make_wasi: Arc::new(|_| wasi().build()),
            make_wasi_before: None,
            make_audit: None,
            sockets: Vec::new(),
        }
    }

    /// The same with the rest of an instance's world, which is made when an
    /// instance first uses it, by who speaks through its streams: a panic is told of
    /// where its standard error is [heard](Speaker::heard).
    #[must_use]
    pub fn with_wasi(self, make: impl Fn(&Speaker) -> WasiCtx + Send + Sync + 'static) -> Self {
        Self {
            make_wasi: Arc::new(make),
            ..self
        }
    }

    /// The same where it can fail, as where folders are opened for the instance: it is
    /// made before the instance begins, which does not begin where that fails.
    #[must_use]
    pub fn try_with_wasi(
        self,
        make: impl Fn(&Speaker) -> wasmtime::Result<WasiCtx> + Send + Sync + 'static,
    ) -> Self {
        Self {
            make_wasi_before: Some(Arc::new(make)),
            ..self
        }
    }

    /// The same with an audit for each connection and datagram, which is made by
    /// its number ([`Visit::number`](crate::Visit)) in place of the network's. What
    /// the network's hears of is the listeners.
    #[must_use]
    pub fn with_audit<A: Audit + 'static>(
        self,
        make: impl Fn(u64) -> A + Send + Sync + 'static,
    ) -> Self {
        Self {
            make_audit: Some(Arc::new(move |number| Arc::new(make(number)))),
            ..self
        }
    }

    /// The same with a socket that is connected for each instance before it begins,
    /// which finds it by its name: `connect tcp://db.internal:5432`. It is good for
    /// that, whatever the network grants.
    ///
    /// # Errors
    ///
    /// Where the text is not a grant to connect to one endpoint. That it cannot be
    /// connected is for the instance that needs it.
    pub fn with_socket(
        mut self,
        name: impl Into<String>,
        grant: &str,
    ) -> Result<Self, PreopenError> {
        let opening = Grant::parse(grant)?.opening();
        if opening.is_none_or(|opening| opening.act != Act::Connect) {
            return Err(PreopenError::NotOne);
        }
        self.sockets.push((name.into(), grant.to_owned()));
        Ok(self)
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
    /// That of the listeners.
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
            make_wasi_before,
            make_audit,
            sockets,
        } = service;
        let name = handler.name().to_owned();
        let mut limits = Limits::default();
        limits.sockets = Some(bounds.sockets);
        let world = World {
            network: network.clone().with_limits(limits),
            make_wasi,
            make_wasi_before,
            make_audit,
            sockets,
        };
        let stream = handler
            .stream
            .map(|pre| Arc::new(Crew::new(pre, world.clone(), bounds)));
        let datagram = handler
            .datagram
            .map(|pre| Arc::new(Crew::new(pre, world, bounds)));
        Self {
            stream,
            datagram,
            network: network.for_listeners(),
            name,
        }
    }

    /// The same, whose listeners go on counting where those of another have got to.
    pub(crate) fn counting_on(self, other: &Self) -> Self {
        Self {
            network: self.network.counting_on(&other.network),
            ..self
        }
    }

    /// Nobody else is to be served by it: it keeps no instances for them.
    pub(crate) fn retire(&self) {
        if let Some(crew) = &self.stream {
            crew.retire();
        }
        if let Some(crew) = &self.datagram {
            crew.retire();
        }
    }

    /// What it does with whoever comes to a socket.
    pub(crate) fn duty(&self, socket: &Socket) -> Result<Duty, ListenError> {
        let name = || self.name.clone();
        match socket.socket_type() {
            SocketType::Datagram => {
                let crew = self.datagram.as_ref().map(Arc::clone);
                let crew = crew.ok_or_else(|| ListenError::NoDatagramHandler(name()))?;
                if hears_several_addresses(socket) {
                    let set = socket.set_answer_as_asked(true);
                    set.map_err(PreopenError::Open)?;
                }
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

/// Whether what comes to a socket may have been sent to one of several addresses.
fn hears_several_addresses(socket: &Socket) -> bool {
    let local = socket.local_address();
    matches!(local, Ok(SocketAddress::Inet(local)) if local.ip().is_unspecified())
}
