//! Group commit: the first poll that is done commits the entries of all that wait, with pages, stories, posts and ends of polls.
//! A story that several pages change is built once, and the disk is synced once.

mod lacks;
mod queue;
mod transaction;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt as _;
use tokio::time::timeout;

use self::queue::{CommitEntry, CommitQueue, EntryResult};
use super::poll_end::PollEnd;
use super::shared_state::SharedState;
use super::slots::POLLS_AT_ONCE_MAX;
use crate::clock::Clock;
use crate::source::{Request, Walk};
use crate::store::{StorageProblem, Store};
use crate::story::relevance::FoldRules;

pub(super) use self::queue::ReadPage;

/// How long a poll that brought nothing waits for others while any of them reads. Larger groups write less …
const QUIET_WAIT: Duration = Duration::from_millis(25);
/// … up to this many, so that other polls can start.
const QUIET_MAX: usize = POLLS_AT_ONCE_MAX / 2;

/// Commits what polls bring.
pub(super) struct GroupCommit {
    store: Store,
    clock: Arc<dyn Clock>,
    rules: FoldRules,
    /// Whether mails that stories lack are recorded.
    wants_mails: bool,
    shared: Arc<SharedState>,
    queue: CommitQueue,
    /// The task that holds this lock commits the queue.
    turn: tokio::sync::Mutex<()>,
}

/// A page that is on disk.
#[derive(Debug)]
pub(super) struct CommittedPage {
    /// The walk, which has learned which items were new.
    pub(super) walk: Walk,
    /// The cursor after this page.
    pub(super) cursor: String,
    /// The next request of the walk.
    pub(super) next: Option<Request>,
    /// The end of its poll, if this was the last page. It was committed too.
    pub(super) end: Option<PollEnd>,
    /// Items that no feed had shown before.
    pub(super) fresh: usize,
    /// Items that this feed had not shown before.
    pub(super) sighted: u64,
    /// Posts opened.
    pub(super) news: usize,
    /// Entries that could not be read.
    pub(super) faults: usize,
}

/// The error of a failed commit. Every poll of the group gets it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("storing the pages of polls")]
pub(super) struct CommitError(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl CommitError {
    fn new(error: anyhow::Error) -> Self {
        // Boxing hides the top of the chain, and the top may be the database's own error. So a context goes on top.
        let error = error.context("in one transaction");
        Self(Arc::from(error.into_boxed_dyn_error()))
    }

    /// Whether the database failed, which is temporary, and not the page.
    fn is_storage_problem(&self) -> bool {
        StorageProblem::of(&anyhow::Error::new(self.clone())).is_some()
    }

    /// The root cause in words.
    pub(super) fn cause(&self) -> String {
        let mut cause: &dyn std::error::Error = &*self.0;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        cause.to_string()
    }

    /// The error of a page that cannot be stored, if `error` contains one.
    pub(super) fn of_page(error: &anyhow::Error) -> Option<&Self> {
        let own = error.downcast_ref::<Self>()?;
        (!own.is_storage_problem()).then_some(own)
    }
}

/// A panic, which was logged when it happened.
#[derive(Debug, thiserror::Error)]
#[error("storing a page panicked")]
struct Panicked;

impl GroupCommit {
    pub(super) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        rules: FoldRules,
        wants_mails: bool,
        shared: Arc<SharedState>,
    ) -> Self {
        Self {
            store,
            clock,
            rules,
            wants_mails,
            shared,
            queue: CommitQueue::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Polls that wait for the commit of their page or their end.
    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    /// Commits a page, with every entry that waits; returns once it is on disk. Returns `None`, and stores nothing, if another
    /// poll has moved the feed's cursor: a walk that does not know the items of the other poll would stop too early.
    pub(super) async fn commit_page(
        &self,
        page: ReadPage,
    ) -> anyhow::Result<Option<Box<CommittedPage>>> {
        self.commit(CommitEntry::Page(Box::new(page)), false).await
    }

    /// Commits the end of a poll, with every entry that waits; returns once it is on disk. A quiet end waits for others while
    /// any poll reads.
    pub(super) async fn commit_end(&self, end: PollEnd, any_reads: bool) -> anyhow::Result<()> {
        let may_wait = end.is_quiet() && any_reads && self.waiting() < QUIET_MAX;
        let entry = CommitEntry::End(Box::new(end));
        self.commit(entry, may_wait).await.map(|_| ())
    }

    async fn commit(
        &self,
        entry: CommitEntry,
        may_wait: bool,
    ) -> anyhow::Result<Option<Box<CommittedPage>>> {
        let (_waiting, mut result) = self.queue.put(entry);
        // The committing task was dropped. The feed is still due, as after any interrupted poll.
        let broken_off = "keeping was broken off";
        if may_wait && let Ok(result) = timeout(QUIET_WAIT, &mut result).await {
            return Ok(result.context(broken_off)??);
        }
        loop {
            tokio::select! {
                biased;
                result = &mut result => return Ok(result.context(broken_off)??),
                _turn = self.turn.lock() => {
                    let (entries, senders) = self.queue.take();
                    // Boxed, so that only the committing task pays for its size.
                    let results = Box::pin(self.commit_all(&entries)).await;
                    for (result, sender) in results.into_iter().zip(senders) {
                        // The receiver of a dropped poll is gone.
                        let _ = sender.send(result);
                    }
                }
            }
        }
    }

    /// Commits these entries together. If that fails because of one entry, each is committed alone, so that a bad entry stops
    /// only itself.
    async fn commit_all(&self, entries: &[CommitEntry]) -> Vec<EntryResult> {
        let error = match self.commit_together(entries).await {
            Ok(committed) => return committed.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if entries.len() <= 1 || error.is_storage_problem() {
            return entries.iter().map(|_| Err(error.clone())).collect();
        }
        let (mut results, mut storage_problem) = (Vec::new(), None);
        for entry in entries {
            let result = match &storage_problem {
                Some(problem) => Err(CommitError::clone(problem)),
                None => self.commit_together(std::slice::from_ref(entry)).await,
            };
            if let Err(error) = &result
                && error.is_storage_problem()
            {
                storage_problem = Some(error.clone());
            }
            results.push(result.map(|one| one.into_iter().next().flatten()));
        }
        results
    }

    /// Commits these entries in one transaction. A panic is an error.
    async fn commit_together(
        &self,
        entries: &[CommitEntry],
    ) -> Result<Vec<Option<Box<CommittedPage>>>, CommitError> {
        let caught = AssertUnwindSafe(self.transaction(entries)).catch_unwind();
        let committed = caught.await.unwrap_or_else(|_| Err(Panicked.into()));
        committed.map_err(CommitError::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_the_database_is_known_from_every_error() {
        let bare = || anyhow::Error::new(sqlx::Error::PoolTimedOut);
        for error in [bare(), bare().context("storing items")] {
            let error = CommitError::new(error);
            assert!(error.is_storage_problem(), "{error:?}");
            let error = anyhow::Error::new(error);
            assert_eq!(StorageProblem::of(&error), Some(StorageProblem::Busy));
            assert!(CommitError::of_page(&error).is_none());
        }
        let error = anyhow::Error::new(CommitError::new(Panicked.into()));
        assert!(CommitError::of_page(&error).is_some());
        assert!(CommitError::of_page(&anyhow::anyhow!("keeping was broken off")).is_none());
    }
}
