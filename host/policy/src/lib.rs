//! Pure decisions about network access: grants in, permits and denials out.
//!
//! This crate opens no socket, reads no file, looks up no name, keeps no time
//! and never waits. It takes policy text and a [`Request`], and answers with a
//! [`Permit`] or with a [`Denial`] that says why and what would allow it.
//!
//! ```
//! use portcullis_policy::{Connect, Policy, Protocol};
//!
//! let policy = Policy::builder()
//!     .allow("connect tcp://10.0.0.0/8:5432")
//!     .deny("connect tcp://10.0.0.9:*")
//!     .build()?;
//!
//! let database = "10.0.0.5:5432".parse()?;
//! assert!(policy.check(Connect::new(Protocol::Tcp, database)).is_ok());
//!
//! let elsewhere = "192.168.0.1:5432".parse()?;
//! let denial = policy.check(Connect::new(Protocol::Tcp, elsewhere)).unwrap_err();
//! assert_eq!(
//!     denial.report().to_string(),
//!     "portcullis: denied  connect tcp://192.168.0.1:5432\n  \
//!        reason: no grant covers it; nearest: connect tcp://10.0.0.0/8:5432 (host differs)\n  \
//!        to allow: --allow 'connect tcp://192.168.0.1:5432'"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a policy means
//!
//! - No match is a denial. A deny that matches wins over every grant. The
//!   empty policy allows nothing. Where policies are joined (under a
//!   [ceiling](PolicyBuilder::ceiling), by a guest that
//!   [attenuates](Policy::attenuate) its network), each must allow; a denial
//!   says which does not.
//! - Addresses are compared in one canonical form ([`canonical`]), names in
//!   theirs ([`Name`]), names of unix sockets in theirs ([`UnixName`]).
//!
//! ## `connect`
//!
//! - An address, a range or a group covers the destination. `any` is every
//!   address; `public` is what the IANA special-purpose registries leave
//!   globally reachable. The unspecified address means loopback, as it does to
//!   the operating system.
//! - The host `*` is every public address and every name. In a deny it is
//!   every address and every name: a deny fails closed.
//! - A name (`db.internal`, or `*.internal` for everything below it) covers a
//!   connection made by that name, as long as the address it resolved to is
//!   public or in the grant's `in` range. That closes DNS rebinding. A name
//!   that ends in `localhost` stands for loopback instead of public addresses.
//!   A name that is spelled like a group is written with its final dot: `any`
//!   is every address, `any.` is a name.
//! - A deny matches by the name or by the address, whichever the request has.
//!   A denied range also catches the IPv6 addresses that carry one of its IPv4
//!   addresses (NAT64, 6to4, Teredo), and a denied `localhost` catches
//!   loopback. A deny takes no `in`: it holds wherever the name leads.
//!
//! ## `listen` and `bind`
//!
//! - `listen` covers binding, listening and accepting; `bind` covers binding.
//! - The host `*` is every address of this machine. It is no name: looking
//!   names up takes a grant that names them.
//! - A socket on the unspecified address hears its whole family, so `0.0.0.0`
//!   and `0.0.0.0/0` are the same host here, and so are `[::]` and `[::]/0`. A
//!   request for it needs cover for the whole family, and any deny within the
//!   family, or by any name, refuses it. A dual-stack socket needs both
//!   families.
//! - `from` bounds the peers that are accepted. A deny with `from` refuses
//!   those peers; a deny without it refuses listening.
//!
//! ## Unix sockets
//!
//! - `unix:` is stream and seqpacket sockets, `unixgram:` datagram sockets.
//!   Neither covers the other, and no grant of addresses covers either.
//! - A path covers itself, `/srv/app/*` what lies directly in that folder,
//!   `/srv/app/**` everything beneath it, and neither covers `/srv/app`. An
//!   abstract name covers itself, `@*` every one and that which the system
//!   chooses.
//! - The verbs mean what they mean for addresses. Who may connect to a listener
//!   is for the file system to say: there is no `from`.
//! - Paths are compared as text and without `..`. Where symbolic links lead is
//!   for the code that opens the path to find out, and to ask about.
//!
//! ## `join` and broadcasts
//!
//! - `join` covers membership in multicast groups, by address and by the port
//!   that the socket is bound to. Receiving takes a `listen` grant, sending a
//!   `connect` grant.
//! - Broadcasting takes a `connect udp://` grant of addresses that hold
//!   255.255.255.255, on whatever port; a deny of it on every port forbids it.
//!
//! ## Looking names up
//!
//! A name may be looked up for what it is granted for, or under a `resolve`
//! grant, or, for no stated purpose, under any `connect` grant that covers it.
//! It may not under a `resolve` deny, nor for what is denied (for no stated
//! purpose: if connecting to it is denied on every port). `localhost` is a
//! constant and needs no grant.
//!
//! The name of an address may be looked up under a `resolve` grant for the name
//! that the DNS keeps it under (`5.0.0.10.in-addr.arpa`), or under any `connect`
//! grant that covers the address, on whatever port. It may not under a `resolve`
//! deny for that name, nor if connecting to the address is denied on every port:
//! over TCP or over UDP, since a lookup belongs to neither.
//!
//! ## Ports
//!
//! Port 0, "the system chooses", is covered by `*` and by an explicit `0` only.
//! A service stands for its port ([`service`]), for the protocols that it is
//! used with.

mod accept;
mod any_request;
mod attenuation;
mod bind;
mod bind_unix;
mod broadcast;
mod builder;
mod canonical;
mod connect;
mod connect_unix;
mod denial;
mod diagnostic;
mod diff;
mod draft;
mod embedded;
mod endpoint;
mod everything;
mod excerpt;
mod explanation;
mod file;
mod footprint;
mod fragment;
mod grant;
mod grant_error;
mod group;
mod host;
mod host_pattern;
mod join;
mod keyed;
mod layer;
mod learner;
mod limits;
mod listen;
mod listen_unix;
mod lookup;
mod name;
mod name_index;
mod name_pattern;
mod nearest;
mod network_index;
mod opening;
mod origin;
mod parser;
mod percent;
mod permit;
mod place;
mod policy;
mod port_blocks;
mod port_index;
mod ports;
mod protocol;
mod quantity;
mod question;
mod quoted;
mod range;
mod reason;
mod refusals;
mod rendering;
mod request;
mod reverse;
mod review;
mod rules;
pub mod service;
mod shown;
mod socket_grant;
mod socket_rule;
mod suggestion;
mod table;
mod unix_endpoint;
mod unix_grant;
mod unix_index;
mod unix_kind;
mod unix_name;
mod unix_paths;
mod unix_pattern;
mod unix_table;
mod verb;
mod zone;

pub use accept::Accept;
pub use any_request::AnyRequest;
pub use attenuation::Attenuation;
pub use bind::Bind;
pub use bind_unix::BindUnix;
pub use broadcast::Broadcast;
pub use builder::PolicyBuilder;
pub use canonical::{Canonical, canonical, has_zone};
pub use connect::Connect;
pub use connect_unix::ConnectUnix;
pub use denial::Denial;
pub use diagnostic::{Diagnostic, PolicyError, Position};
pub use diff::{Change, Diff, Effect, Setting, TooComplex};
pub use explanation::{Explanation, Leads, Step};
pub use grant::Grant;
pub use grant_error::GrantError;
pub use group::Group;
pub use host::Host;
pub use join::Join;
pub use learner::{Learner, Lesson};
pub use limits::Limits;
pub use listen::Listen;
pub use listen_unix::ListenUnix;
pub use lookup::{Lookup, Purpose};
pub use name::{Name, NameError};
pub use nearest::{Difference, Nearest};
pub use opening::{Act, Opening, Place};
pub use origin::Origin;
pub use permit::Permit;
pub use policy::Policy;
pub use protocol::Protocol;
pub use reason::Reason;
pub use request::Request;
pub use reverse::Reverse;
pub use review::{Concern, Review, Warning};
pub use shown::Shown;
pub use unix_kind::UnixKind;
pub use unix_name::{UnixName, UnixNameError};
pub use unix_paths::UnixPaths;
