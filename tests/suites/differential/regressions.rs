//! Sequences of which guest and OS once did not make the same, by what was
//! wrong. They do not depend on how sequences are generated.

use std::net::{IpAddr, Ipv4Addr};

use portcullis_test_operations::{
    Address, Data, Family, How, Kind, Operation, OptionName, Port, ReceiveFlags, SendFlags, Slot,
    Wanted,
};

const LAST: Slot = Slot(0);
const SECOND_TO_LAST: Slot = Slot(1);
const THIRD_TO_LAST: Slot = Slot(2);
const WAITING: ReceiveFlags = ReceiveFlags {
    dont_wait: false,
    out_of_band: false,
    peek: false,
    wait_all: false,
};
const ALL: ReceiveFlags = ReceiveFlags {
    wait_all: true,
    ..WAITING
};
const SECOND: u64 = 1_000_000_000;
const DATA: Data = Data {
    length: 5,
    first: 1,
};
const NO_DATA: Data = Data {
    length: 0,
    first: 0,
};

pub(crate) fn sequences() -> Vec<(&'static str, Vec<Operation>)> {
    let readable = Wanted {
        readable: true,
        writable: false,
    };
    vec![
        (
            "a socket that waited for its connection is connected",
            [
                connection(),
                vec![Operation::Connect(SECOND_TO_LAST, Address::Of(LAST))],
            ]
            .concat(),
        ),
        (
            "a refused connect can be repeated, and is refused again",
            vec![
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Connect(LAST, loopback(Port::Number(1))),
                Operation::TakeError(LAST),
                Operation::Connect(LAST, loopback(Port::Number(1))),
                Operation::LocalAddress(LAST),
            ],
        ),
        (
            "a unix socket has no options of TCP",
            vec![
                Operation::Pair(Family::Unix, Kind::Stream, 0),
                Operation::GetOption(LAST, OptionName::NoDelay),
                Operation::SetOption(LAST, OptionName::KeepAliveCount, Some(1)),
                Operation::SetOption(LAST, OptionName::V6Only, Some(0)),
            ],
        ),
        (
            "a timeout of zero is none",
            vec![
                Operation::Pair(Family::Unix, Kind::Stream, 0),
                Operation::SetOption(LAST, OptionName::ReceiveTimeout, Some(0)),
                Operation::GetOption(LAST, OptionName::ReceiveTimeout),
                Operation::Receive(LAST, 10, WAITING),
                Operation::SetOption(LAST, OptionName::SendTimeout, Some(0)),
                Operation::GetOption(LAST, OptionName::SendTimeout),
            ],
        ),
        (
            "sending all of nothing sends",
            vec![
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::SendAll(LAST, NO_DATA),
                Operation::Pair(Family::Unix, Kind::Seqpacket, 0),
                Operation::SendAll(LAST, NO_DATA),
                Operation::ReceiveFrom(SECOND_TO_LAST, 10, WAITING),
            ],
        ),
        (
            "waiting for all of nothing receives",
            vec![
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Receive(
                    LAST,
                    0,
                    ReceiveFlags {
                        wait_all: true,
                        dont_wait: true,
                        ..WAITING
                    },
                ),
            ],
        ),
        (
            "waiting for all leaves an error to the next receive",
            [
                connection(),
                vec![
                    Operation::Send(LAST, DATA, SendFlags::default()),
                    Operation::Send(SECOND_TO_LAST, DATA, SendFlags::default()),
                    Operation::Drop(LAST),
                    Operation::Receive(LAST, 100, ALL),
                    Operation::Receive(LAST, 100, ALL),
                    Operation::Receive(LAST, 100, ALL),
                ],
            ]
            .concat(),
        ),
        (
            "waiting for all ends before urgent data",
            [
                connection(),
                vec![
                    Operation::Send(
                        SECOND_TO_LAST,
                        DATA,
                        SendFlags {
                            out_of_band: true,
                            ..SendFlags::default()
                        },
                    ),
                    Operation::Send(SECOND_TO_LAST, DATA, SendFlags::default()),
                    Operation::Receive(LAST, 100, ALL),
                    Operation::Receive(LAST, 100, ALL),
                ],
            ]
            .concat(),
        ),
        (
            "a connection has of its listener what Linux hands on",
            vec![
                Operation::Open(Family::Unix, Kind::Stream, 0),
                Operation::Bind(LAST, Address::Unnamed),
                Operation::SetOption(LAST, OptionName::ReceiveTimeout, Some(SECOND)),
                Operation::SetOption(LAST, OptionName::Linger, Some(0)),
                Operation::Listen(LAST, None),
                Operation::Open(Family::Unix, Kind::Stream, 0),
                Operation::Connect(LAST, Address::Of(SECOND_TO_LAST)),
                Operation::Accept(SECOND_TO_LAST),
                Operation::GetOption(LAST, OptionName::ReceiveTimeout),
                Operation::GetOption(LAST, OptionName::Linger),
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Listen(LAST, None),
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Connect(LAST, Address::Of(SECOND_TO_LAST)),
                Operation::SetOption(SECOND_TO_LAST, OptionName::SendTimeout, Some(SECOND)),
                Operation::Accept(SECOND_TO_LAST),
                Operation::GetOption(LAST, OptionName::SendTimeout),
            ],
        ),
        (
            "a low-water mark keeps no listener waiting",
            vec![
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Listen(LAST, None),
                Operation::SetOption(LAST, OptionName::ReceiveLowWaterMark, Some(1)),
                Operation::Receive(LAST, 100, WAITING),
            ],
        ),
        (
            "a low-water mark keeps nobody from urgent data",
            vec![
                Operation::Pair(Family::Unix, Kind::Stream, 0),
                Operation::SetOption(LAST, OptionName::ReceiveLowWaterMark, Some(4)),
                Operation::Receive(
                    LAST,
                    100,
                    ReceiveFlags {
                        out_of_band: true,
                        ..WAITING
                    },
                ),
            ],
        ),
        (
            "a wait for datagrams ends when receiving is shut down",
            vec![
                Operation::Open(Family::Inet, Kind::Datagram, 0),
                Operation::Shutdown(LAST, How::Receive),
                Operation::Ready(LAST, readable),
                Operation::Receive(LAST, 10, WAITING),
                Operation::ReceiveFrom(LAST, 10, WAITING),
                Operation::ReceiveDatagrams(LAST, 2, 10, WAITING),
                Operation::Open(Family::Unix, Kind::Datagram, 0),
                Operation::Shutdown(LAST, How::Receive),
                Operation::Ready(LAST, readable),
                Operation::ReceiveDatagrams(LAST, 2, 10, WAITING),
            ],
        ),
        (
            "a wait for connections ends when receiving is shut down",
            vec![
                Operation::Open(Family::Unix, Kind::Stream, 0),
                Operation::Bind(LAST, Address::Path("s1".to_owned())),
                Operation::Listen(LAST, None),
                Operation::Shutdown(LAST, How::Receive),
                Operation::Accept(LAST),
            ],
        ),
        (
            "a stream of which the peer is not known any more ends without an error",
            vec![
                Operation::Open(Family::Inet6, Kind::Stream, 0),
                Operation::Shutdown(LAST, How::Both),
                Operation::ReceiveFrom(LAST, 10, WAITING),
            ],
        ),
        (
            "who had arrived is reset when the listener is shut down",
            vec![
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Listen(LAST, None),
                Operation::Open(Family::Inet, Kind::Stream, 0),
                Operation::Connect(LAST, Address::Of(SECOND_TO_LAST)),
                Operation::Ready(SECOND_TO_LAST, readable),
                Operation::Shutdown(SECOND_TO_LAST, How::Receive),
                Operation::Send(LAST, DATA, SendFlags::default()),
                Operation::Accept(SECOND_TO_LAST),
            ],
        ),
        (
            "a unix socket without a name has none",
            vec![
                Operation::Pair(Family::Unix, Kind::Seqpacket, 0),
                Operation::LocalAddress(LAST),
                Operation::RemoteAddress(LAST),
                Operation::Bind(LAST, Address::Abstract(b'a', 3)),
                Operation::LocalAddress(LAST),
                Operation::RemoteAddress(SECOND_TO_LAST),
                Operation::Accept(THIRD_TO_LAST),
            ],
        ),
    ]
}

fn connection() -> Vec<Operation> {
    vec![
        Operation::Open(Family::Inet, Kind::Stream, 0),
        Operation::Bind(LAST, loopback(Port::Number(0))),
        Operation::Listen(LAST, None),
        Operation::Open(Family::Inet, Kind::Stream, 0),
        Operation::Connect(LAST, Address::Of(SECOND_TO_LAST)),
        Operation::Accept(SECOND_TO_LAST),
    ]
}

fn loopback(port: Port) -> Address {
    Address::Inet(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}
