//! The binary: on to the command line.

#![recursion_limit = "256"]

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(anstream::stderr(), "bpfnews: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(bpfnews::cli::main());
    // What still blocks a thread, such as a terminal that takes nothing more, does not hold up the end.
    runtime.shutdown_background();
    code
}
