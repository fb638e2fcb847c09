//! The header fields of a message.

/// Names and values in the order of the message. Names are compared without
/// case.
#[derive(Clone, Debug, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// The values of every field called `name`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_meant = move |(called, _): &&(String, String)| called.eq_ignore_ascii_case(name);
        self.0.iter().filter(is_meant).map(|(_, value)| &**value)
    }

    /// The value of the first field called `name`.
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Whether a list such as `Connection: keep-alive, upgrade` has `token`.
    pub fn lists(&self, name: &str, token: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|listed| listed.trim().eq_ignore_ascii_case(token))
    }

    /// Whether the connection stays open after a message of HTTP/1.`minor`.
    pub(super) fn keep_alive(&self, minor: u8) -> bool {
        match minor {
            0 => self.lists("connection", "keep-alive"),
            _ => !self.lists("connection", "close"),
        }
    }
}

impl From<&[httparse::Header<'_>]> for Headers {
    fn from(parsed: &[httparse::Header<'_>]) -> Self {
        let field = |header: &httparse::Header<'_>| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_owned(), value)
        };
        Self(parsed.iter().map(field).collect())
    }
}
