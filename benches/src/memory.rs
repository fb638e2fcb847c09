//! How much memory a process has.

use std::fs;

use anyhow::{Context, Result};

/// In bytes. What the kernel keeps for its sockets is not in it.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// Resident.
    pub(crate) rss: u64,
    /// Resident, with what is shared divided by how many share it.
    pub(crate) pss: u64,
}

impl Memory {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let path = format!("/proc/{process}/smaps_rollup");
        let rollup = fs::read_to_string(&path).with_context(|| path.clone())?;
        Self::parse(&rollup).with_context(|| format!("{path} has no Rss or no Pss"))
    }

    fn parse(rollup: &str) -> Option<Self> {
        let field = |name| {
            let value = rollup.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
            Some(kibibytes * 1024)
        };
        Some(Self {
            rss: field("Rss:")?,
            pss: field("Pss:")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_found_in_the_rollup() {
        let rollup = "5-7 ---p 0 0 [rollup]\nRss:      1048 kB\nPss:       17 kB\nPss_Anon: 4 kB\n";
        let memory = Memory::parse(rollup).unwrap();
        assert_eq!((memory.rss, memory.pss), (1048 * 1024, 17 * 1024));
        assert!(Memory::parse("Rss: 1 kB\n").is_none());
    }
}
