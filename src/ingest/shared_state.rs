//! State that outlives a change of the configuration. Polls that began before the change end on it.

use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tracing::warn;

use super::clock_repair::LastPoll;
use super::reader_pool::ReaderPool;
use crate::desk::Desk;
use crate::store::attempts::Attempts;

#[derive(Default)]
pub(super) struct SharedState {
    desks: RwLock<Arc<[Desk]>>,
    pub(super) last_poll: LastPoll,
    pub(super) pool: ReaderPool,
    attempts: OnceLock<Attempts>,
}

impl SharedState {
    pub(super) fn desks(&self) -> Arc<[Desk]> {
        Arc::clone(&self.desks.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the destinations; returns the previous ones.
    pub(super) fn replace_desks(&self, desks: Arc<[Desk]>) -> Arc<[Desk]> {
        let mut current = self.desks.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut current, desks)
    }

    /// The record of the documents that are being read; `None` if this process keeps none.
    pub(super) fn attempts(&self) -> Option<&Attempts> {
        self.attempts.get()
    }

    pub(super) fn note_attempts(&self, database: &Path, now: DateTime<Utc>) {
        match Attempts::open(database, now) {
            // The first call wins.
            Ok(attempts) => drop(self.attempts.set(attempts)),
            Err(error) => warn!("{error:#}; a document over which bpfnews dies is read again"),
        }
    }
}
