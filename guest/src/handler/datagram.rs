//! Handlers of datagrams.

use std::{fmt, io};

use super::peer;
use crate::address::SockAddr;
use crate::error::to_host;
use crate::raw::types::{Error, SocketAddress};

/// Exports a function as what the host runs for each datagram.
///
/// It takes the datagram and the peer's address, and returns the [`Answers`],
/// which the host sends to the peer: none, one, or several, or an [`io::Result`]
/// of them. An error is for the host's log, and the peer hears nothing of it. The
/// peer's address is a [`SockAddr`](crate::SockAddr), or a [`std::net::SocketAddr`] or
/// [`UnixAddr`](crate::UnixAddr): then a datagram of the other family ends with
/// an error before the function is called.
///
/// ```
/// use portcullis_guest::{SockAddr, datagram_handler};
///
/// datagram_handler!(answer);
///
/// fn answer(datagram: Vec<u8>, _peer: SockAddr) -> Vec<u8> {
///     datagram.to_ascii_uppercase()
/// }
/// # fn main() {}
/// ```
///
/// See [`handler`](mod@crate::handler) for how to build it.
#[macro_export]
macro_rules! datagram_handler {
    ($function:path) => {
        const _: () = {
            use $crate::handler::datagram_server::exports::portcullis::sockets::datagram_handler;

            struct Handler;

            impl datagram_handler::Guest for Handler {
                fn handle(
                    datagram: ::std::vec::Vec<u8>,
                    peer: $crate::raw::types::SocketAddress,
                ) -> ::core::result::Result<
                    ::std::vec::Vec<::std::vec::Vec<u8>>,
                    $crate::raw::types::Error,
                > {
                    $crate::handler::run_datagram($function, datagram, peer)
                }
            }

            // It is in use also where nobody can call it: no linker but that of wasm
            // takes a name like the contract's.
            const _: () = {
                let _ = <Handler as datagram_handler::Guest>::handle;
            };
            #[cfg(target_family = "wasm")]
            $crate::handler::datagram_server::export!(
                Handler with_types_in $crate::handler::datagram_server
            );
        };
    };
}

/// What the function of a [`datagram_handler!`](crate::datagram_handler) may
/// return.
pub trait Answers {
    /// The datagrams to send, in their order.
    ///
    /// # Errors
    ///
    /// That of the function, for the host's log.
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>>;
}

/// None.
impl Answers for () {
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>> {
        Ok(Vec::new())
    }
}

/// One, which may be empty.
impl Answers for Vec<u8> {
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>> {
        Ok(vec![self])
    }
}

/// One or none.
impl Answers for Option<Vec<u8>> {
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.into_iter().collect())
    }
}

/// As many as there are.
impl Answers for Vec<Vec<u8>> {
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>> {
        Ok(self)
    }
}

/// Those, unless it failed.
impl<A: Answers> Answers for io::Result<A> {
    fn into_datagrams(self) -> io::Result<Vec<Vec<u8>>> {
        self?.into_datagrams()
    }
}

/// Calls the function with the types that it takes.
pub fn run<P, R>(
    function: impl FnOnce(Vec<u8>, P) -> R,
    datagram: Vec<u8>,
    address: SocketAddress,
) -> Result<Vec<Vec<u8>>, Error>
where
    P: TryFrom<SockAddr>,
    P::Error: fmt::Display,
    R: Answers,
{
    function(datagram, peer(address)?)
        .into_datagrams()
        .map_err(|error| to_host(&error))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::raw::types::ErrorCode;

    #[track_caller]
    fn check<R: Answers>(function: impl FnOnce(Vec<u8>, SocketAddr) -> R, expected: &[&[u8]]) {
        let peer = SockAddr::Inet(([127, 0, 0, 1], 7).into());
        let sent = run(function, b"ping".to_vec(), peer.to_contract()).unwrap();
        assert_eq!(sent, expected);
    }

    #[test]
    fn an_answer_is_whatever_the_function_returns() {
        check(|_, _| (), &[]);
        check(|datagram, _| datagram, &[b"ping"]);
        check(|_, _| None, &[]);
        check(|datagram, _| Some(datagram), &[b"ping"]);
        check(|datagram, _| vec![datagram, Vec::new()], &[b"ping", b""]);
        check(|_, peer| Ok(peer.port().to_string().into_bytes()), &[b"7"]);
    }

    #[test]
    fn an_error_of_the_function_is_that_of_the_handler() {
        let peer = SockAddr::Inet(([127, 0, 0, 1], 7).into());
        let fails = |_, _: SockAddr| -> io::Result<()> { Err(io::ErrorKind::TimedOut.into()) };
        let error = run(fails, Vec::new(), peer.to_contract()).unwrap_err();
        assert_eq!(error.code, ErrorCode::TimedOut);
    }
}
