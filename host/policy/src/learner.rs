//! Learning from what a program does what it is to be granted. It must not
//! grant anything: what it says is for a person to review.

mod cover;
mod lesson;
mod peers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use crate::grant::Kind;
use crate::host_pattern::HostPattern;
use crate::name_pattern::NamePattern;
use crate::ports::Ports;
use crate::range::{Range, Ranges};
use crate::request::Request;
use crate::socket_grant::SocketGrant;
use crate::unix_grant::UnixGrant;
use crate::unix_name::folders;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, Name};

use cover::{covers, covers_reverse};
use peers::Peers;

pub use lesson::Lesson;

/// Learns from requests the smallest readable set of grants that covers them.
///
/// - Names stay names, and port 0 stays port 0.
/// - A grant to listen stands for the one to bind there, one to connect by a
///   name for the one to look it up.
/// - Ports of one host share a grant. Destination ports of the dynamic range
///   become that range when three of them were seen at one host; fewer stay as
///   they are. Of those from 32768 on, which Linux hands out as well, two have
///   to be among them.
/// - `from` holds the peers that came: up to three addresses as they are, more
///   as the network or group that holds them. Where none came there is no
///   `from`.
/// - Paths of unix sockets stay as they are, but for more than eight in one
///   folder, which become the folder.
///
/// ```
/// use portcullis_policy::{Connect, Learner, Protocol};
///
/// let mut learner = Learner::default();
/// learner.note(&Connect::new(Protocol::Tcp, "10.0.0.5:80".parse()?));
/// learner.note(&Connect::new(Protocol::Tcp, "10.0.0.5:443".parse()?));
/// let lessons = learner.lessons();
/// assert_eq!(lessons.len(), 1);
/// assert_eq!(lessons[0].grant().to_string(), "connect tcp://10.0.0.5:80,443");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Learner {
    known: Vec<Grant>,
    seen: HashMap<Grant, Seen>,
    /// How often the names of addresses were looked up.
    reverse: HashMap<IpAddr, u64>,
    left_out: u64,
}

/// How many requests are told apart, but for their peers and where their names
/// led. A program that scans a network must not fill the memory.
const DISTINCT: usize = 4096;

/// How many dynamic ports of one host have to be seen to take them for a range.
const SEVERAL: usize = 3;

/// How many paths in one folder are taken as they are.
const PATHS: usize = 8;

/// The ports that are handed out rather than chosen: IANA's (RFC 6335, section
/// 6), and what Linux takes for such (`ip_local_port_range`).
const DYNAMIC: u16 = 49152;
const LINUX_DYNAMIC: u16 = 32768;

/// What was seen of one grant without its `from` and `in`.
#[derive(Clone, Debug, Default)]
struct Seen {
    times: u64,
    /// How often its name was looked up, for what it is about.
    lookups: u64,
    first: First,
    peers: Peers,
    within: BTreeSet<Range>,
}

/// Who came first, or where it led first: each as the how many-th.
#[derive(Clone, Copy, Debug, Default)]
struct First {
    turn: usize,
    address: Option<(usize, SocketAddr)>,
}

impl Learner {
    /// Learns what is missing to `known`, which are granted already. What they
    /// cover is not learned again.
    pub fn beyond(known: impl IntoIterator<Item = Grant>) -> Self {
        Self {
            known: known.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Takes note of a request.
    pub fn note(&mut self, request: &dyn Request) {
        let Some(narrowest) = request.narrowest() else {
            return;
        };
        if let Some(address) = request.nameless() {
            return self.note_reverse(address);
        }
        let (subject, came, within) = apart(&narrowest);
        // Where a listener is says nothing of who came.
        let address = match subject.kind() {
            Kind::Socket(grant) if grant.verb == Verb::Listen && !came => None,
            Kind::Resolve(_) | Kind::Socket(_) | Kind::Unix(_) => request.socket_address(),
        };
        let is_lookup = is_named(&subject) && request.socket_address().is_none();
        let turn = self.seen.len();
        if turn >= DISTINCT && !self.seen.contains_key(&subject) {
            self.left_out += 1;
            return;
        }
        let seen = self.seen.entry(subject).or_insert_with(|| Seen {
            first: First {
                turn,
                address: None,
            },
            ..Seen::default()
        });
        match is_lookup {
            true => seen.lookups += 1,
            false => seen.times += 1,
        }
        // A name is looked up before it is known where it leads.
        let (first, came_at) = (seen.first.address, seen.first.turn);
        seen.first.address = first.or(address.map(|address| (came_at, address)));
        seen.within.extend(within);
        if let (true, Some(peer)) = (came, address) {
            seen.peers.add(peer.ip());
        }
    }

    fn note_reverse(&mut self, address: IpAddr) {
        if self.reverse.len() < DISTINCT || self.reverse.contains_key(&address) {
            *self.reverse.entry(address).or_default() += 1;
        } else {
            self.left_out += 1;
        }
    }

    /// How many requests were left out, because there were too many to tell
    /// apart.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// What is to be granted, sorted by verb and endpoint.
    pub fn lessons(&self) -> Vec<Lesson> {
        let mut found = self.sockets();
        found.extend(self.names());
        found.extend(self.unix());
        let mut lessons: Vec<Lesson> = Vec::with_capacity(found.len());
        for lesson in found {
            let grant = lesson.grant();
            let mut others = self.known.iter().chain(lessons.iter().map(Lesson::grant));
            if others.any(|other| covers(other, grant)) {
                continue;
            }
            lessons.retain(|other| !covers(grant, other.grant()));
            lessons.push(lesson);
        }
        for (address, times) in &self.reverse {
            let mut others = self.known.iter().chain(lessons.iter().map(Lesson::grant));
            if !others.any(|other| covers_reverse(other, *address)) {
                let names = NamePattern::Exact(Name::reverse(*address));
                lessons.push(Lesson::new(names.into(), *times, Some(address.to_string())));
            }
        }
        lessons.sort_by_cached_key(|lesson| lesson.grant().to_string());
        lessons
    }

    /// The grants that differ in nothing but their ports, each with its ports.
    fn sockets(&self) -> Vec<Lesson> {
        let mut shapes: HashMap<SocketGrant, Vec<(&Ports, Seen)>> = HashMap::new();
        for (grant, seen) in self.faced() {
            let shape = SocketGrant {
                from: seen.peers.ranges(),
                within: ranges(&seen.within),
                ..portless(grant)
            };
            shapes.entry(shape).or_default().push((&grant.ports, seen));
        }
        let lessons = shapes.into_iter().map(|(shape, seen)| {
            let ports = self.ports(&shape, seen.iter().map(|(ports, _)| *ports));
            let (times, first) = sum(seen.iter().map(|(_, seen)| seen));
            let several = matches!(shape.host, HostPattern::Names(_)) || ports.single().is_none();
            let address = first.address.map(|(_, address)| address);
            let address = address.filter(|_| several || shape.from.is_some());
            let first = address.map(|address| match shape.from {
                Some(_) => format!("from {}", address.ip()),
                None => address.to_string(),
            });
            Lesson::new(SocketGrant { ports, ..shape }.into(), times, first)
        });
        lessons.collect()
    }

    /// What was seen of sockets. A dual-stack listener is granted as `*`, and
    /// its peers arrive at one of its sides.
    fn faced(&self) -> impl Iterator<Item = (&SocketGrant, Seen)> {
        let mut faced: BTreeMap<usize, (&SocketGrant, Seen)> = BTreeMap::new();
        for (subject, seen) in &self.seen {
            let Kind::Socket(grant) = subject.kind() else {
                continue;
            };
            let dual = self.seen.get_key_value(&dual_stack(grant));
            let (subject, turn) = match dual.map(|(dual, seen)| (dual.kind(), seen)) {
                Some((Kind::Socket(dual), seen)) if is_side(grant) => (&**dual, seen.first.turn),
                Some(_) | None => (&**grant, seen.first.turn),
            };
            let (_, whole) = faced
                .entry(turn)
                .or_insert_with(|| (subject, Seen::default()));
            whole.add(seen);
        }
        faced.into_values()
    }

    /// The ports of a grant: dynamic ones as a range, where they are several.
    fn ports<'a>(&self, shape: &SocketGrant, seen: impl Iterator<Item = &'a Ports>) -> Ports {
        let mut single = BTreeSet::new();
        for ports in seen {
            match ports.single() {
                Some(port) => single.insert(port),
                None => return ports.clone(),
            };
        }
        let dynamic = single
            .iter()
            .copied()
            .filter(|port| *port >= LINUX_DYNAMIC)
            .chain(self.known_dynamic(shape));
        let dynamic: BTreeSet<u16> = dynamic.collect();
        let all = dynamic.len();
        let high = dynamic.range(DYNAMIC..).count();
        // One that is lower than IANA has them may well be a service.
        let start = if shape.verb != Verb::Connect {
            None
        } else if all >= SEVERAL && all - high > 1 {
            Some(LINUX_DYNAMIC)
        } else {
            (high >= SEVERAL).then_some(DYNAMIC)
        };
        let range = start.map(|start| start..=u16::MAX);
        let single = single.into_iter().map(|port| port..=port);
        single.chain(range).collect()
    }

    /// The dynamic ports that are granted one by one already: learned when they
    /// were fewer.
    fn known_dynamic(&self, shape: &SocketGrant) -> impl Iterator<Item = u16> {
        let known = self
            .known
            .iter()
            .filter_map(move |known| match known.kind() {
                Kind::Socket(known) if portless(known) == *shape => Some(known.ports.singles()),
                Kind::Resolve(_) | Kind::Socket(_) | Kind::Unix(_) => None,
            });
        known.flatten().filter(|port| *port >= LINUX_DYNAMIC)
    }

    fn names(&self) -> impl Iterator<Item = Lesson> {
        let names = self.seen.iter();
        names
            .filter(|(grant, _)| matches!(grant.kind(), Kind::Resolve(_)))
            .map(|(grant, seen)| Lesson::new(grant.clone(), seen.times, None))
    }

    /// The grants of unix sockets: of many paths in one folder, the folder.
    fn unix(&self) -> Vec<Lesson> {
        let mut folders: HashMap<UnixGrant, Vec<(&UnixGrant, &Seen)>> = HashMap::new();
        for (grant, seen) in &self.seen {
            if let Kind::Unix(grant) = grant.kind() {
                folders
                    .entry(folder(grant))
                    .or_default()
                    .push((grant, seen));
            }
        }
        let mut lessons = Vec::new();
        for (folder, mut seen) in folders {
            if seen.len() > PATHS {
                let (times, _) = sum(seen.iter().map(|(_, seen)| *seen));
                seen.sort_by_key(|(_, seen)| seen.first.turn);
                let first = seen.first().map(|(grant, _)| grant.names.to_string());
                lessons.push(Lesson::new(folder.into(), times, first));
            } else {
                let each = |(grant, seen): (&UnixGrant, &Seen)| {
                    Lesson::new(grant.clone().into(), seen.times, None)
                };
                lessons.extend(seen.into_iter().map(each));
            }
        }
        lessons
    }
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.first = match self.times + self.lookups {
            0 => other.first,
            _ => self.first.earlier(other.first),
        };
        self.times += other.times;
        self.lookups += other.lookups;
        self.peers.add_all(&other.peers);
        self.within.extend(other.within.iter().copied());
    }
}

impl First {
    fn earlier(self, other: Self) -> Self {
        let addresses = [self.address, other.address];
        Self {
            turn: self.turn.min(other.turn),
            address: addresses.into_iter().flatten().min(),
        }
    }
}

fn sum<'a>(seen: impl Iterator<Item = &'a Seen>) -> (u64, First) {
    let mut whole = Seen::default();
    seen.for_each(|seen| whole.add(seen));
    // To look it up is part of what it is looked up for.
    let times = match whole.times {
        0 => whole.lookups,
        times => times,
    };
    (times, whole.first)
}

/// A grant without `from` and `in`, whether it had a `from` and so is about a
/// peer, and what it had as `in`.
fn apart(grant: &Grant) -> (Grant, bool, Vec<Range>) {
    match grant.kind() {
        Kind::Socket(socket) => {
            let within = socket.within.iter().flat_map(Ranges::iter).collect();
            let subject = SocketGrant {
                from: None,
                within: None,
                ..(**socket).clone()
            };
            (subject.into(), socket.from.is_some(), within)
        }
        Kind::Resolve(_) | Kind::Unix(_) => (grant.clone(), false, Vec::new()),
    }
}

/// Whether a grant is for a socket at a name.
fn is_named(grant: &Grant) -> bool {
    match grant.kind() {
        Kind::Socket(grant) => matches!(grant.host, HostPattern::Names(NamePattern::Exact(_))),
        Kind::Resolve(_) | Kind::Unix(_) => false,
    }
}

fn portless(grant: &SocketGrant) -> SocketGrant {
    SocketGrant {
        ports: Ports::List(Vec::new()),
        ..grant.clone()
    }
}

/// The grant of a dual-stack listener at the same port.
fn dual_stack(grant: &SocketGrant) -> Grant {
    Grant::from(SocketGrant {
        host: HostPattern::Names(NamePattern::Any),
        ..grant.clone()
    })
}

/// Whether a grant is that of one side of a dual-stack listener.
fn is_side(grant: &SocketGrant) -> bool {
    match grant.host {
        HostPattern::Addresses(Range::Network(network)) => {
            grant.verb == Verb::Listen && network.addr().is_unspecified()
        }
        HostPattern::Addresses(Range::Group(_)) | HostPattern::Names(_) => false,
    }
}

/// The grant of the whole folder; the grant itself where its name is in none,
/// or in the root.
fn folder(grant: &UnixGrant) -> UnixGrant {
    let names = match &grant.names {
        UnixPattern::Exact(name) => (name.as_path())
            .and_then(|path| folders(path).next())
            .filter(|folder| !folder.is_empty())
            .map_or_else(
                || grant.names.clone(),
                |folder| UnixPattern::In(folder.into()),
            ),
        UnixPattern::AnyAbstract | UnixPattern::In(_) | UnixPattern::Under(_) => {
            grant.names.clone()
        }
    };
    UnixGrant {
        names,
        ..grant.clone()
    }
}

fn ranges(within: &BTreeSet<Range>) -> Option<Ranges> {
    (!within.is_empty()).then(|| within.iter().copied().collect())
}
