//! The flags of `kubectl options`: which cluster, as whom.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{Resettable, StyledStr};
use clap::{Arg, ArgMatches, Args, FromArgMatches};

use super::values;

/// Which cluster to talk to and as whom. Words and meaning are kubectl's own.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[group(skip)]
#[command(next_help_heading = HEADING)]
pub(crate) struct Connection {
    /// Username to impersonate for the operation: a user, or a service account in a namespace
    #[arg(long = "as", value_name = "USER")]
    pub(crate) impersonate: Option<String>,
    /// Group to impersonate; can be repeated
    #[arg(long, value_name = "GROUP")]
    pub(crate) as_group: Vec<String>,
    /// UID to impersonate
    #[arg(long, value_name = "UID")]
    pub(crate) as_uid: Option<String>,
    /// Extra of the user to impersonate; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) as_user_extra: Vec<String>,
    /// Path to a cert file for the certificate authority
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate_authority: Option<String>,
    /// Path to a client certificate file for TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<String>,
    /// Path to a client key file for TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) client_key: Option<String>,
    /// The name of the kubeconfig cluster to use
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// The name of the kubeconfig context to use
    #[arg(long, value_name = "NAME")]
    pub(crate) context: Option<String>,
    /// If true, answers are not compressed
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) disable_compression: Option<bool>,
    /// If true, the server's certificate is not checked: the connection is insecure
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) insecure_skip_tls_verify: Option<bool>,
    /// Path to the kubeconfig file
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The namespace
    #[arg(short, long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Password for basic authentication to the API server
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// How long to wait for one answer of the server, in seconds or with a unit; 0 is for ever
    #[arg(long, value_parser = values::timeout, value_name = "TIME")]
    pub(crate) request_timeout: Option<Duration>,
    /// The address and port of the Kubernetes API server
    #[arg(short, long, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Server name to check the server's certificate for, if it is not the host's
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
    /// Bearer token for authentication to the API server
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: Option<String>,
    /// The name of the kubeconfig user to use
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Username for basic authentication to the API server
    #[arg(long, value_name = "USER")]
    pub(crate) username: Option<String>,
    /// How much to tell: from 6 on, every request
    #[arg(short, long = "v", value_name = "LEVEL")]
    pub(crate) v: Option<u8>,
    /// Treat warnings of the server as errors
    #[arg(long, value_parser = values::boolean, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub(crate) warnings_as_errors: Option<bool>,
}

/// Flags of kubectl that mean nothing here and are taken all the same, unless a command has its own of that
/// name.
const WITHOUT_MEANING: [(&str, &str, &str); 7] = [
    ("cache-dir", "DIR", "nothing is kept"),
    ("kuberc", "FILE", "preferences are for kubectl's own commands"),
    ("log-flush-frequency", "TIME", "nothing is kept back"),
    ("match-server-version", "BOOL", "the plugin's version is not the server's"),
    ("profile", "NAME", "nothing is profiled"),
    ("profile-output", "FILE", "nothing is profiled"),
    ("vmodule", "PATTERN=LEVEL,...", "nothing is logged by module"),
];

const HEADING: &str = "Connection, as kubectl has it";

/// Commands that talk to nobody.
const OFFLINE: [&str; 3] = ["simulate", "completion", "help"];

/// What every other command says of these flags, which would hide its own.
const WHERE: &str = "Use \"kubectl edge options\" for the flags of kubectl that this command takes too.";

// === impl Connection ===

impl Connection {
    /// Gives the flags to a command and those below it, hidden, so that its own are seen.
    pub(super) fn add_to(command: clap::Command, is_leaf_documented: bool) -> clap::Command {
        let command = with_flags(command);
        let command = command.mut_args(|arg| if is_of_connection(&arg) { arg.hide(true) } else { arg });
        let command = if is_leaf_documented { point_to_options(command) } else { command };
        command.mut_subcommands(|command| {
            let is_offline = OFFLINE.contains(&command.get_name());
            if is_offline { command } else { Self::add_to(command, true) }
        })
    }

    /// What was said, on whatever level of the command.
    pub(super) fn of(matches: &ArgMatches) -> Self {
        let mut said = Self::default();
        let mut level = Some(matches);
        while let Some(matches) = level {
            if matches.try_contains_id("kubeconfig").is_ok() {
                // It can't fail: these arguments were parsed by the same definition.
                said = said.or(Self::from_arg_matches(matches).unwrap_or_default());
            }
            level = matches.subcommand().map(|(_, matches)| matches);
        }
        said
    }

    /// Everything in this that is set, else what is set in the other; the inner level wins.
    fn or(self, inner: Self) -> Self {
        let list = |outer: Vec<String>, inner: Vec<String>| if inner.is_empty() { outer } else { inner };
        Self {
            impersonate: inner.impersonate.or(self.impersonate),
            as_group: list(self.as_group, inner.as_group),
            as_uid: inner.as_uid.or(self.as_uid),
            as_user_extra: list(self.as_user_extra, inner.as_user_extra),
            certificate_authority: inner.certificate_authority.or(self.certificate_authority),
            client_certificate: inner.client_certificate.or(self.client_certificate),
            client_key: inner.client_key.or(self.client_key),
            cluster: inner.cluster.or(self.cluster),
            context: inner.context.or(self.context),
            disable_compression: inner.disable_compression.or(self.disable_compression),
            insecure_skip_tls_verify: inner.insecure_skip_tls_verify.or(self.insecure_skip_tls_verify),
            kubeconfig: inner.kubeconfig.or(self.kubeconfig),
            namespace: inner.namespace.or(self.namespace),
            password: inner.password.or(self.password),
            request_timeout: inner.request_timeout.or(self.request_timeout),
            server: inner.server.or(self.server),
            tls_server_name: inner.tls_server_name.or(self.tls_server_name),
            token: inner.token.or(self.token),
            user: inner.user.or(self.user),
            username: inner.username.or(self.username),
            v: inner.v.or(self.v),
            warnings_as_errors: inner.warnings_as_errors.or(self.warnings_as_errors),
        }
    }

    /// The flags as help shows them.
    pub(crate) fn help() -> String {
        let command = with_flags(clap::Command::new("options").disable_help_flag(true));
        let mut command = command.help_template("{options}").max_term_width(100);
        command.render_help().to_string().trim_end().to_owned() + "\n"
    }
}

fn with_flags(command: clap::Command) -> clap::Command {
    // The flags' own description is not the command's.
    let kept = |text: Option<&StyledStr>| text.cloned().map_or(Resettable::Reset, Resettable::Value);
    let (about, long_about) = (kept(command.get_about()), kept(command.get_long_about()));
    let command = Connection::augment_args(command).about(about).long_about(long_about);
    WITHOUT_MEANING.into_iter().fold(command, |command, (name, value, help)| {
        if command.get_arguments().any(|arg| arg.get_long() == Some(name)) {
            return command;
        }
        let arg = Arg::new(name).long(name).value_name(value).help_heading(HEADING);
        let arg = if value == "BOOL" { arg.num_args(0..=1).require_equals(true) } else { arg };
        command.arg(arg.help(format!("No effect: {help}")))
    })
}

fn is_of_connection(arg: &Arg) -> bool {
    arg.get_help_heading() == Some(HEADING)
}

fn point_to_options(command: clap::Command) -> clap::Command {
    let with =
        |help: Option<String>| help.map_or_else(|| WHERE.to_owned(), |help| format!("{help}\n\n{WHERE}"));
    let short = with(command.get_after_help().map(ToString::to_string));
    let long = command.get_after_long_help().map(|help| with(Some(help.to_string())));
    let command = command.after_help(short);
    match long {
        Some(long) => command.after_long_help(long),
        None => command,
    }
}
