//! Guests under load: thousands of connections, a gigabyte, and peers that are
//! slow, few-worded or gone.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and its peers are not guests"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_tests::measure::{self, say};
use portcullis_tests::{Guest, PATIENCE, Running, assert_every_behaviour_is_driven};
use socket2::SockRef;

/// How many threads play the peers.
const THREADS: usize = 4;

/// Held by whoever runs: they measure, and the machine is small.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where messages are cut from.
static NOISE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = (0..1 << 17).flat_map(|_| {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.collect()
});

/// A guest that sends back what it receives.
struct Echo {
    guest: Running,
    address: SocketAddr,
}

/// How large the guest's memory was, in bytes.
struct Memory {
    empty: usize,
    full: usize,
}

impl Echo {
    fn start(behaviour: &str, visitors: usize) -> Self {
        let guest = Guest::new("echo", behaviour)
            .argument("127.0.0.1:0")
            .argument(visitors)
            .allow("listen tcp://127.0.0.1:0")
            // Who measures does not give up on a busy machine.
            .patience(PATIENCE * 5)
            .start();
        let address = guest.address();
        Self { guest, address }
    }

    /// Once all visitors are there.
    fn memory(&self) -> Memory {
        Memory {
            empty: self.guest.line(1).parse().unwrap(),
            full: self.guest.line(2).parse().unwrap(),
        }
    }

    /// Waits for its end; returns how many visitors it lost.
    fn finish(self) -> usize {
        let output = self.guest.succeed();
        output.lines().last().unwrap().parse().unwrap()
    }
}

/// A native peer with something to say.
struct Visitor {
    stream: TcpStream,
    number: usize,
    messages: usize,
}

impl Visitor {
    fn new(address: SocketAddr, number: usize) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self {
            stream,
            number,
            messages: 0,
        }
    }

    /// What it says next, which differs from what others say and it said.
    fn message(&self) -> &'static [u8] {
        const LENGTHS: [usize; 7] = [1, 13, 100, 1460, 4096, 20_000, 65_536];
        let length = LENGTHS[(self.number + self.messages) % LENGTHS.len()];
        let start = (self.number * 7919 + self.messages * 104_729) % (NOISE.len() - length);
        &NOISE[start..start + length]
    }

    fn ask(&mut self) {
        self.stream.write_all(self.message()).unwrap();
    }

    fn hear(&mut self, buffer: &mut [u8]) {
        let message = self.message();
        let answer = &mut buffer[..message.len()];
        self.stream.read_exact(answer).unwrap();
        assert!(answer == message, "{} was told otherwise", self.number);
        self.messages += 1;
    }
}

/// Lets some threads do something with a part each.
fn in_parts(visitors: &mut [Visitor], act: impl Fn(&mut [Visitor]) + Sync) {
    let part = visitors.len().div_ceil(THREADS);
    thread::scope(|scope| {
        for part in visitors.chunks_mut(part) {
            scope.spawn(|| act(part));
        }
    });
}

fn connect(address: SocketAddr, numbers: std::ops::Range<usize>, visitors: &mut Vec<Visitor>) {
    visitors.extend(numbers.map(|number| Visitor::new(address, number)));
}

/// All ask, then all hear: as many messages are under way at once.
fn converse(visitors: &mut [Visitor]) {
    let mut buffer = vec![0; 1 << 16];
    visitors.iter_mut().for_each(Visitor::ask);
    for visitor in visitors {
        visitor.hear(&mut buffer);
    }
}

fn converse_for(time: Duration, visitors: &mut [Visitor]) {
    let end = Instant::now() + time;
    in_parts(visitors, |visitors| {
        while Instant::now() < end {
            converse(visitors);
        }
    });
}

/// What one short message and its echo cost both ends in processor time where
/// nobody else speaks: the least of some tries, as the machine has other things to
/// do.
fn cost_of_an_echo(visitor: &mut Visitor) -> Duration {
    const ECHOES: u32 = 500;
    let mut cost = || {
        let before = measure::time_at_work();
        for _ in 0..ECHOES {
            visitor.stream.write_all(b"how long does it take?").unwrap();
            visitor.stream.read_exact(&mut [0; 22]).unwrap();
        }
        (measure::time_at_work() - before) / ECHOES
    };
    measure::on_one_processor(|| (0..10).map(|_| cost()).min().unwrap())
}

/// Drives `count` connections of which `active` speak at a time; returns the
/// visitors' number of messages.
fn check_many(behaviour: &str, count: usize, active: usize) {
    const FEW: usize = 11;
    const SPELL: Duration = Duration::from_secs(1);
    const SPELLS: usize = 4;
    let _turn = turn();
    // The host keeps some for itself.
    measure::allow_descriptors(count as u64 + 2000);
    LazyLock::force(&NOISE);
    let echo = Echo::start(behaviour, count);
    let mut visitors = Vec::with_capacity(count);

    let memory_before = measure::memory();
    connect(echo.address, 0..FEW, &mut visitors);
    in_parts(&mut visitors, converse);
    let echo_among_few = cost_of_an_echo(&mut visitors[0]);

    connect(echo.address, FEW..count, &mut visitors);
    let guest_memory = echo.memory();
    in_parts(&mut visitors, |visitors| {
        // Enough that the buffers have been in use.
        visitors.chunks_mut(32).for_each(converse);
    });
    let memory = measure::memory() - memory_before;
    let guest_memory = guest_memory.full - guest_memory.empty;
    let host_memory = memory.saturating_sub(guest_memory);
    say(&format!(
        "{behaviour}: memory of each of {count} connections: host {} bytes, guest {} bytes",
        host_memory / count,
        guest_memory / count,
    ));
    assert!(host_memory / count < 16 * 1024);
    assert!(guest_memory / count < 32 * 1024);

    // A guest that lets nobody in for now must not pay for it with every wait.
    let at_the_door = TcpStream::connect(echo.address).unwrap();
    let echo_among_many = cost_of_an_echo(&mut visitors[0]);
    say(&format!(
        "{behaviour}: an echo beside 10 idle connections costs {echo_among_few:?}, beside {count} {echo_among_many:?}"
    ));
    assert!(echo_among_many < echo_among_few * 3);

    let at_work = measure::time_at_work();
    thread::sleep(Duration::from_secs(1));
    let at_work = measure::time_at_work() - at_work;
    say(&format!(
        "{behaviour}: a second with {count} idle connections: {at_work:?} of processor time"
    ));
    assert!(at_work < Duration::from_millis(100));

    let messages = |visitors: &[Visitor]| visitors.iter().map(|all| all.messages).sum::<usize>();
    let before = messages(&visitors);
    for spell in 0..SPELLS {
        let first = spell * (count - active) / (SPELLS - 1);
        converse_for(SPELL, &mut visitors[first..first + active]);
    }
    say(&format!(
        "{behaviour}: {active} of {count} connections active: {} echoes per second",
        (messages(&visitors) - before) / SPELLS,
    ));

    in_parts(&mut visitors, |visitors| {
        visitors.chunks_mut(32).for_each(converse);
    });
    drop((visitors, at_the_door));
    assert_eq!(echo.finish(), 0);
}

#[test]
fn every_behaviour_is_driven() {
    assert_every_behaviour_is_driven("echo", include_str!("load.rs"));
}

#[test]
fn five_thousand_connections_on_one_poller() {
    check_many("echo_by_poller", 5000, 500);
}

#[test]
fn five_hundred_connections_in_tasks() {
    check_many("echo_by_tasks", 500, 100);
}

/// A stream of blocks, of which each one differs from the others.
fn blocks(length: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..length / NOISE.len()).map(|number| {
        let mut block = NOISE.clone();
        block[..8].copy_from_slice(&number.to_le_bytes());
        block
    })
}

#[test]
fn a_gigabyte_comes_back_as_it_was() {
    const LENGTH: usize = 1 << 30;
    let _turn = turn();
    LazyLock::force(&NOISE);
    let echo = Echo::start("echo_by_poller", 1);
    let mut visitor = Visitor::new(echo.address, 0).stream;
    let (begin, at_work) = (Instant::now(), measure::time_at_work());
    let mut writer = visitor.try_clone().unwrap();
    let sending = thread::spawn(move || {
        for block in blocks(LENGTH) {
            writer.write_all(&block).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = vec![0; NOISE.len()];
    // Each byte is compared: no sum of them would say more, or sooner.
    for (number, block) in blocks(LENGTH).enumerate() {
        visitor.read_exact(&mut received).unwrap();
        assert!(received == block, "block {number} is not what was sent");
    }
    assert_eq!(visitor.read(&mut received).unwrap(), 0);
    sending.join().unwrap();
    let (took, at_work) = (begin.elapsed(), measure::time_at_work() - at_work);
    say(&format!(
        "1 GiB there and back in {took:.2?}, {:.0} MiB/s; both ends were at work for {at_work:.2?}",
        1024.0 / took.as_secs_f64()
    ));
    assert_eq!(echo.finish(), 0);
}

/// Sends `data` in pieces of some length and takes it back in pieces of another,
/// with a pause before each of these; the echo has to be whole.
fn check_echo(visitor: Visitor, data: &'static [u8], piece: usize, bite: usize, pause: Duration) {
    let mut writer = visitor.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        for piece in data.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut received = Vec::new();
    let mut reader = visitor.stream.take(0);
    loop {
        thread::sleep(pause);
        reader.set_limit(bite as u64);
        if reader.read_to_end(&mut received).unwrap() == 0 {
            break;
        }
    }
    assert!(received == data, "{} was told otherwise", visitor.number);
    sending.join().unwrap();
}

/// Never reads, and resets the connection while the echo is under way.
fn reset_in_the_middle(mut visitor: Visitor) {
    visitor.stream.write_all(&NOISE[..100_000]).unwrap();
    visitor.stream.peek(&mut [0]).unwrap();
    let now = Some(Duration::ZERO);
    SockRef::from(&visitor.stream).set_linger(now).unwrap();
}

/// Peers of every kind in one guest at once, several of each.
fn check_difficult_peers(behaviour: &str) {
    const OF_EACH: usize = 4;
    const KINDS: usize = 5;
    let _turn = turn();
    let echo = Echo::start(behaviour, OF_EACH * KINDS);
    let at_work = measure::time_at_work();
    thread::scope(|scope| {
        for number in 0..OF_EACH * KINDS {
            let visitor = Visitor::new(echo.address, number);
            scope.spawn(move || match number % KINDS {
                // Takes its time to read.
                0 => check_echo(visitor, &NOISE, NOISE.len(), 4096, Duration::from_millis(5)),
                // Reads only when it has sent all.
                1 => check_echo(
                    visitor,
                    &NOISE,
                    NOISE.len(),
                    NOISE.len(),
                    Duration::from_millis(500),
                ),
                // One byte at a time, each way.
                2 => check_echo(visitor, &NOISE[..10_000], 1, 1, Duration::ZERO),
                3 => reset_in_the_middle(visitor),
                // Closes its direction at once.
                _ => check_echo(visitor, &[], 1, 1, Duration::ZERO),
            });
        }
    });
    say(&format!(
        "{behaviour}: difficult peers kept everybody at work for {:?}",
        measure::time_at_work().saturating_sub(at_work)
    ));
    assert_eq!(echo.finish(), OF_EACH);
}

#[test]
fn difficult_peers_of_a_poller() {
    check_difficult_peers("echo_by_poller");
}

#[test]
fn difficult_peers_of_tasks() {
    check_difficult_peers("echo_by_tasks");
}
