//! The binary: flags, tracing, and on to the command.
fn main() {}
