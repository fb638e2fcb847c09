//! What once kept a worker of the server from all others: each run begins with it.

use portcullis_test_operations::SendFlags;
use portcullis_test_operations::{
    Address, Data, Family, Held, Interest, Kind, Operation, Port, ReceiveFlags, Slot, Step,
};

use crate::sequence::CLOSED;

/// The number of the sequence that does nothing, but is answered with very many datagrams.
pub(crate) const MANY_ANSWERS: u64 = 3;

/// All, by their numbers.
pub(crate) fn all() -> [Vec<Step>; 6] {
    [
        [refused(), subscribed(0, Step::PollableReady(Held(0)))].concat(),
        [refused(), subscribed(0, Step::PollableBlock(Held(0)))].concat(),
        [refused(), subscribed(0, Step::PollAll)].concat(),
        Vec::new(),
        connected("hangs/s"),
        connected("out/s"),
    ]
}

/// A datagram to a port at which nothing listens. The error that comes back is taken by a
/// receive, while what waits for the socket still believes in it.
pub(crate) fn refused() -> Vec<Step> {
    let closed = Address::Inet([127, 0, 0, 1].into(), Port::Number(CLOSED));
    let byte = Data {
        length: 1,
        first: 1,
    };
    let receive = Step::Socket(Operation::Receive(Slot(0), 10, ReceiveFlags::default()));
    vec![
        Step::Socket(Operation::Open(Family::Inet, Kind::Datagram, 0)),
        Step::Socket(Operation::Connect(Slot(0), closed)),
        receive.clone(),
        Step::Socket(Operation::Send(Slot(0), byte, SendFlags::default())),
        Step::Sleep { milliseconds: 50 },
        receive,
    ]
}

fn subscribed(interest: u8, wait: Step) -> Vec<Step> {
    vec![Step::Subscribe(Slot(0), Interest(interest)), wait]
}

/// A path that the file system does not look up in any time.
fn connected(path: &str) -> Vec<Step> {
    vec![
        Step::Socket(Operation::Open(Family::Unix, Kind::Stream, 0)),
        Step::Socket(Operation::Connect(Slot(0), Address::Path(path.to_owned()))),
    ]
}
