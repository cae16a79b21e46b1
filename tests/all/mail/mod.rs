//! Mail from sign-up to unsubscribing, over real sockets to a strict mail server that fails at each step.

mod faults;
mod kills;
mod look;
mod many;
mod round;
mod sink;
pub(crate) mod world;
