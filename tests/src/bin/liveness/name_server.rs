//! A name server that does not wish its clients well.
//!
//! What it does is in the name that is asked for: the label before the domain.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::Result;

pub(crate) const DOMAIN: &str = "hostile.example";

/// What it answers, by the names that it is asked for.
pub(crate) const NAMES: [&str; 17] = [
    "chain",
    "cut",
    "empty",
    "flood",
    "garbage",
    "good",
    "half",
    "huge",
    "late",
    "loop",
    "none",
    "other",
    "refused",
    "stranger",
    "strange",
    "truncated",
    "zero",
];

const HEADER: usize = 12;
const A: u16 = 1;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const AAAA: u16 = 28;

/// The name that the question asks for, which stands behind the header.
const QUESTION: [u8; 2] = [0xc0, 12];

/// Answers, from now on and until the process ends; counts the questions.
pub(crate) fn start(address: SocketAddr) -> Result<Arc<AtomicU64>> {
    let asked = Arc::new(AtomicU64::new(0));
    let socket = UdpSocket::bind(address)?;
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        let mut question = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            count.fetch_add(1, Ordering::Relaxed);
            let Some(question) = question.get(..length).and_then(Question::read) else {
                continue;
            };
            let answer = |answer: &[u8]| {
                let _ = socket.send_to(answer, client);
            };
            match question.label.as_str() {
                "none" => {}
                "half" if question.kind == AAAA => {}
                "late" => {
                    let (socket, late) = (socket.try_clone(), question.good(60));
                    thread::spawn(move || {
                        thread::sleep(Duration::from_secs(2));
                        let _ = socket.map(|socket| socket.send_to(&late, client));
                    });
                }
                "flood" => (0..500).for_each(|_| answer(&question.good(0))),
                _ => answer(&question.answer()),
            }
        }
    });
    let listener = TcpListener::bind(address)?;
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || over_tcp(client));
        }
    });
    Ok(asked)
}

/// As long as a message can be, slowly, and never to its end.
fn over_tcp(mut client: TcpStream) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut question = [0; 1500];
    let length = client.read(&mut question)?;
    let question = question.get(2..length).and_then(Question::read);
    let answer = question.map(|question| question.huge()).unwrap_or_default();
    client.write_all(&u16::MAX.to_be_bytes())?;
    for part in answer.chunks(4096) {
        client.write_all(part)?;
        thread::sleep(Duration::from_millis(100));
    }
    client.read(&mut [0]).map(drop)
}

/// What is asked.
struct Question {
    /// The whole of it.
    bytes: Vec<u8>,
    /// Behind it there may be more.
    end: usize,
    kind: u16,
    /// The one before the domain.
    label: String,
}

impl Question {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut labels = Vec::new();
        let mut at = HEADER;
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            if length == 0 {
                break;
            }
            let label = bytes.get(at..at + length)?;
            labels.push(String::from_utf8_lossy(label).to_lowercase());
            at += length;
        }
        let kind = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
        let depth = DOMAIN.split('.').count() + 1;
        let label = labels.len().checked_sub(depth);
        let label = label.and_then(|at| labels.get(at)).cloned();
        Some(Self {
            bytes: bytes.to_vec(),
            end: at + 4,
            kind,
            label: label.unwrap_or_default(),
        })
    }

    fn answer(&self) -> Vec<u8> {
        let alias = |name: &[u8]| self.records(0, &[(CNAME, 0, name)]);
        match self.label.as_str() {
            // To the same name, and to another one each time.
            "loop" => alias(&QUESTION),
            "chain" => {
                let inner = self.bytes.get(HEADER..self.end - 4).unwrap_or_default();
                alias(&[&[1, b'x'], inner].concat())
            }
            "cut" => {
                let mut answer = self.good(60);
                answer.truncate(self.end + 6);
                answer
            }
            "empty" => self.records(0, &[]),
            "garbage" => {
                let head = self.bytes.iter().take(2).copied();
                head.chain((0..400_u16).flat_map(|number| (number * 7).to_be_bytes()))
                    .collect()
            }
            "huge" => self.huge(),
            "other" => {
                let mut answer = self.good(60);
                if let Some(first) = answer.first_mut() {
                    *first = first.wrapping_add(1);
                }
                answer
            }
            "refused" => self.records(5, &[]),
            "stranger" => self.records(0, &[(A, 60, &[10, 0, 0, 5])]),
            "strange" => self.records(0, &[(CNAME, 60, b"\x05a\x1b[2J\x03b c\x00")]),
            "truncated" => {
                let mut answer = self.records(0, &[]);
                if let Some(flags) = answer.get_mut(2) {
                    *flags |= 2;
                }
                answer
            }
            "zero" => self.good(0),
            _ => self.good(60),
        }
    }

    /// Loopback.
    fn good(&self, ttl: u32) -> Vec<u8> {
        match self.kind {
            A => self.records(0, &[(A, ttl, &[127, 0, 0, 1])]),
            AAAA => self.records(0, &[(AAAA, ttl, &std::net::Ipv6Addr::LOCALHOST.octets())]),
            PTR => self.records(0, &[(PTR, ttl, b"\x04\x1b[2J\x07hostile\x07example\x00")]),
            _ => self.records(0, &[]),
        }
    }

    /// More addresses than can be of use.
    fn huge(&self) -> Vec<u8> {
        let addresses: Vec<[u8; 4]> = (0..4000_u16)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                [127, 1, high, low]
            })
            .collect();
        let records: Vec<(u16, u32, &[u8])> = addresses
            .iter()
            .map(|address| (A, 0, address.as_slice()))
            .collect();
        self.records(0, &records)
    }

    fn records(&self, code: u8, records: &[(u16, u32, &[u8])]) -> Vec<u8> {
        let count = u16::try_from(records.len()).unwrap_or(u16::MAX);
        let mut answer: Vec<u8> = self.bytes.iter().take(2).copied().collect();
        answer.extend([0x81, 0x80 | code, 0, 1]);
        answer.extend(count.to_be_bytes());
        answer.extend([0; 4]);
        answer.extend(self.bytes.get(HEADER..self.end).unwrap_or_default());
        for (kind, ttl, data) in records {
            let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
            answer.extend(QUESTION);
            answer.extend(kind.to_be_bytes());
            answer.extend([0, 1]);
            answer.extend(ttl.to_be_bytes());
            answer.extend(length.to_be_bytes());
            answer.extend(*data);
        }
        answer
    }
}
