//! `portcullis:sockets/network`.

use portcullis_net::{ErrorCode, Network, ResolveHints as Hints, Service, Socket, service};
use portcullis_policy::Protocol;
use wasmtime::component::Resource;

use super::{Result, convert};
use crate::bindings::portcullis::sockets::network::{
    AddressInfo, Host, HostNetwork, ResolveHints, ReverseFlags,
};
use crate::bindings::portcullis::sockets::types;
use crate::ctx::CtxView;

impl Host for CtxView<'_> {
    fn default_network(&mut self) -> wasmtime::Result<Resource<Network>> {
        Ok(self.table.push(self.ctx.network().clone())?)
    }
}

impl HostNetwork for CtxView<'_> {
    fn open(
        &mut self,
        network: Resource<Network>,
        family: types::AddressFamily,
        socket_type: types::SocketType,
        protocol: types::ProtocolNumber,
    ) -> Result<Resource<Socket>> {
        let network = self.table.get(&network)?;
        let socket = network.open(convert::family(family)?, socket_type.into(), protocol)?;
        Ok(self.table.push(socket)?)
    }

    fn pair(
        &mut self,
        network: Resource<Network>,
        family: types::AddressFamily,
        socket_type: types::SocketType,
        protocol: types::ProtocolNumber,
    ) -> Result<(Resource<Socket>, Resource<Socket>)> {
        let network = self.table.get(&network)?;
        let (one, other) = network.pair(convert::family(family)?, socket_type.into(), protocol)?;
        Ok((self.table.push(one)?, self.table.push(other)?))
    }

    async fn resolve(
        &mut self,
        network: Resource<Network>,
        name: Option<String>,
        service: Option<types::Service>,
        hints: ResolveHints,
    ) -> Result<Vec<AddressInfo>> {
        let network = self.table.get(&network)?;
        let service = service.map(Service::from);
        let hints = Hints::try_from(hints)?;
        let found = network
            .resolve(name.as_deref(), service.as_ref(), hints)
            .await?;
        Ok(found.into_iter().map(AddressInfo::from).collect())
    }

    async fn reverse(
        &mut self,
        network: Resource<Network>,
        address: types::SocketAddress,
        flags: ReverseFlags,
    ) -> Result<(String, String)> {
        let network = self.table.get(&network)?;
        Ok(network.reverse(&address.into(), flags.into()).await?)
    }

    fn service_by_name(
        &mut self,
        _: Resource<Network>,
        name: String,
        protocol: Option<String>,
    ) -> Result<u16> {
        Ok(service::by_name(&name, transport(protocol)?)?)
    }

    fn service_by_port(
        &mut self,
        _: Resource<Network>,
        port: u16,
        protocol: Option<String>,
    ) -> Result<String> {
        Ok(service::by_port(port, transport(protocol)?)?.to_owned())
    }

    fn protocol_by_name(
        &mut self,
        _: Resource<Network>,
        name: String,
    ) -> Result<types::ProtocolNumber> {
        Ok(service::protocol_number(&name)?)
    }

    fn host_name(&mut self, network: Resource<Network>) -> wasmtime::Result<String> {
        Ok(self.table.get(&network)?.policy().host_name().to_owned())
    }

    fn attenuate(
        &mut self,
        network: Resource<Network>,
        grants: Vec<String>,
    ) -> Result<Resource<Network>> {
        let narrowed = self.table.get(&network)?.attenuate(&grants)?;
        Ok(self.table.push(narrowed)?)
    }

    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

fn transport(name: Option<String>) -> Result<Option<Protocol>> {
    match name.as_deref() {
        None => Ok(None),
        Some("tcp") => Ok(Some(Protocol::Tcp)),
        Some("udp") => Ok(Some(Protocol::Udp)),
        Some(_) => Err(ErrorCode::NameServiceNotFound.into()),
    }
}
