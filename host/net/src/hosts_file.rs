//! The hosts file of this machine: the names that it knows without asking.
//!
//! It is the operator's, and as trusted.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use portcullis_policy::Name;

use crate::resolver::Answer;

/// `/etc/hosts`. What it knows of a name is all there is: nobody is asked for
/// the family that it does not have.
#[derive(Debug, Default)]
pub(crate) struct HostsFile {
    lines: Vec<(IpAddr, Vec<Name>)>,
}

impl HostsFile {
    /// Reads the file; a machine without one knows no names.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// An address and its names a line, the first of which is the canonical one
    /// (hosts(5)). What is no address or no name is left out.
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            let line = line.split_once('#').map_or(line, |(line, _)| line);
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            let names = words.filter_map(|word| Name::parse(word).ok()).collect();
            Some((address, names))
        });
        Self {
            lines: lines.collect(),
        }
    }

    /// Where a name leads, if the file has it.
    pub(crate) fn answer(&self, name: &Name) -> Option<Answer> {
        let mut lines = self
            .lines
            .iter()
            .filter(|(_, names)| names.contains(name))
            .peekable();
        let (_, names) = lines.peek()?;
        let canonical = names.first().filter(|canonical| *canonical != name);
        Some(Answer {
            chain: canonical.into_iter().cloned().collect(),
            ..Answer::forever(lines.map(|(address, _)| *address).collect())
        })
    }

    /// The names of an address.
    pub(crate) fn names(&self, address: IpAddr) -> Vec<Name> {
        let lines = self.lines.iter().filter(|(known, _)| *known == address);
        lines.flat_map(|(_, names)| names).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# comment\n\
        10.0.0.5 DB.internal db # the database\n\
        2001:db8::5\tdb.internal\r\n\
        fe80::1%lo0 scoped\n\
        10.0.0.6\n\
        10.0.0.7 not/a/name back\n";

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_name_has_the_addresses_of_all_its_lines() {
        let answer = HostsFile::parse(FILE).answer(&name("db.internal")).unwrap();
        let addresses = ["10.0.0.5", "2001:db8::5"].map(|ip| ip.parse().unwrap());
        assert_eq!(answer, Answer::forever(addresses.to_vec()));
    }

    #[test]
    fn the_first_name_of_a_line_is_the_canonical_one() {
        let answer = HostsFile::parse(FILE).answer(&name("db")).unwrap();
        assert_eq!(answer.chain, [name("db.internal")]);
    }

    #[test]
    fn an_address_has_the_names_of_its_line() {
        let hosts = HostsFile::parse(FILE);
        let names = hosts.names("10.0.0.5".parse().unwrap());
        assert_eq!(names, [name("db.internal"), name("db")]);
        assert_eq!(hosts.names("10.0.0.7".parse().unwrap()), [name("back")]);
        assert!(hosts.names("10.0.0.6".parse().unwrap()).is_empty());
    }

    #[test]
    fn what_the_file_does_not_have_is_for_others_to_say() {
        let hosts = HostsFile::parse(FILE);
        assert_eq!(hosts.answer(&name("scoped")), None);
        assert_eq!(hosts.answer(&name("nobody.example")), None);
    }
}
