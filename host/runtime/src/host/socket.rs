//! `portcullis:sockets/socket`.

use std::net::Shutdown;
use std::time::Duration;

use portcullis_net::{ErrorCode, Interest, Socket};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::Result;
use crate::bindings::portcullis::sockets::socket::{
    Datagram, Host, HostSocket, OptionName, OptionValue, OutgoingDatagram, Readiness, ReceiveFlags,
    SendFlags, ShutdownHow,
};
use crate::bindings::portcullis::sockets::types;
use crate::ctx::CtxView;

impl Host for CtxView<'_> {}

impl HostSocket for CtxView<'_> {
    async fn bind(&mut self, socket: Resource<Socket>, local: types::Endpoint) -> Result<()> {
        Ok(self.table.get(&socket)?.bind(&local.into()).await?)
    }

    fn listen(&mut self, socket: Resource<Socket>, backlog: Option<u32>) -> Result<()> {
        Ok(self.table.get(&socket)?.listen(backlog)?)
    }

    async fn accept(
        &mut self,
        socket: Resource<Socket>,
    ) -> Result<(Resource<Socket>, types::SocketAddress)> {
        let (connection, peer) = self.table.get(&socket)?.accept().await?;
        Ok((self.table.push(connection)?, peer.into()))
    }

    async fn connect(&mut self, socket: Resource<Socket>, remote: types::Endpoint) -> Result<()> {
        Ok(self.table.get(&socket)?.connect(&remote.into()).await?)
    }

    async fn send(
        &mut self,
        socket: Resource<Socket>,
        data: Vec<u8>,
        flags: SendFlags,
    ) -> Result<u64> {
        let sent = self.table.get(&socket)?.send(&data, flags.into()).await?;
        Ok(sent as u64)
    }

    async fn send_all(&mut self, socket: Resource<Socket>, data: Vec<u8>) -> Result<()> {
        Ok(self.table.get(&socket)?.send_all(&data).await?)
    }

    async fn receive(
        &mut self,
        socket: Resource<Socket>,
        maximum: u64,
        flags: ReceiveFlags,
    ) -> Result<Vec<u8>> {
        Ok(self
            .table
            .get(&socket)?
            .receive(length(maximum), flags.into())
            .await?)
    }

    async fn send_to(
        &mut self,
        _: Resource<Socket>,
        _: Vec<u8>,
        _: SendFlags,
        _: types::Endpoint,
    ) -> Result<u64> {
        Err(ErrorCode::NotSupported.into())
    }

    async fn receive_from(
        &mut self,
        socket: Resource<Socket>,
        maximum: u64,
        flags: ReceiveFlags,
    ) -> Result<Datagram> {
        let (data, source) = self
            .table
            .get(&socket)?
            .receive_from(length(maximum), flags.into())
            .await?;
        Ok(Datagram {
            length: data.len() as u64,
            data,
            source: source.into(),
        })
    }

    async fn send_datagrams(
        &mut self,
        _: Resource<Socket>,
        _: Vec<OutgoingDatagram>,
        _: SendFlags,
    ) -> Result<u64> {
        Err(ErrorCode::NotSupported.into())
    }

    async fn receive_datagrams(
        &mut self,
        _: Resource<Socket>,
        _: u32,
        _: u64,
        _: ReceiveFlags,
    ) -> Result<Vec<Datagram>> {
        Err(ErrorCode::NotSupported.into())
    }

    fn shutdown(&mut self, socket: Resource<Socket>, how: ShutdownHow) -> Result<()> {
        let how = match how {
            ShutdownHow::Both => Shutdown::Both,
            ShutdownHow::Receive => Shutdown::Read,
            ShutdownHow::Send => Shutdown::Write,
        };
        Ok(self.table.get(&socket)?.shutdown(how)?)
    }

    fn local_address(&mut self, socket: Resource<Socket>) -> Result<types::SocketAddress> {
        Ok(self.table.get(&socket)?.local_address()?.into())
    }

    fn remote_address(&mut self, socket: Resource<Socket>) -> Result<types::SocketAddress> {
        Ok(self.table.get(&socket)?.remote_address()?.into())
    }

    fn get_option(&mut self, socket: Resource<Socket>, name: OptionName) -> Result<OptionValue> {
        get_option(self.table.get(&socket)?, name)
    }

    fn set_option(&mut self, socket: Resource<Socket>, value: OptionValue) -> Result<()> {
        set_option(self.table.get(&socket)?, value)
    }

    fn join_group(&mut self, _: Resource<Socket>, _: types::IpAddress, _: u32) -> Result<()> {
        Err(ErrorCode::OptionNotSupported.into())
    }

    fn leave_group(&mut self, _: Resource<Socket>, _: types::IpAddress, _: u32) -> Result<()> {
        Err(ErrorCode::OptionNotSupported.into())
    }

    fn timeout(&mut self, socket: Resource<Socket>) -> wasmtime::Result<Option<types::Duration>> {
        Ok(self.table.get(&socket)?.timeout().map(nanoseconds))
    }

    fn set_timeout(
        &mut self,
        socket: Resource<Socket>,
        timeout: Option<types::Duration>,
    ) -> wasmtime::Result<()> {
        self.table
            .get_mut(&socket)?
            .set_timeout(timeout.map(Duration::from_nanos));
        Ok(())
    }

    fn take_error(&mut self, socket: Resource<Socket>) -> Result<Option<types::Error>> {
        Ok(self
            .table
            .get(&socket)?
            .take_error()?
            .map(types::Error::from))
    }

    fn duplicate(&mut self, socket: Resource<Socket>) -> Result<Resource<Socket>> {
        let twin = self.table.get(&socket)?.duplicate();
        Ok(self.table.push(twin)?)
    }

    fn subscribe(
        &mut self,
        socket: Resource<Socket>,
        interest: Readiness,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let socket = self.table.get(&socket)?.duplicate();
        let interests = [
            (Readiness::READABLE, Interest::READABLE),
            (Readiness::WRITABLE, Interest::WRITABLE),
            (Readiness::URGENT, Interest::PRIORITY),
        ];
        let wanted = interests
            .into_iter()
            .filter(|(flag, _)| interest.contains(*flag))
            .map(|(_, interest)| interest);
        let subscription = Subscription {
            socket,
            interest: wanted.reduce(Interest::add),
        };
        let subscription = self.table.push(subscription)?;
        subscribe(self.table, subscription)
    }

    fn drop(&mut self, socket: Resource<Socket>) -> wasmtime::Result<()> {
        self.table.delete(socket)?;
        Ok(())
    }
}

/// What a pollable waits for. It holds a handle of its own, so that it outlives
/// the one that it was made from.
struct Subscription {
    socket: Socket,
    interest: Option<Interest>,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Subscription {
    async fn ready(&mut self) {
        match self.interest {
            Some(interest) => self.socket.ready(interest).await,
            // Nothing was asked for, so nothing comes.
            None => std::future::pending().await,
        }
    }
}

fn get_option(socket: &Socket, name: OptionName) -> Result<OptionValue> {
    Ok(match name {
        OptionName::AcceptingConnections => {
            OptionValue::AcceptingConnections(socket.accepting_connections()?)
        }
        OptionName::Domain => OptionValue::Domain(socket.family().into()),
        OptionName::HopLimit => OptionValue::HopLimit(socket.hop_limit()?),
        OptionName::KeepAlive => OptionValue::KeepAlive(socket.keep_alive()?),
        OptionName::KeepAliveCount => OptionValue::KeepAliveCount(socket.keep_alive_count()?),
        OptionName::KeepAliveIdle => {
            OptionValue::KeepAliveIdle(nanoseconds(socket.keep_alive_idle()?))
        }
        OptionName::KeepAliveInterval => {
            OptionValue::KeepAliveInterval(nanoseconds(socket.keep_alive_interval()?))
        }
        OptionName::Linger => OptionValue::Linger(socket.linger()?.map(nanoseconds)),
        OptionName::MaximumSegmentSize => {
            OptionValue::MaximumSegmentSize(socket.maximum_segment_size()?)
        }
        OptionName::NoDelay => OptionValue::NoDelay(socket.no_delay()?),
        OptionName::OutOfBandInline => OptionValue::OutOfBandInline(socket.out_of_band_inline()?),
        OptionName::Protocol => OptionValue::Protocol(socket.protocol_number()?),
        OptionName::ReceiveBufferSize => {
            OptionValue::ReceiveBufferSize(socket.receive_buffer_size()?)
        }
        OptionName::ReceiveTimeout => {
            OptionValue::ReceiveTimeout(socket.receive_timeout().map(nanoseconds))
        }
        OptionName::ReuseAddress => OptionValue::ReuseAddress(socket.reuse_address()?),
        OptionName::ReusePort => OptionValue::ReusePort(socket.reuse_port()?),
        OptionName::SendBufferSize => OptionValue::SendBufferSize(socket.send_buffer_size()?),
        OptionName::SendTimeout => OptionValue::SendTimeout(socket.send_timeout().map(nanoseconds)),
        OptionName::SocketType => OptionValue::SocketType(socket.socket_type().into()),
        OptionName::TrafficClass => OptionValue::TrafficClass(socket.traffic_class()?),
        OptionName::UserTimeout => OptionValue::UserTimeout(nanoseconds(socket.user_timeout()?)),
        OptionName::V6Only => OptionValue::V6Only(socket.v6_only()?),
        OptionName::Broadcast
        | OptionName::DoNotRoute
        | OptionName::MulticastHopLimit
        | OptionName::MulticastInterface
        | OptionName::MulticastLoop
        | OptionName::ReceiveLowWaterMark => return Err(ErrorCode::OptionNotSupported.into()),
    })
}

fn set_option(socket: &Socket, value: OptionValue) -> Result<()> {
    match value {
        OptionValue::HopLimit(limit) => socket.set_hop_limit(limit)?,
        OptionValue::KeepAlive(on) => socket.set_keep_alive(on)?,
        OptionValue::KeepAliveCount(count) => socket.set_keep_alive_count(count)?,
        OptionValue::KeepAliveIdle(time) => {
            socket.set_keep_alive_idle(Duration::from_nanos(time))?
        }
        OptionValue::KeepAliveInterval(time) => {
            socket.set_keep_alive_interval(Duration::from_nanos(time))?
        }
        OptionValue::Linger(time) => socket.set_linger(time.map(Duration::from_nanos))?,
        OptionValue::MaximumSegmentSize(size) => socket.set_maximum_segment_size(size)?,
        OptionValue::NoDelay(on) => socket.set_no_delay(on)?,
        OptionValue::OutOfBandInline(on) => socket.set_out_of_band_inline(on)?,
        OptionValue::ReceiveBufferSize(bytes) => socket.set_receive_buffer_size(bytes)?,
        OptionValue::ReceiveTimeout(time) => {
            socket.set_receive_timeout(time.map(Duration::from_nanos))
        }
        OptionValue::ReuseAddress(on) => socket.set_reuse_address(on)?,
        OptionValue::ReusePort(on) => socket.set_reuse_port(on)?,
        OptionValue::SendBufferSize(bytes) => socket.set_send_buffer_size(bytes)?,
        OptionValue::SendTimeout(time) => socket.set_send_timeout(time.map(Duration::from_nanos)),
        OptionValue::TrafficClass(class) => socket.set_traffic_class(class)?,
        OptionValue::UserTimeout(time) => socket.set_user_timeout(Duration::from_nanos(time))?,
        OptionValue::V6Only(on) => socket.set_v6_only(on)?,
        OptionValue::AcceptingConnections(_)
        | OptionValue::Broadcast(_)
        | OptionValue::Domain(_)
        | OptionValue::DoNotRoute(_)
        | OptionValue::MulticastHopLimit(_)
        | OptionValue::MulticastInterface(_)
        | OptionValue::MulticastLoop(_)
        | OptionValue::Protocol(_)
        | OptionValue::ReceiveLowWaterMark(_)
        | OptionValue::SocketType(_) => return Err(ErrorCode::OptionNotSupported.into()),
    }
    Ok(())
}

/// A length as the host counts it; more than there is room for is as much as
/// there is.
fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn nanoseconds(time: Duration) -> types::Duration {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
