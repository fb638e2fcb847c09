//! Ends at once: what it takes is what starting takes.

fn main() {}
