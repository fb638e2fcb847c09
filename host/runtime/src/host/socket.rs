//! `portcullis:sockets/socket`.

use std::net::Shutdown;
use std::time::Duration;

use portcullis_net::{Endpoint, ErrorCode, Socket, Subscription};
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use super::Result;
use crate::bindings::portcullis::sockets::socket::{
    Datagram, Host, HostSocket, OptionName, OptionValue, OutgoingDatagram, Readiness, ReceiveFlags,
    SendFlags, ShutdownHow,
};
use crate::bindings::portcullis::sockets::types;
use crate::ctx::CtxView;
use crate::failure::Failure;

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

    // In a linker, `sends` has taken the place of this one and of those that send
    // after it.
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
        socket: Resource<Socket>,
        data: Vec<u8>,
        flags: SendFlags,
        destination: types::Endpoint,
    ) -> Result<u64> {
        let socket = self.table.get(&socket)?;
        let destination = destination.into();
        let sent = socket.send_to(&data, flags.into(), &destination).await?;
        Ok(sent as u64)
    }

    async fn receive_from(
        &mut self,
        socket: Resource<Socket>,
        maximum: u64,
        flags: ReceiveFlags,
    ) -> Result<Datagram> {
        let socket = self.table.get(&socket)?;
        let datagram = socket.receive_from(length(maximum), flags.into()).await?;
        Ok(datagram.into())
    }

    async fn send_datagrams(
        &mut self,
        socket: Resource<Socket>,
        datagrams: Vec<OutgoingDatagram>,
        flags: SendFlags,
    ) -> Result<u64> {
        let destinations: Vec<Option<Endpoint>> = datagrams
            .iter()
            .map(|datagram| datagram.destination.clone().map(Endpoint::from))
            .collect();
        let datagrams: Vec<_> = (datagrams.iter().zip(&destinations))
            .map(|(datagram, destination)| (datagram.data.as_slice(), destination.as_ref()))
            .collect();
        let socket = self.table.get(&socket)?;
        Ok(socket.send_datagrams(&datagrams, flags.into()).await? as u64)
    }

    async fn receive_datagrams(
        &mut self,
        socket: Resource<Socket>,
        count: u32,
        maximum: u64,
        flags: ReceiveFlags,
    ) -> Result<Vec<Datagram>> {
        let socket = self.table.get(&socket)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let datagrams = socket.receive_datagrams(count, length(maximum), flags.into());
        Ok(datagrams.await?.into_iter().map(Datagram::from).collect())
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
        get_option(self.table.get(&socket)?, name).map_err(no_such_option)
    }

    fn set_option(&mut self, socket: Resource<Socket>, value: OptionValue) -> Result<()> {
        set_option(self.table.get(&socket)?, value).map_err(no_such_option)
    }

    fn join_group(
        &mut self,
        socket: Resource<Socket>,
        group: types::IpAddress,
        interface: u32,
    ) -> Result<()> {
        let socket = self.table.get(&socket)?;
        Ok(socket.join_group(group.into(), interface)?)
    }

    fn leave_group(
        &mut self,
        socket: Resource<Socket>,
        group: types::IpAddress,
        interface: u32,
    ) -> Result<()> {
        let socket = self.table.get(&socket)?;
        Ok(socket.leave_group(group.into(), interface)?)
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
        let waiting = self.table.get(&socket)?.subscribe(interest.into())?;
        let waiting = self.table.push(Waiting(waiting))?;
        subscribe(self.table, waiting)
    }

    fn drop(&mut self, socket: Resource<Socket>) -> wasmtime::Result<()> {
        self.table.delete(socket)?;
        Ok(())
    }
}

/// What a pollable waits for.
struct Waiting(Subscription);

#[wasmtime_wasi::async_trait]
impl Pollable for Waiting {
    async fn ready(&mut self) {
        self.0.ready().await;
    }
}

/// Linux has two ways to say that a socket has no such option.
fn no_such_option(failure: Failure) -> Failure {
    match failure {
        Failure::Error(error) if error.code() == ErrorCode::NotSupported => {
            ErrorCode::OptionNotSupported.into()
        }
        failure @ (Failure::Error(_) | Failure::Trap(_)) => failure,
    }
}

fn get_option(socket: &Socket, name: OptionName) -> Result<OptionValue> {
    Ok(match name {
        OptionName::AcceptingConnections => {
            OptionValue::AcceptingConnections(socket.accepting_connections()?)
        }
        OptionName::AnswerAsAsked => OptionValue::AnswerAsAsked(socket.answer_as_asked()?),
        OptionName::Broadcast => OptionValue::Broadcast(socket.broadcast()?),
        OptionName::DoNotRoute => OptionValue::DoNotRoute(socket.do_not_route()?),
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
        OptionName::MulticastHopLimit => {
            OptionValue::MulticastHopLimit(socket.multicast_hop_limit()?)
        }
        OptionName::MulticastInterface => {
            OptionValue::MulticastInterface(socket.multicast_interface()?)
        }
        OptionName::MulticastLoop => OptionValue::MulticastLoop(socket.multicast_loop()?),
        OptionName::NoDelay => OptionValue::NoDelay(socket.no_delay()?),
        OptionName::OutOfBandInline => OptionValue::OutOfBandInline(socket.out_of_band_inline()?),
        OptionName::Protocol => OptionValue::Protocol(socket.protocol_number()?),
        OptionName::ReceiveBufferSize => {
            OptionValue::ReceiveBufferSize(socket.receive_buffer_size()?)
        }
        OptionName::ReceiveLowWaterMark => {
            OptionValue::ReceiveLowWaterMark(socket.receive_low_water_mark()?)
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
    })
}

fn set_option(socket: &Socket, value: OptionValue) -> Result<()> {
    match value {
        OptionValue::AnswerAsAsked(on) => socket.set_answer_as_asked(on)?,
        OptionValue::Broadcast(on) => socket.set_broadcast(on)?,
        OptionValue::DoNotRoute(on) => socket.set_do_not_route(on)?,
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
        OptionValue::MulticastHopLimit(limit) => socket.set_multicast_hop_limit(limit)?,
        OptionValue::MulticastInterface(index) => socket.set_multicast_interface(index)?,
        OptionValue::MulticastLoop(on) => socket.set_multicast_loop(on)?,
        OptionValue::NoDelay(on) => socket.set_no_delay(on)?,
        OptionValue::OutOfBandInline(on) => socket.set_out_of_band_inline(on)?,
        OptionValue::ReceiveBufferSize(bytes) => socket.set_receive_buffer_size(bytes)?,
        OptionValue::ReceiveLowWaterMark(bytes) => socket.set_receive_low_water_mark(bytes)?,
        OptionValue::ReceiveTimeout(time) => {
            socket.set_receive_timeout(time.map(Duration::from_nanos))?
        }
        OptionValue::ReuseAddress(on) => socket.set_reuse_address(on)?,
        OptionValue::ReusePort(on) => socket.set_reuse_port(on)?,
        OptionValue::SendBufferSize(bytes) => socket.set_send_buffer_size(bytes)?,
        OptionValue::SendTimeout(time) => {
            socket.set_send_timeout(time.map(Duration::from_nanos))?
        }
        OptionValue::TrafficClass(class) => socket.set_traffic_class(class)?,
        OptionValue::UserTimeout(time) => socket.set_user_timeout(Duration::from_nanos(time))?,
        OptionValue::V6Only(on) => socket.set_v6_only(on)?,
        OptionValue::AcceptingConnections(_)
        | OptionValue::Domain(_)
        | OptionValue::Protocol(_)
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
