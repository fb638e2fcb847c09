//! What the types in the shape of `std` have in common, written down once. A
//! type is a tuple of one [`Socket`](crate::Socket); its address is
//! [`std::net::SocketAddr`] or [`crate::UnixAddr`].

/// What every type has: its own address, another handle, non-blocking mode, its
/// error, and the socket beneath.
macro_rules! over_socket {
    ($type:ident, $address:ty) => {
        impl $type {
            /// The address of this end.
            ///
            /// # Errors
            ///
            /// Those of the contract's `local-address`.
            pub fn local_addr(&self) -> std::io::Result<$address> {
                self.0.local_addr()?.try_into()
            }

            /// Another handle on the same socket, with a non-blocking mode of its
            /// own.
            ///
            /// # Errors
            ///
            /// Those of the contract's `duplicate`.
            pub fn try_clone(&self) -> std::io::Result<Self> {
                self.0.try_clone().map(Self)
            }

            /// Sets whether operations on this handle fail with `WouldBlock`
            /// rather than wait.
            ///
            /// # Errors
            ///
            /// None; it returns a result because `std`'s does.
            pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
                self.0.set_nonblocking(nonblocking);
                Ok(())
            }

            /// Takes the error that waits to be reported.
            ///
            /// # Errors
            ///
            /// Those of the contract's `take-error`.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.0.take_error()
            }

            /// The socket beneath, with every option.
            pub fn as_socket(&self) -> &$crate::Socket {
                &self.0
            }
        }

        impl From<$crate::Socket> for $type {
            fn from(socket: $crate::Socket) -> Self {
                Self(socket)
            }
        }

        impl From<$type> for $crate::Socket {
            fn from(socket: $type) -> Self {
                socket.0
            }
        }

        impl AsRef<$crate::Socket> for $type {
            fn as_ref(&self) -> &$crate::Socket {
                &self.0
            }
        }
    };
}

/// What every type has that can have a peer: its address and timeouts.
macro_rules! over_connection {
    ($type:ident, $address:ty) => {
        impl $type {
            /// The address of the other end.
            ///
            /// # Errors
            ///
            /// Those of the contract's `remote-address`.
            pub fn peer_addr(&self) -> std::io::Result<$address> {
                self.0.peer_addr()?.try_into()
            }

            /// How long a receive waits (`SO_RCVTIMEO`); none is for ever.
            ///
            /// # Errors
            ///
            /// Those of the contract's `get-option`.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.read_timeout()
            }

            /// Sets how long a receive waits; after that it fails with
            /// `WouldBlock`.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for zero, as with `std`.
            pub fn set_read_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                $crate::shape::refuse_zero(timeout)?;
                self.0.set_read_timeout(timeout)
            }

            /// How long a send waits (`SO_SNDTIMEO`); none is for ever.
            ///
            /// # Errors
            ///
            /// Those of the contract's `get-option`.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.write_timeout()
            }

            /// Sets how long a send waits; after that it fails with `WouldBlock`.
            ///
            /// # Errors
            ///
            /// `InvalidInput` for zero, as with `std`.
            pub fn set_write_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                $crate::shape::refuse_zero(timeout)?;
                self.0.set_write_timeout(timeout)
            }
        }
    };
}

/// What every stream has: half closing, peeking, reading and writing.
macro_rules! over_stream {
    ($type:ident) => {
        impl $type {
            /// Closes one direction or both, for every handle.
            ///
            /// # Errors
            ///
            /// Those of the contract's `shutdown`.
            pub fn shutdown(&self, how: std::net::Shutdown) -> std::io::Result<()> {
                self.0.shutdown(how)
            }

            /// Receives without taking it.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive`.
            pub fn peek(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.peek(buffer)
            }
        }

        $crate::shape::over_bytes!($type, 0);
    };
}

/// `std`'s traits for what bytes come from and go to, by the socket that the type has
/// in a field, or is.
macro_rules! over_bytes {
    ($type:ident $(, $socket:tt)?) => {
        impl std::io::Read for &$type {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self$(.$socket)?.recv(buffer)
            }

            fn read_vectored(
                &mut self,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                self$(.$socket)?.recv_vectored(buffers)
            }
        }

        impl std::io::Read for $type {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                (&*self).read(buffer)
            }

            fn read_vectored(
                &mut self,
                buffers: &mut [std::io::IoSliceMut<'_>],
            ) -> std::io::Result<usize> {
                (&*self).read_vectored(buffers)
            }
        }

        impl std::io::Write for &$type {
            fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
                self$(.$socket)?.send(data)
            }

            fn write_vectored(
                &mut self,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                self$(.$socket)?.send_vectored(buffers)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        impl std::io::Write for $type {
            fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
                (&*self).write(data)
            }

            fn write_vectored(
                &mut self,
                buffers: &[std::io::IoSlice<'_>],
            ) -> std::io::Result<usize> {
                (&*self).write_vectored(buffers)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}

/// What every type that carries datagrams has, towards the peer and from anyone.
macro_rules! over_datagrams {
    ($type:ident, $address:ty) => {
        impl $type {
            /// Sends a datagram to the peer.
            ///
            /// # Errors
            ///
            /// Those of the contract's `send`.
            pub fn send(&self, data: &[u8]) -> std::io::Result<usize> {
                self.0.send(data)
            }

            /// Sends several datagrams to the peer in one call, and says how many
            /// went out (Linux `sendmmsg`).
            ///
            /// # Errors
            ///
            /// Those of the contract's `send-datagrams`.
            pub fn send_many(&self, datagrams: &[impl AsRef<[u8]>]) -> std::io::Result<usize> {
                self.0.send_many(datagrams)
            }

            /// Receives a datagram from the peer; what there is no room for is
            /// lost.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive`.
            pub fn recv(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.recv(buffer)
            }

            /// Receives a datagram from the peer without taking it.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive`.
            pub fn peek(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
                self.0.peek(buffer)
            }

            /// Receives a datagram, and says where it came from; what there is no
            /// room for is lost.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive-from`.
            pub fn recv_from(&self, buffer: &mut [u8]) -> std::io::Result<(usize, $address)> {
                let (length, source) = self.0.recv_from(buffer)?;
                Ok((length, source.try_into()?))
            }

            /// Receives a datagram without taking it, and says where it came from.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive-from`.
            pub fn peek_from(&self, buffer: &mut [u8]) -> std::io::Result<(usize, $address)> {
                let (length, source) = self.0.peek_from(buffer)?;
                Ok((length, source.try_into()?))
            }

            /// Receives a datagram of up to `maximum` bytes; it says whether there
            /// was more.
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive-from`.
            pub fn recv_datagram(
                &self,
                maximum: usize,
            ) -> std::io::Result<$crate::Datagram<$address>> {
                self.0.recv_datagram(maximum)?.narrow()
            }

            /// Waits for one datagram, then takes all that are there, up to `count`
            /// of at most `maximum` bytes each (Linux `recvmmsg`).
            ///
            /// # Errors
            ///
            /// Those of the contract's `receive-datagrams`.
            pub fn recv_many(
                &self,
                count: u32,
                maximum: usize,
            ) -> std::io::Result<Vec<$crate::Datagram<$address>>> {
                let datagrams = self.0.recv_many(count, maximum)?;
                datagrams
                    .into_iter()
                    .map($crate::Datagram::narrow)
                    .collect()
            }
        }
    };
}

/// Options that a type has in `std`, handed on to the socket's function.
macro_rules! over_options {
    ($type:ident: $($(#[$doc:meta])* $getter:ident, $setter:ident: $value:ty => $from:ident, $to:ident;)*) => {
        impl $type {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// Those of the contract's `get-option`.
                pub fn $getter(&self) -> std::io::Result<$value> {
                    self.0.$from()
                }

                #[doc = concat!("Sets [`", stringify!($getter), "`](Self::", stringify!($getter), ").")]
                ///
                /// # Errors
                ///
                /// Those of the contract's `set-option`.
                pub fn $setter(&self, value: $value) -> std::io::Result<()> {
                    self.0.$to(value)
                }
            )*
        }
    };
}

pub(crate) use {
    over_bytes, over_connection, over_datagrams, over_options, over_socket, over_stream,
};

pub(crate) fn refuse_zero(timeout: Option<std::time::Duration>) -> std::io::Result<()> {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(crate::builder::zero_timeout());
    }
    Ok(())
}
