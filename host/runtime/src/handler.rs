//! A handler: a component without a `main`, of which the host runs an instance
//! for each connection, or for each datagram.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::bindings::datagram::DatagramServerPre;
use crate::bindings::stream::StreamServerPre;
use crate::component::{self, LoadError, Reason};
use crate::engine::Engine;
use crate::state::State;

/// A compiled handler with all its imports found. Cheap to clone.
#[derive(Clone)]
pub struct Handler {
    pub(crate) stream: Option<StreamServerPre<State>>,
    pub(crate) datagram: Option<DatagramServerPre<State>>,
    name: Arc<str>,
    imports_wasi_sockets: bool,
}

impl Handler {
    /// Reads, compiles and links the component in a file.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, is not a component, imports what is
    /// neither WASI nor the contract, or exports neither of the contract's
    /// handlers.
    pub fn load(engine: &Engine, path: &Path) -> Result<Self, LoadError> {
        component::load(engine, path, |instance| {
            Self::find(instance, path).ok_or(Reason::NoHandler)
        })
    }

    /// What a component exports of the contract's handlers; none if that is nothing.
    pub(crate) fn find(instance: InstancePre<State>, path: &Path) -> Option<Self> {
        let handler = Self {
            imports_wasi_sockets: component::imports_wasi_sockets(instance.component()),
            stream: StreamServerPre::new(instance.clone()).ok(),
            datagram: DatagramServerPre::new(instance).ok(),
            name: path.display().to_string().into(),
        };
        (handler.serves_streams() || handler.serves_datagrams()).then_some(handler)
    }

    /// The file that it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it imports `wasi:sockets`, which is linked and denies everything: it is
    /// likely to fail.
    pub fn imports_wasi_sockets(&self) -> bool {
        self.imports_wasi_sockets
    }

    /// Whether it serves connections.
    pub fn serves_streams(&self) -> bool {
        self.stream.is_some()
    }

    /// Whether it serves datagrams.
    pub fn serves_datagrams(&self) -> bool {
        self.datagram.is_some()
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
