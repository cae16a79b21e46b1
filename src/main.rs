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
    // A blocked thread, such as one that writes to a full terminal, does not delay the end.
    runtime.shutdown_background();
    code
}
