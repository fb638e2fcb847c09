//! A trap in words: why, and where in the guest's own code. It must not tell of the
//! code of others that every guest has in it.

use std::fmt::{self, Display};

use portcullis_policy::Shown;
use rustc_demangle::demangle;
use wasmtime::{FrameInfo, WasmBacktrace};

use crate::speaker::Panic;

/// How many frames are told of, and in one line.
const FRAMES: usize = 20;
const FRAMES_OF_LINE: usize = 3;

/// The crates whose frames lie beneath and above what a guest does.
const RUNTIMES: [&str; 14] = [
    "__rustc",
    "alloc",
    "compiler_builtins",
    "core",
    "dlmalloc",
    "hashbrown",
    "panic_abort",
    "panic_unwind",
    "portcullis_guest",
    "std",
    "wasi",
    "wasip2",
    "wit_bindgen",
    "wit_bindgen_rt",
];

/// Why a guest trapped, and where in its own code.
#[derive(Clone, Debug)]
pub struct TrapReport {
    cause: Shown,
    frames: Vec<Shown>,
}

impl TrapReport {
    /// What a trap tells of.
    pub fn new(trap: &wasmtime::Error) -> Self {
        let backtrace = trap.downcast_ref::<WasmBacktrace>();
        let cause = match trap.downcast_ref::<Panic>() {
            Some(panic) => Shown::line(panic),
            None => cause(trap, backtrace),
        };
        let mut frames: Vec<Shown> = backtrace
            .into_iter()
            .flat_map(WasmBacktrace::frames)
            .filter_map(frame)
            .take(FRAMES)
            .collect();
        frames.dedup();
        Self { cause, frames }
    }

    /// On one line, with the innermost frames.
    pub fn line(&self) -> Shown {
        Shown::line(fmt::from_fn(|f| {
            self.cause.fmt(f)?;
            let mut before = "; in ";
            for frame in self.frames.iter().take(FRAMES_OF_LINE) {
                write!(f, "{before}{frame}")?;
                before = ", in ";
            }
            Ok(())
        }))
    }

    /// On several lines, each frame on its own.
    pub fn lines(&self) -> Shown {
        Shown::lines(fmt::from_fn(|f| {
            self.cause.fmt(f)?;
            let mut frames = self.frames.iter();
            frames.try_for_each(|frame| write!(f, "\n  in {frame}"))
        }))
    }
}

/// The cause first, and then what came of it, without where that was.
fn cause(trap: &wasmtime::Error, backtrace: Option<&WasmBacktrace>) -> Shown {
    let place = backtrace.map(ToString::to_string);
    let causes = trap.chain().map(ToString::to_string);
    let mut causes: Vec<String> = causes
        .filter(|cause| Some(cause) != place.as_ref())
        .collect();
    causes.reverse();
    Shown::line(causes.join("; "))
}

/// The function, if it is the guest's own, and where in it that is known.
fn frame(frame: &FrameInfo) -> Option<Shown> {
    let Some(name) = frame.func_name() else {
        return Some(Shown::line(format_args!("function {}", frame.func_index())));
    };
    let name = Shown::line(format_args!("{:#}", demangle(name)));
    if !is_own(name.as_str()) {
        return None;
    }
    let place = frame.symbols().iter().find_map(|symbol| {
        let (file, line) = (symbol.file()?, symbol.line()?);
        Some(Shown::line(format_args!("{name} ({file}:{line})")))
    });
    Some(place.unwrap_or(name))
}

/// Whether a function is not that of a runtime.
fn is_own(name: &str) -> bool {
    let has_path = name.contains("::");
    if has_path {
        return root(name).is_none_or(|root| !RUNTIMES.contains(&root));
    }
    // What toolchains put around an export (`wasi:cli/run@0.2.0#run`), and the entry
    // points and ends of C and Rust.
    !(name.contains('#')
        || name.starts_with('_')
        || name.starts_with("cabi_")
        || matches!(name, "abort" | "rust_begin_unwind" | "rust_panic"))
}

/// The crate at the front of the first path: `std` of `<&T as std::io::Read>::read` as
/// of `std::io::read`.
fn root(name: &str) -> Option<&str> {
    let (before, _) = name.split_once("::")?;
    let begins = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_'));
    Some(
        before
            .get(begins.map_or(0, |at| at + 1)..)
            .unwrap_or(before),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_of_runtimes_are_not_the_guests_own() {
        for own in [
            "greeting::main",
            "<greeting::Guest as core::fmt::Display>::fmt",
            "main",
            "handle_request",
            "core_logic::run",
        ] {
            assert!(is_own(own), "{own}");
        }
        for other in [
            "core::panicking::panic_fmt",
            "std::sys::backtrace::__rust_begin_short_backtrace",
            "<fn() as core::ops::function::FnOnce<()>>::call_once",
            "<&T as std::io::Read>::read",
            "portcullis_guest::handler::stream::call",
            "portcullis:sockets/stream-handler@0.1.0#handle",
            "_start",
            "__main_void",
            "abort",
            "rust_panic",
        ] {
            assert!(!is_own(other), "{other}");
        }
    }
}
