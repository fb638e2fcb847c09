//! Ports that a set of grants does not tell apart. It must not know what the
//! grants are for.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::ports::Ports;

/// The ports in classes. Each list of ports that they were made from holds all
/// of a class or nothing of it.
#[derive(Debug)]
pub(crate) struct PortClasses(Vec<Vec<RangeInclusive<u16>>>);

impl PortClasses {
    pub(crate) fn new<'a>(lists: impl IntoIterator<Item = &'a Ports>) -> Self {
        let lists: Vec<&[RangeInclusive<u16>]> = lists
            .into_iter()
            .filter_map(|ports| match ports {
                Ports::All => None,
                Ports::List(items) => Some(items.as_slice()),
            })
            .collect();
        // Port 0 is not the neighbour of port 1: it is none.
        let mut starts = vec![0, 1];
        for item in lists.iter().copied().flatten() {
            starts.push(*item.start());
            starts.extend(item.end().checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut classes: Vec<Vec<RangeInclusive<u16>>> = Vec::new();
        let mut known = HashMap::new();
        let ends = starts.iter().skip(1).map(|next| next - 1);
        for (start, end) in starts.iter().copied().zip(ends.chain([u16::MAX])) {
            let held_by: Vec<bool> = lists
                .iter()
                .map(|list| list.iter().any(|item| item.contains(&start)))
                .collect();
            let class = *known.entry((start == 0, held_by)).or_insert(classes.len());
            match classes.get_mut(class) {
                Some(class) => class.push(start..=end),
                None => classes.push(vec![start..=end]),
            }
        }
        Self(classes)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A port of the class.
    pub(crate) fn sample(&self, class: usize) -> u16 {
        let first = self.0.get(class).and_then(|ranges| ranges.first());
        first.map_or(0, |range| *range.start())
    }

    pub(crate) fn class_of(&self, port: u16) -> usize {
        let holds =
            |ranges: &Vec<RangeInclusive<u16>>| ranges.iter().any(|range| range.contains(&port));
        self.0.iter().position(holds).unwrap_or_default()
    }

    /// The ports of some classes.
    pub(crate) fn union(&self, classes: &[usize]) -> Ports {
        if classes.len() == self.0.len() {
            return Ports::All;
        }
        let ranges = classes.iter().filter_map(|class| self.0.get(*class));
        ranges.flatten().cloned().collect()
    }
}
