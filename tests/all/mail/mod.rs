//! Mail: from signing up to unsubscribing, over real sockets to a mail server that is strict and that fails at each step.

mod faults;
mod kills;
mod look;
mod many;
mod round;
mod sink;
pub(crate) mod world;
