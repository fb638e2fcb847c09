//! What a store keeps for the contract, and how the host functions get at it.

use portcullis_net::{Network, PreopenError, Socket};
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

    /// Opens a socket for the guest and hands it over under a name: listening,
    /// as with `tcp://0.0.0.0:443`, or connected, as with
    /// `connect tcp://db.internal:5432`. It is good for that, whatever the
    /// network grants.
    ///
    /// # Errors
    ///
    /// Those of [`Network::preopen`].
    pub async fn preopen(
        &mut self,
        name: impl Into<String>,
        grant: &str,
    ) -> Result<(), PreopenError> {
        let socket = self.network.preopen(grant).await?;
        self.preopens.push((name.into(), socket));
        Ok(())
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

impl From<Network> for Ctx {
    fn from(network: Network) -> Self {
        Self::new(network)
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
