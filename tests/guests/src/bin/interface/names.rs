//! Chapter "Names" and "Addresses".

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use portcullis_guest::{
    AddressInfo, ErrorCode, Family, LookupOptions, Network, ReverseFlags, SockAddr, Socket,
    SocketType, TcpListener, TcpStream, UnixAddr, UnixDatagram, UnixListener, UnixStream,
    canonical_name, fully_qualified_name, host_by_address, host_by_name, protocol_number,
    reverse_lookup, reverse_lookup_with, service_name, service_port,
};
use portcullis_test_guests::failure;

fn streams() -> LookupOptions {
    LookupOptions::new().socket_type(SocketType::Stream)
}

fn addresses(found: &[AddressInfo]) -> Vec<String> {
    found.iter().map(|info| info.address.to_string()).collect()
}

pub(super) fn gethostname(args: &[&str]) -> io::Result<()> {
    let name = Network::default().host_name();
    assert_eq!(name, args[0]);
    let listener = TcpListener::bind((name, 0))?;
    println!("{}", listener.local_addr()?);
    listener.accept()?;
    Ok(())
}

/// `both.example` has an address of each family.
pub(super) fn getaddrinfo(args: &[&str]) -> io::Result<()> {
    let found = LookupOptions::new().lookup(Some(args[0]), Some("80"))?;
    let kinds = [(SocketType::Stream, 6), (SocketType::Datagram, 17)];
    let mut expected = Vec::new();
    for address in ["[2001:db8::1]:80", "192.0.2.1:80"] {
        for (socket_type, protocol) in kinds {
            expected.push((socket_type, protocol, address.to_owned()));
        }
    }
    let found: Vec<_> = found
        .iter()
        .map(|info| {
            assert_eq!(info.canonical_name, None);
            (info.socket_type, info.protocol, info.address.to_string())
        })
        .collect();
    assert_eq!(found, expected);
    // One family, one type, one protocol.
    let inet = LookupOptions::new().family(Family::Inet).protocol(17);
    let found = inet.lookup(Some(args[0]), None)?;
    assert_eq!(addresses(&found), ["192.0.2.1:0"]);
    assert_eq!(found[0].socket_type, SocketType::Datagram);
    Ok(())
}

/// None, the empty text and numbers in place of a name.
pub(super) fn getaddrinfo_host(_: &[&str]) -> io::Result<()> {
    let loopback = streams().lookup(None, Some("80"))?;
    assert_eq!(addresses(&loopback), ["[::1]:80", "127.0.0.1:80"]);
    let number = streams().lookup(Some("192.0.2.9"), Some("80"))?;
    assert_eq!(addresses(&number), ["192.0.2.9:80"]);
    let number = streams().lookup(Some("::2"), None)?;
    assert_eq!(addresses(&number), ["[::2]:0"]);
    for nothing in ["", "a..b", "127.1", "0x7f000001", "-"] {
        let found = streams().lookup(Some(nothing), Some("80"));
        assert_eq!(failure(found), ErrorCode::NameNotFound, "{nothing:?}");
    }
    assert_eq!(
        failure(streams().lookup(None, None)),
        ErrorCode::NameNotFound
    );
    Ok(())
}

/// A number, a service, or none.
pub(super) fn getaddrinfo_port(_: &[&str]) -> io::Result<()> {
    for (service, port) in [
        (Some("8080"), 8080),
        (Some("http"), 80),
        (Some("www"), 80),
        (None, 0),
    ] {
        let found = streams().lookup(Some("192.0.2.9"), service)?;
        assert_eq!(found[0].address.port(), port, "{service:?}");
    }
    let unknown = streams().lookup(Some("192.0.2.9"), Some("no-such-service"));
    assert_eq!(failure(unknown), ErrorCode::NameServiceNotFound);
    let datagrams = LookupOptions::new().socket_type(SocketType::Datagram);
    let not_of_udp = datagrams.lookup(Some("192.0.2.9"), Some("smtp"));
    assert_eq!(failure(not_of_udp), ErrorCode::NameServiceNotFound);
    // Of either type, those count for which the service is.
    let smtp = LookupOptions::new().lookup(Some("192.0.2.9"), Some("smtp"))?;
    assert_eq!(smtp.len(), 1);
    let packets = LookupOptions::new().socket_type(SocketType::Seqpacket);
    assert_eq!(
        failure(packets.lookup(Some("192.0.2.9"), None)),
        ErrorCode::NameSocketTypeNotSupported
    );
    Ok(())
}

pub(super) fn getaddrinfo_ai_passive(_: &[&str]) -> io::Result<()> {
    let found = streams().passive(true).lookup(None, Some("80"))?;
    assert_eq!(addresses(&found), ["0.0.0.0:80", "[::]:80"]);
    let inet = streams().passive(true).family(Family::Inet6);
    assert_eq!(addresses(&inet.lookup(None, Some("80"))?), ["[::]:80"]);
    // With a name, it says nothing.
    let named = streams().passive(true).lookup(Some("192.0.2.9"), None)?;
    assert_eq!(addresses(&named), ["192.0.2.9:0"]);
    Ok(())
}

pub(super) fn getaddrinfo_ai_numerichost(args: &[&str]) -> io::Result<()> {
    let numeric = streams().numeric_host(true);
    let found = numeric.lookup(Some("192.0.2.9"), None)?;
    assert_eq!(addresses(&found), ["192.0.2.9:0"]);
    // Nobody is asked, although it could be.
    let named = numeric.lookup(Some(args[0]), None);
    assert_eq!(failure(named), ErrorCode::NameNotFound);
    Ok(())
}

pub(super) fn getaddrinfo_ai_numericserv(_: &[&str]) -> io::Result<()> {
    let numeric = streams().numeric_service(true);
    let found = numeric.lookup(Some("192.0.2.9"), Some("80"))?;
    assert_eq!(addresses(&found), ["192.0.2.9:80"]);
    let named = numeric.lookup(Some("192.0.2.9"), Some("http"));
    assert_eq!(failure(named), ErrorCode::NameNotFound);
    Ok(())
}

pub(super) fn getaddrinfo_ai_canonname(args: &[&str]) -> io::Result<()> {
    let found = LookupOptions::new()
        .canonical_name(true)
        .lookup(Some(args[0]), None)?;
    let names: Vec<_> = found
        .iter()
        .map(|info| info.canonical_name.as_deref())
        .collect();
    assert_eq!(names[0], Some(args[1]));
    assert!(names.len() > 1 && names[1..].iter().all(Option::is_none));
    assert_eq!(canonical_name(args[0])?, args[1]);
    let nobody = streams().canonical_name(true).lookup(None, Some("80"));
    assert_eq!(failure(nobody), ErrorCode::NameBadFlags);
    Ok(())
}

/// This machine has both families, so nothing is left out.
pub(super) fn getaddrinfo_ai_addrconfig(args: &[&str]) -> io::Result<()> {
    let found = streams()
        .configured_families(true)
        .lookup(Some(args[0]), Some("80"))?;
    println!("{}", addresses(&found).join(" "));
    Ok(())
}

pub(super) fn getaddrinfo_ai_v4mapped(args: &[&str]) -> io::Result<()> {
    let six = streams().family(Family::Inet6);
    let without = six.lookup(Some("192.0.2.9"), None);
    assert_eq!(failure(without), ErrorCode::NameFamilyNotSupported);
    let mapped = six.map_ipv4(true);
    let found = mapped.lookup(Some("192.0.2.9"), None)?;
    assert_eq!(addresses(&found), ["[::ffff:192.0.2.9]:0"]);
    let found = mapped.lookup(Some(args[0]), None)?;
    assert_eq!(addresses(&found), ["[2001:db8::1]:0"], "there is one");
    Ok(())
}

pub(super) fn getaddrinfo_ai_all(args: &[&str]) -> io::Result<()> {
    let all = streams().family(Family::Inet6).map_ipv4(true).all(true);
    let found = all.lookup(Some(args[0]), None)?;
    let expected = ["[2001:db8::1]:0", "[::ffff:192.0.2.1]:0"];
    assert_eq!(addresses(&found), expected);
    Ok(())
}

pub(super) fn gethostbyname(args: &[&str]) -> io::Result<()> {
    let entry = host_by_name(args[0])?;
    // Python's returns the first one of IPv4.
    let first = entry.addresses.iter().find(|address| address.is_ipv4());
    assert_eq!(first.map(ToString::to_string).as_deref(), Some(args[1]));
    let number = host_by_name("192.0.2.9")?;
    assert_eq!(number.addresses, [IpAddr::from([192, 0, 2, 9])]);
    Ok(())
}

/// An alias, its canonical name and its addresses.
pub(super) fn gethostbyname_ex(args: &[&str]) -> io::Result<()> {
    let entry = host_by_name(args[0])?;
    assert_eq!(entry.name, args[1]);
    assert_eq!(entry.aliases, [args[0]]);
    let found: Vec<String> = entry.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(found, args[2..]);
    assert!(host_by_name(args[1])?.aliases.is_empty());
    Ok(())
}

/// An address with a name, and one without.
pub(super) fn gethostbyaddr(args: &[&str]) -> io::Result<()> {
    let address: IpAddr = args[0].parse().unwrap();
    let entry = host_by_address(address)?;
    assert_eq!(entry.name, args[1]);
    assert_eq!(entry.addresses, [address]);
    let nameless = host_by_address(args[2].parse().unwrap());
    assert_eq!(failure(nameless), ErrorCode::NameNotFound);
    Ok(())
}

pub(super) fn getfqdn(args: &[&str]) -> io::Result<()> {
    assert_eq!(fully_qualified_name(args[0])?, args[1]);
    assert_eq!(fully_qualified_name("nobody.example")?, "nobody.example");
    assert_eq!(fully_qualified_name("")?, "localhost");
    Ok(())
}

/// An address with a name, and one without.
pub(super) fn getnameinfo(args: &[&str]) -> io::Result<()> {
    let address: SocketAddr = args[0].parse().unwrap();
    let told = |host: &str, service: &str| (host.to_owned(), service.to_owned());
    assert_eq!(reverse_lookup(address)?, told(args[1], "http"));
    let with = |flags| reverse_lookup_with(address, flags);
    let ip = address.ip().to_string();
    assert_eq!(with(ReverseFlags::NUMERIC_HOST)?, told(&ip, "http"));
    assert_eq!(with(ReverseFlags::NUMERIC_SERVICE)?, told(args[1], "80"));
    assert_eq!(with(ReverseFlags::DATAGRAM)?, told(args[1], "80"));
    let nameless: SocketAddr = args[2].parse().unwrap();
    let text = nameless.ip().to_string();
    assert_eq!(reverse_lookup(nameless)?, told(&text, "http"));
    let required = reverse_lookup_with(nameless, ReverseFlags::NAME_REQUIRED);
    assert_eq!(failure(required), ErrorCode::NameNotFound);
    Ok(())
}

pub(super) fn getservbyname(_: &[&str]) -> io::Result<()> {
    for (name, port) in [
        ("ftp", 21),
        ("ftp-data", 20),
        ("telnet", 23),
        ("smtp", 25),
        ("gopher", 70),
        ("http", 80),
        ("www", 80),
        ("pop3", 110),
        ("nntp", 119),
        ("imap", 143),
        ("https", 443),
    ] {
        assert_eq!(service_port(name, Some("tcp"))?, port, "{name}");
        assert_eq!(service_port(name, None)?, port, "{name}");
    }
    assert_eq!(service_port("tftp", Some("udp"))?, 69);
    for (name, protocol) in [("tftp", "tcp"), ("nobody", "tcp"), ("http", "sctp")] {
        let unknown = service_port(name, Some(protocol));
        assert_eq!(failure(unknown), ErrorCode::NameServiceNotFound);
    }
    Ok(())
}

pub(super) fn getservbyport(_: &[&str]) -> io::Result<()> {
    for (port, protocol, name) in [
        (80, Some("tcp"), "http"),
        (25, None, "smtp"),
        (69, Some("udp"), "tftp"),
        (53, Some("udp"), "domain"),
    ] {
        assert_eq!(service_name(port, protocol)?, name);
    }
    let unknown = service_name(69, Some("tcp"));
    assert_eq!(failure(unknown), ErrorCode::NameServiceNotFound);
    assert_eq!(
        failure(service_name(2, None)),
        ErrorCode::NameServiceNotFound
    );
    Ok(())
}

pub(super) fn getprotobyname(_: &[&str]) -> io::Result<()> {
    for (name, number) in [
        ("icmp", 1),
        ("ip", 0),
        ("tcp", 6),
        ("udp", 17),
        ("ipv6", 41),
    ] {
        assert_eq!(protocol_number(name)?, number, "{name}");
    }
    assert_eq!(failure(protocol_number("nobody")), ErrorCode::NameNotFound);
    Ok(())
}

pub(super) fn inet_aton(_: &[&str]) -> io::Result<()> {
    let address: Ipv4Addr = "192.0.2.1".parse().unwrap();
    assert_eq!(address.octets(), [192, 0, 2, 1]);
    // Strictly: what has other spellings elsewhere is not an address here.
    for other in ["127.1", "0x7f.0.0.1", "010.0.0.1", "256.0.0.1", ""] {
        assert!(other.parse::<Ipv4Addr>().is_err(), "{other}");
    }
    Ok(())
}

pub(super) fn inet_ntoa(_: &[&str]) -> io::Result<()> {
    assert_eq!(Ipv4Addr::from([127, 0, 0, 1]).to_string(), "127.0.0.1");
    Ok(())
}

pub(super) fn inet_pton(_: &[&str]) -> io::Result<()> {
    let four: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(four, IpAddr::from([192, 0, 2, 1]));
    let six: IpAddr = "2001:db8::1".parse().unwrap();
    let expected = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    assert_eq!(six, IpAddr::from(expected));
    assert_eq!(expected.octets()[..4], [0x20, 0x01, 0x0d, 0xb8]);
    assert!("2001:db8::1::2".parse::<IpAddr>().is_err());
    Ok(())
}

pub(super) fn inet_ntop(_: &[&str]) -> io::Result<()> {
    let mut octets = [0; 16];
    octets[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    octets[15] = 1;
    assert_eq!(Ipv6Addr::from(octets).to_string(), "2001:db8::1");
    let mapped = Ipv4Addr::from([192, 0, 2, 1]).to_ipv6_mapped();
    assert_eq!(mapped.to_string(), "::ffff:192.0.2.1");
    Ok(())
}

pub(super) fn htons(_: &[&str]) -> io::Result<()> {
    // The network's order is big-endian, and a component's little-endian.
    assert_eq!(0x1234_u16.to_be(), 0x3412);
    assert_eq!(0x1234_u16.to_be_bytes(), [0x12, 0x34]);
    assert_eq!(u16::from_be(0x3412), 0x1234);
    assert_eq!(0x1234_5678_u32.to_be(), 0x7856_3412);
    assert_eq!(u32::from_be(0x7856_3412), 0x1234_5678);
    // Ports are in the host's own order everywhere.
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let text = listener.local_addr()?.to_string();
    let port: u16 = text.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(listener.local_addr()?.port(), port);
    println!("{port}");
    listener.accept()?;
    Ok(())
}

/// A peer at an IPv4 address.
pub(super) fn address_inet(args: &[&str]) -> io::Result<()> {
    let (host, port) = args[0].rsplit_once(':').unwrap();
    let port: u16 = port.parse().unwrap();
    // A pair of host and port, in each way in which one writes it.
    for stream in [
        TcpStream::connect((host, port))?,
        TcpStream::connect(args[0])?,
        TcpStream::connect(args[0].parse::<SocketAddr>().unwrap())?,
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))?,
    ] {
        assert_eq!(
            stream.peer_addr()?,
            SocketAddr::from(([127, 0, 0, 1], port))
        );
    }
    Ok(())
}

/// A peer at an IPv6 address.
pub(super) fn address_inet6(args: &[&str]) -> io::Result<()> {
    let port = args[0].parse::<SocketAddr>().unwrap().port();
    let with = |flow_info, scope| SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, flow_info, scope);
    // The flow info is 20 bits of label below 8 of class.
    let stream = TcpStream::connect(with(0, 0))?;
    assert_eq!(stream.peer_addr()?, with(0, 0).into());
    let socket = Socket::new(Family::Inet6, SocketType::Stream)?;
    socket.connect(with(0, 1))?;
    let peer = socket.peer_addr()?.as_socket().unwrap();
    assert_eq!(
        (peer.ip(), peer.port()),
        (with(0, 0).ip().to_owned().into(), port)
    );
    // A link-local address is one of an interface.
    let elsewhere = SocketAddrV6::new("fe80::1".parse().unwrap(), port, 0, 0);
    let socket = Socket::new(Family::Inet6, SocketType::Stream)?;
    assert_eq!(
        failure(socket.connect(elsewhere)),
        ErrorCode::InvalidArgument
    );
    Ok(())
}

/// A path of the host, at which a peer is, and one to listen on.
pub(super) fn address_unix_path(args: &[&str]) -> io::Result<()> {
    let stream = UnixStream::connect(args[0])?;
    let peer = stream.peer_addr()?;
    assert_eq!(peer.as_pathname(), Some(args[0].as_ref()));
    assert!(stream.local_addr()?.is_unnamed());
    let listener = UnixListener::bind(args[1])?;
    let again = UnixListener::bind(args[1]);
    assert_eq!(failure(again), ErrorCode::AddressInUse);
    println!("{}", listener.local_addr()?);
    let (connection, peer) = listener.accept()?;
    assert!(peer.is_unnamed());
    connection.as_socket().send_all(b"hello")
}

/// The abstract name of a peer, and one to listen on.
pub(super) fn address_unix_abstract(args: &[&str]) -> io::Result<()> {
    let there = UnixAddr::from_abstract_name(args[0])?;
    let stream = UnixStream::connect_addr(&there)?;
    assert_eq!(stream.peer_addr()?, there);
    let here = UnixAddr::from_abstract_name(args[1])?;
    let listener = UnixListener::bind_addr(&here)?;
    assert_eq!(listener.local_addr()?, here);
    println!("{}", listener.local_addr()?);
    let (connection, _) = listener.accept()?;
    connection.as_socket().send_all(b"hello")
}

/// An empty address: the OS chooses a name, or there is none.
pub(super) fn address_unix_unnamed(_: &[&str]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    assert!(socket.local_addr()?.is_unnamed());
    let bound = UnixDatagram::bind_addr(&UnixAddr::unnamed())?;
    let chosen = bound.local_addr()?;
    assert!(
        chosen
            .as_abstract_name()
            .is_some_and(|name| !name.is_empty())
    );
    socket.send_to_addr(b"to whom?", &chosen)?;
    let (_, from) = bound.recv_from(&mut [0; 16])?;
    assert!(from.is_unnamed(), "there is nobody to answer");
    let nowhere = socket
        .as_socket()
        .connect(SockAddr::Unix(UnixAddr::unnamed()));
    assert_eq!(failure(nowhere), ErrorCode::InvalidArgument);
    Ok(())
}
