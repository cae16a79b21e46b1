//! What people ask in chat and what they are answered; who may change what, and that it is recorded.

mod changes;
mod hostile;
pub(crate) mod house;
mod letters;
mod readers;
mod reload;
mod rights;
