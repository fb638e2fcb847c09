//! How much memory compiled grants take at the most, told before they are compiled. It
//! must never say too little: hosts hold guests to it.
//!
//! Each index says for itself what one more grant may take in it; here is what the
//! collections of `std` take.

use std::ops::RangeInclusive;

use crate::Grant;
use crate::grant::Kind;
use crate::name_index::NameIndex;
use crate::name_pattern::NamePattern;
use crate::network_index::NetworkIndex;
use crate::place::Place;
use crate::port_blocks::PortBlocks;
use crate::port_index::PortIndex;
use crate::ports::Ports;
use crate::range::Range;
use crate::socket_grant::{Role, SocketGrant};
use crate::unix_grant::UnixGrant;
use crate::unix_index::UnixIndex;

/// What an allocation takes beside what was asked for.
const ALLOCATION: usize = 32;

/// A list that has grown to so many items.
pub(crate) const fn list<T>(items: usize) -> usize {
    ALLOCATION + size_of::<T>() * if items > 2 { 2 * items } else { 4 }
}

/// Something that is shared, with so many bytes in it.
pub(crate) const fn shared(bytes: usize) -> usize {
    ALLOCATION + 2 * size_of::<usize>() + bytes
}

/// One more entry of a hash table, which may be its first.
pub(crate) const fn entry<K, V>() -> usize {
    // At least three in seven places are taken, and there are at least four.
    let place = size_of::<(K, V)>() + 1;
    ALLOCATION + 16 + 4 * place
}

/// The first entry of a tree: a node has room for eleven.
pub(crate) const fn tree<K, V>() -> usize {
    2 * ALLOCATION + 11 * size_of::<(K, V)>() + 14 * size_of::<usize>()
}

/// One more entry of a tree, whose nodes are at least five elevenths full.
pub(crate) const fn branch<K, V>() -> usize {
    ALLOCATION / 2 + 3 * size_of::<(K, V)>()
}

/// One more allow, in its list and in all indexes.
pub(crate) fn allow(grant: &Grant) -> usize {
    let own = match grant.kind() {
        Kind::Resolve(names) => {
            shared(size_of::<NamePattern>()) + NameIndex::<Option<Place>>::footprint(names)
        }
        Kind::Socket(grant) => socket(grant),
        Kind::Unix(_) => shared(size_of::<UnixGrant>()) + UnixIndex::<Place>::footprint(),
    };
    own + list::<Grant>(1)
}

fn socket(grant: &SocketGrant) -> usize {
    let ports = match &grant.ports {
        Ports::All => 0,
        Ports::List(items) => list::<RangeInclusive<u16>>(items.len()),
    };
    let ranges = [&grant.from, &grant.within].into_iter().flatten();
    let ranges: usize = ranges
        .map(|ranges| list::<Range>(ranges.iter().count()))
        .sum();
    let names = grant.names(Role::Allow);
    let parts = grant.addresses(Role::Allow).map_or(0, Range::parts);
    let hosts = parts + names.iter().count();
    shared(size_of::<SocketGrant>())
        + ports
        + ranges
        + names.map_or(0, NameIndex::<PortIndex>::footprint)
        + parts * NetworkIndex::<PortIndex>::FOOTPRINT
        + hosts * PortIndex::footprint(&grant.ports)
        // That of the grants whatever their hosts.
        + PortBlocks::footprint(&grant.ports)
}
