//! Does with sockets what it reads from standard input, and writes to standard
//! output what came of it: the sandboxed half of the differential test.

use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

use portcullis_guest::raw::network;
use portcullis_test_guests::table::Table;
use portcullis_test_operations::{Case, decode, encode};

fn main() -> io::Result<()> {
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let case: Case = decode(&input);
    let pause = Duration::from_millis(case.pause_millis.into());
    let mut table = Table::new(network::default_network(), case.folder, case.prefix);
    let mut outcomes = Vec::new();
    for operation in case.operations {
        outcomes.push(table.execute(operation));
        thread::sleep(pause);
    }
    io::stdout().write_all(&encode(&outcomes))
}
