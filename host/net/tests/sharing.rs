//! Sharing the port of another server takes a grant for that port. A port that the kernel
//! chooses is a free one, whatever the guest set before.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::SocketAddr;
use std::thread;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use portcullis_net::{
    Endpoint, Error, ErrorCode, Family, Network, Socket, SocketAddress, SocketType,
};
use portcullis_policy::Policy;

/// The ports that the kernel may choose. Other servers have all of them.
const PORTS: [u16; 2] = [40_000, 40_001];

type Set = fn(&Socket, bool) -> Result<(), Error>;

fn any(port: u16) -> Endpoint {
    Endpoint::Address(SocketAddress::Inet(SocketAddr::from(([0, 0, 0, 0], port))))
}

/// Binds, where each of the options is set before.
async fn bind(kind: SocketType, options: &[Set], port: u16) -> Result<Socket, Error> {
    let grants = ["listen udp://0.0.0.0:*", "listen tcp://0.0.0.0:*"];
    let policy = Policy::builder().allow(grants[0]).allow(grants[1]);
    let network = Network::new(policy.build().unwrap());
    let socket = network.open(Family::Inet, kind, 0)?;
    options.iter().try_for_each(|set| set(&socket, true))?;
    socket.bind(&any(port)).await?;
    if kind == SocketType::Stream {
        socket.listen(None)?;
    }
    Ok(socket)
}

async fn a_chosen_port_is_free(kind: SocketType, options: &[Set]) {
    let mut servers = Vec::new();
    for port in PORTS {
        servers.push(bind(kind, options, port).await.unwrap());
    }
    // Sharing works where the port is asked for.
    servers.push(bind(kind, options, PORTS[0]).await.unwrap());
    let chosen = match bind(kind, options, 0).await {
        Ok(socket) => Ok(socket.local_address().unwrap()),
        Err(error) => Err(error.code()),
    };
    assert_eq!(chosen, Err(ErrorCode::AddressInUse), "{kind:?}");
}

#[test]
fn a_port_that_the_kernel_chooses_is_shared_with_no_other_server() {
    let tried = thread::spawn(|| {
        // This thread alone has the new network, in which those ports are all there are.
        if let Err(Errno::EPERM) = unshare(CloneFlags::CLONE_NEWNET) {
            return false;
        }
        let [first, last] = PORTS;
        let range = "/proc/sys/net/ipv4/ip_local_port_range";
        fs::write(range, format!("{first} {last}")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let (address, port): (Set, Set) = (Socket::set_reuse_address, Socket::set_reuse_port);
            a_chosen_port_is_free(SocketType::Datagram, &[address]).await;
            a_chosen_port_is_free(SocketType::Datagram, &[port]).await;
            a_chosen_port_is_free(SocketType::Stream, &[port]).await;
        });
        true
    });
    if !tried.join().unwrap() {
        println!("skipped: a network of its own takes privileges");
    }
}
