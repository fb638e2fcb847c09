//! The fuzz target of whole policies: a file, and after a NUL what the policy
//! is asked. It must hold for every file that builds.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use portcullis_policy::{
    Accept, Bind, BindUnix, Broadcast, Connect, ConnectUnix, Grant, Host, Join, Listen, ListenUnix,
    Lookup, Name, Policy, Protocol, Purpose, Reason, Request, Reverse, UnixName,
};

use crate::bytes::Bytes;

/// So that long input is not asked for long.
const QUESTIONS: usize = 16;

pub(crate) fn run(data: &[u8]) {
    let end = data.iter().position(|b| *b == 0).unwrap_or(data.len());
    let (text, rest) = data.split_at(end);
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    match Policy::builder().file("policy.toml", text).build() {
        Ok(policy) => Questions::new(&policy, text, rest).ask(),
        Err(error) => {
            assert!(!error.diagnostics().is_empty());
            let message = error.to_string();
            let mut characters = message.chars();
            assert!(
                !characters.any(|c| c.is_control() && c != '\n'),
                "{message:?}"
            );
        }
    }
}

/// What to ask, out of the words of the policy so that it is about them.
struct Questions<'a> {
    policy: &'a Policy,
    text: &'a str,
    bytes: Bytes<'a>,
    addresses: Vec<IpAddr>,
    names: Vec<Name>,
    paths: Vec<UnixName>,
    ports: Vec<u16>,
}

impl<'a> Questions<'a> {
    fn new(policy: &'a Policy, text: &'a str, bytes: &'a [u8]) -> Self {
        let mut questions = Self {
            policy,
            text,
            bytes: Bytes(bytes.get(1..).unwrap_or_default()),
            addresses: Vec::new(),
            names: Vec::new(),
            paths: Vec::new(),
            ports: Vec::new(),
        };
        for word in text.split([' ', '"', '\'', '\n', ',']) {
            questions.learn(word);
        }
        questions
    }

    fn learn(&mut self, word: &str) {
        let (_, word) = word.split_once("://").unwrap_or(("", word));
        let (_, word) = word.split_once("*.").unwrap_or(("", word));
        let (host, port) = word.rsplit_once(':').unwrap_or((word, ""));
        let (host, _) = host.split_once('/').unwrap_or((host, ""));
        match Host::parse(host) {
            Ok(Host::Address(ip)) => self.addresses.push(ip),
            Ok(Host::Name(name)) => self.names.push(name),
            Err(_) => {}
        }
        self.ports.extend(port.parse::<u16>());
        let (_, path) = word.split_once(':').unwrap_or(("", word));
        let path = path.trim_end_matches('*').as_bytes();
        self.paths.extend(UnixName::path(path));
        self.paths.extend(UnixName::path(&[path, b"x"].concat()));
        if let Some(name) = path.strip_prefix(b"@") {
            self.paths.extend(UnixName::abstract_name(name));
        }
    }

    fn ask(mut self) {
        for _ in 0..QUESTIONS {
            self.one();
            if self.bytes.is_empty() {
                break;
            }
        }
    }

    fn one(&mut self) {
        let (kind, protocol) = (self.bytes.byte(), self.bytes.protocol());
        let address = self.socket();
        match kind % 12 {
            0 => self.named(Bind::new(protocol, address), Bind::named),
            1 => self.named(Connect::new(protocol, address), Connect::named),
            2 => {
                let listen = Listen::new(protocol, address, self.bytes.flag());
                self.named(listen, Listen::named);
            }
            3 => {
                let listen = Listen::new(protocol, address, self.bytes.flag());
                let peer = self.socket();
                self.weigh(Accept::new(&listen, peer));
            }
            4 => {
                let port = address.port();
                let purpose = match self.bytes.byte() % 4 {
                    0 => Purpose::Bind { protocol, port },
                    1 => Purpose::Connect { protocol, port },
                    2 => Purpose::Listen { protocol, port },
                    _ => Purpose::Resolve,
                };
                if let Some(name) = self.name() {
                    self.weigh(Lookup::new(name, purpose));
                }
            }
            5 => self.weigh(Reverse::new(address.ip())),
            6 => self.weigh(Join::new(address.ip(), address.port())),
            7 => self.weigh(Broadcast::new()),
            8 => self.about_unix(BindUnix::new),
            9 => self.about_unix(ConnectUnix::new),
            10 => self.about_unix(ListenUnix::new),
            _ => self.carried(protocol, address),
        }
    }

    fn socket(&mut self) -> SocketAddr {
        let ip = match self.bytes.flag() {
            true => self.bytes.choice(&self.addresses),
            false => None,
        };
        let port = match self.bytes.flag() {
            true => self.bytes.choice(&self.ports),
            false => None,
        };
        let ip = ip.unwrap_or_else(|| self.bytes.ip());
        let port = port.unwrap_or_else(|| self.bytes.port());
        (ip, port).into()
    }

    fn name(&mut self) -> Option<Name> {
        let name = self.bytes.choice(&self.names)?;
        match self.bytes.flag() {
            true => Name::parse(&format!("x.{name}")).ok(),
            false => Some(name),
        }
    }

    fn named<R: Request + Clone>(&mut self, request: R, named: impl Fn(R, Name) -> R) {
        self.weigh(request.clone());
        if let Some(name) = self.name() {
            self.weigh(named(request, name));
        }
    }

    fn about_unix<R: Request + Clone>(
        &mut self,
        request: impl Fn(portcullis_policy::UnixKind, UnixName) -> R,
    ) {
        let kind = self.bytes.unix_kind();
        let name = self.bytes.choice(&self.paths);
        self.weigh(request(kind, name.unwrap_or_else(UnixName::unnamed)));
    }

    /// What an IPv4 address is denied is denied to what carries it.
    fn carried(&self, protocol: Protocol, address: SocketAddr) {
        let IpAddr::V4(v4) = Connect::new(protocol, address).address().ip() else {
            return;
        };
        let check = |ip: IpAddr| {
            let to = SocketAddr::new(ip, address.port());
            self.policy.check(Connect::new(protocol, to))
        };
        let allowed = check(v4.into());
        assert_eq!(check(v4.to_ipv6_mapped().into()).is_ok(), allowed.is_ok());
        if allowed.is_err_and(|denial| matches!(denial.reason(), Reason::DeniedBy { .. })) {
            let bits = u128::from(v4.to_bits());
            let nat64 = Ipv6Addr::from_bits(0x64_ff9b << 96 | bits);
            let six_to_four = Ipv6Addr::from_bits(0x2002 << 112 | bits << 80);
            assert!(check(nat64.into()).is_err(), "{nat64}");
            assert!(check(six_to_four.into()).is_err(), "{six_to_four}");
        }
    }

    /// What holds of each decision.
    fn weigh<R: Request + Clone>(&self, request: R) {
        let verdict = self.policy.check(request.clone());
        let both = self.policy.and(self.policy).check(request.clone());
        assert_eq!(both.is_ok(), verdict.is_ok(), "{request}");
        let none = self.policy.and(&Policy::default()).check(request.clone());
        assert!(verdict.is_ok() || none.is_err(), "{request}");
        let shadowed = self.policy.clone().shadowed().check(request.clone());
        let shadowed = shadowed.expect("shadowed").shadowed().cloned();
        let Err(denial) = verdict else {
            return assert!(shadowed.is_none(), "{request}");
        };
        assert_eq!(shadowed.as_ref(), Some(&denial));

        let report = denial.report().to_string();
        assert_eq!(report.lines().count(), 3, "{report:?}");
        let plain = |c: char| c == '\n' || c == ' ' || c.is_ascii_graphic();
        assert!(report.chars().all(plain), "{report:?}");
        let Some(remedy) = denial.remedy() else {
            return;
        };
        let grant = remedy
            .trim_start_matches("--allow '")
            .trim_end_matches('\'');
        assert!(Grant::parse(grant).is_ok(), "{grant}");
        let remedied = Policy::builder()
            .file("policy.toml", self.text)
            .allow(grant);
        let remedied = remedied.build().unwrap();
        assert!(remedied.check(request).is_ok(), "{report}");
    }
}
