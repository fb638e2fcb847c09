//! What a store keeps for the contract, and how the host functions get at it.

use portcullis_net::{Network, Socket};
use wasmtime::component::ResourceTable;

/// What one instance may do with the network.
#[derive(Debug)]
pub struct Ctx {
    network: Network,
    preopens: Vec<(String, Socket)>,
}

impl Ctx {
    /// A context that hands `network` to the guest as its default network.
    /// What one guest looks up through it is not known to another.
    pub fn new(network: Network) -> Self {
        let network = network.for_another_guest();
        Self {
            network,
            preopens: Vec::new(),
        }
    }

    /// Hands a socket to the guest under a name. It keeps the network that it
    /// was opened from, so it is good for what that allows.
    #[must_use]
    pub fn with_socket(mut self, name: impl Into<String>, socket: Socket) -> Self {
        self.preopens.push((name.into(), socket));
        self
    }

    /// The sockets that the guest was handed, by name.
    pub fn preopens(&self) -> &[(String, Socket)] {
        &self.preopens
    }

    /// What the guest gets from `default-network`.
    pub fn network(&self) -> &Network {
        &self.network
    }
}

/// A [`Ctx`] with the table that holds the guest's handles.
#[derive(Debug)]
pub struct CtxView<'a> {
    /// What the guest may do.
    pub ctx: &'a mut Ctx,
    /// The guest's resources; the one that `WasiView` gives out as well.
    pub table: &'a mut ResourceTable,
}

/// Gives the host functions their part of a store's data, as `WasiView` does
/// for WASI.
pub trait View: Send {
    /// The part that belongs to Portcullis.
    fn portcullis(&mut self) -> CtxView<'_>;
}

impl<T: View + ?Sized> View for &mut T {
    fn portcullis(&mut self) -> CtxView<'_> {
        T::portcullis(self)
    }
}

impl<T: View + ?Sized> View for Box<T> {
    fn portcullis(&mut self) -> CtxView<'_> {
        T::portcullis(self)
    }
}
