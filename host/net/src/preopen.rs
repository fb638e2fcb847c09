//! Sockets that are opened for a guest, which then needs no authority of its
//! own.

use portcullis_policy::{Act, Grant, GrantError, Host, Opening, Place, Protocol, UnixKind};

use crate::address::{Endpoint, Family, Service, SocketAddress, SocketType, UnixAddress};
use crate::error::{Error, ErrorCode};
use crate::network::Network;
use crate::socket::Socket;

/// Why a socket could not be opened for a guest.
#[derive(Debug, thiserror::Error)]
pub enum PreopenError {
    /// The text is not a grant, even with `listen` before it.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The grant leaves a choice.
    #[error(
        "a socket is opened at one endpoint, as in `tcp://127.0.0.1:8080`, \
         `connect tcp://db.internal:5432` or `unix:/run/app.sock`"
    )]
    NotOne,
    /// The OS, or a deny, is against it.
    #[error(transparent)]
    Open(#[from] Error),
}

const VERBS: [&str; 5] = ["bind ", "connect ", "join ", "listen ", "resolve "];

impl Network {
    /// Opens the socket that a grant is for, listening or connected, whatever
    /// this network grants. It keeps to that grant, and to the denies of this
    /// network. Without a verb, `grant` is one to listen.
    ///
    /// ```
    /// # use portcullis_net::{Network, PreopenError};
    /// # use portcullis_policy::Policy;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let network = Network::new(Policy::default());
    /// let web = network.preopen("tcp://127.0.0.1:0 from loopback").await?;
    /// assert!(web.accepting_connections()?);
    /// # Ok::<_, PreopenError>(())
    /// # })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where the text is not a grant for one socket, or that cannot be opened.
    pub async fn preopen(&self, grant: &str) -> Result<Socket, PreopenError> {
        let (opening, network) = self.opening(grant)?;
        let mut last = ErrorCode::AddressFamilyNotSupported.into();
        for family in families(&opening.place) {
            match network.open_at(*family, &opening).await {
                Ok(socket) => return Ok(socket),
                // That one family has no address says less than why the other
                // did not answer.
                Err(error) if error.code() == ErrorCode::NameFamilyNotSupported => {}
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// A listening socket that was opened for a grant, as this network has it,
    /// which may have other denies and other limits: the two share the queue of
    /// those who come in.
    ///
    /// # Errors
    ///
    /// Where the text is not a grant for one socket, or this network is against
    /// it.
    pub fn preopen_again(&self, grant: &str, socket: &Socket) -> Result<Socket, PreopenError> {
        let (_, network) = self.opening(grant)?;
        Ok(socket.within(network)?)
    }

    /// What a grant opens, and the network that grants nothing else.
    pub(crate) fn opening(&self, grant: &str) -> Result<(Opening, Self), PreopenError> {
        let grant = if VERBS.iter().any(|verb| grant.starts_with(verb)) {
            Grant::parse(grant)?
        } else {
            let listen = format!("listen {grant}");
            Grant::parse(&listen).map_err(|error| without(error, listen.len() - grant.len()))?
        };
        let opening = grant.opening().ok_or(PreopenError::NotOne)?;
        let (policy, network) = (self.policy().granting(&grant), self.clone());
        let network = match opening {
            Opening {
                act: Act::Listen,
                place:
                    Place::Unix {
                        kind: UnixKind::Datagram,
                        ..
                    },
            } => network.with_policy_to_listen(policy),
            Opening { .. } => network.with_policy(policy),
        };
        Ok((opening, network))
    }

    async fn open_at(&self, family: Family, opening: &Opening) -> Result<Socket, Error> {
        let socket = self.open(family, socket_type(&opening.place), 0)?;
        let endpoint = endpoint(&opening.place);
        if opening.act == Act::Connect {
            socket.connect(&endpoint).await?;
            return Ok(socket);
        }
        if family != Family::Unix && socket.socket_type() == SocketType::Stream {
            // As every server does, so that it can be started again at once.
            socket.set_reuse_address(true)?;
        }
        if family == Family::Inet6 {
            // `[::]` is IPv6, and what has no host both.
            socket.set_v6_only(!is_everywhere(&opening.place))?;
        }
        socket.bind(&endpoint).await?;
        if opening.act == Act::Listen && socket.socket_type() == SocketType::Stream {
            socket.listen(None)?;
        }
        Ok(socket)
    }
}

/// A mistake in a text that was put behind `before` bytes.
fn without(error: GrantError, before: usize) -> GrantError {
    GrantError {
        offset: error.offset.saturating_sub(before),
        ..error
    }
}

/// The families to try, in this order. Every address of a machine is that of a
/// dual-stack socket, where there is IPv6.
fn families(place: &Place) -> &'static [Family] {
    match place {
        Place::Unix { .. } => &[Family::Unix],
        Place::Inet {
            host: Some(Host::Address(address)),
            ..
        } => match address.is_ipv4() {
            true => &[Family::Inet],
            false => &[Family::Inet6],
        },
        Place::Inet { .. } => &[Family::Inet6, Family::Inet],
    }
}

/// Whether it is every address of this machine.
fn is_everywhere(place: &Place) -> bool {
    matches!(place, Place::Inet { host: None, .. })
}

fn socket_type(place: &Place) -> SocketType {
    match place {
        Place::Inet {
            protocol: Protocol::Udp,
            ..
        }
        | Place::Unix {
            kind: UnixKind::Datagram,
            ..
        } => SocketType::Datagram,
        Place::Inet {
            protocol: Protocol::Tcp,
            ..
        }
        | Place::Unix {
            kind: UnixKind::Stream,
            ..
        } => SocketType::Stream,
    }
}

fn endpoint(place: &Place) -> Endpoint {
    match place {
        Place::Inet { host, port, .. } => {
            let host = match host {
                Some(Host::Address(address)) => {
                    return Endpoint::Address(SocketAddress::Inet((*address, *port).into()));
                }
                Some(Host::Name(name)) => name.as_str().to_owned(),
                None => String::new(),
            };
            let port = Service::Port(*port);
            Endpoint::Name { host, port }
        }
        Place::Unix { name, .. } => Endpoint::Address(SocketAddress::Unix(
            match (name.as_path(), name.as_abstract_name()) {
                (Some(path), _) => UnixAddress::Path(path.to_vec()),
                (None, Some(name)) => UnixAddress::Abstract(name.to_vec()),
                (None, None) => UnixAddress::Unnamed,
            },
        )),
    }
}
