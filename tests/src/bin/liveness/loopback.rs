//! The loopback interface of a network that is new: it is there, and down.

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send,
    socket,
};
use std::os::fd::AsRawFd;

use crate::Result;

/// `RTM_NEWLINK`, to be acknowledged (`NLM_F_REQUEST`, `NLM_F_ACK`), and `NLMSG_ERROR`.
const NEW_LINK: u16 = 16;
const REQUEST: u16 = 1 | 4;
const ERROR: u16 = 2;

/// `IFF_UP`.
const UP: u32 = 1;

/// The loopback interface has this index in every network.
const INDEX: u32 = 1;

/// Does what `ip link set lo up` does.
pub(crate) fn bring_up() -> Result<()> {
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    connect(netlink.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
    // `struct nlmsghdr`, then `struct ifinfomsg`.
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend([NEW_LINK, REQUEST].map(u16::to_ne_bytes).concat());
    message.extend([1_u32, 0, 0, INDEX, UP, UP].map(u32::to_ne_bytes).concat());
    send(netlink.as_raw_fd(), &message, MsgFlags::empty())?;
    let mut answer = [0; 512];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    // Behind its header, an answer of this kind has the error's number, or zero.
    let answer = answer.get(..length).unwrap_or_default();
    let is_well =
        answer.get(4..6) == Some(&ERROR.to_ne_bytes()) && answer.get(16..20) == Some(&[0; 4]);
    match is_well {
        true => Ok(()),
        false => Err("the loopback interface does not come up".into()),
    }
}
