//! Group commit: the first poll that is done commits the entries of all that wait, with pages, stories, posts and ends of polls.
//! A story that several pages change is built once, and the disk is synced once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::time::timeout;
use tracing::{Instrument as _, Span, info_span};

use super::health::subject;
use super::news::{known_now, news};
use super::plan::{self, News};
use super::waiting::{Ended, KeptOrNot, Left, ReadPage};
use super::{Ingest, Mode, POLLS_AT_ONCE_MAX, READ_AT_ONCE_MAX, fold};
use crate::item::Detail;
use crate::source::{Request, Walk};
use crate::store::feeds::{self, EndedPoll, FeedRow, Progress};
use crate::store::items::{self, LoadedItems};
use crate::store::{StorageProblem, Tx, troubles};

/// How long a poll that brought nothing waits for others while any of them reads. Larger groups write less …
const QUIET_WAIT: Duration = Duration::from_millis(25);
/// … up to this many, so that other polls can start.
const QUIET_MAX: usize = POLLS_AT_ONCE_MAX / 2;

/// The result of storing a page.
#[derive(Debug)]
pub(super) struct CommittedPage {
    /// The walk, which has learned which items were new.
    pub(super) walk: Walk,
    /// Where polling stands.
    pub(super) cursor: String,
    /// The next request of the walk.
    pub(super) next: Option<Request>,
    /// How its poll ended, if this was the last page of one: that was kept too.
    pub(super) ended: Option<Ended>,
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
#[error("keeping what polls brought")]
pub(super) struct NotKept(#[source] Arc<dyn std::error::Error + Send + Sync>);

impl NotKept {
    fn new(error: anyhow::Error) -> Self {
        // Boxing hides the top of the chain, and the top may be the database's own error. So a context goes on top.
        let error = error.context("in one transaction");
        Self(Arc::from(error.into_boxed_dyn_error()))
    }

    /// Whether the database failed, which passes, and not the page.
    fn is_trouble(&self) -> bool {
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
        let not_kept = error.downcast_ref::<Self>()?;
        (!not_kept.is_trouble()).then_some(not_kept)
    }
}

/// A panic, which was logged when it happened.
#[derive(Debug, thiserror::Error)]
#[error("a page could not be told")]
struct Panicked;

impl Ingest {
    /// Polls that wait for the commit of their page or their end.
    pub fn waiting(&self) -> usize {
        self.waiting.polls()
    }

    /// Commits the entry of a poll, with every entry that waits; returns once it is on disk. The result is `None` if another
    /// poll moved the feed's cursor since. A walk that does not know the items stored by the other poll would stop too early.
    pub(super) async fn commit(&self, left: Left) -> anyhow::Result<Option<CommittedPage>> {
        let others_read = self.readers.available_permits() < READ_AT_ONCE_MAX;
        let may_wait = left.is_quiet() && others_read && self.waiting() < QUIET_MAX;
        let (_waits, mut ended) = self.waiting.put(left);
        // The committing task was dropped. The feed is still due, as after any interrupted poll.
        let broken_off = "keeping was broken off";
        if may_wait && let Ok(ended) = timeout(QUIET_WAIT, &mut ended).await {
            return Ok(ended.context(broken_off)??);
        }
        loop {
            tokio::select! {
                biased;
                ended = &mut ended => return Ok(ended.context(broken_off)??),
                _turn = self.waiting.turn.lock() => {
                    let (left, senders) = self.waiting.take();
                    // Boxed, so that only the committing task pays for its size.
                    let kept = Box::pin(self.commit_all(&left)).await;
                    for (kept, sender) in kept.into_iter().zip(senders) {
                        // The receiver of a dropped poll is gone.
                        let _ = sender.send(kept);
                    }
                }
            }
        }
    }

    /// Commits these entries together. If that fails for a reason of one entry, each is committed alone, so that a bad entry
    /// stops only itself.
    async fn commit_all(&self, left: &[Left]) -> Vec<KeptOrNot> {
        let error = match self.caught(left).await {
            Ok(kept) => return kept.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if left.len() <= 1 || error.is_trouble() {
            return left.iter().map(|_| Err(error.clone())).collect();
        }
        let (mut ended, mut trouble) = (Vec::new(), None);
        for one in left {
            let kept = match &trouble {
                Some(trouble) => Err(NotKept::clone(trouble)),
                None => self.caught(std::slice::from_ref(one)).await,
            };
            if let Err(error) = &kept
                && error.is_trouble()
            {
                trouble = Some(error.clone());
            }
            ended.push(kept.map(|kept| kept.into_iter().next().flatten()));
        }
        ended
    }

    /// The same as [`Ingest::transaction`]; a panic is an error.
    async fn caught(&self, left: &[Left]) -> Result<Vec<Option<CommittedPage>>, NotKept> {
        let caught = AssertUnwindSafe(self.transaction(left)).catch_unwind();
        let ended = caught.await.unwrap_or_else(|_| Err(Panicked.into()));
        ended.map_err(NotKept::new)
    }

    /// One transaction: items, stories, posts, gaps, cursors, and how polls ended.
    async fn transaction(&self, left: &[Left]) -> anyhow::Result<Vec<Option<CommittedPage>>> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let (mut kept, mut brought) = (Vec::new(), Brought::default());
        let pages = left.iter().filter_map(|left| match left {
            Left::Page(read) => Some(read.row.id),
            Left::Ended(_) => None,
        });
        let mut progress = Progress::of(&mut tx, &pages.collect::<Vec<_>>()).await?;
        for (place, left) in left.iter().enumerate() {
            kept.push(match left {
                Left::Page(read) => {
                    self.keep(&mut tx, read, place, &mut progress, &mut brought, now)
                        .instrument(span(&read.row))
                        .await?
                }
                Left::Ended(_) => None,
            });
        }
        progress.save(&mut tx, now).await?;
        if !brought.touched.is_empty() {
            let moved =
                fold::fold_items(&mut tx, &brought.touched, &brought.at_hand, &self.words).await?;
            let opened = plan::plan(&mut tx, &self.desks(), moved, &brought.news, now).await?;
            for (place, opened) in opened {
                if let Some(kept) = &mut kept[place] {
                    kept.news = opened;
                }
            }
        }
        fold::rest(&mut tx);
        let ended = left
            .iter()
            .zip(&kept)
            .filter_map(|(left, kept)| match left {
                Left::Page(_) => kept.as_ref()?.ended.as_ref(),
                Left::Ended(ended) => Some(&**ended),
            });
        self.settle(&mut tx, &ended.collect::<Vec<_>>()).await?;
        tx.commit().await?;
        Ok(kept)
    }

    /// Stores a page: its items, its gaps and the cursor of its walk.
    async fn keep<'a>(
        &self,
        tx: &mut Tx,
        read: &'a ReadPage,
        place: usize,
        progress: &mut Progress,
        brought: &mut Brought<'a>,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Option<CommittedPage>> {
        let (row, page) = (&read.row, &read.page);
        let is_poll = read.mode != Mode::History;
        if is_poll && !progress.stands_at(row.id, read.cursor.as_deref()) {
            return Ok(None);
        }
        let mut stored = items::put_items(tx, row.id, &page.items, now).await?;
        if page.is_fast_forward {
            // Only a brief commit is known by its subject alone, and in this branch no commit was rebased.
            let is_brief = |position: usize| page.items[position].detail == Detail::Brief;
            stored.twins.retain(|&position| !is_brief(position));
        }
        let mut walk = read.walk.clone();
        let gaps = match &read.learned {
            Some(gaps) => gaps.clone(),
            None => walk.learn(&stored.fresh_keys, &stored.new_here),
        };
        let telling = read.telling();
        let known = known_now(row, telling, &page.items, &stored);
        let seen_again: &[i64] = match telling {
            Mode::Live => &stored.seen_again,
            Mode::Seed | Mode::History => &[],
        };
        items::mark_known(tx, row.id, &known, seen_again, now).await?;
        progress.count_items(row.id, stored.sighted);
        brought.touched.extend(stored.touched());
        stored.add_loaded(&page.items, &mut brought.at_hand);
        let news = news(row, telling, &page.items, place, &stored, now);
        brought.news.extend(news);
        let gaps = feeds::record_gaps(tx, row.id, &gaps, now).await?;
        self.tell_gaps(tx, row, &gaps, now).await?;
        self.report_warning(tx, row, page.warning.as_deref(), now)
            .await?;
        self.report_detour(tx, row, page.detour.as_deref(), &walk, now)
            .await?;
        feeds::record_faults(tx, row.id, &page.faults, now).await?;
        if read.mode == Mode::Seed && read.is_first {
            let dates = page.items.iter().filter_map(|item| item.at);
            let floor_at = dates.min().map(|at| at.timestamp());
            progress.put_seed(row.id, floor_at);
        }
        let cursor = walk.cursor();
        match read.mode {
            Mode::History => feeds::save_backfill(tx, row.id, &cursor).await?,
            Mode::Seed | Mode::Live => progress.put_cursor(row.id, cursor.clone()),
        }
        if let Some(moved_to) = &read.moved_to {
            feeds::save_move(tx, row.id, row.url.as_deref(), moved_to).await?;
        }
        let next = walk.next();
        let config = self.feeds.get(&row.name);
        let ended = config.filter(|_| is_poll && next.is_none()).map(|config| {
            let how = Ok(walk.is_cut_short());
            self.ended(row, config, how, read.leave_alone, None)
        });
        Ok(Some(CommittedPage {
            walk,
            cursor,
            next,
            ended,
            fresh: stored.fresh.len(),
            sighted: stored.sighted,
            news: 0,
            faults: page.faults.len(),
        }))
    }

    /// Records how polls ended.
    async fn settle(&self, tx: &mut Tx, ended: &[&Ended]) -> anyhow::Result<()> {
        let polls: Vec<EndedPoll<'_>> = ended.iter().map(|ended| ended.poll()).collect();
        feeds::settle_polls(tx, &polls).await?;
        let loud = ended.iter().filter(|ended| ended.quiet.is_none());
        let loud: Vec<&Ended> = loud.copied().collect();
        let subjects: Vec<String> = loud.iter().map(|ended| subject(&ended.row)).collect();
        let in_trouble = troubles::in_trouble(tx, &subjects).await?;
        for (ended, subject) in loud.into_iter().zip(&subjects) {
            // A feed that was well and still is needs no notice.
            if !ended.is_well() || in_trouble.contains(subject) {
                self.tell_health(tx, &ended.row, &ended.config, &ended.outcome, ended.at)
                    .instrument(span(&ended.row))
                    .await?;
            }
        }
        Ok(())
    }
}

/// The tracing span of the poll, which may be another task's.
fn span(row: &FeedRow) -> Span {
    info_span!(parent: None, "poll", feed.name = row.name)
}

/// The new items of pages that are committed together.
#[derive(Default)]
struct Brought<'a> {
    /// Items with stories to be built anew.
    touched: Vec<i64>,
    /// Those of them that are new, as they were stored.
    at_hand: LoadedItems<'a>,
    news: News,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_of_the_database_is_known_from_every_error() {
        let bare = || anyhow::Error::new(sqlx::Error::PoolTimedOut);
        for error in [bare(), bare().context("storing items")] {
            let not_kept = NotKept::new(error);
            assert!(not_kept.is_trouble(), "{not_kept:?}");
            let error = anyhow::Error::new(not_kept);
            assert_eq!(StorageProblem::of(&error), Some(StorageProblem::Busy));
            assert!(NotKept::of_page(&error).is_none());
        }
        let error = anyhow::Error::new(NotKept::new(Panicked.into()));
        assert!(NotKept::of_page(&error).is_some());
        assert!(NotKept::of_page(&anyhow::anyhow!("keeping was broken off")).is_none());
    }
}
