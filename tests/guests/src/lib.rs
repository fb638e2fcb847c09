//! How a test guest chooses what to do.
//!
//! A guest's failed assertion is a trap, which fails the test that drives it.

#![expect(clippy::panic, reason = "a test guest fails by trapping")]

pub mod order;
pub mod table;

use std::io;

use portcullis_guest::{ErrorCode, error_code};

/// The code of the error that an operation has to end with.
#[track_caller]
pub fn failure<T>(result: io::Result<T>) -> ErrorCode {
    match result {
        Ok(_) => panic!("it does not fail"),
        Err(error) => match error_code(&error) {
            Some(code) => code,
            None => panic!("not an error of the host: {error}"),
        },
    }
}

/// Writes a `main` that runs the function named by the first argument with the
/// others. `--list` prints their names, so that a suite can tell whether it
/// drives them all.
#[macro_export]
macro_rules! behaviours {
    ($($name:path),* $(,)?) => {
        fn main() -> std::io::Result<()> {
            let arguments: Vec<String> = std::env::args().skip(1).collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let (name, rest) = arguments.split_first().expect("the name of a behaviour");
            match *name {
                "--list" => { $(println!(stringify!($name));)* }
                $(stringify!($name) => $name(rest)?,)*
                other => panic!("no behaviour is called {other}"),
            }
            Ok(())
        }
    };
}
