//! Socket options: what can be asked of a socket and set on it.
//!
//! The names are socket2's. Options that would widen what a socket reaches
//! take a permit and are not here.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::socket::sockopt::DontRoute;
use nix::sys::socket::{getsockopt, setsockopt};
use nix::{getsockopt_impl, libc, setsockopt_impl, sockopt_impl};
use rustix::net::sockopt;

use crate::address::{Family, SocketType};
use crate::error::{Error, ErrorCode};
use crate::os::asked;
use crate::sharing::Sharing;
use crate::socket::Socket;

type Result<T> = std::result::Result<T, Error>;

/// Each method is the option of its name; the contract's `option-value` says
/// which constant of POSIX or Linux that is, and its unit.
///
/// # Errors
///
/// See `get-option` and `set-option` in `wit/socket.wit`.
#[expect(
    missing_docs,
    reason = "documented in wit/socket.wit, under the same names"
)]
impl Socket {
    pub fn family(&self) -> Family {
        self.shared.family
    }

    pub fn socket_type(&self) -> SocketType {
        self.shared.kind
    }

    pub fn protocol_number(&self) -> Result<u16> {
        let protocol = sockopt::socket_protocol(&self.shared.os)?;
        Ok(protocol.map_or(0, |protocol| {
            u16::try_from(protocol.as_raw().get()).unwrap_or(u16::MAX)
        }))
    }

    pub fn accepting_connections(&self) -> Result<bool> {
        Ok(self.shared.os.is_listener()?)
    }

    pub fn answer_as_asked(&self) -> Result<bool> {
        Ok(asked::is_told(&self.shared.os, self.shared.family)?)
    }

    pub fn set_answer_as_asked(&self, on: bool) -> Result<()> {
        asked::tell(&self.shared.os, self.shared.family, on)?;
        self.shared.settings.lock().answers_as_asked = on;
        Ok(())
    }

    pub fn broadcast(&self) -> Result<bool> {
        Ok(self.shared.os.broadcast()?)
    }

    pub fn do_not_route(&self) -> Result<bool> {
        Ok(getsockopt(&self.shared.os, DontRoute)?)
    }

    pub fn set_do_not_route(&self, on: bool) -> Result<()> {
        Ok(setsockopt(&self.shared.os, DontRoute, &on)?)
    }

    pub fn hop_limit(&self) -> Result<u8> {
        let limit = match self.shared.family {
            Family::Inet => self.shared.os.ttl_v4()?,
            Family::Inet6 => self.shared.os.unicast_hops_v6()?,
            Family::Unix => return Err(ErrorCode::OptionNotSupported.into()),
        };
        Ok(u8::try_from(limit).unwrap_or(u8::MAX))
    }

    pub fn set_hop_limit(&self, limit: u8) -> Result<()> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.os.set_ttl_v4(limit.into())?),
            Family::Inet6 if limit == 0 => Err(ErrorCode::InvalidArgument.into()),
            Family::Inet6 => Ok(self.shared.os.set_unicast_hops_v6(limit.into())?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn keep_alive(&self) -> Result<bool> {
        Ok(self.shared.os.keepalive()?)
    }

    pub fn set_keep_alive(&self, on: bool) -> Result<()> {
        Ok(self.shared.os.set_keepalive(on)?)
    }

    pub fn keep_alive_count(&self) -> Result<u32> {
        Ok(sockopt::tcp_keepcnt(self.of_inet()?)?)
    }

    pub fn set_keep_alive_count(&self, count: u32) -> Result<()> {
        Ok(sockopt::set_tcp_keepcnt(self.of_inet()?, count)?)
    }

    pub fn keep_alive_idle(&self) -> Result<Duration> {
        Ok(sockopt::tcp_keepidle(self.of_inet()?)?)
    }

    pub fn set_keep_alive_idle(&self, time: Duration) -> Result<()> {
        Ok(sockopt::set_tcp_keepidle(self.of_inet()?, time)?)
    }

    pub fn keep_alive_interval(&self) -> Result<Duration> {
        Ok(sockopt::tcp_keepintvl(self.of_inet()?)?)
    }

    pub fn set_keep_alive_interval(&self, time: Duration) -> Result<()> {
        Ok(sockopt::set_tcp_keepintvl(self.of_inet()?, time)?)
    }

    pub fn linger(&self) -> Result<Option<Duration>> {
        Ok(self.shared.settings.lock().linger)
    }

    /// The OS is told only of a time of zero, which resets the connection. Any
    /// other would block the host's thread when the socket is closed; the data
    /// is sent all the same, behind the scenes.
    pub fn set_linger(&self, time: Option<Duration>) -> Result<()> {
        self.shared.os.set_linger(time.filter(Duration::is_zero))?;
        let mut settings = self.shared.settings.lock();
        settings.linger = time;
        settings.has_timers = true;
        Ok(())
    }

    pub fn maximum_segment_size(&self) -> Result<u32> {
        Ok(self.of_inet()?.tcp_mss()?)
    }

    pub fn set_maximum_segment_size(&self, size: u32) -> Result<()> {
        Ok(self.of_inet()?.set_tcp_mss(size)?)
    }

    pub fn multicast_hop_limit(&self) -> Result<u8> {
        let limit = match self.shared.family {
            Family::Inet => self.shared.os.multicast_ttl_v4()?,
            Family::Inet6 => self.shared.os.multicast_hops_v6()?,
            Family::Unix => return Err(ErrorCode::OptionNotSupported.into()),
        };
        Ok(u8::try_from(limit).unwrap_or(u8::MAX))
    }

    pub fn set_multicast_hop_limit(&self, limit: u8) -> Result<()> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.os.set_multicast_ttl_v4(limit.into())?),
            Family::Inet6 => Ok(self.shared.os.set_multicast_hops_v6(limit.into())?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn multicast_interface(&self) -> Result<u32> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.settings.lock().multicast_interface),
            Family::Inet6 => Ok(self.shared.os.multicast_if_v6()?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn set_multicast_interface(&self, index: u32) -> Result<()> {
        match self.shared.family {
            Family::Inet => {
                let any = Ipv4Addr::UNSPECIFIED;
                sockopt::set_ip_multicast_if_with_ifindex(&self.shared.os, &any, &any, index)?;
                self.shared.settings.lock().multicast_interface = index;
                Ok(())
            }
            Family::Inet6 => Ok(self.shared.os.set_multicast_if_v6(index)?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn multicast_loop(&self) -> Result<bool> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.os.multicast_loop_v4()?),
            Family::Inet6 => Ok(self.shared.os.multicast_loop_v6()?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn set_multicast_loop(&self, on: bool) -> Result<()> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.os.set_multicast_loop_v4(on)?),
            Family::Inet6 => Ok(self.shared.os.set_multicast_loop_v6(on)?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn no_delay(&self) -> Result<bool> {
        Ok(self.of_inet()?.tcp_nodelay()?)
    }

    pub fn set_no_delay(&self, on: bool) -> Result<()> {
        Ok(self.of_inet()?.set_tcp_nodelay(on)?)
    }

    pub fn out_of_band_inline(&self) -> Result<bool> {
        Ok(self.shared.os.out_of_band_inline()?)
    }

    pub fn set_out_of_band_inline(&self, on: bool) -> Result<()> {
        Ok(self.shared.os.set_out_of_band_inline(on)?)
    }

    pub fn receive_buffer_size(&self) -> Result<u32> {
        Ok(size(self.shared.os.recv_buffer_size()?))
    }

    pub fn set_receive_buffer_size(&self, bytes: u32) -> Result<()> {
        Ok(self.shared.os.set_recv_buffer_size(bytes as usize)?)
    }

    pub fn receive_low_water_mark(&self) -> Result<u32> {
        let bytes = getsockopt(&self.shared.os, ReceiveLowWaterMark)?;
        Ok(bytes.unsigned_abs())
    }

    pub fn set_receive_low_water_mark(&self, bytes: u32) -> Result<()> {
        let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
        setsockopt(&self.shared.os, ReceiveLowWaterMark, &bytes)?;
        self.shared.settings.lock().has_low_water_mark = true;
        Ok(())
    }

    pub fn receive_timeout(&self) -> Option<Duration> {
        self.shared.settings.lock().receive_timeout
    }

    /// Zero is for ever, as POSIX has it. The OS keeps it, as it rounds it and hands
    /// it on to connections, and does not heed it.
    pub fn set_receive_timeout(&self, time: Option<Duration>) -> Result<()> {
        self.shared.os.set_read_timeout(time.map(countable))?;
        let mut settings = self.shared.settings.lock();
        settings.has_timers = true;
        settings.receive_timeout = self.shared.os.read_timeout()?;
        Ok(())
    }

    pub fn reuse_address(&self) -> Result<bool> {
        self.shares(Sharing::Address)
    }

    pub fn set_reuse_address(&self, on: bool) -> Result<()> {
        self.share(Sharing::Address, on)
    }

    pub fn reuse_port(&self) -> Result<bool> {
        self.shares(Sharing::Port)
    }

    pub fn set_reuse_port(&self, on: bool) -> Result<()> {
        self.share(Sharing::Port, on)
    }

    pub fn send_buffer_size(&self) -> Result<u32> {
        Ok(size(self.shared.os.send_buffer_size()?))
    }

    pub fn set_send_buffer_size(&self, bytes: u32) -> Result<()> {
        Ok(self.shared.os.set_send_buffer_size(bytes as usize)?)
    }

    pub fn send_timeout(&self) -> Option<Duration> {
        self.shared.settings.lock().send_timeout
    }

    /// Zero is for ever, as POSIX has it. The OS keeps it, as it rounds it and hands
    /// it on to connections, and does not heed it.
    pub fn set_send_timeout(&self, time: Option<Duration>) -> Result<()> {
        self.shared.os.set_write_timeout(time.map(countable))?;
        let mut settings = self.shared.settings.lock();
        settings.has_timers = true;
        settings.send_timeout = self.shared.os.write_timeout()?;
        Ok(())
    }

    pub fn traffic_class(&self) -> Result<u8> {
        let class = match self.shared.family {
            Family::Inet => self.shared.os.tos_v4()?,
            Family::Inet6 => self.shared.os.tclass_v6()?,
            Family::Unix => return Err(ErrorCode::OptionNotSupported.into()),
        };
        Ok(u8::try_from(class).unwrap_or(u8::MAX))
    }

    pub fn set_traffic_class(&self, class: u8) -> Result<()> {
        match self.shared.family {
            Family::Inet => Ok(self.shared.os.set_tos_v4(class.into())?),
            Family::Inet6 => Ok(self.shared.os.set_tclass_v6(class.into())?),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }

    pub fn user_timeout(&self) -> Result<Duration> {
        Ok(self.of_inet()?.tcp_user_timeout()?.unwrap_or_default())
    }

    pub fn set_user_timeout(&self, time: Duration) -> Result<()> {
        Ok(self.of_inet()?.set_tcp_user_timeout(Some(time))?)
    }

    pub fn v6_only(&self) -> Result<bool> {
        Ok(self.of_inet()?.only_v6()?)
    }

    pub fn set_v6_only(&self, on: bool) -> Result<()> {
        Ok(self.of_inet()?.set_only_v6(on)?)
    }

    /// The socket, for an option of the internet's protocols. Unix sockets have
    /// none of them, of which Linux says less than that.
    fn of_inet(&self) -> Result<&socket2::Socket> {
        match self.shared.family {
            Family::Inet | Family::Inet6 => Ok(&self.shared.os),
            Family::Unix => Err(ErrorCode::OptionNotSupported.into()),
        }
    }
}

sockopt_impl!(
    ReceiveLowWaterMark,
    Both,
    libc::SOL_SOCKET,
    libc::SO_RCVLOWAT,
    i32
);

/// The OS counts in microseconds; what is less than one of them is not nothing.
fn countable(time: Duration) -> Duration {
    match time {
        Duration::ZERO => time,
        _ => time.max(Duration::from_micros(1)),
    }
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
