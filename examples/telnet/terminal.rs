//! The network virtual terminal: parts what a server says into what it shows and
//! what it asks for.

/// RFC 854's commands.
const SUBNEGOTIATION_END: u8 = 240;
const SUBNEGOTIATION: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const COMMAND: u8 = 255;

/// What was received so far. A command may be cut anywhere.
#[derive(Debug, Default)]
pub(crate) struct Terminal(State);

/// What the next byte is.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Text,
    Command,
    /// The option that a `WILL` or `DO` is about.
    Option {
        verb: u8,
    },
    Subnegotiation,
    SubnegotiationCommand,
}

/// What is in some bytes from the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Received {
    /// What it shows.
    pub(crate) text: Vec<u8>,
    /// What it is to be told: that we will not.
    pub(crate) refusals: Vec<u8>,
}

impl Terminal {
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Received {
        let mut received = Received::default();
        for &byte in bytes {
            self.0 = match (self.0, byte) {
                (State::Text, COMMAND) => State::Command,
                (State::Text, _) | (State::Command, COMMAND) => {
                    // Nothing is what a carriage return without a line feed is
                    // followed by.
                    if byte != 0 {
                        received.text.push(byte);
                    }
                    State::Text
                }
                (State::Command, WILL | WONT | DO | DONT) => State::Option { verb: byte },
                (State::Command, SUBNEGOTIATION) => State::Subnegotiation,
                (State::Command, _) => State::Text,
                (State::Option { verb }, option) => {
                    match verb {
                        WILL => received.refusals.extend([COMMAND, DONT, option]),
                        DO => received.refusals.extend([COMMAND, WONT, option]),
                        // That something is off is as we have it.
                        _ => {}
                    }
                    State::Text
                }
                (State::Subnegotiation, COMMAND) => State::SubnegotiationCommand,
                (State::SubnegotiationCommand, SUBNEGOTIATION_END) => State::Text,
                (State::Subnegotiation | State::SubnegotiationCommand, _) => State::Subnegotiation,
            };
        }
        received
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_parted_from_text_wherever_they_are_cut() {
        let said = [
            b"a".as_slice(),
            &[COMMAND, DO, 24],
            b"b",
            &[COMMAND, WILL, 1, COMMAND, DONT, 3, COMMAND, WONT, 3],
            &[COMMAND, SUBNEGOTIATION, 24, 1, COMMAND, COMMAND],
            &[240, COMMAND, SUBNEGOTIATION_END],
            // A byte of text that looks like a command, and GO AHEAD.
            &[COMMAND, COMMAND, COMMAND, 249],
            b"\r\0c",
        ]
        .concat();
        let expected = Received {
            text: b"ab\xff\rc".to_vec(),
            refusals: vec![COMMAND, WONT, 24, COMMAND, DONT, 1],
        };
        assert_eq!(Terminal::default().receive(&said), expected);
        for cut in 0..said.len() {
            let mut terminal = Terminal::default();
            let (first, second) = said.split_at(cut);
            let mut received = terminal.receive(first);
            let rest = terminal.receive(second);
            received.text.extend(rest.text);
            received.refusals.extend(rest.refusals);
            assert_eq!(received, expected, "cut at {cut}");
        }
    }
}
