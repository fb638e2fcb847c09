//! Sizes, rates and durations as people write them. It must not round: what is
//! printed reads as the same.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use crate::quoted::Quoted;

/// Why a text is no quantity, and what to write instead.
#[derive(Debug)]
pub(crate) struct QuantityError {
    pub(crate) reason: String,
    pub(crate) hint: Option<String>,
}

impl QuantityError {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: Some(hint.into()),
        }
    }
}

/// Reads a number of bytes: `1 GiB`, `10 MB`.
pub(crate) fn bytes(text: &str) -> Result<u64, QuantityError> {
    check_sign(text)?;
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
    if is_of_bits(unit) {
        return Err(QuantityError::new(
            format!("`{}` counts bits", Quoted(unit)),
            "what is limited is bytes: write for example `10 MB`",
        ));
    }
    let number = text.trim_end_matches([' ', 'B']);
    match text.parse() {
        Ok(ByteSize(0)) => Err(zero()),
        // It stops there instead of telling that it cannot count so far.
        Ok(ByteSize(u64::MAX)) if number.parse::<u64>().is_err() => Err(too_large()),
        Ok(ByteSize(bytes)) => Ok(bytes),
        Err(_) if is_whole(text) => Err(too_large()),
        Err(_) => Err(QuantityError::new(
            format!("`{}` is not a size", Quoted(text)),
            "write for example `1 GiB`, `10 MB` or a number of bytes",
        )),
    }
}

/// Reads a number of bytes a second: `10 MiB/s`.
pub(crate) fn bytes_a_second(text: &str) -> Result<u64, QuantityError> {
    check_sign(text)?;
    if let Some(size) = text.strip_suffix("/s") {
        return bytes(size);
    }
    let error = |hint| {
        let reason = format!("`{}` is not a rate", Quoted(text));
        QuantityError::new(reason, hint)
    };
    Err(match bytes(text) {
        Ok(_) => error(format!("did you mean `{}/s`?", Quoted(text))),
        Err(_) => error("write for example `10 MiB/s`".to_owned()),
    })
}

/// Reads a duration: `60s`, `1h 30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, QuantityError> {
    check_sign(text)?;
    match humantime::parse_duration(text) {
        Ok(Duration::ZERO) => Err(zero()),
        Ok(duration) if duration > LONGEST => Err(too_large()),
        Ok(duration) => Ok(duration),
        Err(humantime::DurationError::NumberOverflow) => Err(too_large()),
        Err(_) if is_whole(text) => Err(QuantityError::new(
            format!("`{}` of what?", Quoted(text)),
            format!("did you mean `{}s`?", Quoted(text)),
        )),
        Err(_) => Err(QuantityError::new(
            format!("`{}` is not a duration", Quoted(text)),
            DURATION_HINT,
        )),
    }
}

pub(crate) const DURATION_HINT: &str = "write for example `60s`, `500ms` or `1h 30m`";

/// A limit of zero.
pub(crate) fn zero() -> QuantityError {
    QuantityError::new(
        "a limit is more than zero",
        "what is not to be done at all takes no limit: grant nothing of it",
    )
}

/// A limit below zero.
pub(crate) fn negative() -> QuantityError {
    QuantityError::new(
        "a limit is not negative",
        "what is without limit is left out",
    )
}

/// A limit that no counter reaches.
pub(crate) fn too_large() -> QuantityError {
    QuantityError::new(
        "a limit this large is none",
        "what is without limit is left out",
    )
}

/// A century: what is longer may not be added to the time of a clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

fn check_sign(text: &str) -> Result<(), QuantityError> {
    match text.starts_with('-') {
        true => Err(negative()),
        false => Ok(()),
    }
}

fn is_whole(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a unit is written as one of bits: `Mb`, `Mbit`.
fn is_of_bits(unit: &str) -> bool {
    let unit = unit.strip_suffix("/s").unwrap_or(unit);
    let is_mixed = unit.ends_with('b') && unit.starts_with(|c: char| c.is_ascii_uppercase());
    is_mixed || unit.to_ascii_lowercase().ends_with("bit")
}

/// Shows a number of bytes in its largest unit without a fraction.
pub(crate) struct Bytes(pub(crate) u64);

const UNITS: [(u64, &str); 8] = [
    (bytesize::TIB, "TiB"),
    (bytesize::GIB, "GiB"),
    (bytesize::MIB, "MiB"),
    (bytesize::KIB, "KiB"),
    (bytesize::TB, "TB"),
    (bytesize::GB, "GB"),
    (bytesize::MB, "MB"),
    (bytesize::KB, "kB"),
];

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        match UNITS.iter().find(|(unit, _)| bytes.is_multiple_of(*unit)) {
            Some((unit, name)) => write!(f, "{} {name}", bytes / unit),
            None => write!(f, "{bytes} B"),
        }
    }
}
