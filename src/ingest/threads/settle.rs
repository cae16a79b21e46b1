//! Stores the mails of a thread, and records the outcome of each wanted one.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt as _;
use tracing::{debug, info};

use super::{
    FetchedThread, PAUSE, Report, ThreadFetch, ThreadPass, WantedThread, asked_with, is_here,
    is_same, known_mail,
};
use crate::item::Item;
use crate::source::thread::ThreadWalk;
use crate::source::{FetchError, Page, Walk};
use crate::store::wanted::{self, WantedEnd, WantedRow};
use crate::store::{StorageProblem, Tx, items};

/// Tries of a mail. The pause after the first is an hour; each further one is six times as long.
const TRIES_MAX: i64 = 3;
/// How long an archive is not asked for threads after it failed, and after a wall.
const FAILED_PAUSE: TimeDelta = TimeDelta::minutes(30);
const WALL_PAUSE: TimeDelta = TimeDelta::hours(6);

pub(super) const NOT_THERE: &str = "the archive does not have it";
const TOO_LARGE: &str = "its thread is larger than bpfnews reads";

impl ThreadPass<'_> {
    /// Records an error.
    pub(super) async fn failed(
        &self,
        wanted: &WantedThread,
        error: &FetchError,
    ) -> anyhow::Result<ThreadFetch> {
        let rows = &wanted.rows;
        let (why, now) = (error.to_string(), self.now());
        debug!("{}: {why}", self.feed.row.name);
        let pause = match error {
            FetchError::Missing { .. } | FetchError::Gone { .. } | FetchError::TooBig { .. } => {
                let (asked, others) = asked_with(rows, &wanted.chosen);
                self.settle(&asked, WantedEnd::GivenUp, &why).await?;
                self.leave_for_later(&others).await?;
                return Ok(ThreadFetch::Failed);
            }
            FetchError::Broken { .. } => {
                self.postpone(rows, &why, true).await?;
                return Ok(ThreadFetch::Failed);
            }
            FetchError::Held { after, .. } => {
                self.postpone(rows, &why, false).await?;
                TimeDelta::from_std(*after).unwrap_or(WALL_PAUSE)
            }
            FetchError::Offline { .. } => {
                self.postpone(rows, &why, false).await?;
                FAILED_PAUSE
            }
            FetchError::Walled { .. } => {
                self.postpone(rows, &why, true).await?;
                WALL_PAUSE
            }
            FetchError::Later { .. } | FetchError::Unreachable { .. } => {
                self.postpone(rows, &why, true).await?;
                FAILED_PAUSE
            }
        };
        let mut tx = self.ingest.store.write().await?;
        wanted::leave_alone(&mut tx, self.feed.row.id, now + pause).await?;
        tx.commit().await?;
        Ok(ThreadFetch::LeaveAlone)
    }

    /// Stores those mails of a thread that no poll has brought.
    pub(super) async fn store(
        &self,
        thread: FetchedThread,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let FetchedThread {
            wanted,
            mails,
            fault,
        } = thread;
        let stored = AssertUnwindSafe(self.store_mails(mails))
            .catch_unwind()
            .await;
        let stored = match stored {
            Ok(Err(error)) if StorageProblem::of(&error).is_some() => return Err(error),
            Ok(Err(error)) => Err(format!("it cannot be stored: {error:#}")),
            Err(_) => Err("storing it came to a bad end; the log has more".to_owned()),
            Ok(Ok(stored)) => Ok(stored),
        };
        let stored = match stored {
            Ok(stored) => stored,
            Err(why) => return self.settle(&wanted.rows, WantedEnd::GivenUp, &why).await,
        };
        report.fresh += stored;
        let name = &self.feed.row.name;
        info!(
            mails = stored,
            "{name}: fetched a thread of which mails were missing"
        );
        self.settle_all(wanted, fault).await
    }

    async fn store_mails(&self, mails: Vec<Item>) -> anyhow::Result<usize> {
        let ingest = self.ingest;
        let feed = self.feed.row.id;
        let known = items::known_page(ingest.store.read(), feed, &mails).await?;
        let unknown: HashSet<usize> = known.unknown.into_iter().collect();
        let mails = mails.into_iter().enumerate();
        let mut page = Page {
            items: mails
                .filter(|(place, _)| unknown.contains(place))
                .map(|(_, mail)| mail)
                .collect(),
            ..Page::default()
        };
        if page.items.is_empty() {
            return Ok(0);
        }
        ingest.links.apply(&mut page);
        let all = (0..page.items.len()).collect();
        let (page, readings) = ingest.reader.read_early(page, all).await?;
        let commits = &ingest.commits;
        let stored = commits
            .store_history(feed, &page.items, &readings, false)
            .await?;
        Ok(stored.fresh.len())
    }

    /// Settles what was wanted of a thread: it is here now, or the archive does not have it.
    async fn settle_all(&self, wanted: WantedThread, fault: Option<String>) -> anyhow::Result<()> {
        let Walk::Thread(walk) = &wanted.walk else {
            return Ok(());
        };
        let now_wanted =
            wanted::wanted_by_story(self.ingest.store.read(), wanted.chosen.item).await?;
        let story = self.story(&wanted.rows[0].by).await?;
        let chosen = wanted.rows.iter().find(|row| is_same(row, &wanted.chosen));
        let asked_by = chosen.map_or_else(String::new, |row| known_mail(row).to_owned());
        let (mut here, mut absent, mut later) = (Vec::new(), Vec::new(), Vec::new());
        let mut untried = Vec::new();
        for row in wanted.rows {
            let stored = now_wanted
                .iter()
                .find(|other| (other.what, &other.message_id) == (row.what, &row.message_id));
            let is_stored = stored.is_some_and(|stored| stored.is_stored);
            let row = WantedRow { is_stored, ..row };
            let is_here = story.as_ref().is_some_and(|story| is_here(&row, story));
            match is_here {
                true => here.push(row),
                false if walk.is_cut() => untried.push(row),
                false if known_mail(&row) == asked_by || was_in(&row, walk) => absent.push(row),
                false => later.push(row),
            }
        }
        let why = match fault {
            Some(fault) => format!("a mail of its thread could not be read: {fault}"),
            None if walk.is_whole() => NOT_THERE.to_owned(),
            None => TOO_LARGE.to_owned(),
        };
        let now = self.now();
        let mut tx = self.ingest.store.write().await?;
        wanted::settle(&mut tx, &here, WantedEnd::Fetched, None, now).await?;
        wanted::settle(&mut tx, &absent, WantedEnd::GivenUp, Some(&why), now).await?;
        tx.commit().await?;
        self.leave_for_later(&later).await?;
        self.postpone(
            &untried,
            "the archive was not asked for all of its thread",
            true,
        )
        .await
    }

    /// The question was about another thread: these are due now, and the try does not count.
    async fn leave_for_later(&self, rows: &[WantedRow]) -> anyhow::Result<()> {
        let mut tx = self.ingest.store.write().await?;
        wanted::postpone(&mut tx, rows, "it is in another thread", false, self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(super) async fn settle(
        &self,
        rows: &[WantedRow],
        end: WantedEnd,
        why: &str,
    ) -> anyhow::Result<()> {
        let mut tx = self.ingest.store.write().await?;
        wanted::settle(&mut tx, rows, end, Some(why), self.now()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Records an error of a try, and when the next one is due; gives up those that had their last one.
    pub(super) async fn postpone(
        &self,
        rows: &[WantedRow],
        why: &str,
        counts: bool,
    ) -> anyhow::Result<()> {
        let is_last = |row: &&WantedRow| counts && row.tries + 1 >= TRIES_MAX;
        let (last, others): (Vec<&WantedRow>, Vec<&WantedRow>) = rows.iter().partition(is_last);
        let now = self.now();
        let mut tx = self.ingest.store.write().await?;
        let last: Vec<WantedRow> = last.into_iter().cloned().collect();
        wanted::settle(&mut tx, &last, WantedEnd::GivenUp, Some(why), now).await?;
        for row in others {
            postpone_one(&mut tx, row, why, counts, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn postpone_one(
    tx: &mut Tx,
    row: &WantedRow,
    why: &str,
    counts: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let times = if row.tries == 0 { 1 } else { 6 };
    let due_at = now + PAUSE * times;
    wanted::postpone(tx, std::slice::from_ref(row), why, counts, due_at).await
}

/// Whether the archive showed the thread in which a wanted mail would be.
fn was_in(row: &WantedRow, walk: &ThreadWalk) -> bool {
    walk.has_shown(known_mail(row))
}
