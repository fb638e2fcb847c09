//! Names for what differs from run to run: ports and names that the OS chose,
//! and the folder. Each is called by when it first showed up.

use std::net::SocketAddr;

use portcullis_test_operations::{Case, Outcome, Place};

/// Ports below are nobody's choice but the test's.
const CHOSEN_BY_THE_OS: u16 = 1024;

pub(crate) fn rename(outcomes: Vec<Outcome>, case: &Case) -> Vec<Outcome> {
    let mut names = Names {
        case,
        ports: Vec::new(),
        abstracts: Vec::new(),
    };
    let renamed = outcomes.into_iter().map(|outcome| names.outcome(outcome));
    renamed.collect()
}

struct Names<'a> {
    case: &'a Case,
    ports: Vec<(bool, u16)>,
    abstracts: Vec<Vec<u8>>,
}

impl Names<'_> {
    fn outcome(&mut self, outcome: Outcome) -> Outcome {
        match outcome {
            Outcome::Accepted(place) => Outcome::Accepted(self.place(place)),
            Outcome::Address(place) => Outcome::Address(self.place(place)),
            Outcome::Datagrams(found) => {
                let found = found.into_iter();
                Outcome::Datagrams(
                    found
                        .map(|(data, length, place)| (data, length, self.place(place)))
                        .collect(),
                )
            }
            Outcome::Done
            | Outcome::Error(_)
            | Outcome::NoSocket
            | Outcome::Pending(_)
            | Outcome::Ready(_)
            | Outcome::Received(_)
            | Outcome::Sent(_)
            | Outcome::Timeout(_)
            | Outcome::Value(_) => outcome,
        }
    }

    fn place(&mut self, place: Place) -> Place {
        let case = self.case;
        match place {
            Place::Inet(address) if address.port() >= CHOSEN_BY_THE_OS => self.inet(address),
            Place::Path(path) => match path.strip_prefix(case.folder.as_slice()) {
                Some(rest) => Place::Renamed(format!("…{}", rest.escape_ascii())),
                None => Place::Path(path),
            },
            Place::Abstract(name) => match name.strip_prefix(case.prefix.as_slice()) {
                Some(rest) => Place::Renamed(format!("@…{}", rest.escape_ascii())),
                None => {
                    let number = number(&mut self.abstracts, name);
                    Place::Renamed(format!("@#{number}"))
                }
            },
            Place::Inet(_) | Place::Renamed(_) | Place::Unnamed => place,
        }
    }

    /// The families have ports of their own; the same number may be in use in
    /// both.
    fn inet(&mut self, mut address: SocketAddr) -> Place {
        let is_ipv4 = address.ip().to_canonical().is_ipv4();
        let number = number(&mut self.ports, (is_ipv4, address.port()));
        address.set_port(0);
        Place::Renamed(format!("{address:?} #{number}"))
    }
}

fn number<T: PartialEq>(known: &mut Vec<T>, one: T) -> usize {
    let found = known.iter().position(|other| *other == one);
    found.unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    })
}
