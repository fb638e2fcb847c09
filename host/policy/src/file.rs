//! Policy files: TOML that is read with the places of its parts. It must not
//! pass over anything that it does not know.

mod limits;

use std::net::IpAddr;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::draft::Draft;
use crate::fragment::Fragment;
use crate::limits::KEYS as LIMITS;
use crate::quoted::Quoted;
use crate::socket_grant::Role;
use crate::suggestion::did_you_mean;
use crate::{Canonical, GrantError, Host, Name};

/// A mistake in the text of a file.
#[derive(Debug)]
pub(crate) struct Mistake {
    /// Which part of the text it is about; an empty one where something is
    /// missing.
    pub(crate) span: Range<usize>,
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
}

/// Adds all that a file says to the draft, and tells all that is wrong with it,
/// in order.
pub(crate) fn read(draft: &mut Draft, text: &str) -> Vec<Mistake> {
    let mut file = File {
        draft,
        text,
        mistakes: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        file.mistake(Mistake {
            span: error.span().unwrap_or(text.len()..text.len()),
            reason: error.message().to_owned(),
            hint: None,
        });
    }
    // What a broken document seems to say is not worth a second complaint.
    if errors.is_empty() {
        file.document(document.get_ref());
    }
    let mut mistakes = file.mistakes;
    mistakes.sort_by_key(|mistake| mistake.span.start);
    mistakes
}

struct File<'a> {
    draft: &'a mut Draft,
    text: &'a str,
    mistakes: Vec<Mistake>,
}

const KEYS: [&str; 6] = ["allow", "deny", "host-name", "hosts", "limits", "version"];

impl File<'_> {
    fn document(&mut self, table: &DeTable<'_>) {
        if !table.contains_key("version") {
            self.mistake(Mistake {
                span: 0..0,
                reason: "`version` is missing".to_owned(),
                hint: Some("start the file with `version = 1`".to_owned()),
            });
        }
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "allow" => self.grants(Role::Allow, "allow", value),
                "deny" => self.grants(Role::Deny, "deny", value),
                "host-name" => self.host_name(value),
                "hosts" => self.hosts(value),
                "limits" => self.limits(value),
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
            self.mistake(Mistake {
                span: value.span(),
                reason: "unknown version of the policy format".to_owned(),
                hint: Some("this version of Portcullis reads `version = 1`".to_owned()),
            });
        }
    }

    fn grants(&mut self, role: Role, key: &str, value: &Spanned<DeValue<'_>>) {
        let shape = format!("`{key}` is a list of strings");
        for (text, span) in self.strings(&shape, value) {
            if let Err(error) = self.draft.add(role, text) {
                self.mistake_in(text, span, error);
            }
        }
    }

    fn host_name(&mut self, value: &Spanned<DeValue<'_>>) {
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type("`host-name` is a string", value);
        };
        match Name::parse(text) {
            Ok(name) => self.draft.host_name = Some(name),
            Err(error) => self.mistake_in(
                text,
                value.span(),
                Fragment::whole(text).error(error.to_string()),
            ),
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
                let error = Fragment::whole(key.get_ref()).error(error.to_string());
                return self.mistake_in(key.get_ref(), key.span(), error);
            }
        };
        if name.is_localhost() {
            return self.mistake(Mistake {
                span: key.span(),
                reason: "`localhost` is always loopback".to_owned(),
                hint: Some("leave it out, or give the host another name".to_owned()),
            });
        }
        if let DeValue::Table(_) = value.get_ref() {
            return self.mistake(Mistake {
                span: value.span(),
                reason: "a host is a list of addresses, as strings".to_owned(),
                hint: Some("a name with dots stands in quotes".to_owned()),
            });
        }
        let mut found = Vec::new();
        for (text, span) in self.strings("a host is a list of addresses, as strings", value) {
            match Host::parse(text) {
                Ok(Host::Address(address)) => found.push(address.into_canonical()),
                Ok(Host::Name(_)) | Err(_) => {
                    let error = Fragment::whole(text)
                        .error(format!("`{}` is not an IP address", Quoted(text)))
                        .suggest(misplaced(key.get_ref(), "hosts"));
                    self.mistake_in(text, span, error);
                }
            }
        }
        self.add_host(name, found);
    }

    fn add_host(&mut self, name: Name, addresses: Vec<IpAddr>) {
        let known = self.draft.hosts.entry(name).or_default();
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
        let hint = match LIMITS.contains(&key) {
            true => Some(format!("`{key}` stands in `[limits]`")),
            false => did_you_mean(key, &KEYS),
        };
        self.mistake(Mistake {
            span,
            reason: format!("unknown key `{}`", Quoted(key)),
            hint,
        });
    }

    fn wrong_type(&mut self, shape: &str, value: &Spanned<DeValue<'_>>) {
        self.mistake(Mistake {
            span: value.span(),
            reason: shape.to_owned(),
            hint: None,
        });
    }

    /// A mistake inside a string: at its place if the string is written as it
    /// reads, or else all of the string.
    fn mistake_in(&mut self, content: &str, span: Range<usize>, error: GrantError) {
        let written = self.text.get(span.clone()).unwrap_or_default();
        let opened = match written.strip_suffix(['"', '\'']) {
            Some(quoted) if quoted.get(1..) == Some(content) => Some(1),
            Some(_) => None,
            // A key may stand without quotes.
            None => (written == content).then_some(0),
        };
        let span = match opened {
            Some(quote) => {
                let start = span.start + quote + error.offset;
                start..start + error.len
            }
            None => span,
        };
        self.mistake(Mistake {
            span,
            reason: error.reason,
            hint: error.hint,
        });
    }

    fn mistake(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }
}

/// The hint, if what stands in a table is a key of the file: in TOML everything
/// behind `[hosts]` is a host.
fn misplaced(key: &str, table: &str) -> Option<String> {
    KEYS.contains(&key)
        .then(|| format!("in TOML, `{key}` stands before `[{table}]`"))
}
