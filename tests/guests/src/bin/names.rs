//! What a guest does with names.

#![expect(clippy::indexing_slicing, reason = "a test guest fails by trapping")]

use std::io::{self, ErrorKind};

use std::net::{IpAddr, SocketAddr};

use portcullis_guest::raw::network::{
    AddressInfo, ResolveFlags, ResolveHints, ReverseFlags, default_network,
};
use portcullis_guest::raw::types::{
    AddressFamily, Error, Ipv4SocketAddress, Service, SocketAddress, SocketType, UnixAddress,
};
use portcullis_guest::{
    ErrorCode, LookupOptions, Network, TcpStream, canonical_name, error_code, fully_qualified_name,
    host_by_address, host_by_name, lookup, protocol_number, reverse_lookup, reverse_lookup_with,
    service_name, service_port,
};
use portcullis_test_guests::behaviours;

behaviours! {
    canonical_name_is_on_the_first,
    families_are_filtered,
    fully_qualified_name_prints,
    host_by_address_prints,
    host_by_name_prints,
    host_name_is_told,
    impossible_hints_are_refused,
    ipv4_is_mapped_where_asked_for,
    lookup_fails_with,
    lookup_prints,
    names_that_are_numbers_are_not_looked_up,
    no_name_is_this_machine,
    resolve_then_connect,
    resolve_then_connect_is_denied,
    reverse_flags_are_followed,
    reverse_prints,
    services_and_protocols_are_known,
    the_builder_asks_what_it_says,
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

/// With the error's code, as the contract spells it.
fn lookup_fails_with(args: &[&str]) -> io::Result<()> {
    let found = resolve(Some(args[0]), None, streams(ResolveFlags::empty()));
    match found.map_err(|error| error.code) {
        Ok(found) => println!("{}", found.len()),
        Err(code) => println!("{code:?}"),
    }
    Ok(())
}

fn show<T>(found: io::Result<T>, text: impl FnOnce(T) -> String) {
    match found {
        Ok(found) => println!("{}", text(found)),
        Err(error) => match error_code(&error) {
            Some(ErrorCode::AccessDenied) => println!("{error}"),
            code => println!("{code:?}"),
        },
    }
}

/// What an address is called, and then where it must be called something.
fn reverse_prints(args: &[&str]) -> io::Result<()> {
    let address: SocketAddr = args[0].parse().map_err(io::Error::other)?;
    let text = |(host, service)| format!("{host} {service}");
    show(reverse_lookup(address), text);
    show(
        reverse_lookup_with(address, ReverseFlags::NAME_REQUIRED),
        text,
    );
    Ok(())
}

/// `gethostbyname`, `gethostbyname_ex`.
fn host_by_name_prints(args: &[&str]) -> io::Result<()> {
    let text = |entry| format!("{entry:?}");
    show(
        host_by_name(args[0]).map(|entry| (entry.name, entry.aliases, entry.addresses)),
        text,
    );
    show(canonical_name(args[0]), |name| name);
    Ok(())
}

/// `gethostbyaddr`.
fn host_by_address_prints(args: &[&str]) -> io::Result<()> {
    let address: IpAddr = args[0].parse().map_err(io::Error::other)?;
    let text = |entry| format!("{entry:?}");
    show(
        host_by_address(address).map(|entry| (entry.name, entry.aliases, entry.addresses)),
        text,
    );
    Ok(())
}

/// `getfqdn`.
fn fully_qualified_name_prints(args: &[&str]) -> io::Result<()> {
    show(fully_qualified_name(args[0]), |name| name);
    Ok(())
}

/// Of 127.0.0.1, which needs no grant.
fn reverse_flags_are_followed(_: &[&str]) -> io::Result<()> {
    let reverse = |port, flags| {
        let address = (127, 0, 0, 1);
        let address = SocketAddress::Ipv4(Ipv4SocketAddress { port, address });
        default_network()
            .reverse(&address, flags)
            .map_err(|error| error.code)
    };
    let is = |host: &str, service: &str| Ok((host.to_owned(), service.to_owned()));
    let none = ReverseFlags::empty();
    assert_eq!(reverse(80, none), is("localhost", "http"));
    assert_eq!(
        reverse(80, ReverseFlags::NUMERIC_HOST),
        is("127.0.0.1", "http")
    );
    assert_eq!(
        reverse(80, ReverseFlags::NUMERIC_SERVICE),
        is("localhost", "80")
    );
    assert_eq!(reverse(514, none), is("localhost", "shell"));
    assert_eq!(
        reverse(514, ReverseFlags::DATAGRAM),
        is("localhost", "syslog")
    );
    assert_eq!(reverse(2, none), is("localhost", "2"));
    let required = ReverseFlags::NAME_REQUIRED;
    assert_eq!(reverse(80, required), is("localhost", "http"));
    let nameless = reverse(80, required | ReverseFlags::NUMERIC_HOST);
    assert_eq!(nameless, Err(ErrorCode::NameNotFound));

    let unix = SocketAddress::Unix(UnixAddress::Path(b"/run/x".to_vec()));
    let unix = default_network()
        .reverse(&unix, none)
        .map_err(|error| error.code);
    assert_eq!(unix, Err(ErrorCode::NameFamilyNotSupported));
    Ok(())
}

fn services_and_protocols_are_known(_: &[&str]) -> io::Result<()> {
    let network = default_network();
    for (name, protocol, port) in [
        ("http", Some("tcp"), 80),
        ("www", None, 80),
        ("domain", Some("udp"), 53),
        ("imap", Some("tcp"), 143),
        ("gopher", Some("tcp"), 70),
    ] {
        assert_eq!(network.service_by_name(name, protocol).ok(), Some(port));
        assert_eq!(service_port(name, protocol)?, port);
    }
    assert_eq!(
        network.service_by_port(80, Some("tcp")).ok().as_deref(),
        Some("http")
    );
    assert_eq!(service_name(119, None)?, "nntp");
    for (name, protocol) in [("http", "udp"), ("http", "sctp"), ("nonesuch", "tcp")] {
        let unknown = network.service_by_name(name, Some(protocol));
        let unknown = unknown.map_err(|error| error.code);
        assert_eq!(
            unknown,
            Err(ErrorCode::NameServiceNotFound),
            "{name}/{protocol}"
        );
    }
    let unknown = network.service_by_port(2, None).map_err(|error| error.code);
    assert_eq!(unknown, Err(ErrorCode::NameServiceNotFound));
    assert_eq!(network.protocol_by_name("icmp").ok(), Some(1));
    assert_eq!(protocol_number("udp")?, 17);
    let unknown = network
        .protocol_by_name("nonesuch")
        .map_err(|error| error.code);
    assert_eq!(unknown, Err(ErrorCode::NameNotFound));
    Ok(())
}

fn the_builder_asks_what_it_says(args: &[&str]) -> io::Result<()> {
    let any = LookupOptions::new();
    let count = |options: LookupOptions| {
        options
            .lookup(Some(args[0]), Some("443"))
            .map(|found| found.len())
    };
    assert_eq!(count(any)?, 4);
    assert_eq!(count(any.family(AddressFamily::Inet))?, 2);
    assert_eq!(count(any.socket_type(SocketType::Datagram))?, 2);
    assert_eq!(count(any.protocol(6))?, 2);
    let mapped = any.family(AddressFamily::Inet6).map_ipv4(true);
    assert_eq!(count(mapped)?, 2);
    assert_eq!(count(mapped.all(true))?, 4);
    assert_eq!(count(mapped.all(true).all(false))?, 2);
    let refused = |options: LookupOptions, service| {
        let found = options.lookup(Some(args[0]), Some(service));
        found.err().as_ref().and_then(error_code)
    };
    assert_eq!(
        refused(any.numeric_host(true), "443"),
        Some(ErrorCode::NameNotFound)
    );
    assert_eq!(
        refused(any.numeric_service(true), "www"),
        Some(ErrorCode::NameNotFound)
    );
    let here = |options: LookupOptions| options.lookup(None, Some("80"));
    let unspecified = here(any.passive(true))?;
    assert!(
        unspecified
            .iter()
            .all(|info| info.address.ip().is_unspecified())
    );
    assert!(
        here(any)?
            .iter()
            .all(|info| info.address.ip().is_loopback())
    );
    let canonical = any.canonical_name(true).lookup(Some(args[0]), None)?;
    assert_eq!(canonical[0].canonical_name.as_deref(), Some(args[0]));
    // Loopback is configured everywhere.
    assert!(!here(any.configured_families(true))?.is_empty());
    Ok(())
}
