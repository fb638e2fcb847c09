//! The names that a guest has looked up, by the addresses they led to.
//!
//! A program that resolves first and connects to the address afterwards means
//! the name. This remembers it, for as long as the answer is valid; whether the
//! name may be connected to is still for the policy to say.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use portcullis_policy::{Name, canonical};

use crate::limits::{Charge, Limit, Memory, entry};
use crate::resolver::Answer;

/// How many names are remembered for one address, the latest. The policy is
/// asked about each when the guest connects to the number.
const NAMES: usize = 8;

/// How long a name is remembered at least, however short its answer is valid: as
/// long as a program takes from the answer to the connect. Its denies hold for as
/// long as its grants do.
const SHORTEST: Duration = Duration::from_secs(5);

/// What an address takes, beside its names.
const ADDRESS: usize = entry::<IpAddr, Vec<Pin>>();

#[derive(Debug)]
pub(crate) struct Pins(Mutex<Known>);

#[derive(Debug)]
struct Known {
    by_address: HashMap<IpAddr, Vec<Pin>>,
    /// How much memory they take.
    length: usize,
    memory: Memory,
    charge: Charge,
}

/// A name that led to an address.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    /// The name that the guest asked for, whose grants count.
    pub(crate) name: Name,
    /// The names it is an alias of, whose denies count as well.
    pub(crate) chain: Arc<[Name]>,
    /// Until when its grants count; none is for ever.
    lends_until: Option<Instant>,
    /// Until when its denies do: for as long as any name lends the address a grant.
    denies_until: Option<Instant>,
}

impl Pin {
    /// Whether its grants count.
    pub(crate) fn lends(&self, now: Instant) -> bool {
        self.lends_until.is_none_or(|end| now < end)
    }

    fn is_valid(&self, now: Instant) -> bool {
        self.denies_until.is_none_or(|end| now < end)
    }

    /// How much memory it takes; what it shares with others counts for each.
    fn length(&self) -> usize {
        let names = [&self.name].into_iter().chain(self.chain.iter());
        let names = names.map(|name| size_of::<Name>() + 64 + name.as_str().len());
        2 * size_of::<Self>() + names.sum::<usize>()
    }
}

impl Pins {
    pub(crate) fn new(memory: &Memory) -> Self {
        Self(Mutex::new(Known {
            by_address: HashMap::new(),
            length: 0,
            memory: memory.clone(),
            charge: memory.charge(),
        }))
    }

    /// Remembers where a name led. Where there is no memory for that, the name is not to
    /// be used: what denies it would not hold for its addresses.
    pub(crate) fn add(&self, name: &Name, answer: &Answer) -> Result<(), Limit> {
        let now = Instant::now();
        let until = answer.valid_until.map(|end| end.max(now + SHORTEST));
        let pin = Pin {
            name: name.clone(),
            chain: Arc::from(answer.chain.as_slice()),
            lends_until: until,
            denies_until: until,
        };
        let mut known = self.0.lock();
        for address in &answer.addresses {
            if !known.makes_room(&pin) {
                known.forget_expired(now);
                if !known.makes_room(&pin) {
                    return Err(known.memory.exceeded());
                }
            }
            known.add(canonical(*address), pin.clone(), now);
        }
        Ok(())
    }

    /// The names that led to an address, as far as their denies still count.
    pub(crate) fn of(&self, address: IpAddr) -> Vec<Pin> {
        let now = Instant::now();
        let known = self.0.lock();
        let pins = known.by_address.get(&canonical(address));
        let pins = pins.into_iter().flatten();
        pins.filter(|pin| pin.is_valid(now)).cloned().collect()
    }

    /// The last name that led to an address and lends it no grant any more.
    pub(crate) fn former(&self, address: IpAddr, now: Instant) -> Option<Name> {
        let known = self.0.lock();
        let pins = known.by_address.get(&canonical(address))?;
        let former = pins.iter().rev().find(|pin| !pin.lends(now));
        former.map(|pin| pin.name.clone())
    }
}

impl Known {
    /// Takes the memory for one more address with this name, if there is any.
    fn makes_room(&mut self, pin: &Pin) -> bool {
        self.charge.resize(self.length + ADDRESS + pin.length())
    }

    fn add(&mut self, address: IpAddr, mut pin: Pin, now: Instant) {
        let pins = self.by_address.entry(address).or_default();
        let before = length(pins);
        pins.retain(|earlier| earlier.is_valid(now) && earlier.name != pin.name);
        if pins.len() == NAMES {
            pins.remove(0);
        }
        for earlier in pins.iter_mut() {
            pin.denies_until = later(pin.denies_until, earlier.lends_until);
            earlier.denies_until = later(earlier.denies_until, pin.lends_until);
        }
        pins.push(pin);
        self.length = self.length - before + length(pins);
    }

    fn forget_expired(&mut self, now: Instant) {
        self.by_address.retain(|_, pins| {
            pins.retain(|pin| pin.is_valid(now));
            !pins.is_empty()
        });
        self.by_address.shrink_to_fit();
        self.length = self.by_address.values().map(|pins| length(pins)).sum();
    }
}

/// The later end of two; none is for ever.
fn later(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.zip(other).map(|(one, other)| one.max(other))
}

/// How much memory an address takes with its names; nothing where it has none yet.
fn length(pins: &[Pin]) -> usize {
    match pins {
        [] => 0,
        pins => ADDRESS + pins.iter().map(Pin::length).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn answer(addresses: &[&str], valid_for: Option<Duration>) -> Answer {
        Answer {
            addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
            chain: Vec::new(),
            valid_until: valid_for.map(|time| Instant::now() + time),
        }
    }

    fn pins() -> Pins {
        Pins::new(&Memory::new(1 << 20))
    }

    fn names(pins: &Pins, address: &str) -> Vec<Name> {
        let pins = pins.of(address.parse().unwrap());
        pins.into_iter().map(|pin| pin.name).collect()
    }

    #[test]
    fn an_address_has_the_names_that_led_to_it() {
        let pins = pins();
        pins.add(
            &name("a.example"),
            &answer(&["10.0.0.1", "::ffff:10.0.0.2"], None),
        )
        .unwrap();
        pins.add(&name("b.example"), &answer(&["10.0.0.1"], None))
            .unwrap();
        pins.add(&name("b.example"), &answer(&["10.0.0.1"], None))
            .unwrap();
        let found = names(&pins, "10.0.0.1");
        assert_eq!(found, [name("a.example"), name("b.example")]);
        assert_eq!(names(&pins, "10.0.0.2"), [name("a.example")]);
        assert!(names(&pins, "10.0.0.3").is_empty());
    }

    #[test]
    fn a_name_is_forgotten_when_its_answer_expires() {
        let pins = pins();
        let (began, lives) = (Instant::now(), SHORTEST * 2);
        pins.add(&name("a.example"), &answer(&["10.0.0.1"], Some(lives)))
            .unwrap();
        let pinned = pins.of("10.0.0.1".parse().unwrap());
        let [pin] = pinned.as_slice() else {
            panic!("{pinned:?}");
        };
        assert!(pin.lends(began + lives - Duration::from_millis(1)));
        assert!(!pin.lends(Instant::now() + lives));
        assert!(!pin.is_valid(Instant::now() + lives));
    }

    #[test]
    fn an_answer_that_may_not_be_kept_is_good_for_the_connect_that_follows() {
        let pins = pins();
        let began = Instant::now();
        pins.add(
            &name("a.example"),
            &answer(&["10.0.0.1"], Some(Duration::ZERO)),
        )
        .unwrap();
        assert_eq!(names(&pins, "10.0.0.1"), [name("a.example")]);
        let pinned = pins.of("10.0.0.1".parse().unwrap());
        let lends = |at| pinned.iter().any(|pin| pin.lends(at));
        assert!(lends(began + SHORTEST - Duration::from_millis(1)));
        assert!(!lends(Instant::now() + SHORTEST));
        let former = |at| pins.former("10.0.0.1".parse().unwrap(), at);
        assert_eq!(former(began + SHORTEST - Duration::from_millis(1)), None);
        let late = Instant::now() + SHORTEST;
        assert_eq!(former(late), Some(name("a.example")));
        let other = "10.0.0.2".parse().unwrap();
        assert_eq!(pins.former(other, late), None);
    }

    #[test]
    fn the_denies_of_a_name_hold_for_as_long_as_the_grants_of_another() {
        let long = SHORTEST * 20;
        let short = |pins: &Pins| {
            let brief = answer(&["10.0.0.1"], Some(Duration::ZERO));
            pins.add(&name("denied.example"), &brief).unwrap();
        };
        let other = |pins: &Pins| {
            let lasting = answer(&["10.0.0.1"], Some(long));
            pins.add(&name("granted.example"), &lasting).unwrap();
        };
        for order in [[&short as &dyn Fn(&Pins), &other], [&other, &short]] {
            let (pins, began) = (pins(), Instant::now());
            order.iter().for_each(|add| add(&pins));
            let pinned = pins.of("10.0.0.1".parse().unwrap());
            let denied = pinned.iter().find(|pin| pin.name == name("denied.example"));
            let denied = denied.unwrap();
            assert!(!denied.lends(Instant::now() + SHORTEST));
            assert!(denied.is_valid(began + long - Duration::from_millis(1)));
        }
    }

    /// Remembers names until there is no memory; says for how many addresses.
    fn fill(memory: &Memory, pins: &Pins, chain: &[Name]) -> u32 {
        for number in 0.. {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            let mut answer = answer(&[&address], None);
            answer.chain = chain.to_vec();
            if let Err(limit) = pins.add(&name("a.example"), &answer) {
                assert_eq!(limit, memory.exceeded());
                return number;
            }
            assert!(memory.used() <= memory.limit());
        }
        unreachable!("it would be for ever");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let memory = Memory::new(1 << 20);
        let pins = Pins::new(&memory);
        let plain = fill(&memory, &pins, &[]);
        assert!((1000..10_000).contains(&plain), "{plain}");
        assert_eq!(pins.0.lock().by_address.len(), plain as usize);
        drop(pins);
        assert_eq!(memory.used(), 0);
        // Aliases count.
        let alias = name(&format!("{}.example", ["a"; 100].join(".")));
        let pins = Pins::new(&memory);
        let aliased = fill(&memory, &pins, &vec![alias; 16]);
        assert!(aliased < plain / 4, "{aliased}");
        let known = pins.0.lock();
        let held = known.by_address.values().map(|pins| length(pins));
        assert_eq!(known.length, held.sum::<usize>());
    }

    #[test]
    fn what_has_expired_leaves_room_for_others() {
        let memory = Memory::new(1 << 16);
        let pins = Pins::new(&memory);
        fill(&memory, &pins, &[]);
        for pin in pins.0.lock().by_address.values_mut().flatten() {
            pin.denies_until = Some(Instant::now());
        }
        pins.add(&name("b.example"), &answer(&["10.0.0.1"], None))
            .unwrap();
        assert_eq!(names(&pins, "10.0.0.1"), [name("b.example")]);
    }

    #[test]
    fn an_address_has_its_latest_names() {
        let pins = pins();
        for number in 0..100 {
            let name = name(&format!("{number}.example"));
            pins.add(&name, &answer(&["10.0.0.1"], None)).unwrap();
        }
        let found = names(&pins, "10.0.0.1");
        assert_eq!(found.len(), NAMES);
        assert_eq!(found.last(), Some(&name("99.example")));
    }
}
