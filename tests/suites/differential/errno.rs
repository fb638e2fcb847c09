//! Which error code stands for an error of the OS: as the contract documents
//! it, read from there.

use std::collections::HashMap;
use std::io;
use std::sync::LazyLock;

const CONTRACT: &str = include_str!("../../../wit/types.wit");

/// The error code of an error, in the guest's spelling (`WouldBlock`).
pub(crate) fn code(error: &io::Error) -> String {
    let number = error.raw_os_error().unwrap();
    CODES.get(&number).cloned().unwrap_or("Unknown".to_owned())
}

static CODES: LazyLock<HashMap<i32, String>> = LazyLock::new(|| {
    let (_, codes) = CONTRACT.split_once("enum error-code {").unwrap();
    let (codes, _) = codes.split_once("\n    }").unwrap();
    let mut found = HashMap::new();
    let mut names = Vec::new();
    for line in codes.lines().map(str::trim) {
        if let Some(documentation) = line.strip_prefix("///") {
            names.extend(documentation.split('`').skip(1).step_by(2));
        } else if let Some(code) = line.strip_suffix(',') {
            let numbers = names.drain(..).filter_map(number);
            found.extend(numbers.map(|number| (number, camel_case(code))));
        }
    }
    found
});

fn camel_case(kebab: &str) -> String {
    kebab
        .split('-')
        .flat_map(|word| {
            let (first, rest) = word.split_at(1);
            [first.to_ascii_uppercase(), rest.to_owned()]
        })
        .collect()
}

/// The number of an errno by its name. Whatever else stands between backticks is
/// none: `EAI_` codes, `message`.
fn number(name: &str) -> Option<i32> {
    let known = ERRNOS.iter().find(|(known, _)| *known == name);
    assert!(
        known.is_some() || !name.starts_with('E') || name.starts_with("EAI_"),
        "{name} is not in the table"
    );
    known.map(|(_, number)| *number)
}

macro_rules! errnos {
    ($($name:ident)*) => {
        const ERRNOS: &[(&str, i32)] = &[$((stringify!($name), libc::$name),)*];
    };
}

errnos! {
    EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF ECONNABORTED ECONNREFUSED
    ECONNRESET EDESTADDRREQ EDOM EEXIST EHOSTDOWN EHOSTUNREACH EINPROGRESS EINTR EINVAL EIO EISCONN
    EISDIR ELOOP EMFILE EMSGSIZE ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH ENFILE ENOBUFS ENODEV
    ENOENT ENOMEM ENOPROTOOPT ENOSPC ENOTCONN ENOTDIR ENOTSOCK EOPNOTSUPP EOVERFLOW EPERM EPIPE
    EPROTO EPROTONOSUPPORT EPROTOTYPE ERANGE EROFS ESHUTDOWN ESOCKTNOSUPPORT ETIMEDOUT
    ETOOMANYREFS EWOULDBLOCK
}
