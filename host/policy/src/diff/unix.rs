//! What changes for unix sockets. It must not decide: the policies do.

use crate::diff::Comparison;
use crate::diff::change::{Change, Effect, Extent};
use crate::diff::paths::PathClasses;
use crate::diff::tree::Cells;
use crate::diff::wording::except;
use crate::grant::Kind;
use crate::verb::Verb;
use crate::{AnyRequest, BindUnix, ConnectUnix, Grant, ListenUnix, UnixKind, UnixName};

/// Requests to act on unix sockets of one kind.
#[derive(Debug)]
pub(crate) struct UnixSpace {
    pub(crate) kind: UnixKind,
    pub(crate) paths: PathClasses,
}

/// Listening comes before binding, which it covers.
const VERBS: [Verb; 3] = [Verb::Connect, Verb::Listen, Verb::Bind];

impl UnixSpace {
    pub(crate) fn new<'a>(kind: UnixKind, lines: impl Iterator<Item = &'a Grant>) -> Self {
        let patterns = lines.filter_map(|line| match line.kind() {
            Kind::Unix(grant) if grant.kind == kind => Some(&grant.names),
            Kind::Unix(_) | Kind::Resolve(_) | Kind::Socket(_) => None,
        });
        Self {
            kind,
            paths: PathClasses::new(patterns),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.paths.tree.0.len() * VERBS.len()
    }

    fn request(&self, verb: Verb, name: &UnixName) -> Option<AnyRequest> {
        let (kind, name) = (self.kind, name.clone());
        match verb {
            Verb::Bind => Some(AnyRequest::BindUnix(BindUnix::new(kind, name))),
            Verb::Connect => Some(AnyRequest::ConnectUnix(ConnectUnix::new(kind, name))),
            Verb::Listen => Some(AnyRequest::ListenUnix(ListenUnix::new(kind, name))),
            Verb::Join => None,
        }
    }

    pub(crate) fn changes(
        &self,
        space: usize,
        effect: Effect,
        comparison: &Comparison<'_>,
    ) -> Vec<Change> {
        let nodes = self.paths.tree.0.len();
        let mut changes = Vec::new();
        let mut listening = vec![false; nodes];
        for verb in VERBS {
            let mut cells = Cells::new(nodes, 1, 1);
            let mut settled = vec![false; nodes];
            for node in 0..nodes {
                let Some(request) = self
                    .paths
                    .tree
                    .sample(node)
                    .and_then(|name| self.request(verb, name))
                else {
                    continue;
                };
                let verdicts = comparison.verdicts(&request);
                let (does_change, is_settled) =
                    (verdicts.change(effect), verdicts.is_settled(effect));
                if let Some(settled) = settled.get_mut(node) {
                    *settled = is_settled;
                }
                if let (Verb::Listen, Some(listening)) = (verb, listening.get_mut(node)) {
                    *listening = does_change;
                }
                let covered = verb == Verb::Bind && listening.get(node) == Some(&true);
                if does_change && !covered {
                    cells.set((node, 0, 0), Some(()));
                }
            }
            for block in self.paths.tree.blocks(cells) {
                let excepted: Vec<usize> = (block.excepted.iter().copied())
                    .filter(|node| settled.get(*node) != Some(&true))
                    .collect();
                let sample = self.paths.tree.sample(block.node);
                let Some(sample) = sample.and_then(|name| self.request(verb, name)) else {
                    continue;
                };
                let (kind, label) = (self.kind, self.paths.tree.label(block.node));
                let excepted = except(&self.paths.tree, &excepted);
                changes.push(Change {
                    effect,
                    lines: vec![format!("{verb} {kind}:{label}{excepted}")],
                    sample,
                    extent: Extent::Unix { space, verb, block },
                });
            }
        }
        changes
    }
}
