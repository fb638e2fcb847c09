//! A server that runs, in a process of its own, for as long as the value lives.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client;
use crate::contender::{Contender, Programs, Protocol};
use crate::placement::Placement;

/// A component that is compiled for the first time takes seconds, where others
/// compile as well even more.
const LIMIT: Duration = Duration::from_secs(60);

/// How often a server that starts is asked whether it answers.
const POLL: Duration = Duration::from_millis(2);

pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a contender at a free address, and waits until it echoes.
    pub(crate) fn start(
        contender: Contender,
        programs: &Programs,
        placement: Placement,
        protocol: Protocol,
        buffer: usize,
    ) -> Result<Self> {
        let address = free_address(protocol)?;
        let command = contender.serve(programs, protocol, address, buffer, placement.workers());
        let process = placement
            .confined(&command)?
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&programs.log).context("no place for what servers say")?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self { process, address };
        server
            .wait_until_it_echoes(protocol)
            .with_context(|| format!("{command:?}"))?;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_it_echoes(&mut self, protocol: Protocol) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.process.try_wait()? {
                bail!("ended ({status}) before it served anybody");
            }
            let attempt = match protocol {
                Protocol::Tcp => client::echoes_stream(self.address),
                Protocol::Udp => client::echoes_datagram(self.address),
            };
            match attempt {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| format!("does not echo within {LIMIT:?}"));
                }
                Err(_) => thread::sleep(POLL),
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An address that was free a moment ago.
#[expect(
    clippy::disallowed_methods,
    reason = "the benchmark stands outside the sandbox"
)]
fn free_address(protocol: Protocol) -> Result<SocketAddr> {
    let any_port = (Ipv4Addr::LOCALHOST, 0);
    let address = match protocol {
        Protocol::Tcp => TcpListener::bind(any_port).and_then(|socket| socket.local_addr()),
        Protocol::Udp => UdpSocket::bind(any_port).and_then(|socket| socket.local_addr()),
    };
    address.context("no free port")
}
