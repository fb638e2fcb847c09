//! A name server on loopback that answers from a zone of its own and remembers
//! what it was asked.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use portcullis_net::{DnsResolver, Network};
use portcullis_policy::Policy;

pub(crate) const A: u16 = 1;
pub(crate) const CNAME: u16 = 5;
pub(crate) const PTR: u16 = 12;
pub(crate) const AAAA: u16 = 28;

/// What a name server says when it fails (RFC 1035, 4.1.1).
pub(crate) const FORMAT_ERROR: u8 = 1;
pub(crate) const SERVER_FAILURE: u8 = 2;
const NAME_ERROR: u8 = 3;
pub(crate) const NOT_IMPLEMENTED: u8 = 4;
pub(crate) const REFUSED: u8 = 5;

/// What a name server knows.
#[derive(Clone, Default)]
pub(crate) struct Zone {
    records: Vec<Record>,
    codes: Vec<(String, u16, u8)>,
    dropped: Vec<(String, u16)>,
}

#[derive(Clone)]
struct Record {
    owner: String,
    kind: u16,
    time_to_live: u32,
    data: Vec<u8>,
}

impl Zone {
    /// Adds an address that may be kept for five minutes.
    pub(crate) fn address(self, owner: &str, address: &str) -> Self {
        self.address_for(owner, address, 300)
    }

    pub(crate) fn address_for(self, owner: &str, address: &str, time_to_live: u32) -> Self {
        let (kind, data) = match address.parse().unwrap() {
            IpAddr::V4(ip) => (A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
        };
        self.record(owner, kind, time_to_live, data)
    }

    /// Adds a record that points to a name: `CNAME` or `PTR`.
    pub(crate) fn pointer(self, owner: &str, kind: u16, target: &str) -> Self {
        self.record(owner, kind, 300, encode(target))
    }

    /// Answers a question with a code and nothing else.
    pub(crate) fn code(mut self, owner: &str, kind: u16, code: u8) -> Self {
        self.codes.push((owner.to_owned(), kind, code));
        self
    }

    /// Never answers a question.
    pub(crate) fn drop(mut self, owner: &str, kind: u16) -> Self {
        self.dropped.push((owner.to_owned(), kind));
        self
    }

    fn drops(&self, name: &str, kind: u16) -> bool {
        let mut dropped = self.dropped.iter();
        dropped.any(|(owner, of)| owner == name && *of == kind)
    }

    /// A name that exists and has nothing.
    pub(crate) fn empty(self, owner: &str) -> Self {
        self.record(owner, 0, 0, Vec::new())
    }

    fn record(mut self, owner: &str, kind: u16, time_to_live: u32, data: Vec<u8>) -> Self {
        let owner = owner.to_owned();
        self.records.push(Record {
            owner,
            kind,
            time_to_live,
            data,
        });
        self
    }

    /// The code and the records for a question; aliases are followed, as
    /// recursive servers do.
    fn answer(&self, name: &str, kind: u16) -> (u8, Vec<&Record>) {
        let code = self
            .codes
            .iter()
            .find(|(owner, of, _)| owner == name && *of == kind);
        if let Some((.., code)) = code {
            return (*code, Vec::new());
        }
        let mut answer = Vec::new();
        let (mut name, mut known) = (encode(name), false);
        // No more than goes into one datagram; who wants the rest asks again.
        for _ in 0..12 {
            let of_name = |record: &&Record| encode(&record.owner) == name;
            known |= self.records.iter().any(|record| of_name(&record));
            let found = self.records.iter().filter(of_name);
            answer.extend(found.clone().filter(|record| record.kind == kind));
            let Some(alias) = found.clone().find(|record| record.kind == CNAME) else {
                break;
            };
            answer.push(alias);
            name = alias.data.clone();
        }
        (if known { 0 } else { NAME_ERROR }, answer)
    }

    pub(crate) fn serve(self) -> NameServer {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<(String, u16)>>>::default();
        let log = Arc::clone(&asked);
        let zone = Arc::new(Mutex::new(self));
        let knows = Arc::clone(&zone);
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                let (name, kind, end) = question(&query[..length]);
                log.lock().unwrap().push((name.clone(), kind));
                let zone = knows.lock().unwrap();
                if zone.drops(&name, kind) {
                    continue;
                }
                let (code, records) = zone.answer(&name, kind);
                let reply = reply(&query[..end], code, &records);
                socket.send_to(&reply, client).unwrap();
            }
        });
        NameServer {
            address,
            asked,
            zone,
        }
    }
}

pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, u16)>>>,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    /// Answers from another zone from now on.
    pub(crate) fn change(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }

    /// A network that asks this server, and may look everything up.
    pub(crate) fn network(&self) -> Network {
        self.network_within(Policy::builder().allow("resolve *").build().unwrap())
    }

    pub(crate) fn network_within(&self, policy: Policy) -> Network {
        Network::new(policy).with_resolver(DnsResolver::at(self.address))
    }

    /// The names and types that it was asked for.
    pub(crate) fn asked(&self) -> Vec<(String, u16)> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name asked for, the type, and where the question ends (RFC 1035, 4.1).
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..end].to_vec()).unwrap());
        at = end;
    }
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    (labels.join(".").to_lowercase(), kind, at + 5)
}

fn encode(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let mut encoded: Vec<u8> = labels
        .flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat())
        .collect();
    encoded.push(0);
    encoded
}

fn reply(question: &[u8], code: u8, records: &[&Record]) -> Vec<u8> {
    let mut reply = question.to_vec();
    reply[2..12].copy_from_slice(&[0x84, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0]);
    reply[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
    for record in records {
        reply.extend(encode(&record.owner));
        reply.extend(record.kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(record.time_to_live.to_be_bytes());
        reply.extend(u16::try_from(record.data.len()).unwrap().to_be_bytes());
        reply.extend(&record.data);
    }
    reply
}
