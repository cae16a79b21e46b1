//! Operation: one process at a time, backups, upgrades, a full disk, a clock that jumps.

mod clock;
mod disk;
mod floods;
mod maintain;
mod migrations;
mod notices;
mod operator;
mod outages;
mod packaging;
pub(crate) mod stops;
