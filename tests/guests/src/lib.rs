//! How a test guest chooses what to do.
//!
//! A guest's failed assertion is a trap, which fails the test that drives it.

/// Writes a `main` that runs the function named by the first argument with the
/// others. `--list` prints their names, so that a suite can tell whether it
/// drives them all.
#[macro_export]
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
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
