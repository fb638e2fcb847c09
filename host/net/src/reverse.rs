//! POSIX `getnameinfo`: an address to a name and a service.
//!
//! What the DNS says of an address is said by whoever holds the address: it is a
//! name to show, and nothing is allowed for its sake.

use std::net::{IpAddr, SocketAddr};

use portcullis_policy::{Name, Protocol, Reverse, canonical};

use crate::address::SocketAddress;
use crate::audit::{Event, ReverseLookedUp};
use crate::error::{Error, ErrorCode};
use crate::network::Network;
use crate::service;

/// What to leave as it is: the `NI_` flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReverseOptions {
    /// `NI_DGRAM`
    pub datagram: bool,
    /// `NI_NAMEREQD`
    pub name_required: bool,
    /// `NI_NUMERICHOST`
    pub numeric_host: bool,
    /// `NI_NUMERICSERV`
    pub numeric_service: bool,
}

/// What a resolver says of an address that has no name.
pub(crate) const NAMELESS: [ErrorCode; 2] = [ErrorCode::NameNoData, ErrorCode::NameNotFound];

impl Network {
    /// POSIX `getnameinfo`.
    ///
    /// # Errors
    ///
    /// See `reverse` in `wit/network.wit`.
    pub async fn reverse(
        &self,
        address: &SocketAddress,
        options: ReverseOptions,
    ) -> Result<(String, String), Error> {
        let address = match address {
            SocketAddress::Inet(address) => *address,
            SocketAddress::Unix(_) => return Err(ErrorCode::NameFamilyNotSupported.into()),
        };
        let name = if options.numeric_host {
            None
        } else {
            self.name_of(address.ip()).await?
        };
        let host = match name {
            Some(name) => name,
            None if options.name_required => return Err(ErrorCode::NameNotFound.into()),
            None => numeric(address),
        };
        Ok((host, service_of(address.port(), options)))
    }

    async fn name_of(&self, address: IpAddr) -> Result<Option<String>, Error> {
        let address = canonical(address);
        if address.is_loopback() {
            return Ok(Some("localhost".to_owned()));
        }
        let record = self.record(None);
        let outcome = if let Some(name) = self.policy().hosts_by_address(address) {
            record.check_denies(Reverse::new(address))?;
            Ok(vec![name.clone()])
        } else {
            let permit = record.check(Reverse::new(address))?;
            self.within_limits(record, || self.resolver().reverse(permit))
                .await
        };
        self.tell(Event::ReverseLookedUp(ReverseLookedUp {
            address,
            outcome: outcome.as_deref(),
        }))?;
        match outcome {
            // Who holds another address may call it localhost, and is not
            // believed.
            Ok(names) => Ok(names
                .iter()
                .find(|name| !name.is_localhost())
                .map(Name::to_string)),
            Err(error) if NAMELESS.contains(&error.code()) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn numeric(address: SocketAddr) -> String {
    match address {
        SocketAddr::V6(scoped) if scoped.scope_id() != 0 => {
            format!("{}%{}", scoped.ip(), scoped.scope_id())
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => address.ip().to_string(),
    }
}

/// The service of a port; the port itself where it has none.
fn service_of(port: u16, options: ReverseOptions) -> String {
    let protocol = if options.datagram {
        Protocol::Udp
    } else {
        Protocol::Tcp
    };
    match service::by_port(port, Some(protocol)) {
        Ok(name) if !options.numeric_service => name.to_owned(),
        Ok(_) | Err(_) => port.to_string(),
    }
}
