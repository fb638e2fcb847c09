//! Does what it is told, line by line, and says what came of each: the guest of
//! suites that choose while it runs what it does next.
//!
//! A line is words with one space between them; `%` and two hexadecimal digits
//! stand for a byte that a word cannot hold. The first word says what to do, the
//! second with which socket or network, or what to call the one that is made. The
//! answer is a line as well: `done` and what there is to tell, or the code of the
//! error and what the host says about it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test guest fails by trapping"
)]

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use portcullis_guest::raw::network::{ResolveFlags, ResolveHints};
use portcullis_guest::raw::socket::{OptionValue, OutgoingDatagram, Readiness};
use portcullis_guest::raw::types::{
    self, Endpoint, NamedEndpoint, Service, SocketAddress, UnixAddress,
};
use portcullis_guest::{
    ErrorCode, Family, Network, ReverseFlags, SendFlags, SockAddr, Socket, SocketType,
    ToSocketEndpoint, error_code, preopened,
};

fn main() -> io::Result<()> {
    let mut guest = Guest::default();
    let mut answers = io::stdout();
    for line in io::stdin().lines() {
        let words: Vec<Vec<u8>> = line?.split(' ').map(decode).collect();
        let words: Vec<Word<'_>> = words.iter().map(|word| Word(word)).collect();
        let answer = match guest.obey(&words) {
            Ok(told) => format!("done {told}"),
            Err(Failure { code, message }) => {
                let code = format!("{code:?}");
                format!("{} {message}", code.trim_start_matches("ErrorCode::"))
            }
        };
        // In one go: whoever waits for it does not see half of it.
        answers.write_all(format!("{}\n", answer.escape_debug()).as_bytes())?;
        answers.flush()?;
    }
    Ok(())
}

/// What it has, by the names that it was told.
#[derive(Default)]
struct Guest {
    networks: HashMap<String, Network>,
    sockets: HashMap<String, Socket>,
}

impl Guest {
    fn obey(&mut self, words: &[Word<'_>]) -> Result<String, Failure> {
        let (what, name) = (words[0].text(), words[1].text());
        let nothing = String::new();
        Ok(match (what, &words[2..]) {
            ("accept", [listener]) => {
                let (connection, peer) = self.socket(listener.text()).accept()?;
                self.sockets.insert(name.to_owned(), connection);
                peer.to_string()
            }
            ("attenuate", [network, grants @ ..]) => {
                let grants: Vec<&str> = grants.iter().map(Word::text).collect();
                let narrower = self.network(network.text()).attenuate(&grants)?;
                self.networks.insert(name.to_owned(), narrower);
                nothing
            }
            ("bind", [local]) => {
                self.socket(name).bind(local)?;
                nothing
            }
            ("broadcast", []) => {
                self.socket(name).set_option(OptionValue::Broadcast(true))?;
                nothing
            }
            ("close", []) => {
                drop(self.sockets.remove(name).unwrap());
                nothing
            }
            ("connect", [remote]) => {
                self.socket(name).connect(remote)?;
                nothing
            }
            ("duplicate", [original]) => {
                let twin = self.socket(original.text()).try_clone()?;
                self.sockets.insert(name.to_owned(), twin);
                nothing
            }
            ("join", [group]) => {
                let group = group.text().parse().unwrap();
                self.socket(name).join_group(group, 0)?;
                nothing
            }
            ("join", [group, interface]) => {
                let interface = interface.text().parse().unwrap();
                let group = group.text().parse().unwrap();
                self.socket(name).join_group(group, interface)?;
                nothing
            }
            ("listen", []) => {
                self.socket(name).listen(None)?;
                nothing
            }
            ("local", []) => self.socket(name).local_addr()?.to_string(),
            ("network", []) => {
                self.networks.insert(name.to_owned(), Network::default());
                nothing
            }
            ("open", [family, kind]) => {
                let socket = Network::default().open(family.family(), kind.socket_type())?;
                self.sockets.insert(name.to_owned(), socket);
                nothing
            }
            ("open", [family, kind, network]) => {
                let network = self.network(network.text());
                let socket = network.open(family.family(), kind.socket_type())?;
                self.sockets.insert(name.to_owned(), socket);
                nothing
            }
            ("pair", [other, family, kind]) => {
                let pair = Network::default().pair(family.family(), kind.socket_type())?;
                self.sockets.insert(name.to_owned(), pair.0);
                self.sockets.insert(other.text().to_owned(), pair.1);
                nothing
            }
            ("peer", []) => self.socket(name).peer_addr()?.to_string(),
            ("preopened", [opened]) => {
                let socket = preopened(opened.text()).unwrap();
                self.sockets.insert(name.to_owned(), socket);
                nothing
            }
            ("ready", []) => {
                let pollable = self.socket(name).subscribe(Readiness::READABLE);
                pollable.ready().to_string()
            }
            ("receive", []) => {
                let mut buffer = [0; 65536];
                let length = self.socket(name).recv(&mut buffer)?;
                text(&buffer[..length])
            }
            ("receive-from", []) => {
                let mut buffer = [0; 65536];
                let (length, source) = self.socket(name).recv_from(&mut buffer)?;
                format!("{} from {source}", text(&buffer[..length]))
            }
            ("receive-many", []) => {
                let found = self.socket(name).recv_many(64, 65536)?;
                let data: Vec<String> = found.iter().map(|one| text(&one.data)).collect();
                data.join(" ")
            }
            ("resolve", [host]) => {
                let found = self.network(name).as_raw().resolve(
                    Some(host.text()),
                    None,
                    ResolveHints {
                        family: Family::Unspecified,
                        socket_type: Some(SocketType::Stream),
                        protocol: 0,
                        flags: ResolveFlags::empty(),
                    },
                )?;
                let addresses = found.into_iter().filter_map(|info| {
                    let address = SockAddr::from(info.address).as_socket()?;
                    Some(address.ip().to_string())
                });
                addresses.collect::<Vec<_>>().join(" ")
            }
            ("reverse", [address]) => {
                let Endpoint::Address(address) = address.endpoint() else {
                    panic!("{address:?} is no address");
                };
                let network = self.network(name).as_raw();
                let (host, _) = network.reverse(&address, ReverseFlags::empty())?;
                host
            }
            ("send", [data]) => self.socket(name).send(data.0)?.to_string(),
            ("send-many", datagrams) => self.send_many(name, datagrams, SendFlags::empty())?,
            ("send-many-more", datagrams) => self.send_many(name, datagrams, SendFlags::MORE)?,
            ("send-more", [data, remote]) => {
                let socket = self.socket(name);
                let sent = socket.send_to_with_flags(data.0, remote, SendFlags::MORE)?;
                sent.to_string()
            }
            ("send-to", [data, remote]) => self.socket(name).send_to(data.0, remote)?.to_string(),
            ("set", [option]) => {
                self.socket(name).set_option(option.option())?;
                nothing
            }
            ("timeout", [milliseconds]) => {
                let timeout = Duration::from_millis(milliseconds.text().parse().unwrap());
                self.socket(name).set_timeout(Some(timeout));
                nothing
            }
            _ => panic!("what is {words:?}?"),
        })
    }

    /// Each datagram is two words: its data and where to, `-` for the peer.
    fn send_many(
        &self,
        name: &str,
        datagrams: &[Word<'_>],
        flags: SendFlags,
    ) -> Result<String, Failure> {
        let datagrams: Vec<OutgoingDatagram> = datagrams
            .chunks_exact(2)
            .map(|datagram| OutgoingDatagram {
                data: datagram[0].0.to_vec(),
                destination: match datagram[1].0 {
                    b"-" => None,
                    _ => Some(datagram[1].endpoint()),
                },
            })
            .collect();
        let socket = self.socket(name).as_raw();
        let sent = socket.send_datagrams(&datagrams, flags)?;
        Ok(sent.to_string())
    }

    #[track_caller]
    fn network(&self, name: &str) -> &Network {
        self.networks.get(name).unwrap()
    }

    #[track_caller]
    fn socket(&self, name: &str) -> &Socket {
        self.sockets.get(name).unwrap()
    }
}

struct Failure {
    code: ErrorCode,
    message: String,
}

impl From<types::Error> for Failure {
    fn from(error: types::Error) -> Self {
        Self {
            code: error.code,
            message: error.message,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self {
            code: error_code(&error).expect("an error of the host"),
            message: error.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Word<'a>(&'a [u8]);

impl<'a> Word<'a> {
    fn text(&self) -> &'a str {
        str::from_utf8(self.0).unwrap()
    }

    fn family(self) -> Family {
        match self.0 {
            b"inet" => Family::Inet,
            b"inet6" => Family::Inet6,
            b"unix" => Family::Unix,
            _ => panic!("{self:?} is no family"),
        }
    }

    fn socket_type(self) -> SocketType {
        match self.0 {
            b"datagram" => SocketType::Datagram,
            b"seqpacket" => SocketType::Seqpacket,
            b"stream" => SocketType::Stream,
            _ => panic!("{self:?} is no socket type"),
        }
    }

    /// An option that is to be on.
    fn option(self) -> OptionValue {
        match self.0 {
            b"answer-as-asked" => OptionValue::AnswerAsAsked(true),
            b"reuse-address" => OptionValue::ReuseAddress(true),
            b"reuse-port" => OptionValue::ReusePort(true),
            b"v6-only" => OptionValue::V6Only(true),
            _ => panic!("{self:?} is no option"),
        }
    }

    /// `name:HOST:PORT`, `path:PATH`, `abstract:NAME`, `unnamed`, or the text of an
    /// address. They reach the host as they are.
    fn endpoint(self) -> Endpoint {
        if let Some(path) = self.0.strip_prefix(b"path:") {
            return unix(UnixAddress::Path(path.to_vec()));
        }
        if let Some(name) = self.0.strip_prefix(b"abstract:") {
            return unix(UnixAddress::Abstract(name.to_vec()));
        }
        if self.0 == b"unnamed" {
            return unix(UnixAddress::Unnamed);
        }
        if let Some(named) = self.text().strip_prefix("name:") {
            let (host, port) = named.rsplit_once(':').unwrap();
            return Endpoint::Name(NamedEndpoint {
                host: host.to_owned(),
                port: Service::Port(port.parse().unwrap()),
            });
        }
        let address: SocketAddr = self.text().parse().unwrap();
        address.to_socket_endpoint().unwrap()
    }
}

impl ToSocketEndpoint for &Word<'_> {
    fn to_socket_endpoint(&self) -> io::Result<Endpoint> {
        Ok(self.endpoint())
    }
}

fn unix(address: UnixAddress) -> Endpoint {
    Endpoint::Address(SocketAddress::Unix(address))
}

fn text(data: &[u8]) -> String {
    data.escape_ascii().to_string()
}

fn decode(word: &str) -> Vec<u8> {
    let mut pieces = word.split('%');
    let mut decoded = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        decoded.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        decoded.extend_from_slice(&piece.as_bytes()[2..]);
    }
    decoded
}
