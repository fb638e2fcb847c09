//! The fuzz target of the audit's text: what guests, their peers and name servers
//! say is in its lines. It must hold for all bytes: the first says what is done
//! with the others, and `line` writes a line.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use portcullis_net::{
    Answer, Audit, Endpoint, Error, ErrorCode, Event, Families, Family, Network, Pending,
    ResolveHints, Resolver, ReverseOptions, Service, SocketAddress, SocketType, UnixAddress,
};
use portcullis_policy::{Lookup, Name, Permit, Policy, Reverse};

use crate::runtime::block_on;

static POLICY: LazyLock<Policy> = LazyLock::new(|| {
    let policy = Policy::builder()
        .allow("resolve *")
        .allow("connect udp://*:9")
        .deny("connect unix:/run/**");
    policy.build().unwrap()
});

/// What a line can be at the longest: that of a name with 64 addresses and a chain
/// of aliases.
const LONGEST: usize = 16 * 1024;

pub(crate) fn run(data: &[u8], line: impl Fn(Event<'_>) -> Vec<u8> + Send + Sync + 'static) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let lines = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let audit = Lines(Arc::clone(&lines), line);
    let text = String::from_utf8_lossy(rest);
    let network = Network::new(POLICY.clone())
        .with_resolver(Saying(text.clone().into_owned()))
        .with_audit(audit);
    block_on(provoke(&network, *kind, rest, &text));
    drop(network);
    let lines = lines.lock().unwrap();
    for line in lines.iter() {
        is_one(line);
    }
}

async fn provoke(network: &Network, kind: u8, bytes: &[u8], text: &str) {
    let there = match kind % 5 {
        0 => Endpoint::Address(SocketAddress::Unix(UnixAddress::Path(bytes.to_vec()))),
        1 => Endpoint::Address(SocketAddress::Unix(UnixAddress::Abstract(bytes.to_vec()))),
        2 => Endpoint::Name {
            host: text.to_owned(),
            port: Service::Port(9),
        },
        3 => {
            let _ = network
                .resolve(Some(text), None, ResolveHints::default())
                .await;
            return;
        }
        _ => {
            let mut octets = [0; 16];
            octets
                .iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            let address = SocketAddress::Inet((octets, 9).into());
            let _ = network.reverse(&address, ReverseOptions::default()).await;
            return;
        }
    };
    let family = match &there {
        Endpoint::Address(_) => Family::Unix,
        Endpoint::Name { .. } => Family::Inet,
    };
    let Ok(socket) = network.open(family, SocketType::Datagram, 0) else {
        return;
    };
    let _ = socket.connect(&there).await;
    let _ = socket.bind(&there).await;
}

/// That it is one line of plain JSON that neither a terminal nor a reader of lines
/// takes for more.
fn is_one(line: &[u8]) {
    let shown = String::from_utf8_lossy(line);
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    assert!(line.len() <= LONGEST, "{} bytes: {shown}", line.len());
    let text = str::from_utf8(text).unwrap_or_else(|_| panic!("{shown:?}"));
    assert!(!text.chars().any(is_harmful), "{shown:?}");
    let value: Result<serde_json::Value, _> = serde_json::from_str(text);
    assert!(value.is_ok_and(|value| value.is_object()), "{shown:?}");
}

/// What ends a line, what a terminal acts on, and what turns the direction of
/// writing.
fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

struct Lines<F>(Arc<Mutex<Vec<Vec<u8>>>>, F);

impl<F: Fn(Event<'_>) -> Vec<u8> + Send + Sync> Audit for Lines<F> {
    fn record(&self, event: Event<'_>) -> io::Result<()> {
        let line = (self.1)(event);
        self.0.lock().unwrap().push(line);
        Ok(())
    }
}

/// Says what it is told to, in the text of an error, or as aliases.
struct Saying(String);

impl Resolver for Saying {
    fn look_up(&self, permit: Permit<Lookup>, _: Families) -> Pending<'_, Answer> {
        let chain: Vec<Name> = (self.0.split('\n'))
            .filter_map(|text| Name::parse(text).ok())
            .take(16)
            .collect();
        let answer =
            match chain.is_empty() || permit.request().name().as_str().len().is_multiple_of(2) {
                true => Err(Error::new(ErrorCode::NameLookupFailed, self.0.clone())),
                false => Ok(Answer {
                    addresses: vec![[192, 0, 2, 1].into(); 80],
                    chain,
                    valid_until: None,
                }),
            };
        Box::pin(async { answer })
    }

    fn reverse(&self, _: Permit<Reverse>) -> Pending<'_, Vec<Name>> {
        let names: Vec<Name> = (self.0.split('\n'))
            .filter_map(|text| Name::parse(text).ok())
            .take(16)
            .collect();
        Box::pin(async { Ok(names) })
    }
}
