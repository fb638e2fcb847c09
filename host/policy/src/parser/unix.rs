//! Grants about unix sockets: the kind, and the path or abstract name. It must
//! refuse a path that is not written in its canonical form.

use std::sync::Arc;

use crate::fragment::Fragment;
use crate::percent::{Encoded, decoded, is_plain};
use crate::quoted::Quoted;
use crate::unix_grant::UnixGrant;
use crate::unix_name::LONGEST;
use crate::unix_pattern::UnixPattern;
use crate::verb::Verb;
use crate::{Grant, GrantError, UnixKind, UnixName, UnixNameError};

/// The kind of unix socket and its name, if the endpoint is one.
pub(crate) fn endpoint(text: Fragment<'_>) -> Option<(UnixKind, Fragment<'_>)> {
    let (kind, name) = text.split_once(":")?;
    Some((UnixKind::from_keyword(kind.text)?, name))
}

/// Reads a grant from the name on.
pub(crate) fn grant<'a>(
    verb: Verb,
    kind: UnixKind,
    name: Fragment<'a>,
    mut words: impl Iterator<Item = Fragment<'a>>,
) -> Result<Grant, GrantError> {
    let names = pattern(verb, kind, name)?;
    match words.next() {
        Some(more) => Err(out_of_place(more)),
        None => Ok(UnixGrant { verb, kind, names }.into()),
    }
}

fn pattern(verb: Verb, kind: UnixKind, name: Fragment<'_>) -> Result<UnixPattern, GrantError> {
    if let Some(name) = name.strip_prefix("@") {
        return abstract_name(name);
    }
    match name.text {
        "" => Err(name
            .error("the path is missing")
            .hint(format!("write for example `{verb} {kind}:/run/app.sock`"))),
        "*" => Err(name.error("`*` alone is no path").hint(format!(
            "every path is `{kind}:/**`, every abstract name `{kind}:@*`"
        ))),
        _ => path_pattern(kind, name),
    }
}

fn abstract_name(name: Fragment<'_>) -> Result<UnixPattern, GrantError> {
    match name.text {
        "" => Err(name
            .error("the abstract name is missing")
            .hint("every abstract name is `@*`")),
        "*" => Ok(UnixPattern::AnyAbstract),
        _ => UnixName::abstract_name(&bytes(name)?)
            .map(UnixPattern::Exact)
            .map_err(|error| name.error(error.to_string())),
    }
}

fn path_pattern(kind: UnixKind, name: Fragment<'_>) -> Result<UnixPattern, GrantError> {
    if let Some(folder) = name.strip_suffix("/**") {
        return Ok(UnixPattern::Under(folder_path(kind, folder, "/**")?));
    }
    if let Some(folder) = name.strip_suffix("/*") {
        return Ok(UnixPattern::In(folder_path(kind, folder, "/*")?));
    }
    path(kind, name, "").map(UnixPattern::Exact)
}

/// A folder, with what stands behind it. The root is empty.
fn folder_path(kind: UnixKind, folder: Fragment<'_>, stars: &str) -> Result<Arc<[u8]>, GrantError> {
    match folder.text {
        "" => Ok(Arc::default()),
        _ => Ok(path(kind, folder, stars)?
            .as_path()
            .unwrap_or_default()
            .into()),
    }
}

fn path(kind: UnixKind, text: Fragment<'_>, stars: &str) -> Result<UnixName, GrantError> {
    let bytes = bytes(text)?;
    let meant = |stars: &str| {
        let path = simplified(&bytes).filter(|path| !path.is_empty() || !stars.is_empty())?;
        Some(format!("`{kind}:{}{stars}`", Encoded(&path)))
    };
    let did_you_mean = || meant(stars).map(|meant| format!("did you mean {meant}?"));
    let other_form = || text.error("the path is not in its canonical form");
    Err(match UnixName::path(&bytes) {
        Ok(path) if path.as_path() == Some(&bytes) => return Ok(path),
        Ok(_) => other_form().suggest(did_you_mean()),
        Err(UnixNameError::Folder) if !stars.is_empty() => other_form().suggest(did_you_mean()),
        Err(error @ UnixNameError::Folder) => text
            .error(error.to_string())
            .suggest(meant("/*").map(|meant| format!("every path in the folder is {meant}"))),
        Err(error @ UnixNameError::Parent) => text.error(error.to_string()).suggest(did_you_mean()),
        Err(error @ UnixNameError::Relative) => text.error(error.to_string()).hint(format!(
            "write it from the root on, as in `{kind}:/run/app.sock`"
        )),
        Err(error @ (UnixNameError::Empty | UnixNameError::Nul | UnixNameError::TooLong)) => {
            text.error(error.to_string())
        }
    })
}

/// The canonical path that was likely meant, as far as text can tell; none if
/// there cannot be such a socket.
fn simplified(path: &[u8]) -> Option<Vec<u8>> {
    let mut components = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                components.pop();
            }
            _ => components.push(component),
        }
    }
    let path: Vec<u8> = components
        .into_iter()
        .flat_map(|component| [b"/", component].concat())
        .collect();
    (path.len() <= LONGEST && !path.contains(&0)).then_some(path)
}

/// The bytes that a text stands for.
fn bytes(text: Fragment<'_>) -> Result<Vec<u8>, GrantError> {
    let mut bytes = Vec::with_capacity(text.text.len());
    let mut pieces = text.split('%');
    if let Some(first) = pieces.next() {
        bytes.extend_from_slice(plain(first)?);
    }
    for piece in pieces {
        let (byte, rest) = piece
            .split_at(2, 0)
            .and_then(|(digits, rest)| Some((decoded(digits.text)?, rest)))
            .ok_or_else(|| {
                piece
                    .error("two hexadecimal digits follow `%`")
                    .hint("`%` itself is written `%25`")
            })?;
        bytes.push(byte);
        bytes.extend_from_slice(plain(rest)?);
    }
    Ok(bytes)
}

/// A text in which every character stands for itself.
fn plain(text: Fragment<'_>) -> Result<&[u8], GrantError> {
    let foreign = text.find(|c| match u8::try_from(c) {
        Ok(byte) if byte.is_ascii() => !is_plain(byte),
        // Letters of any script, but nothing that hides or turns what is shown.
        Ok(_) | Err(_) => !c.is_alphanumeric(),
    });
    match foreign {
        None => Ok(text.text.as_bytes()),
        Some(star) if star.text == "*" => Err(star
            .error("`*` stands only in `@*`, or at the end of a path in `/*` or `/**`")
            .hint("a star that belongs to a name is written `%2A`")),
        Some(foreign) => Err(foreign
            .error(format!(
                "`{}` does not stand for itself",
                Quoted(foreign.text)
            ))
            .hint(format!(
                "in a path it is written `{}`",
                Encoded(foreign.text.as_bytes())
            ))),
    }
}

fn out_of_place(word: Fragment<'_>) -> GrantError {
    match word.text {
        "from" => word
            .error("`from` goes only with addresses")
            .hint("who may connect to a path, the permissions of its folder say"),
        "in" => word
            .error("`in` goes only with names of hosts")
            .hint("a unix socket needs no bounds: leave `in` out"),
        _ => word
            .error(format!("`{}` has no place in a grant", Quoted(word.text)))
            .hint("a space in a path is written `%20`"),
    }
}
