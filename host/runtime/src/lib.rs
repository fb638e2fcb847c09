//! Sockets for sandboxed WebAssembly components, granted one capability at a
//! time: the host.
//!
//! [`add_to_linker`] puts the contract `portcullis:sockets` into a linker next
//! to wasmtime-wasi's interfaces, in the shape that users of wasmtime-wasi
//! know: a [`Ctx`] in the store's data, a [`View`] that finds it.
//!
//! ```
//! use portcullis::{Ctx, CtxView, Network, Policy, View};
//! use wasmtime::component::{Component, Linker, ResourceTable};
//! use wasmtime::{Engine, Store};
//! use wasmtime_wasi::p2::bindings::Command;
//! use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
//!
//! struct State {
//!     wasi: WasiCtx,
//!     portcullis: Ctx,
//!     table: ResourceTable,
//! }
//!
//! impl WasiView for State {
//!     fn ctx(&mut self) -> WasiCtxView<'_> {
//!         WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
//!     }
//! }
//!
//! impl View for State {
//!     fn portcullis(&mut self) -> CtxView<'_> {
//!         CtxView { ctx: &mut self.portcullis, table: &mut self.table }
//!     }
//! }
//!
//! # fn main() -> wasmtime::Result<()> {
//! let engine = Engine::default();
//! let mut linker = Linker::<State>::new(&engine);
//! wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
//! portcullis::add_to_linker(&mut linker)?;
//!
//! // What the guest may do, and nothing else.
//! let policy = Policy::builder().allow("connect tcp://127.0.0.1:12345").build()?;
//! let state = State {
//!     wasi: WasiCtx::builder().inherit_stdout().build(),
//!     portcullis: Ctx::new(Network::new(policy)),
//!     table: ResourceTable::new(),
//! };
//! let mut store = Store::new(&engine, state);
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! # let bytes = b"\0asm\x0d\0\x01\0";
//! let component = Component::new(&engine, bytes)?;
//! let instance = linker.instantiate_async(&mut store, &component).await?;
//! # if instance.get_export_index(&mut store, None, "wasi:cli/run@0.2.12").is_some() {
//! let command = Command::new(&mut store, &instance)?;
//! let result = command.wasi_cli_run().call_run(&mut store).await?;
//! # }
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! `examples/embed` in the repository is that as a program. Who has no store of
//! their own to keep runs a [`Program`] on an [`Engine`].
//!
//! # Asking a policy
//!
//! A policy answers without a guest as well: what a request is made of, and what a
//! denial says, is here too.
//!
//! ```
//! use portcullis::{Connect, Difference, Policy, Protocol, Reason};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let policy = Policy::builder().allow("connect tcp://10.0.0.0/8:5432").build()?;
//! let request = Connect::new(Protocol::Tcp, "10.0.0.5:5432".parse()?);
//! assert!(policy.check(request).is_ok());
//!
//! let request = Connect::new(Protocol::Tcp, "10.0.0.5:80".parse()?);
//! let denial = policy.check(request).unwrap_err();
//! let Reason::NoGrant { nearest: Some(nearest) } = denial.reason() else {
//!     panic!("{denial}");
//! };
//! assert_eq!(nearest.differences(), [Difference::Port]);
//! assert_eq!(denial.remedy().as_deref(), Some("--allow 'connect tcp://10.0.0.5:80'"));
//! # Ok(())
//! # }
//! ```
//!
//! # A server
//!
//! What `portcullis serve` does is there for other programs: a [`Handler`] is the
//! component, a [`Service`] what each of its instances may do and is given, and a
//! [`Server`] listens, and runs an instance for each who comes, within [`Bounds`]; the
//! documentation of [`Server`] has an example. Its dependencies are two:
//!
//! ```sh
//! cargo add portcullis --path ../portcullis/host/runtime
//! cargo add tokio --features macros,rt-multi-thread,signal,time
//! ```
//!
//! The command adds what a process of its own has: it heeds signals (draining,
//! reloading with [`Server::replace`], handing over with [`Server::descriptors`]), passes
//! sockets of systemd on ([`Server::listen_from`]), counts for its metrics what a [`Log`]
//! hears, and prints what handlers print. It sets aside the memory of all instances
//! ([`EngineBuilder::pool`]) and ends connections on which nothing moves for 60 seconds
//! ([`Bounds::idle_time`]); without it neither is done, and output goes nowhere unless
//! [`Service::with_wasi`] says where.
//!
//! What is not here: decisions, which are made in `portcullis-policy`, and
//! sockets, which are opened in `portcullis-net`.

mod access_log;
mod audit_log;
mod bindings;
mod compiled;
mod component;
mod ctx;
mod engine;
mod failure;
mod handler;
mod host;
mod json_lines;
mod linker;
mod memory;
mod pool;
mod program;
mod server;
mod speaker;
mod state;
mod trap_report;
mod wasi;

pub use access_log::AccessLog;
pub use audit_log::AuditLog;
pub use component::LoadError;
pub use ctx::{Ctx, CtxView, View};
pub use engine::{Engine, EngineBuilder};
pub use failure::Failure;
pub use handler::Handler;
pub use linker::add_to_linker;
pub use portcullis_net::{
    Accepted, Allowed, Answer, Ask, Audit, AuditFailure, Closed, Connected, Consent, Denied,
    DnsResolver, Error, ErrorCode, Event, Families, Family, Limited, LookedUp, Memory, Network,
    Opened, Pending, PreopenError, Refused, Resolver, ReverseLookedUp, Silent, Socket,
    SocketAddress, SocketType, SystemResolver, TableResolver, Traffic, UnixAddress, listens_at,
    usable_descriptors,
};
pub use portcullis_policy::{
    Accept, Act, AnyRequest, Bind, BindUnix, Broadcast, Change, Concern, Connect, ConnectUnix,
    Denial, Diagnostic, Diff, Difference, Effect, Explanation, Grant, GrantError, Group, Host,
    Join, Leads, Learner, Lesson, Limits, Listen, ListenUnix, Lookup, Name, NameError, Nearest,
    Opening, Origin, Permit, Place, Policy, PolicyBuilder, PolicyError, Position, Protocol,
    Purpose, Reason, Request, Reverse, Review, Setting, Shown, Step, TooComplex, UnixKind,
    UnixName, UnixNameError, UnixPaths, Warning,
};
pub use program::{Outcome, Program};
pub use server::{
    Bounds, Drained, Ending, Held, ListenError, Log, Reuse, Served, Server, Service, TurnedAway,
    Visit, WhenFull,
};
pub use speaker::Speaker;
pub use trap_report::TrapReport;
pub use wasi::wasi;
/// The wasmtime that this crate was built with.
pub use wasmtime;
/// The wasmtime-wasi that this crate was built with.
pub use wasmtime_wasi;
