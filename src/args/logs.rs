//! Flags of the log (upstream: `component-base/logs/api/v1`).

use std::time::Duration;

use clap::{ArgAction, Args};

use crate::config::parse_duration;

/// What is logged and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logs flags")]
pub struct LogArgs {
    /// How the log is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub logging_format: LogFormat,
    /// How much is logged: 0 is what an operator needs, 2 every decision, 4 everything.
    #[arg(short, long, value_name = "LEVEL", default_value_t = 0)]
    pub v: u8,
    /// Levels of single modules, as pattern=level. The patterns are of this program's modules.
    #[arg(long, value_name = "PATTERN=N", value_delimiter = ',')]
    pub vmodule: Vec<String>,
    /// Accepted; the log is never held back.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub log_flush_frequency: Duration,
    /// Accepted; the log is one stream.
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse, hide = true)]
    pub log_json_split_stream: bool,
    /// Accepted; the log is one stream.
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set, value_parser = super::bool::parse, hide = true)]
    pub log_text_split_stream: bool,
    /// Accepted; the log is never held back.
    #[arg(long, value_name = "SIZE", default_value = "0", hide = true)]
    pub log_json_info_buffer_size: String,
    /// Accepted; the log is never held back.
    #[arg(long, value_name = "SIZE", default_value = "0", hide = true)]
    pub log_text_info_buffer_size: String,
}

/// Forms of the log, as kube-scheduler has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON objects, one a line.
    Json,
}

// === impl LogArgs ===

impl LogArgs {
    /// What is logged, as a filter of `tracing`: our own words first, and what libraries say of each request
    /// only from level 4 on.
    pub fn filter(&self) -> String {
        let modules = self.vmodule.iter().filter_map(|it| it.split_once('=')).map(|(pattern, level)| {
            let module = pattern.trim_end_matches(['*', '/']).replace('/', "::");
            let level = match level.parse::<u8>().unwrap_or(0) {
                0 | 1 => "info",
                2 | 3 => "debug",
                _ => "trace",
            };
            format!("edge_scheduler::{module}={level}")
        });
        std::iter::once(level(self.v).to_owned()).chain(modules).collect::<Vec<_>>().join(",")
    }
}

fn level(verbosity: u8) -> &'static str {
    match verbosity {
        0 | 1 => "info",
        2 | 3 => "info,edge_scheduler=debug",
        _ => "trace",
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        log: LogArgs,
    }

    #[track_caller]
    fn check(args: &[&str], expected: &str) {
        let command = Command::try_parse_from([&["edge-scheduler"], args].concat()).unwrap();
        assert_eq!(command.log.filter(), expected, "{args:?}");
    }

    #[test]
    fn levels_are_those_of_kube_scheduler() {
        check(&[], "info");
        check(&["-v2"], "info,edge_scheduler=debug");
        check(&["--v=5"], "trace");
        check(
            &["--vmodule=lease=4,cluster/*=2"],
            "info,edge_scheduler::lease=trace,edge_scheduler::cluster=debug",
        );
    }
}
