//! What changes for sockets that have addresses. It must not decide: the policies
//! do.

use crate::diff::change::{Change, Doing, Effect, Extent};
use crate::diff::space::Space;
use crate::diff::tree::{Block, Cells, Place};
use crate::diff::wording::words;
use crate::diff::{Comparison, Verdicts};
use crate::verb::Verb;

/// What both policies say to the requests at a place.
#[derive(Debug, Default)]
struct Seen {
    /// None where there is no request.
    act: Option<Verdicts>,
    /// By peer.
    peers: Vec<Option<Verdicts>>,
}

/// By verb, what both policies say at each place of a space.
pub(crate) struct Sockets<'a> {
    space: &'a Space,
    seen: Vec<(Verb, Vec<Seen>)>,
}

impl<'a> Sockets<'a> {
    pub(crate) fn new(space: &'a Space, comparison: &Comparison<'_>) -> Self {
        let look = |verb: Verb, place| {
            let act = space.request(verb, place);
            let peers = match verb {
                Verb::Listen => space.peers.len(),
                Verb::Bind | Verb::Connect | Verb::Join => 0,
            };
            let accept = |peer| space.accept(place, peer);
            Seen {
                act: act.map(|request| comparison.verdicts(&request)),
                peers: (0..peers)
                    .map(|peer| accept(peer).map(|request| comparison.verdicts(&request)))
                    .collect(),
            }
        };
        let all = |verb: &Verb| {
            (
                *verb,
                space.places().map(|place| look(*verb, place)).collect(),
            )
        };
        Self {
            space,
            seen: space.verbs.iter().map(all).collect(),
        }
    }

    /// The changes. `any_name` says of a class of ports whether all names may be
    /// looked up for it from now on.
    pub(crate) fn changes(
        &self,
        index: usize,
        effect: Effect,
        any_name: impl Fn(usize) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (verb, seen) in &self.seen {
            for block in self
                .space
                .names
                .tree
                .blocks(self.cells(*verb, seen, effect))
            {
                let any_name =
                    *verb == Verb::Connect && block.ports.iter().all(|port| any_name(*port));
                let settled = |node, item| self.is_settled(seen, effect, &block, node, item);
                let wording = words(self.space, *verb, &block, settled, any_name);
                let Some(sample) = self.sample(*verb, &block) else {
                    continue;
                };
                changes.push(Change {
                    effect,
                    lines: wording.lines,
                    sample,
                    extent: Extent::Socket {
                        space: index,
                        verb: *verb,
                        block,
                        reach: wording.reach,
                        star: wording.star,
                    },
                });
            }
        }
        changes
    }

    fn cells(&self, verb: Verb, seen: &[Seen], effect: Effect) -> Cells<Doing> {
        let space = self.space;
        let (nodes, items, ports) = (
            space.names.tree.0.len(),
            space.items.len(),
            space.ports.len(),
        );
        let mut cells = Cells::new(nodes, items, ports);
        for (place, seen) in space.places().zip(seen) {
            cells.set(place, seen.change(effect));
        }
        match verb {
            Verb::Listen => self.absorb_dual(&mut cells),
            // Whoever may listen may bind: it goes without saying.
            Verb::Bind => {
                let listen = self.seen.iter().find(|(verb, _)| *verb == Verb::Listen);
                let listens = listen.into_iter().flat_map(|(_, seen)| seen);
                for (place, seen) in space.places().zip(listens) {
                    if seen.change(effect).is_some_and(|doing| doing.act) {
                        cells.set(place, None);
                    }
                }
            }
            Verb::Connect | Verb::Join => {}
        }
        cells
    }

    /// What changes for one family changes for the socket that hears both: it goes
    /// without saying.
    fn absorb_dual(&self, cells: &mut Cells<Doing>) {
        let Some(dual) = self.space.items.dual() else {
            return;
        };
        for (node, item, port) in self.space.places() {
            let is_all = self
                .space
                .items
                .items
                .get(item)
                .is_some_and(|item| item.address.is_unspecified());
            let changes = cells.at((node, item, port)).is_some_and(|doing| doing.act);
            if is_all && item != dual && changes {
                cells.set((node, dual, port), None);
            }
        }
    }

    fn is_settled(
        &self,
        seen: &[Seen],
        effect: Effect,
        block: &Block<Doing>,
        node: usize,
        item: usize,
    ) -> bool {
        let width = self.space.ports.len();
        block.ports.iter().all(|port| {
            let index = (node * self.space.items.len() + item) * width + port;
            seen.get(index).is_none_or(|seen| seen.is_settled(effect))
        })
    }

    fn sample(&self, verb: Verb, block: &Block<Doing>) -> Option<crate::AnyRequest> {
        let place: Place = (block.node, *block.items.first()?, *block.ports.first()?);
        if block.value.act {
            return self.space.request(verb, place);
        }
        let peer = block.value.peers.iter().position(|accepted| *accepted)?;
        self.space.accept(place, peer)
    }
}

impl Seen {
    fn change(&self, effect: Effect) -> Option<Doing> {
        let changes = |seen: &Option<Verdicts>| seen.is_some_and(|seen| seen.change(effect));
        let doing = Doing {
            act: changes(&self.act),
            peers: self.peers.iter().map(changes).collect(),
        };
        (doing.act || doing.peers.contains(&true)).then_some(doing)
    }

    fn is_settled(&self, effect: Effect) -> bool {
        let mut all = self.peers.iter().chain([&self.act]).flatten();
        all.all(|seen| seen.is_settled(effect))
    }
}
