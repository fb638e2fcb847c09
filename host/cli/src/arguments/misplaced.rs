//! Options of this command that would go to the program. It must not touch what
//! stands behind `--`.

use std::ffi::OsString;

use clap::{CommandFactory, error::ErrorKind};
use strsim::damerau_levenshtein;

use super::{Arguments, Command, GuestArguments};

/// What both this command and programs have: who writes it behind an argument of the
/// program means the program's.
const OF_BOTH: [&str; 2] = ["help", "version"];

/// Ends the process where an argument of the program is, or all but is, an option of
/// this command: what was meant to hold the program would not hold. A handler has
/// its options behind `--` only.
pub(super) fn refuse(arguments: &Arguments, line: &[OsString]) {
    let (name, guest) = match &arguments.command {
        Command::Learn(learn) => ("learn", &learn.guest),
        Command::Run(run) => ("run", &run.guest),
        Command::Serve(serve) => ("serve", &serve.guest),
        Command::Compile(_) | Command::Policy(_) => return,
    };
    let mut command = Arguments::command();
    let options = command
        .get_arguments()
        .chain(
            command
                .find_subcommand(name)
                .into_iter()
                .flat_map(|own| own.get_arguments()),
        )
        .filter_map(|option| option.get_long())
        .filter(|option| !OF_BOTH.contains(option));
    let options: Vec<_> = options.map(str::to_owned).collect();
    let Some((argument, meant)) = first(guest, line, &options, name == "serve") else {
        return;
    };
    let meant = match meant {
        Some(option) if argument.split('=').next() == Some(&format!("--{option}")) => {
            "an option of this command, and stands where arguments of the program do".to_owned()
        }
        Some(option) => format!("no option; is it `--{option}`?"),
        None => "no option".to_owned(),
    };
    let message = format!(
        "`{argument}` is {meant}\n\nOptions go before the program, or right behind it; write `--` \
         before what is for the program"
    );
    command.error(ErrorKind::UnknownArgument, message).exit();
}

/// The first such argument, with the option that it is or may be meant for.
fn first<'a>(
    guest: &'a GuestArguments,
    line: &[OsString],
    options: &'a [String],
    is_strict: bool,
) -> Option<(&'a str, Option<&'a str>)> {
    let arguments = &guest.arguments;
    let before = line.len().checked_sub(arguments.len() + 1)?;
    if line.get(before)? == "--" {
        return None;
    }
    let doubtful = arguments.iter().take_while(|argument| *argument != "--");
    doubtful.map(String::as_str).find_map(|argument| {
        let name = argument.strip_prefix("--").unwrap_or_default();
        let name = name.split('=').next().unwrap_or_default();
        let meant = nearest(name, options);
        let is_option = argument.len() > 1 && argument.starts_with('-');
        (meant.is_some() || is_strict && is_option).then_some((argument, meant))
    })
}

/// The option that a name is, or that one typed wrongly who typed the name: one
/// letter in three at the most.
fn nearest<'a>(name: &str, options: &'a [String]) -> Option<&'a str> {
    let distances = options
        .iter()
        .map(|option| (damerau_levenshtein(name, option), option));
    let (distance, option) = distances.min()?;
    (distance <= option.len() / 3 && !OF_BOTH.contains(&name)).then_some(option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Option<&str>) {
        let options = ["allow", "ceiling", "deny", "env", "policy"].map(str::to_owned);
        assert_eq!(nearest(name, &options), expected, "{name}");
    }

    #[test]
    fn an_option_is_known_by_what_it_nearly_is() {
        check("policy", Some("policy"));
        check("polcy", Some("policy"));
        check("cieling", Some("ceiling"));
        check("dney", Some("deny"));
        check("port", None);
        check("verbose", None);
        check("", None);
        check("help", None);
    }
}
