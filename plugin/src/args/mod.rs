//! What was said on the command line.

mod connection;
pub(crate) mod values;

pub(crate) use connection::Connection;
pub(crate) use values::timeout;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, ValueEnum};

use crate::commands::Command;

/// Delay-aware scheduling at the edge
#[derive(Debug, Parser)]
#[command(name = "kubectl-edge", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

/// Options that every command has.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Options {
    /// How to print the result
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Output"
    )]
    pub(crate) output: Format,
    /// Leave out the heads of columns
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_headers: bool,
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Output")]
    #[arg(help = "When to colour; NO_COLOR is honoured")]
    pub(crate) color: When,
}

/// A form of the result. The values speak for themselves, so help does not explain them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // For people.
    #[default]
    Table,
    // For people, with more columns.
    Wide,
    // A versioned object.
    Json,
    // The same as YAML.
    Yaml,
    // Kind and name of each object, to be given to kubectl.
    Name,
}

/// When something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    // On a terminal.
    #[default]
    Auto,
    // In every case.
    Always,
    // In no case.
    Never,
}

/// One run of the plugin.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The name it was called by, as a person writes it.
    pub(crate) name: String,
    /// Options that every command has.
    pub(crate) options: Options,
    /// Which cluster, and as whom.
    pub(crate) connection: Connection,
    /// The command.
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 findings: the result is not as one would wish,
4 partial: a permission is missing or something did not answer, 124 not in time, 130 interrupted.";

/// Reads the arguments; the first is the name of the program.
pub(crate) fn parse(args: &[OsString]) -> Result<Invocation, clap::Error> {
    let name = displayed_name(args.first().map_or(OsStr::new(""), OsString::as_os_str));
    let command = definition(&name).color(color_of_help(args));
    let mut matches = command.try_get_matches_from(args)?;
    let connection = Connection::of(&matches);
    let cli = Cli::from_arg_matches_mut(&mut matches)?;
    Ok(Invocation { name, options: cli.options, connection, command: cli.command })
}

/// The flags of the connection among what was said.
pub(crate) fn connection_of(matches: &clap::ArgMatches) -> Connection {
    Connection::of(matches)
}

/// The command line as it is when the plugin goes by this name.
pub(crate) fn definition(name: &str) -> clap::Command {
    let command = Cli::command().bin_name(name.to_owned()).display_name(name.to_owned());
    renamed(Connection::add_to(command, false), name)
}

/// Examples in help texts go by the name that the plugin was called by.
fn renamed(command: clap::Command, name: &str) -> clap::Command {
    let named = |help: &dyn ToString| help.to_string().replace("kubectl edge", name);
    let command = match command.get_after_help().map(|it| named(it)) {
        Some(help) => command.after_help(help),
        None => command,
    };
    let command = match command.get_after_long_help().map(|it| named(it)) {
        Some(help) => command.after_long_help(help),
        None => command,
    };
    command.mut_subcommands(|command| renamed(command, name))
}

/// kubectl runs `kubectl-edge` for `kubectl edge`, and a plugin installed under another name is called by that.
pub(crate) fn displayed_name(program: &OsStr) -> String {
    let stem = Path::new(program).file_stem().and_then(OsStr::to_str).unwrap_or("kubectl-edge");
    match stem.strip_prefix("kubectl-") {
        // kubectl writes `_` for the dashes of a plugin's name.
        Some(plugin) => format!("kubectl {}", plugin.replace('_', "-")),
        None => stem.to_owned(),
    }
}

/// Help and usage errors are printed before `--color` is parsed, so it is looked for by hand.
fn color_of_help(args: &[OsString]) -> ColorChoice {
    let mut values = args.iter().zip(args.iter().skip(1)).filter(|(option, _)| *option == "--color");
    let separate = values.next().and_then(|(_, value)| value.to_str());
    let joined = args.iter().find_map(|arg| arg.to_str()?.strip_prefix("--color="));
    match separate.or(joined) {
        Some("always") => ColorChoice::Always,
        Some("never") => ColorChoice::Never,
        _ => ColorChoice::Auto,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Invocation {
        parse(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_command_line_is_sound() {
        definition("kubectl edge").debug_assert();
    }

    #[test]
    fn the_name_shown_is_the_one_it_was_called_by() {
        let check = |program: &str, expected: &str| assert_eq!(displayed_name(program.as_ref()), expected);
        check("/usr/local/bin/kubectl-edge", "kubectl edge");
        check("kubectl-edge.exe", "kubectl edge");
        check("kubectl-edge_scheduler", "kubectl edge-scheduler");
        check("./edge", "edge");
        check("", "kubectl edge");
    }

    #[test]
    fn flags_of_the_connection_stand_before_or_after_the_command() {
        let before = parsed("kubectl-edge --context a -n shop --as=bob version").connection;
        assert_eq!(before, parsed("kubectl-edge version --context a -n shop --as=bob").connection);
        assert_eq!(
            before,
            parsed("kubectl-edge --context b version --context a -n shop --as bob").connection
        );
        assert_eq!(before.namespace.as_deref(), Some("shop"));
    }
}
