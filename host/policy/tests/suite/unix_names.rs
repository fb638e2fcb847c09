//! Names of unix sockets as guests write them.

use portcullis_policy::{UnixName, UnixNameError};

#[track_caller]
fn path(written: &str, canonical: &str) {
    let name = UnixName::path(written.as_bytes()).unwrap();
    assert_eq!(name.as_path(), Some(canonical.as_bytes()));
    assert_eq!(name.as_abstract_name(), None);
    assert!(!name.is_unnamed());
}

#[track_caller]
fn refused(written: &[u8], error: UnixNameError, says: &str) {
    assert_eq!(UnixName::path(written), Err(error));
    assert_eq!(error.to_string(), says);
}

#[test]
fn paths_become_canonical() {
    path("/run/app.sock", "/run/app.sock");
    path("//run///app.sock", "/run/app.sock");
    path("/./run/././app.sock", "/run/app.sock");
    path("/run/..app", "/run/..app");
    path("/run/...", "/run/...");
    path("/run/.app", "/run/.app");
    path("/x", "/x");
}

#[test]
fn paths_that_cannot_be_compared_are_refused() {
    let parent = "a path to a unix socket goes through no `..`";
    refused(b"/run/../etc/x", UnixNameError::Parent, parent);
    refused(b"/..", UnixNameError::Parent, parent);
    refused(b"/run/x/..", UnixNameError::Parent, parent);
    refused(b"/run/../", UnixNameError::Parent, parent);
    let folder = "the path ends like that of a folder";
    refused(b"/", UnixNameError::Folder, folder);
    refused(b"/run/", UnixNameError::Folder, folder);
    refused(b"/run/.", UnixNameError::Folder, folder);
    let relative = "the path is not absolute";
    refused(b"run/x", UnixNameError::Relative, relative);
    refused(b"./x", UnixNameError::Relative, relative);
    refused(b"~/x", UnixNameError::Relative, relative);
    refused(b"/run/\0x", UnixNameError::Nul, "a path holds no NUL");
    refused(b"\0name", UnixNameError::Nul, "a path holds no NUL");
    refused(
        b"",
        UnixNameError::Empty,
        "the name of the unix socket is empty",
    );
}

#[test]
fn names_are_as_long_as_the_system_takes_them() {
    let longest = [b"/".as_slice(), &[b'x'; 106]].concat();
    assert!(UnixName::path(&longest).is_ok());
    assert!(UnixName::abstract_name(&longest).is_ok());
    let longer = [longest.as_slice(), b"x"].concat();
    let says = "the name of a unix socket has at most 107 bytes";
    refused(&longer, UnixNameError::TooLong, says);
    assert_eq!(
        UnixName::abstract_name(&longer),
        Err(UnixNameError::TooLong)
    );
}

#[test]
fn abstract_names_are_bytes() {
    for bytes in [b"app".as_slice(), b"/run/../x/", b"\0\xff", b"*", b"@"] {
        let name = UnixName::abstract_name(bytes).unwrap();
        assert_eq!(name.as_abstract_name(), Some(bytes));
        assert_eq!(name.as_path(), None);
        assert!(!name.is_unnamed());
    }
    assert_eq!(UnixName::abstract_name(b""), Err(UnixNameError::Empty));
}

#[test]
fn a_name_that_the_system_chooses_has_no_bytes() {
    let name = UnixName::unnamed();
    assert!(name.is_unnamed());
    assert_eq!((name.as_path(), name.as_abstract_name()), (None, None));
    assert_eq!(name.to_string(), "@*");
    assert_ne!(name, UnixName::abstract_name(b"*").unwrap());
}

#[test]
fn names_print_as_grants_write_them() {
    let printed = |name: UnixName| name.to_string();
    assert_eq!(printed(UnixName::path(b"/a b/%").unwrap()), "/a%20b/%25");
    assert_eq!(printed(UnixName::path(b"/@a@").unwrap()), "/@a@");
    assert_eq!(printed(UnixName::abstract_name(b"@a@").unwrap()), "@%40a@");
    let debug = format!("{:?}", UnixName::path(b"/run/\x1b").unwrap());
    assert_eq!(debug, "UnixName(/run/%1B)");
}
