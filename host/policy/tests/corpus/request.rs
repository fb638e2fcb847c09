//! The fuzz target of the canonical form: what guests write, and the addresses
//! that they give. It must hold for all bytes: the first says what they are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portcullis_policy::{
    Accept, Bind, BindUnix, Connect, ConnectUnix, Grant, Host, Join, Listen, ListenUnix, Lookup,
    Name, Policy, Protocol, Purpose, Reason, Request, Reverse, UnixKind, UnixName, canonical,
};

use crate::bytes::Bytes;

pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes(data);
    match bytes.byte() {
        b'h' => host(bytes.rest()),
        b'/' => unix(UnixName::path(data)),
        b'@' => unix(UnixName::abstract_name(bytes.rest())),
        b'd' => carried(bytes.v4()),
        _ => addresses(bytes),
    }
}

fn host(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let parsed = Host::parse(text);
    match &parsed {
        Ok(Host::Address(ip)) => {
            assert!(
                Name::parse(text).is_err(),
                "{text:?} is an address and a name"
            );
            assert_eq!(Host::parse(&ip.to_string()), parsed);
        }
        Ok(Host::Name(name)) => {
            assert_eq!(Name::parse(text).as_ref(), Ok(name));
            is_canonical(name);
        }
        Err(error) => assert!(!error.to_string().chars().any(char::is_control), "{error}"),
    }
    if let Ok(host) = &parsed {
        assert_eq!(Host::parse(&host.to_string()).as_ref(), Ok(host));
    }
}

fn is_canonical(name: &Name) {
    let text = name.as_str();
    assert_eq!(Name::parse(text).as_ref(), Ok(name));
    assert!(
        text.bytes()
            .all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase())
    );
    assert!(text.len() <= 253 && !text.ends_with('.'), "{text}");
    assert!(text.parse::<IpAddr>().is_err(), "{text}");
    // Nothing that `inet_aton` would read.
    let last = text.rsplit('.').next().unwrap_or(text);
    assert!(!last.bytes().all(|b| b.is_ascii_digit()), "{text}");
    let (protocol, port) = (Protocol::Tcp, 80);
    for purpose in [
        Purpose::Bind { protocol, port },
        Purpose::Connect { protocol, port },
        Purpose::Listen { protocol, port },
        Purpose::Resolve,
    ] {
        stands_alone(Lookup::new(name.clone(), purpose));
    }
    let there = SocketAddr::from(([10, 0, 0, 5], port));
    stands_alone(Connect::new(protocol, there).named(name.clone()));
}

fn unix(name: Result<UnixName, impl ToString>) {
    let name = match name {
        Ok(name) => name,
        Err(error) => return assert!(error.to_string().is_ascii()),
    };
    if let Some(path) = name.as_path() {
        assert_eq!(UnixName::path(path).as_ref(), Ok(&name));
        assert!(!path.windows(2).any(|pair| pair == b"//"), "{name}");
        assert!(
            !path
                .split(|b| *b == b'/')
                .any(|part| part == b".." || part == b".")
        );
    }
    for kind in [UnixKind::Datagram, UnixKind::Stream] {
        stands_alone(BindUnix::new(kind, name.clone()));
        stands_alone(ConnectUnix::new(kind, name.clone()));
        stands_alone(ListenUnix::new(kind, name.clone()));
    }
}

fn addresses(mut bytes: Bytes<'_>) {
    let (protocol, address, peer) = (bytes.protocol(), bytes.socket(), bytes.socket());
    let once = canonical(address);
    assert_eq!(canonical(once), once);
    assert_eq!(canonical(once.ip()), once.ip());
    assert!(!matches!(once.ip(), IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()));

    let connect = Connect::new(protocol, address);
    assert!(!connect.address().ip().is_unspecified());
    assert_eq!(
        Connect::new(protocol, connect.address()).address(),
        connect.address()
    );
    stands_alone(connect);
    stands_alone(Bind::new(protocol, address));
    for dual_stack in [false, true] {
        let listen = Listen::new(protocol, address, dual_stack);
        assert_eq!(listen.address(), once);
        if listen.address().port() != 0 || !peer.ip().is_unspecified() {
            let accept = Accept::new(&listen, peer);
            assert_eq!(accept.peer(), canonical(peer));
            stands_alone(accept);
        }
        stands_alone(listen);
    }
    stands_alone(Join::new(address.ip(), address.port()));
    let reverse = Reverse::new(address.ip());
    assert_eq!(
        Name::parse(reverse.name().as_str()).as_ref(),
        Ok(reverse.name())
    );
    stands_alone(reverse);
}

/// That its text is plain, that the empty policy denies it, and that its
/// narrowest grant, written out, allows it.
fn stands_alone<R: Request + Clone>(request: R) {
    let text = request.to_string();
    assert!(
        text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()),
        "{text}"
    );
    match Policy::default().check(request.clone()) {
        Err(denial) => assert_eq!(denial.request(), text),
        Ok(permit) => assert!(permit.grant().is_none(), "{text}"),
    }
    let Some(narrowest) = request.narrowest() else {
        return;
    };
    let printed = narrowest.to_string();
    assert_eq!(Grant::parse(&printed).as_ref(), Ok(&narrowest), "{printed}");
    let policy = Policy::builder().allow(&printed).build().unwrap();
    assert!(
        policy.check(request.clone()).is_ok(),
        "{text} under {printed}"
    );
    // What is granted in so many words is denied in the same.
    if let Ok(policy) = Policy::builder().allow(&printed).deny(&printed).build() {
        assert!(policy.check(request).is_err(), "{text} under {printed}");
    }
}

/// That a denied IPv4 address is denied in each of its forms.
fn carried(v4: Ipv4Addr) {
    if v4.is_unspecified() {
        return;
    }
    let deny = format!("connect tcp://{v4}:*");
    let policy = Policy::builder().allow("connect tcp://any:*").deny(&deny);
    let policy = policy.build().unwrap();
    let bits = u128::from(v4.to_bits());
    for form in [
        0xffff << 32 | bits,                     // mapped
        bits,                                    // compatible
        0x64_ff9b << 96 | bits,                  // NAT64
        0x64_ff9b_0001 << 80 | bits,             // NAT64 of the local network
        0xffff_0000 << 32 | bits,                // translated
        0x2002 << 112 | bits << 80 | 1,          // 6to4
        0x2001 << 112 | bits << 64,              // Teredo, server
        0x2001 << 112 | (!bits & 0xffff_ffff),   // Teredo, client
        0xfe80 << 112 | 0x5efe << 32 | bits,     // ISATAP
        0xfe80 << 112 | 0x200_5efe << 32 | bits, // ISATAP, universal
    ] {
        let ip = Ipv6Addr::from_bits(form);
        // As they stand, these are addresses of their own.
        if ip.is_unspecified() || ip.is_loopback() {
            continue;
        }
        let denial = policy.check(Connect::new(Protocol::Tcp, (ip, 80).into()));
        let denial = denial.expect_err(&ip.to_string());
        assert!(
            matches!(denial.reason(), Reason::DeniedBy { .. }),
            "{denial}"
        );
    }
}
