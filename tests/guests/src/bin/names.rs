//! What a guest does with names.

#![expect(clippy::indexing_slicing, reason = "a test guest fails by trapping")]

use std::io::{self, ErrorKind};

use portcullis_guest::raw::network::{AddressInfo, ResolveFlags, ResolveHints, default_network};
use portcullis_guest::raw::types::{AddressFamily, Error, Service, SocketType};
use portcullis_guest::{ErrorCode, Network, TcpStream, lookup};
use portcullis_test_guests::behaviours;

behaviours! {
    canonical_name_is_on_the_first,
    families_are_filtered,
    host_name_is_told,
    impossible_hints_are_refused,
    ipv4_is_mapped_where_asked_for,
    lookup_prints,
    names_that_are_numbers_are_not_looked_up,
    no_name_is_this_machine,
    resolve_then_connect,
    resolve_then_connect_is_denied,
    types_have_their_protocols,
}

fn hints(
    family: AddressFamily,
    socket_type: Option<SocketType>,
    flags: ResolveFlags,
) -> ResolveHints {
    ResolveHints {
        family,
        socket_type,
        protocol: 0,
        flags,
    }
}

fn streams(flags: ResolveFlags) -> ResolveHints {
    hints(AddressFamily::Unspecified, Some(SocketType::Stream), flags)
}

fn resolve(
    name: Option<&str>,
    service: Option<&str>,
    hints: ResolveHints,
) -> Result<Vec<AddressInfo>, Error> {
    let service = service.map(|name| Service::Name(name.into()));
    default_network().resolve(name, service.as_ref(), hints)
}

#[track_caller]
fn fails(result: Result<Vec<AddressInfo>, Error>, code: ErrorCode) {
    assert_eq!(result.map_err(|error| error.code), Err(code));
}

fn host_name_is_told(args: &[&str]) -> io::Result<()> {
    assert_eq!(Network::default().host_name(), args[0]);
    Ok(())
}

fn lookup_prints(args: &[&str]) -> io::Result<()> {
    match lookup(args[0]) {
        Ok(addresses) => addresses.iter().for_each(|address| println!("{address}")),
        Err(error) => println!("{error}"),
    }
    Ok(())
}

fn families_are_filtered(args: &[&str]) -> io::Result<()> {
    for (family, expected) in [
        (AddressFamily::Inet, 1),
        (AddressFamily::Inet6, 1),
        (AddressFamily::Unspecified, 2),
    ] {
        let stream = Some(SocketType::Stream);
        let found = resolve(
            Some(args[0]),
            None,
            hints(family, stream, ResolveFlags::empty()),
        );
        assert_eq!(found.map(|found| found.len()).ok(), Some(expected));
    }
    let six = hints(AddressFamily::Inet6, None, ResolveFlags::empty());
    fails(
        resolve(Some("127.0.0.1"), None, six),
        ErrorCode::NameFamilyNotSupported,
    );
    let can = hints(AddressFamily::Can, None, ResolveFlags::empty());
    fails(
        resolve(Some(args[0]), None, can),
        ErrorCode::NameFamilyNotSupported,
    );
    Ok(())
}

fn ipv4_is_mapped_where_asked_for(args: &[&str]) -> io::Result<()> {
    let stream = Some(SocketType::Stream);
    let mapped = hints(AddressFamily::Inet6, stream, ResolveFlags::MAP_IPV4);
    assert_eq!(
        resolve(Some("127.0.0.1"), None, mapped)
            .map(|found| found.len())
            .ok(),
        Some(1)
    );
    // There is an IPv6 address, so nothing is mapped; but where all are wanted.
    assert_eq!(
        resolve(Some(args[0]), None, mapped)
            .map(|found| found.len())
            .ok(),
        Some(1)
    );
    let all = hints(
        AddressFamily::Inet6,
        stream,
        ResolveFlags::MAP_IPV4 | ResolveFlags::ALL,
    );
    assert_eq!(
        resolve(Some(args[0]), None, all)
            .map(|found| found.len())
            .ok(),
        Some(2)
    );
    Ok(())
}

fn types_have_their_protocols(args: &[&str]) -> io::Result<()> {
    let any = hints(AddressFamily::Inet, None, ResolveFlags::empty());
    let kinds = |service| {
        let found = resolve(Some(args[0]), service, any).unwrap_or_default();
        found
            .iter()
            .map(|info| (info.socket_type, info.protocol))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        kinds(Some("domain")),
        [(SocketType::Stream, 6), (SocketType::Datagram, 17)]
    );
    assert_eq!(kinds(Some("www")), [(SocketType::Stream, 6)]);
    assert_eq!(kinds(Some("ntp")), [(SocketType::Datagram, 17)]);
    assert_eq!(kinds(Some("443")).len(), 2);
    assert_eq!(kinds(None).len(), 2);
    Ok(())
}

fn canonical_name_is_on_the_first(args: &[&str]) -> io::Result<()> {
    let found =
        resolve(Some(args[0]), None, streams(ResolveFlags::CANONICAL_NAME)).unwrap_or_default();
    let names: Vec<_> = found
        .iter()
        .map(|info| info.canonical_name.as_deref())
        .collect();
    assert_eq!(names, [Some(args[1]), None]);
    Ok(())
}

fn no_name_is_this_machine(_: &[&str]) -> io::Result<()> {
    let addresses = |flags| {
        let found = resolve(None, Some("80"), streams(flags)).unwrap_or_default();
        found
            .iter()
            .map(|info| format!("{:?}", info.address))
            .collect::<Vec<_>>()
    };
    assert_eq!(addresses(ResolveFlags::empty()).len(), 2);
    assert_ne!(
        addresses(ResolveFlags::empty()),
        addresses(ResolveFlags::PASSIVE)
    );
    fails(
        resolve(None, None, streams(ResolveFlags::empty())),
        ErrorCode::NameNotFound,
    );
    Ok(())
}

fn names_that_are_numbers_are_not_looked_up(_: &[&str]) -> io::Result<()> {
    let numeric = streams(ResolveFlags::NUMERIC_HOST);
    assert!(resolve(Some("10.0.0.1"), None, numeric).is_ok());
    assert!(resolve(Some("::1"), None, numeric).is_ok());
    fails(
        resolve(Some("localhost"), None, numeric),
        ErrorCode::NameNotFound,
    );
    for spelling in [
        "0x7f000001",
        "127.1",
        "012.0.0.1",
        "2130706433",
        "",
        "a..b",
        "a b",
    ] {
        fails(
            resolve(Some(spelling), None, streams(ResolveFlags::empty())),
            ErrorCode::NameNotFound,
        );
    }
    Ok(())
}

fn impossible_hints_are_refused(_: &[&str]) -> io::Result<()> {
    let none = ResolveFlags::empty();
    let local = Some("localhost");
    let raw = hints(AddressFamily::Unspecified, Some(SocketType::Raw), none);
    fails(
        resolve(local, None, raw),
        ErrorCode::NameSocketTypeNotSupported,
    );
    let crossed = ResolveHints {
        protocol: 17,
        ..streams(none)
    };
    fails(
        resolve(local, None, crossed),
        ErrorCode::NameSocketTypeNotSupported,
    );
    fails(
        resolve(local, Some("nonesuch"), streams(none)),
        ErrorCode::NameServiceNotFound,
    );
    fails(
        resolve(local, Some("ntp"), streams(none)),
        ErrorCode::NameServiceNotFound,
    );
    fails(
        resolve(local, Some("www"), streams(ResolveFlags::NUMERIC_SERVICE)),
        ErrorCode::NameNotFound,
    );
    fails(
        resolve(None, Some("80"), streams(ResolveFlags::CANONICAL_NAME)),
        ErrorCode::NameBadFlags,
    );
    Ok(())
}

/// By the number that the name leads to, under the name's grant.
fn resolve_then_connect(args: &[&str]) -> io::Result<()> {
    let addresses = lookup(args[0])?;
    TcpStream::connect(addresses[0])?;
    Ok(())
}

/// The name's grant is for another port, or the name may not lead there.
fn resolve_then_connect_is_denied(args: &[&str]) -> io::Result<()> {
    let addresses = lookup(args[0])?;
    let error = TcpStream::connect(addresses[0])
        .map(drop)
        .map_err(|error| error.kind());
    assert_eq!(error, Err(ErrorKind::PermissionDenied));
    Ok(())
}
