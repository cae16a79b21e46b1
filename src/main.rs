//! The binary: on to the command line.

#[tokio::main]
async fn main() -> std::process::ExitCode {
    bpfnews::cli::main().await
}
