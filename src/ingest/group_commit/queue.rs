//! The queue of the group commit: pages, and ends of polls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{CommitError, CommittedPage};
use crate::ingest::Mode;
use crate::ingest::poll_end::{PollEnd, PolledFeed};
use crate::source::{Gap, Page, Walk};
use crate::story::reading::EarlyReadings;

/// The most items of the pages of one transaction, unless one page has more: they are in memory with their clusters.
const ITEMS_MAX: usize = 2_000;

pub(super) enum CommitEntry {
    Page(Box<ReadPage>),
    End(Box<PollEnd>),
}

/// A page that was read.
pub(in crate::ingest) struct ReadPage {
    pub(in crate::ingest) feed: PolledFeed,
    pub(in crate::ingest) mode: Mode,
    /// The walk that read it. It has yet to learn which items were new.
    pub(in crate::ingest) walk: Walk,
    pub(in crate::ingest) page: Page,
    /// Readings of those of its items that were not stored.
    pub(in crate::ingest) readings: EarlyReadings,
    /// The gaps, if the walk has learned already that no item is new.
    pub(in crate::ingest) learned: Option<Vec<Gap>>,
    /// The feed's new address.
    pub(in crate::ingest) moved_to: Option<String>,
    /// The cursor where the walk began, or was last saved.
    pub(in crate::ingest) cursor: Option<String>,
    /// The shortest pause after the poll, which ends with its last page.
    pub(in crate::ingest) pause_min: Duration,
    /// Whether its new feed has posted a sample.
    pub(in crate::ingest) was_sampled: bool,
}

impl ReadPage {
    /// How its new items are treated.
    pub(super) fn items_mode(&self) -> Mode {
        match self.mode {
            // A path of a tree that was not read before, and every page of a seed after the one with the sample.
            Mode::Live if self.page.is_first => Mode::History,
            Mode::Seed if self.was_sampled => Mode::History,
            mode => mode,
        }
    }
}

/// The result of one entry; `None` for the end of a poll, and for a page that was not stored.
pub(super) type EntryResult = Result<Option<Box<CommittedPage>>, CommitError>;

type ResultSender = oneshot::Sender<EntryResult>;

#[derive(Default)]
pub(super) struct CommitQueue {
    entries: Mutex<Vec<(CommitEntry, ResultSender)>>,
    waiting: AtomicUsize,
}

/// Counts a poll that waits, until it is dropped.
pub(super) struct WaitingPoll<'a>(&'a AtomicUsize);

impl Drop for WaitingPoll<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CommitQueue {
    /// Adds an entry; the receiver gets its result.
    pub(super) fn put(
        &self,
        entry: CommitEntry,
    ) -> (WaitingPoll<'_>, oneshot::Receiver<EntryResult>) {
        let (sender, result) = oneshot::channel();
        self.lock().push((entry, sender));
        self.waiting.fetch_add(1, Ordering::Relaxed);
        (WaitingPoll(&self.waiting), result)
    }

    /// How many polls wait, including those in the current transaction.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(CommitEntry, ResultSender)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the entries of the next transaction, in order of arrival.
    pub(super) fn take(&self) -> (Vec<CommitEntry>, Vec<ResultSender>) {
        let mut entries = self.lock();
        // A closed sender belongs to a poll that was dropped.
        entries.retain(|(_, sender)| !sender.is_closed());
        let (mut items, mut is_live) = (0, None);
        let fitting = entries.iter().take_while(|(entry, _)| {
            let is_first = items == 0;
            items += entry.items();
            let is_like = entry
                .is_live()
                .is_none_or(|own| *is_live.get_or_insert(own) == own);
            is_like && (is_first || items <= ITEMS_MAX)
        });
        let many = fitting.count();
        entries.drain(..many).unzip()
    }
}

impl CommitEntry {
    /// Whether its new items are announced or only stored; `None` if it has no items. The two kinds never share a transaction,
    /// because the state of a story before its news decides whether it is announced.
    pub(super) fn is_live(&self) -> Option<bool> {
        match self {
            Self::Page(page) => Some(page.items_mode() == Mode::Live),
            Self::End(_) => None,
        }
    }

    fn items(&self) -> usize {
        match self {
            Self::Page(page) => page.page.items.len(),
            Self::End(_) => 0,
        }
    }
}
