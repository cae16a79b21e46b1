//! Commands in chat: answers, rights, changes and the audit log.

mod changes;
mod follows;
mod hostile;
pub(crate) mod house;
mod letters;
mod mail;
mod readers;
mod reload;
mod rights;
