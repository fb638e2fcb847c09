//! Bytes as text that a grant can carry: percent-encoding (RFC 3986, section
//! 2.1). It must not print what a terminal, a shell's single quotes or a TOML
//! string would take for more than itself.

use std::fmt;

/// Shows bytes: printable ASCII as it is, the rest as `%` and two hexadecimal
/// digits. What has a meaning in the grammar or to a shell counts to the rest.
pub(crate) struct Encoded<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            if is_plain(*byte) {
                write!(f, "{}", char::from(*byte))?;
            } else {
                write!(f, "%{byte:02X}")?;
            }
        }
        Ok(())
    }
}

/// Whether a byte stands for itself.
pub(crate) fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%' | b'\'' | b'*' | b',' | b'\\' | b'`')
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn decoded(digits: &str) -> Option<u8> {
    if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}
