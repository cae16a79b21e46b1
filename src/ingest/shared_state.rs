//! State that outlives a change of the configuration. Polls that began before the change end on it.

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::clock_repair::LastPoll;
use super::outages::FailureLog;
use super::reader_pool::ReaderPool;
use crate::destination::Destination;
use crate::filter::Subsystems;
use crate::store::attempts::Attempts;

#[derive(Default)]
pub(super) struct SharedState {
    destinations: RwLock<Arc<[Destination]>>,
    pub(super) last_poll: LastPoll,
    pub(super) pool: ReaderPool,
    pub(super) failures: FailureLog,
    /// Those of the configuration in effect.
    subsystems: RwLock<Subsystems>,
    attempts: OnceLock<Attempts>,
}

impl SharedState {
    pub(super) fn destinations(&self) -> Arc<[Destination]> {
        Arc::clone(
            &self
                .destinations
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Replaces the destinations; returns the previous ones.
    pub(super) fn replace_destinations(
        &self,
        destinations: Arc<[Destination]>,
    ) -> Arc<[Destination]> {
        let mut current = self
            .destinations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, destinations)
    }

    pub(super) fn subsystems(&self) -> Subsystems {
        let subsystems = self.subsystems.read();
        subsystems.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn replace_subsystems(&self, subsystems: Subsystems) {
        let current = self.subsystems.write();
        *current.unwrap_or_else(PoisonError::into_inner) = subsystems;
    }

    /// The record of the documents that are being read; `None` if this process keeps none.
    pub(super) fn attempts(&self) -> Option<&Attempts> {
        self.attempts.get()
    }

    pub(super) fn note_attempts(&self, database: &Path, now: DateTime<Utc>) {
        match Attempts::open(database, now) {
            // The first call wins.
            Ok(attempts) => drop(self.attempts.set(attempts)),
            Err(error) => warn!("{error:#}; a document that crashes bpfnews is read again"),
        }
    }
}
