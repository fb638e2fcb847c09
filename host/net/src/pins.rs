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

use crate::resolver::Answer;

/// How many addresses are remembered. A guest that looks up more than this is
/// not going to connect to them all.
const CAPACITY: usize = 4096;

/// How many names are remembered for one address, the latest. The policy is
/// asked about each when the guest connects to the number.
const NAMES: usize = 8;

/// How long a name is remembered at least, however short its answer is valid: as
/// long as a program takes from the answer to the connect. Its denies hold for as
/// long as its grants do.
const SHORTEST: Duration = Duration::from_secs(5);

/// How many bytes of names are remembered, aliases among them.
const LENGTH: usize = 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Pins(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_address: HashMap<IpAddr, Vec<Pin>>,
    /// How many bytes of names there are.
    length: usize,
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

    /// How many bytes of names it holds; those that it shares with others count
    /// for each.
    fn length(&self) -> usize {
        let aliases = self.chain.iter().map(|alias| alias.as_str().len());
        self.name.as_str().len() + aliases.sum::<usize>()
    }
}

impl Pins {
    /// Remembers where a name led, as far as there is room.
    pub(crate) fn add(&self, name: &Name, answer: &Answer) {
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
            if !known.has_room(&pin) {
                known.forget_expired(now);
            }
            if !known.has_room(&pin) {
                return;
            }
            known.add(canonical(*address), pin.clone(), now);
        }
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
    fn has_room(&self, pin: &Pin) -> bool {
        self.by_address.len() < CAPACITY && self.length + pin.length() <= LENGTH
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
        self.length = self.by_address.values().map(|pins| length(pins)).sum();
    }
}

/// The later end of two; none is for ever.
fn later(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.zip(other).map(|(one, other)| one.max(other))
}

fn length(pins: &[Pin]) -> usize {
    pins.iter().map(Pin::length).sum()
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

    fn names(pins: &Pins, address: &str) -> Vec<Name> {
        let pins = pins.of(address.parse().unwrap());
        pins.into_iter().map(|pin| pin.name).collect()
    }

    #[test]
    fn an_address_has_the_names_that_led_to_it() {
        let pins = Pins::default();
        pins.add(
            &name("a.example"),
            &answer(&["10.0.0.1", "::ffff:10.0.0.2"], None),
        );
        pins.add(&name("b.example"), &answer(&["10.0.0.1"], None));
        pins.add(&name("b.example"), &answer(&["10.0.0.1"], None));
        let found = names(&pins, "10.0.0.1");
        assert_eq!(found, [name("a.example"), name("b.example")]);
        assert_eq!(names(&pins, "10.0.0.2"), [name("a.example")]);
        assert!(names(&pins, "10.0.0.3").is_empty());
    }

    #[test]
    fn a_name_is_forgotten_when_its_answer_expires() {
        let pins = Pins::default();
        let (began, lives) = (Instant::now(), SHORTEST * 2);
        pins.add(&name("a.example"), &answer(&["10.0.0.1"], Some(lives)));
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
        let pins = Pins::default();
        let began = Instant::now();
        pins.add(
            &name("a.example"),
            &answer(&["10.0.0.1"], Some(Duration::ZERO)),
        );
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
            pins.add(&name("denied.example"), &brief);
        };
        let other = |pins: &Pins| {
            let lasting = answer(&["10.0.0.1"], Some(long));
            pins.add(&name("granted.example"), &lasting);
        };
        for order in [[&short as &dyn Fn(&Pins), &other], [&other, &short]] {
            let (pins, began) = (Pins::default(), Instant::now());
            order.iter().for_each(|add| add(&pins));
            let pinned = pins.of("10.0.0.1".parse().unwrap());
            let denied = pinned.iter().find(|pin| pin.name == name("denied.example"));
            let denied = denied.unwrap();
            assert!(!denied.lends(Instant::now() + SHORTEST));
            assert!(denied.is_valid(began + long - Duration::from_millis(1)));
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let pins = Pins::default();
        for number in 0..u32::try_from(CAPACITY).unwrap() + 10 {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            pins.add(&name("a.example"), &answer(&[&address], None));
        }
        assert_eq!(pins.0.lock().by_address.len(), CAPACITY);
    }

    #[test]
    fn an_address_has_its_latest_names() {
        let pins = Pins::default();
        for number in 0..100 {
            let name = name(&format!("{number}.example"));
            pins.add(&name, &answer(&["10.0.0.1"], None));
        }
        let found = names(&pins, "10.0.0.1");
        assert_eq!(found.len(), NAMES);
        assert_eq!(found.last(), Some(&name("99.example")));
    }

    #[test]
    fn long_chains_of_aliases_are_bounded_by_their_length() {
        let pins = Pins::default();
        let alias = format!("{}.example", ["a"; 100].join("."));
        for number in 0..u32::try_from(CAPACITY).unwrap() {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            let mut answer = answer(&[&address], None);
            answer.chain = vec![name(&alias); 16];
            pins.add(&name("a.example"), &answer);
        }
        let known = pins.0.lock();
        assert!(known.length <= LENGTH && known.length > LENGTH / 2);
        let held = known.by_address.values().map(|pins| length(pins));
        assert_eq!(known.length, held.sum::<usize>());
    }
}
