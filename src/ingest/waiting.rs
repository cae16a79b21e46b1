//! The queue of the group commit: pages, and ends of polls.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::Mode;
use super::commit::{CommittedPage, NotKept};
use crate::config::FeedConfig;
use crate::source::{Gap, Page, Walk};
use crate::store::feeds::{EndedPoll, FeedRow, Outcome};

/// The items of the pages of one transaction, but for a page that holds more: they lie in memory with their clusters.
const ITEMS_MAX: usize = 2_000;

/// An entry of the queue.
pub(super) enum Left {
    /// A page.
    Page(Box<ReadPage>),
    /// How it ended.
    Ended(Box<Ended>),
}

/// A page that was read.
pub(super) struct ReadPage {
    /// The feed, as it stood when its poll began.
    pub(super) row: Arc<FeedRow>,
    pub(super) mode: Mode,
    /// The walk that read it. It has yet to learn which items were new.
    pub(super) walk: Walk,
    pub(super) page: Page,
    /// The gaps of a page that the walk has judged already.
    pub(super) learned: Option<Vec<Gap>>,
    /// Where the feed moved.
    pub(super) moved_to: Option<String>,
    /// Where the walk began, or was last saved.
    pub(super) cursor: Option<String>,
    /// How long the feed is to be left alone after its poll, which ends with its last page.
    pub(super) leave_alone: Duration,
    /// Whether its new feed has shown a sample.
    pub(super) was_sampled: bool,
}

impl ReadPage {
    /// How its new items are treated.
    pub(super) fn telling(&self) -> Mode {
        match self.mode {
            // A path of a tree that was not looked at before, and every page of a seed behind the one with the sample.
            Mode::Live if self.page.is_first => Mode::History,
            Mode::Seed if self.was_sampled => Mode::History,
            mode => mode,
        }
    }
}

/// How a poll ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) row: Arc<FeedRow>,
    pub(super) config: Arc<FeedConfig>,
    pub(super) outcome: Outcome,
    pub(super) at: DateTime<Utc>,
    pub(super) next_poll_at: DateTime<Utc>,
    /// Where polling stands after a poll that went well and brought nothing, as nearly all do: nothing else is kept of it.
    pub(super) quiet: Option<String>,
}

impl Ended {
    pub(super) fn is_well(&self) -> bool {
        matches!(self.outcome, Outcome::Ok | Outcome::OkSoFar)
    }

    pub(super) fn poll(&self) -> EndedPoll<'_> {
        let was = self.row.cursor.as_deref();
        EndedPoll {
            feed: self.row.id,
            url: self.row.url.as_deref(),
            outcome: &self.outcome,
            at: self.at,
            next_poll_at: self.next_poll_at,
            cursor: self.quiet.as_deref().map(|cursor| (was, cursor)),
        }
    }
}

/// The result of committing a page; `None` if it brought nothing to store.
pub(super) type KeptOrNot = Result<Option<CommittedPage>, NotKept>;

type Ending = oneshot::Sender<KeptOrNot>;

/// The queue.
#[derive(Default)]
pub(super) struct Waiting {
    left: Mutex<Vec<(Left, Ending)>>,
    /// The task that holds this lock commits the queue.
    pub(super) turn: tokio::sync::Mutex<()>,
    polls: AtomicUsize,
}

/// A poll that waits.
pub(super) struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Waiting {
    /// Adds an entry; the receiver gets its result.
    pub(super) fn put(&self, left: Left) -> (Waits<'_>, oneshot::Receiver<KeptOrNot>) {
        let (sender, ended) = oneshot::channel();
        self.left().push((left, sender));
        self.polls.fetch_add(1, Ordering::Relaxed);
        (Waits(&self.polls), ended)
    }

    /// How many polls wait, including those in the transaction under way.
    pub(super) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Vec<(Left, Ending)>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the entries of the next transaction, in order of arrival.
    pub(super) fn take(&self) -> (Vec<Left>, Vec<Ending>) {
        let mut left = self.left();
        // A closed sender belongs to a poll that was dropped.
        left.retain(|(_, sender)| !sender.is_closed());
        let (mut items, mut told) = (0, None);
        let most = left.iter().take_while(|(left, _)| {
            let is_first = items == 0;
            items += left.items();
            let is_like = left
                .is_told()
                .is_none_or(|is_told| *told.get_or_insert(is_told) == is_told);
            is_like && (is_first || items <= ITEMS_MAX)
        });
        let most = most.count();
        left.drain(..most).unzip()
    }
}

impl Left {
    /// Whether its new items are announced or only stored. The two kinds never share a transaction, because the state of a story
    /// before its news decides whether it is announced.
    fn is_told(&self) -> Option<bool> {
        match self {
            Self::Page(read) => Some(read.telling() == Mode::Live),
            Self::Ended(_) => None,
        }
    }

    /// Whether it brought nothing, so that it can wait.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self, Self::Ended(ended) if ended.quiet.is_some())
    }

    /// The items that it holds.
    fn items(&self) -> usize {
        match self {
            Self::Page(read) => read.page.items.len(),
            Self::Ended(_) => 0,
        }
    }
}
