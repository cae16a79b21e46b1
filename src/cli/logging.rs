//! What the program logs, and where.

use super::{Cli, Command};

/// Libraries log expected answers too. The bot logs the results itself, so these targets are quiet.
const NOISE: &str = "twilight_gateway=off,twilight_gateway_queue=off,matrix_sdk=off";

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// Sets up tracing on standard error. `RUST_LOG` overrides the level of the command and of `-v`.
pub(super) fn trace(cli: &Cli) {
    let default = match (&cli.command, cli.verbose) {
        (_, 2..) => format!("bpfnews=debug,info,{NOISE}"),
        (_, 1) | (Command::Run, 0) => format!("bpfnews=info,warn,{NOISE}"),
        (_, 0) => format!("error,{NOISE}"),
    };
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| default.into());
    let log = tracing_subscriber::fmt().with_env_filter(filter);
    match cli.log_format {
        LogFormat::Text => log
            .with_writer(|| anstream::AutoStream::auto(std::io::stderr()))
            .with_target(false)
            .init(),
        LogFormat::Json => log.json().with_writer(std::io::stderr).init(),
    }
}
