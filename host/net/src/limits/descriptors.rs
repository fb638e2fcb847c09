//! The descriptors that the host keeps for itself, so that no guest, nor all of
//! them together, leave it without one for a file or a connection of its own.

use std::os::fd::AsRawFd;

use rustix::process::{Resource, getrlimit};

use super::Limit;

/// Fails where a descriptor is one of the last that the process may have. The OS
/// always gives out the lowest that is free, so its number says how many are
/// taken, whoever took them.
pub(crate) fn check(descriptor: &impl AsRawFd) -> Result<(), Limit> {
    let number = u64::from(descriptor.as_raw_fd().unsigned_abs());
    match usable_descriptors() {
        Some(usable) if number >= usable => Err(Limit::Descriptors(usable)),
        Some(_) | None => Ok(()),
    }
}

/// How many descriptors there may be in all before the host keeps the rest for
/// itself; none where there is no limit.
pub fn usable_descriptors() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile).current?;
    Some(limit - reserve(limit))
}

/// An eighth, but some for certain, and no more than there is use for.
fn reserve(limit: u64) -> u64 {
    (limit / 8).clamp(64, 1024).min(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_a_small_part() {
        for (limit, kept) in [
            (0, 0),
            (64, 32),
            (256, 64),
            (1024, 128),
            (20_000, 1024),
            (u64::MAX, 1024),
        ] {
            assert_eq!(reserve(limit), kept, "of {limit}");
        }
    }
}
