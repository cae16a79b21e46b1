//! The binary: on to the command line.

#![recursion_limit = "256"]

#[tokio::main]
async fn main() -> std::process::ExitCode {
    bpfnews::cli::main().await
}
