//! What stands below what, among names and among paths, and what changes
//! alike. It must not know names from paths.

/// Classes of names. Those above come before those below.
#[derive(Debug)]
pub(crate) struct Tree<T>(pub(crate) Vec<Node<T>>);

/// The names that a pattern matches and no pattern below it.
#[derive(Debug)]
pub(crate) struct Node<T> {
    /// The pattern, as grants write it.
    pub(crate) label: String,
    /// The class whose pattern matches these names as well.
    pub(crate) parent: Option<usize>,
    /// One of the names; none where there is none.
    pub(crate) sample: Option<T>,
}

/// Requests that change alike: all of `items` on all of `ports`, under a name and
/// what is below it but for `excepted`.
#[derive(Debug)]
pub(crate) struct Block<V> {
    pub(crate) value: V,
    pub(crate) node: usize,
    /// The node, and those below that change with it.
    pub(crate) nodes: Vec<usize>,
    /// Those below that do not.
    pub(crate) excepted: Vec<usize>,
    pub(crate) items: Vec<usize>,
    pub(crate) ports: Vec<usize>,
}

/// How requests change: one value for each node, item and port, none where
/// nothing does.
#[derive(Debug)]
pub(crate) struct Cells<V> {
    items: usize,
    ports: usize,
    values: Vec<Option<V>>,
}

impl<V> Cells<V> {
    pub(crate) fn new(nodes: usize, items: usize, ports: usize) -> Self {
        Self {
            items,
            ports,
            values: (0..nodes * items * ports).map(|_| None).collect(),
        }
    }

    pub(crate) fn at(&self, (node, item, port): Place) -> Option<&V> {
        self.values.get(self.index((node, item, port)))?.as_ref()
    }

    pub(crate) fn set(&mut self, place: Place, value: Option<V>) {
        let index = self.index(place);
        if let Some(cell) = self.values.get_mut(index) {
            *cell = value;
        }
    }

    fn index(&self, (node, item, port): Place) -> usize {
        (node * self.items + item) * self.ports + port
    }
}

/// A node, an item and a port.
pub(crate) type Place = (usize, usize, usize);

impl<T> Tree<T> {
    /// The blocks that make up the cells. Each cell is in one.
    pub(crate) fn blocks<V: Clone + PartialEq>(&self, mut cells: Cells<V>) -> Vec<Block<V>> {
        let mut blocks = Vec::new();
        for node in 0..self.0.len() {
            while let Some(value) = cells.first(node) {
                for (items, ports) in cells.rectangles(node, &value) {
                    let mut block = Block {
                        value: value.clone(),
                        node,
                        nodes: vec![node],
                        excepted: Vec::new(),
                        items,
                        ports,
                    };
                    self.descend(&mut block, &cells);
                    cells.clear(&block);
                    blocks.push(block);
                }
            }
        }
        blocks
    }

    /// Finds what below the block's node is in it, and what is not.
    fn descend<V: PartialEq>(&self, block: &mut Block<V>, cells: &Cells<V>) {
        for (below, node) in self.0.iter().enumerate() {
            // Where there is no name, nothing keeps it from being in the block.
            if node.sample.is_none() || !self.is_below(below, |above| above == block.node) {
                continue;
            }
            if self.is_below(below, |above| block.excepted.contains(&above)) {
                continue;
            }
            let is_alike = |place| cells.at(place) == Some(&block.value);
            if block.places(below).all(is_alike) {
                block.nodes.push(below);
            } else {
                block.excepted.push(below);
            }
        }
    }

    fn is_below(&self, node: usize, is_above: impl Fn(usize) -> bool) -> bool {
        let mut at = node;
        while let Some(parent) = self.0.get(at).and_then(|node| node.parent) {
            if is_above(parent) {
                return true;
            }
            at = parent;
        }
        false
    }

    pub(crate) fn label(&self, node: usize) -> &str {
        self.0.get(node).map_or("", |node| &node.label)
    }

    pub(crate) fn sample(&self, node: usize) -> Option<&T> {
        self.0.get(node)?.sample.as_ref()
    }
}

impl<V> Block<V> {
    fn places(&self, node: usize) -> impl Iterator<Item = Place> {
        let ports = &self.ports;
        let items = self.items.iter();
        items.flat_map(move |item| ports.iter().map(move |port| (node, *item, *port)))
    }
}

impl<V: Clone + PartialEq> Cells<V> {
    fn first(&self, node: usize) -> Option<V> {
        let width = self.items * self.ports;
        let row = self.values.get(node * width..(node + 1) * width)?;
        row.iter().flatten().next().cloned()
    }

    /// The fewest of two ways to make up the cells of the value: items with the
    /// same ports, or ports with the same items.
    fn rectangles(&self, node: usize, value: &V) -> Vec<(Vec<usize>, Vec<usize>)> {
        let is_it = |item, port| self.at((node, item, port)) == Some(value);
        let by_item = alike((0..self.items).map(|item| {
            let ports = (0..self.ports).filter(|port| is_it(item, *port));
            (item, ports.collect())
        }));
        let by_port = alike((0..self.ports).map(|port| {
            let items = (0..self.items).filter(|item| is_it(*item, port));
            (port, items.collect())
        }));
        if by_port.len() < by_item.len() {
            return by_port
                .into_iter()
                .map(|(ports, items)| (items, ports))
                .collect();
        }
        by_item
    }

    fn clear(&mut self, block: &Block<V>) {
        for node in &block.nodes {
            for place in block.places(*node) {
                self.set(place, None);
            }
        }
    }
}

/// Puts those together that have the same; those that have nothing are left out.
fn alike(all: impl Iterator<Item = (usize, Vec<usize>)>) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut groups: Vec<(Vec<usize>, Vec<usize>)> = Vec::new();
    for (one, has) in all.filter(|(_, has)| !has.is_empty()) {
        match groups.iter_mut().find(|(_, same)| *same == has) {
            Some((group, _)) => group.push(one),
            None => groups.push((vec![one], has)),
        }
    }
    groups
}
