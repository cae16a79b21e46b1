//! Completes stories: after the poll of an archive, fetches the threads of which stories lack mails. They are history, never news.
//!
//! A mail may reach the archive between the last poll and the fetch of its thread. It must become news. So the feed is polled
//! once more after the fetch, and only then the mails that are still unknown are stored. A try is counted before its request;
//! the mails stay wanted until they are stored, so a kill loses nothing.

mod settle;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use self::settle::NOT_THERE;
use super::poll_end::PolledFeed;
use super::report::Report;
use super::{Ingest, poll};
use crate::config::{FeedConfig, FeedKind, is_git};
use crate::item::{Item, ItemKey, ItemKind, MessageId};
use crate::source::thread::ThreadQuestion;
use crate::source::ways::NoThreadWay;
use crate::source::{Source, Walk};
use crate::store::feeds::{self, Outcome};
use crate::store::stories;
use crate::store::wanted::{self, Lack, WantedEnd, WantedMail, WantedRow};
use crate::story::Story;

/// Threads fetched after one poll: other feeds of the host have their turns in between.
const PER_POLL_MAX: usize = 3;
/// Wanted mails looked at after one poll. Those that came in the meantime cost no request.
const LOOKED_AT_MAX: usize = 20;
/// The pause after the first try of a mail.
const PAUSE: TimeDelta = TimeDelta::hours(1);

const GIT_ALONE: &str = "its archive is read by git alone, which finds no mail by its Message-ID; give the https:// or nntps:// \
                         address as a further url, or run bpfnews backfill";

/// A thread that is to be fetched.
struct WantedThread {
    /// What its story lacks and is due.
    rows: Vec<WantedRow>,
    /// The row that was chosen.
    chosen: WantedMail,
    walk: Walk,
}

/// A thread that came.
struct FetchedThread {
    wanted: WantedThread,
    mails: Vec<Item>,
    /// An entry that could not be read.
    fault: Option<String>,
}

/// The result of a fetch.
enum ThreadFetch {
    Came(Box<FetchedThread>),
    /// It failed; the next thread may be asked for.
    Failed,
    /// The archive is to be left alone.
    LeaveAlone,
}

/// Polls a feed, and fetches the threads that are due.
pub(super) async fn poll_and_complete(
    ingest: &Ingest,
    feed: PolledFeed,
    stop: &CancellationToken,
) -> anyhow::Result<Report> {
    let mut report = poll::poll(ingest, feed.clone(), stop).await?;
    let is_archive = matches!(feed.config.kind, FeedKind::Archive { .. });
    let may_fetch = ingest.network.threads_per_day_max > 0;
    if is_archive && may_fetch && report.outcome == Outcome::Ok && !stop.is_cancelled() {
        let pass = ThreadPass {
            ingest,
            feed: &feed,
            stop,
        };
        // Boxed, because nearly all polls do without it.
        Box::pin(pass.run(&mut report)).await?;
    }
    Ok(report)
}

struct ThreadPass<'a> {
    ingest: &'a Ingest,
    feed: &'a PolledFeed,
    stop: &'a CancellationToken,
}

impl ThreadPass<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.ingest.clock.now()
    }

    async fn run(&self, report: &mut Report) -> anyhow::Result<()> {
        let mut came = Vec::new();
        for _ in 0..PER_POLL_MAX {
            let Some(wanted) = self.next_thread().await? else {
                break;
            };
            match self.fetch(wanted, report).await? {
                ThreadFetch::Came(thread) => came.push(*thread),
                ThreadFetch::Failed => {}
                ThreadFetch::LeaveAlone => break,
            }
        }
        if came.is_empty() {
            return Ok(());
        }
        let again = poll::poll(self.ingest, self.feed_now().await?, self.stop).await?;
        let is_read_to_the_end = again.outcome == Outcome::Ok;
        report.add_poll(again);
        for thread in came {
            if is_read_to_the_end {
                self.store(thread, report).await?;
            } else {
                let rows = &thread.wanted.rows;
                self.postpone(rows, "the feed could not be polled after it", false)
                    .await?;
            }
        }
        Ok(())
    }

    /// The feed with its present cursor.
    async fn feed_now(&self) -> anyhow::Result<PolledFeed> {
        let rows = feeds::list_feeds(self.ingest.store.read()).await?;
        let row = rows.into_iter().find(|row| row.id == self.feed.row.id);
        let row =
            row.with_context(|| format!("the database lost the feed {}", self.feed.row.name))?;
        self.ingest.feed(row)
    }

    /// The next thread that may be fetched. Its try is counted.
    async fn next_thread(&self) -> anyhow::Result<Option<WantedThread>> {
        let (readers, now) = (self.ingest.store.read(), self.now());
        let most = self.ingest.network.threads_per_day_max;
        if !wanted::may_fetch(readers, most, now).await? {
            return Ok(None);
        }
        for _ in 0..LOOKED_AT_MAX {
            let chosen = wanted::next_wanted(readers, self.feed.row.id, now).await?;
            let Some(chosen) = chosen else {
                return Ok(None);
            };
            let (rows, story) = self.still_lacking(&chosen).await?;
            let is_lacking = rows.iter().any(|row| is_same(row, &chosen));
            let Some(story) = story.filter(|_| is_lacking) else {
                continue;
            };
            let Some(question) = question(&rows, &chosen, &story) else {
                let (asked, _) = asked_with(&rows, &chosen);
                self.settle(&asked, WantedEnd::GivenUp, NOT_THERE).await?;
                continue;
            };
            // The poll may have moved on to another address.
            let cursor = self.feed_now().await?.row.cursor.clone();
            let source = Source::open(&self.feed.config);
            let walk = match source.begin_thread(cursor.as_deref(), Arc::new(question), now) {
                Ok(walk) => walk,
                Err(NoThreadWay::LeftAlone) => return Ok(None),
                Err(NoThreadWay::GitAlone) if self.others_can(chosen.item).await? => {
                    return Ok(None);
                }
                Err(NoThreadWay::GitAlone) => {
                    let (asked, _) = asked_with(&rows, &chosen);
                    self.settle(&asked, WantedEnd::GivenUp, GIT_ALONE).await?;
                    continue;
                }
            };
            let mut tx = self.ingest.store.write().await?;
            wanted::give_up_old(&mut tx, now).await?;
            wanted::claim(&mut tx, &rows, now + PAUSE, now).await?;
            tx.commit().await?;
            return Ok(Some(WantedThread { rows, chosen, walk }));
        }
        Ok(None)
    }

    /// What the story of a wanted mail still lacks and is due, with the story. Ends the search for what it lacks no more.
    async fn still_lacking(
        &self,
        chosen: &WantedMail,
    ) -> anyhow::Result<(Vec<WantedRow>, Option<Story>)> {
        let (readers, now) = (self.ingest.store.read(), self.now());
        let mut rows = wanted::wanted_by_story(readers, chosen.item).await?;
        let story = match rows.first() {
            Some(row) => self.story(&row.by).await?,
            None => None,
        };
        let story = story.filter(|story| story.relevant);
        let is_here = |row: &WantedRow| match &story {
            Some(story) => is_here(row, story),
            None => true,
        };
        let (here, lacking): (Vec<_>, Vec<_>) = rows.drain(..).partition(is_here);
        if !here.is_empty() {
            let (tried, others): (Vec<_>, Vec<_>) = here.into_iter().partition(|row| row.tries > 0);
            let mut tx = self.ingest.store.write().await?;
            wanted::settle(&mut tx, &tried, WantedEnd::Fetched, None, now).await?;
            wanted::forget(&mut tx, &others).await?;
            tx.commit().await?;
        }
        let due = lacking
            .into_iter()
            .filter(|row| row.due_at <= now.timestamp());
        Ok((due.collect(), story))
    }

    /// The story of a mail.
    async fn story(&self, id: &str) -> anyhow::Result<Option<Story>> {
        let Some(id) = MessageId::parse(id) else {
            return Ok(None);
        };
        let today = stories::day_of(self.now());
        let digest = ItemKey::message(&id).digest();
        let readers = self.ingest.store.read();
        stories::story_of_item(readers, ItemKind::Message, &digest, today).await
    }

    /// Whether another feed carries an item and has a way to ask for its thread.
    async fn others_can(&self, item: i64) -> anyhow::Result<bool> {
        let carriers = wanted::carriers(self.ingest.store.read(), item).await?;
        let can = |feed: &Arc<FeedConfig>| {
            let is_archive = matches!(feed.kind, FeedKind::Archive { .. });
            is_archive && feed.ways().iter().any(|url| !is_git(url))
        };
        Ok(carriers
            .iter()
            .filter_map(|name| self.ingest.feeds.get(name))
            .any(can))
    }

    /// Asks for a thread.
    async fn fetch(
        &self,
        mut wanted: WantedThread,
        report: &mut Report,
    ) -> anyhow::Result<ThreadFetch> {
        let (row, reader) = (&self.feed.row, &self.ingest.reader);
        let _slot = self.ingest.slots.readers.acquire().await?;
        let (mut mails, mut fault) = (Vec::new(), None);
        let mut next = wanted.walk.next();
        while let Some(request) = next {
            report.requests += 1;
            let walk = wanted.walk;
            let read = async {
                let answer = reader.fetch(row, &request).await;
                reader.read(row, &request, walk, answer).await
            };
            let Some((walked, page)) = self.stop.run_until_cancelled(read).await else {
                self.postpone(&wanted.rows, "bpfnews was stopped", false)
                    .await?;
                return Ok(ThreadFetch::LeaveAlone);
            };
            wanted.walk = walked;
            match page {
                Ok(page) => {
                    fault = fault.or(page.faults.into_iter().next());
                    mails.extend(page.items);
                }
                Err(error) => return self.failed(&wanted, &error).await,
            }
            next = wanted.walk.next();
        }
        Ok(ThreadFetch::Came(Box::new(FetchedThread {
            wanted,
            mails,
            fault,
        })))
    }
}

fn is_same(row: &WantedRow, wanted: &WantedMail) -> bool {
    (row.what, &row.message_id) == (wanted.what, &wanted.message_id)
}

/// Whether what was wanted is stored.
fn is_here(row: &WantedRow, story: &Story) -> bool {
    match row.what {
        Lack::Mail => row.is_stored,
        Lack::Parts => !story.revisions.iter().any(|revision| {
            let mut patches = revision.patches.iter();
            let is_of_it = revision.root == row.message_id
                || patches.any(|patch| patch.message_id == row.message_id);
            is_of_it && !revision.has_all_patches()
        }),
    }
}

/// The stored mail by which the thread of a wanted one is asked for.
fn known_mail(row: &WantedRow) -> &str {
    match row.what {
        Lack::Mail => &row.by,
        Lack::Parts => &row.message_id,
    }
}

/// The rows that one question is about: those with the same known mail as the chosen one. And the others.
fn asked_with(rows: &[WantedRow], chosen: &WantedMail) -> (Vec<WantedRow>, Vec<WantedRow>) {
    let chosen = rows.iter().find(|row| is_same(row, chosen));
    let asked_by = chosen.map(known_mail);
    let rows = rows.iter().cloned();
    rows.partition(|row| Some(known_mail(row)) == asked_by)
}

/// The question for the thread of the chosen mail; `None` if it has no Message-ID that can be asked for.
fn question(rows: &[WantedRow], chosen: &WantedMail, story: &Story) -> Option<ThreadQuestion> {
    let row = rows.iter().find(|row| is_same(row, chosen))?;
    let missing = rows.iter().filter(|row| row.what == Lack::Mail);
    Some(ThreadQuestion {
        mail: MessageId::parse(known_mail(row))?,
        missing: missing
            .filter_map(|row| MessageId::parse(&row.message_id))
            .collect(),
        known: story
            .messages
            .iter()
            .filter_map(|id| MessageId::parse(id))
            .collect(),
    })
}
