//! Answers an honest client, and does what a hostile one tells it to: the handler of
//! the liveness fuzz.
//!
//! What comes of a step is of no account here, be it an error or a trap: the server
//! has to go on serving.

#![expect(clippy::panic, reason = "as ordered")]

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use portcullis_guest::raw::network::{self, Network, ResolveFlags, ResolveHints, ReverseFlags};
use portcullis_guest::raw::poll::Poller;
use portcullis_guest::raw::preopens::get_sockets;
use portcullis_guest::raw::socket::Readiness;
use portcullis_guest::raw::types::{Endpoint, NamedEndpoint, Service};
use portcullis_guest::raw::wasi_poll::{Pollable, poll};
use portcullis_guest::{SockAddr, Socket, datagram_handler, stream_handler};
use portcullis_test_guests::table::{self, Failure, Table};
use portcullis_test_operations::{Held, Interest, Named, Order, Step, Visit, decode};
use wasip2::clocks::monotonic_clock;
use wasip2::random::random::get_random_bytes;

/// No order is longer: who says so has something else in mind.
const LONGEST: u32 = 8 << 20;

/// How many sockets, pollers and pollables are kept at most: repeated steps would
/// otherwise end at the first bound that there is, and show nothing else.
const MOST: usize = 40;

stream_handler!(serve);
datagram_handler!(answer);

/// Obeys the order at the beginning of the connection: its length, in four bytes, and
/// the order.
fn serve(connection: Socket, _: SockAddr) -> io::Result<()> {
    let mut stream = &connection;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length).min(LONGEST);
    let mut order = vec![0; length as usize];
    stream.read_exact(&mut order)?;
    match decode(&order) {
        Order::Ask => stream.write_all(Order::ANSWER),
        Order::Run(visit) => {
            let mut guest = Guest::new(&visit);
            if let Ok(twin) = connection.as_raw().duplicate() {
                guest.table.keep(twin);
            }
            guest.run(&visit.steps);
            stream.write_all(b"done")
        }
    }
}

fn answer(datagram: Vec<u8>, _: SockAddr) -> Vec<Vec<u8>> {
    match decode(&datagram) {
        Order::Ask => vec![Order::ANSWER.to_vec()],
        Order::Run(visit) => {
            Guest::new(&visit).run(&visit.steps);
            let (count, length) = visit.answers;
            vec![vec![b'x'; length as usize]; count as usize]
        }
    }
}

/// All that it has.
struct Guest {
    table: Table,
    pollables: Vec<Pollable>,
    pollers: Vec<Poller>,
}

impl Guest {
    fn new(visit: &Visit) -> Self {
        let network = network::default_network();
        Self {
            table: Table::new(network, visit.folder.clone(), visit.prefix.clone()),
            pollables: Vec::new(),
            pollers: Vec::new(),
        }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            let _ = self.attempt(step);
            self.make_room();
        }
    }

    /// Drops the oldest of what there is too much of.
    fn make_room(&mut self) {
        self.pollables
            .drain(..self.pollables.len().saturating_sub(MOST));
        self.pollers
            .drain(..self.pollers.len().saturating_sub(MOST));
        self.table.make_room(MOST);
    }

    fn attempt(&mut self, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Socket(operation) => {
                black_box(self.table.execute(operation.clone()));
            }
            Step::Allocate { mebibytes } => {
                black_box(vec![1_u8; (*mebibytes as usize) << 20]);
            }
            Step::Attenuate(grants) => self.table.network = self.network().attenuate(grants)?,
            Step::BindName(slot, named) => self.table.socket(*slot)?.bind(&endpoint(named))?,
            Step::Compute { milliseconds } => {
                let end = Instant::now() + Duration::from_millis((*milliseconds).into());
                while Instant::now() < end {
                    (0..100_000_u32).for_each(|number| {
                        black_box(number);
                    });
                }
            }
            Step::ConnectName(slot, named) => {
                self.table.socket(*slot)?.connect(&endpoint(named))?
            }
            Step::DropPollable(held) => {
                if let Some(at) = index(*held, self.pollables.len()) {
                    drop(self.pollables.remove(at));
                }
            }
            Step::DropPoller(held) => {
                if let Some(at) = index(*held, self.pollers.len()) {
                    drop(self.pollers.remove(at));
                }
            }
            Step::Environment => {
                black_box((std::env::args().count(), std::env::vars().count()));
            }
            Step::Exit => std::process::exit(3),
            Step::HostName => drop(self.network().host_name()),
            Step::OpenPoller => self.pollers.push(Poller::open()?),
            Step::Panic => panic!("as ordered"),
            Step::Patient(slot) => self.table.socket(*slot)?.set_timeout(None),
            Step::PollAll => {
                let all: Vec<&Pollable> = self.pollables.iter().collect();
                if !all.is_empty() {
                    black_box(poll(&all));
                }
            }
            Step::PollableBlock(held) => {
                if let Some(pollable) = pick(&self.pollables, *held) {
                    pollable.block();
                }
            }
            Step::PollableReady(held) => {
                if let Some(pollable) = pick(&self.pollables, *held) {
                    black_box(pollable.ready());
                }
            }
            Step::PollerAdd(held, slot, interest) => {
                if let Some(poller) = pick(&self.pollers, *held) {
                    poller.add(self.table.socket(*slot)?, 1, readiness(*interest))?;
                }
            }
            Step::PollerModify(held, slot, interest) => {
                if let Some(poller) = pick(&self.pollers, *held) {
                    poller.modify(self.table.socket(*slot)?, 2, readiness(*interest))?;
                }
            }
            Step::PollerRemove(held, slot) => {
                if let Some(poller) = pick(&self.pollers, *held) {
                    poller.remove(self.table.socket(*slot)?)?;
                }
            }
            Step::PollerSubscribe(held) => {
                if let Some(poller) = pick(&self.pollers, *held) {
                    self.pollables.push(poller.subscribe());
                }
            }
            Step::PollerWait(held, timeout, maximum) => {
                if let Some(poller) = pick(&self.pollers, *held) {
                    black_box(poller.wait(*timeout, *maximum)?);
                }
            }
            Step::Preopens => {
                for (_, socket) in get_sockets() {
                    self.table.keep(socket);
                }
            }
            Step::Print { bytes } => {
                let line = vec![b'.'; *bytes as usize];
                let _ = io::stdout().write_all(&line);
                let _ = io::stderr().write_all(&line);
            }
            Step::ProtocolByName(name) => drop(self.network().protocol_by_name(name)?),
            Step::Random { bytes } => {
                black_box(get_random_bytes((*bytes).into()));
            }
            Step::Read => {
                black_box(io::stdin().read_to_end(&mut Vec::new()).is_ok());
            }
            Step::Repeat(times, steps) => {
                for _ in 0..*times {
                    self.run(steps);
                }
            }
            Step::Resolve(name, service, family, kind, flags) => {
                let hints = ResolveHints {
                    family: table::raw_family(*family),
                    socket_type: kind.map(table::raw_kind),
                    protocol: 0,
                    flags: ResolveFlags::from_bits_truncate(*flags),
                };
                let service = service.clone().map(Service::Name);
                let found = self
                    .network()
                    .resolve(name.as_deref(), service.as_ref(), hints);
                black_box(found?);
            }
            Step::Reverse(ip, port, flags) => {
                let address = table::raw_address((*ip, *port).into());
                let flags = ReverseFlags::from_bits_truncate(*flags);
                black_box(self.network().reverse(&address, flags)?);
            }
            Step::SendToName(slot, data, flags, named) => {
                let flags = table::send_flags(*flags);
                let socket = self.table.socket(*slot)?;
                black_box(socket.send_to(&data.bytes(), flags, &endpoint(named))?);
            }
            Step::ServiceByName(name, protocol) => {
                black_box(self.network().service_by_name(name, protocol.as_deref())?);
            }
            Step::ServiceByPort(port, protocol) => {
                drop(self.network().service_by_port(*port, protocol.as_deref())?);
            }
            Step::Sleep { milliseconds } => {
                thread::sleep(Duration::from_millis((*milliseconds).into()));
            }
            Step::Subscribe(slot, interest) => {
                let socket = self.table.socket(*slot)?;
                self.pollables.push(socket.subscribe(readiness(*interest)));
            }
            Step::SubscribeTimer { milliseconds } => {
                let nanoseconds = u64::from(*milliseconds) * 1_000_000;
                self.pollables
                    .push(monotonic_clock::subscribe_duration(nanoseconds));
            }
            Step::Time => {
                black_box((monotonic_clock::now(), SystemTime::now()));
            }
            Step::Widen => self.table.network = network::default_network(),
        }
        Ok(())
    }

    fn network(&self) -> &Network {
        &self.table.network
    }
}

fn index(held: Held, count: usize) -> Option<usize> {
    let back = usize::from(held.0).checked_rem(count)?;
    Some(count - 1 - back)
}

fn pick<T>(all: &[T], held: Held) -> Option<&T> {
    all.get(index(held, all.len())?)
}

fn readiness(interest: Interest) -> Readiness {
    Readiness::from_bits_truncate(interest.0)
}

fn endpoint(Named(host, port): &Named) -> Endpoint {
    Endpoint::Name(NamedEndpoint {
        host: host.clone(),
        port: Service::Port(*port),
    })
}
