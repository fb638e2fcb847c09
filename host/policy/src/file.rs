//! Policy files: TOML that is read with the places of its parts. It must not
//! pass over anything that it does not know.

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::builder::PolicyBuilder;
use crate::diagnostic::{Diagnostic, Position};
use crate::quoted::Quoted;
use crate::socket_grant::Role;
use crate::suggestion::did_you_mean;
use crate::{Canonical, GrantError, Host, Name};

/// Adds all that a file says to the builder, and all that is wrong with it.
pub(crate) fn read(builder: &mut PolicyBuilder, place: &str, text: &str) {
    let mut file = File {
        builder,
        text,
        mistakes: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let start = error.span().map_or(text.len(), |span| span.start);
        file.mistake(start, error.message(), None);
    }
    // What a broken document seems to say is not worth a second complaint.
    if errors.is_empty() {
        file.document(document.get_ref());
    }
    let mut mistakes = file.mistakes;
    mistakes.sort_by_key(|mistake| mistake.start);
    let diagnostics = mistakes.into_iter().map(|mistake| Diagnostic {
        place: place.to_owned(),
        position: Some(position(text, mistake.start)),
        reason: mistake.reason,
        hint: mistake.hint,
    });
    builder.diagnostics.extend(diagnostics);
}

struct File<'a> {
    builder: &'a mut PolicyBuilder,
    text: &'a str,
    mistakes: Vec<Mistake>,
}

struct Mistake {
    start: usize,
    reason: String,
    hint: Option<String>,
}

const KEYS: [&str; 5] = ["allow", "deny", "host-name", "hosts", "version"];

impl File<'_> {
    fn document(&mut self, table: &DeTable<'_>) {
        if !table.contains_key("version") {
            let hint = "start the file with `version = 1`";
            self.mistake(0, "`version` is missing", Some(hint.into()));
        }
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "allow" => self.grants(Role::Allow, "allow", value),
                "deny" => self.grants(Role::Deny, "deny", value),
                "host-name" => self.host_name(value),
                "hosts" => self.hosts(value),
                "version" => self.version(value),
                unknown => self.unknown_key(unknown, key.span()),
            }
        }
    }

    fn version(&mut self, value: &Spanned<DeValue<'_>>) {
        let is_one = value
            .get_ref()
            .as_integer()
            .is_some_and(|number| u64::from_str_radix(number.as_str(), number.radix()) == Ok(1));
        if !is_one {
            let hint = "this version of Portcullis reads `version = 1`";
            self.mistake(
                value.span().start,
                "unknown version of the policy format",
                Some(hint.into()),
            );
        }
    }

    fn grants(&mut self, role: Role, key: &str, value: &Spanned<DeValue<'_>>) {
        let shape = format!("`{key}` is a list of strings");
        for (text, span) in self.strings(&shape, value) {
            if let Err(error) = self.builder.add(role, text) {
                let GrantError {
                    offset,
                    len: _,
                    reason,
                    hint,
                } = error;
                self.mistake_in(text, span, offset, reason, hint);
            }
        }
    }

    fn host_name(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type("`host-name` is a string", value);
        };
        match Name::parse(text) {
            Ok(name) => self.builder.host_name = Some(name),
            Err(error) => self.mistake_in(text, value.span(), 0, error.to_string(), None),
        }
    }

    fn hosts(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.wrong_type("`hosts` is a table of names", value);
        };
        for (key, addresses) in table {
            self.host(key, addresses);
        }
    }

    fn host(&mut self, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let name = match Name::parse(key.get_ref()) {
            Ok(name) => name,
            Err(error) => {
                return self.mistake_in(key.get_ref(), key.span(), 0, error.to_string(), None);
            }
        };
        if let DeValue::Table(_) = value.get_ref() {
            let shape = "a host is a list of addresses, as strings";
            let hint = "a name with dots stands in quotes".to_owned();
            return self.mistake(value.span().start, shape, Some(hint));
        }
        let mut found = Vec::new();
        for (text, span) in self.strings("a host is a list of addresses, as strings", value) {
            match Host::parse(text) {
                Ok(Host::Address(address)) => found.push(address.into_canonical()),
                Ok(Host::Name(_)) | Err(_) => {
                    let reason = format!("`{}` is not an IP address", Quoted(text));
                    self.mistake_in(text, span, 0, reason, misplaced(key.get_ref()));
                }
            }
        }
        self.add_host(name, found);
    }

    fn add_host(&mut self, name: Name, addresses: Vec<IpAddr>) {
        let known = self.builder.hosts.entry(name).or_default();
        for address in addresses {
            if !known.contains(&address) {
                known.push(address);
            }
        }
    }

    /// The strings of a list, with their places. What is not a string is a
    /// mistake.
    fn strings<'t>(
        &mut self,
        shape: &str,
        value: &'t Spanned<DeValue<'_>>,
    ) -> Vec<(&'t str, Range<usize>)> {
        let DeValue::Array(list) = value.get_ref() else {
            self.wrong_type(shape, value);
            return Vec::new();
        };
        let mut strings = Vec::with_capacity(list.len());
        for item in list.iter() {
            match item.get_ref().as_str() {
                Some(text) => strings.push((text, item.span())),
                None => self.wrong_type(shape, item),
            }
        }
        strings
    }

    fn unknown_key(&mut self, key: &str, span: Range<usize>) {
        let hint = match key {
            "limits" => Some("limits are not supported yet".to_owned()),
            _ => did_you_mean(key, &KEYS),
        };
        self.mistake(span.start, format!("unknown key `{}`", Quoted(key)), hint);
    }

    fn wrong_type(&mut self, shape: &str, value: &Spanned<DeValue<'_>>) {
        self.mistake(value.span().start, shape, None);
    }

    /// A mistake inside a string: at its place if the string is written as it
    /// reads, or else where the string starts.
    fn mistake_in(
        &mut self,
        content: &str,
        span: Range<usize>,
        offset: usize,
        reason: String,
        hint: Option<String>,
    ) {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let before = match written.strip_suffix(['"', '\'']) {
            Some(quoted) if quoted.get(1..) == Some(content) => 1 + offset,
            Some(_) | None => 0,
        };
        self.mistake(span.start + before, reason, hint);
    }

    fn mistake(&mut self, start: usize, reason: impl Into<String>, hint: Option<String>) {
        self.mistakes.push(Mistake {
            start,
            reason: reason.into(),
            hint,
        });
    }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
    }
}

/// The hint, if what stands among the hosts is a key of the file: in TOML
/// everything behind `[hosts]` is a host.
fn misplaced(key: &str) -> Option<String> {
    KEYS.contains(&key)
        .then(|| format!("in TOML, `{key}` stands before `[hosts]`"))
}
