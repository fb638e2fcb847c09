//! Tells what it sees of the world besides the network.

use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("arguments: {:?}", env::args().skip(1).collect::<Vec<_>>());
    println!("environment: {:?}", env::vars().collect::<Vec<_>>());
    println!("file: {}", fs::read_to_string("/data/greeting.txt")?);
    Ok(())
}
