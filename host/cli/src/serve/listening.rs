//! `--listen`: where it says, and the sockets that were opened for it.

use std::fmt;
use std::os::fd::{OwnedFd, RawFd};

use anyhow::{Context, Result, bail};
use portcullis::{Server, SocketAddress, listens_at};

use super::entries::Entries;
use super::house::House;
use super::inherited::Inherited;
use super::obstacle;
use crate::complaints::say;

/// What one `--listen` says.
enum Place<'a> {
    /// The socket is to be opened.
    Endpoint(&'a str),
    /// It was passed, by this name or with all others.
    Passed {
        name: Option<&'a str>,
        from: &'a str,
    },
    /// It was open from the start.
    Numbered { number: RawFd, from: &'a str },
}

/// Where a server listens.
pub(crate) struct Listening {
    /// For each socket, which `--listen` it is for, and where it is, as `--listen`
    /// says it.
    places: Vec<(usize, String)>,
    entries: Entries,
}

impl Listening {
    /// Has a server listen where it is said.
    pub(crate) async fn open(
        server: &Server,
        house: &House,
        inherited: &mut Inherited,
    ) -> Result<Self> {
        let (mut places, mut entries) = (Vec::new(), Entries::default());
        for (index, text) in house.arguments.listen.iter().enumerate() {
            let context = || format!("--listen {text}");
            let place = Place::parse(text).with_context(context)?;
            let descriptors = place.descriptors(index, inherited).with_context(context)?;
            let from = match place {
                Place::Endpoint(endpoint) if descriptors.is_empty() => {
                    let apart = house.folders.keep_from_socket(endpoint);
                    apart.with_context(context)?;
                    let address = server.listen(endpoint).await;
                    let address = address.map_err(|error| obstacle::told(endpoint, error));
                    let address = address.with_context(context)?;
                    entries.note(index, &address);
                    places.push((index, located(endpoint, &address)));
                    continue;
                }
                Place::Endpoint(_) => "",
                Place::Passed { from, .. } | Place::Numbered { from, .. } => from,
            };
            for descriptor in descriptors {
                let endpoint = match place {
                    Place::Endpoint(endpoint) => endpoint.to_owned(),
                    Place::Passed { .. } | Place::Numbered { .. } => {
                        let grant = listens_at(&descriptor).with_context(context)?;
                        format!("{grant} {from}").trim_end().to_owned()
                    }
                };
                let apart = house.folders.keep_from_socket(&endpoint);
                apart.with_context(context)?;
                let address = server.listen_from(&endpoint, descriptor).await;
                let address = address.with_context(context)?;
                if let Some(held) = inherited.of_predecessor(&entry(index)) {
                    entries.take_over(index, &address, held);
                }
                places.push((index, located(&endpoint, &address)));
            }
        }
        for (_, address) in &places {
            say(&format!("listens at {address}"));
        }
        Ok(Self { places, entries })
    }

    /// Whether it is for this process to clear up, or for one that takes over.
    pub(crate) fn belongs(&mut self, to_this_process: bool) {
        self.entries.belong(to_this_process);
    }

    /// Nobody is to come there any more.
    pub(crate) fn clear_up(&mut self) {
        self.entries = Entries::default();
    }

    /// The sockets, and what is held of their paths, each with the name by which a
    /// successor finds it.
    pub(crate) async fn sockets(&self, server: &Server) -> Result<Vec<(String, OwnedFd)>> {
        let descriptors = server.descriptors().await?;
        let names = self.places.iter().map(|(index, _)| name(*index));
        let entries = self.entries.held()?.into_iter();
        let entries = entries.map(|(index, held)| (entry(index), held));
        Ok(names.zip(descriptors).chain(entries).collect())
    }
}

/// Where the socket of an endpoint is, with the endpoint's protocol.
fn located(endpoint: &str, address: &SocketAddress) -> String {
    let endpoint = endpoint.strip_prefix("listen ").unwrap_or(endpoint);
    let protocol = endpoint.trim_start().split(':').next().unwrap_or_default();
    let text = address.to_string();
    match address {
        SocketAddress::Inet(_) => format!("{protocol}://{text}"),
        SocketAddress::Unix(_) => {
            let name = text.strip_prefix("unix:").unwrap_or(&text);
            format!("{protocol}:{name}")
        }
    }
}

/// What a successor knows the sockets of a `--listen` by.
fn name(index: usize) -> String {
    format!("listen={index}")
}

/// What a successor knows by what is held of the path of a `--listen`, which tells it
/// from what others have put there.
fn entry(index: usize) -> String {
    format!("entry={index}")
}

/// Where it serves, for people.
impl fmt::Display for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "serves at";
        for (_, address) in &self.places {
            write!(f, "{between} {address}")?;
            between = ",";
        }
        Ok(())
    }
}

impl<'a> Place<'a> {
    fn parse(text: &'a str) -> Result<Self> {
        let (place, from) = text.split_once(' ').unwrap_or((text, ""));
        if let "bind" | "connect" | "join" | "resolve" = place {
            bail!("--listen takes where to listen, as in `tcp://127.0.0.1:8080`, and no `{place}`");
        }
        if place == "systemd" {
            return Ok(Self::Passed { name: None, from });
        }
        if let Some(name) = place.strip_prefix("systemd:") {
            let name = Some(name);
            return Ok(Self::Passed { name, from });
        }
        let Some(number) = place.strip_prefix("fd:") else {
            return Ok(Self::Endpoint(text));
        };
        match number.parse() {
            Ok(number @ (0 | 3..)) => Ok(Self::Numbered { number, from }),
            Ok(1 | 2) => bail!("1 and 2 are standard output and standard error"),
            Ok(_) => bail!("there are no such numbers"),
            Err(_) => bail!("give the number of a descriptor, as in `fd:3`"),
        }
    }

    /// The sockets that are there for it.
    fn descriptors(&self, index: usize, inherited: &mut Inherited) -> Result<Vec<OwnedFd>> {
        if inherited.predecessor().is_some() {
            return Ok(inherited.named(&name(index)));
        }
        match self {
            Self::Endpoint(_) => Ok(Vec::new()),
            Self::Passed { name, .. } => {
                let passed = match name {
                    Some(name) => inherited.named(name),
                    None => inherited.all(),
                };
                if passed.is_empty() {
                    bail!(inherited.want(*name));
                }
                Ok(passed)
            }
            Self::Numbered { number, .. } => Ok(vec![inherited.numbered(*number)?]),
        }
    }
}
