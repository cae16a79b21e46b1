//! One transaction of the group commit: items, stories, posts, gaps, cursors, and ends of polls.

use chrono::{DateTime, Utc};
use tracing::{Instrument as _, Span, info_span};

use super::lacks::{FreshMail, lacking};
use super::queue::{CommitEntry, ReadPage};
use super::{CommittedPage, GroupCommit};
use crate::clock::Clock;
use crate::config::{FeedKind, TreeRole};
use crate::destination::Destination;
use crate::fold;
use crate::ingest::Mode;
use crate::ingest::health::{
    feed_subject, report_detour, report_end_of_detour, report_gaps, report_health, report_warning,
};
use crate::ingest::news::{known_now, news};
use crate::ingest::poll_end::{EndReason, PollEnd};
use crate::item::{Detail, Item};
use crate::plan::{self, News, Occasion};
use crate::store::feeds::{self, EndedPoll, FeedRow, Progress};
use crate::store::items::{self, LoadedItems, StoredPage};
use crate::store::{Tx, troubles, wanted};
use crate::story::reading::{EarlyReadings, read_early};

/// The pages of one transaction, and their new items.
struct PageBatch<'a> {
    tx: &'a mut Tx,
    destinations: &'a [Destination],
    clock: &'a dyn Clock,
    now: DateTime<Utc>,
    progress: Progress,
    /// Items whose stories must be built again.
    touched: Vec<i64>,
    /// Those of them that are new, as they were stored.
    loaded: LoadedItems<'a>,
    news: News,
    /// The new mails that came in the course of polling.
    fresh_mails: Vec<FreshMail>,
}

impl GroupCommit {
    pub(super) async fn transaction(
        &self,
        entries: &[CommitEntry],
    ) -> anyhow::Result<Vec<Option<Box<CommittedPage>>>> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        // Asked within the transaction: it is the one that queues posts for them.
        let destinations = self.shared.destinations();
        let committed = self
            .store_pages(&mut tx, &destinations, entries, now)
            .await?;
        fold::drop_idle_cache(&mut tx);
        let ends: Vec<&PollEnd> = entries
            .iter()
            .zip(&committed)
            .filter_map(|(entry, committed)| match entry {
                CommitEntry::Page(_) => committed.as_ref()?.end.as_ref(),
                CommitEntry::End(end) => Some(&**end),
            })
            .collect();
        settle_polls(&mut tx, &destinations, &ends).await?;
        tx.commit().await?;
        for end in ends {
            self.shared.last_poll.note(end.at);
        }
        Ok(committed)
    }

    /// Stores the pages among the entries, folds their items into stories, and plans the posts.
    async fn store_pages(
        &self,
        tx: &mut Tx,
        destinations: &[Destination],
        entries: &[CommitEntry],
        now: DateTime<Utc>,
    ) -> anyhow::Result<Vec<Option<Box<CommittedPage>>>> {
        let pages = entries.iter().filter_map(|entry| match entry {
            CommitEntry::Page(page) => Some(page.feed.row.id),
            CommitEntry::End(_) => None,
        });
        let mut batch = PageBatch {
            progress: Progress::of(tx, &pages.collect::<Vec<_>>()).await?,
            tx,
            destinations,
            clock: &*self.clock,
            now,
            touched: Vec::new(),
            loaded: LoadedItems::default(),
            news: News::new(),
            fresh_mails: Vec::new(),
        };
        let mut committed = Vec::new();
        for (place, entry) in entries.iter().enumerate() {
            committed.push(match entry {
                CommitEntry::Page(page) => {
                    let stored = batch.store(page, place);
                    stored.instrument(poll_span(&page.feed.row)).await?
                }
                CommitEntry::End(_) => None,
            });
        }
        let PageBatch {
            tx,
            progress,
            news,
            fresh_mails,
            ..
        } = batch;
        progress.save(tx, now).await?;
        if batch.touched.is_empty() {
            return Ok(committed);
        }
        let changed = fold::fold_items(tx, &batch.touched, &batch.loaded, &self.rules).await?;
        if self.wants_mails {
            wanted::want(tx, &lacking(&changed, &fresh_mails, now), now).await?;
        }
        // Seeds and history are no news. Pages of both kinds never share a transaction.
        let is_live = entries.iter().any(|entry| entry.is_live() == Some(true));
        if is_live {
            plan::note_follows(tx, &changed, &news, &self.shared.subsystems(), now).await?;
        }
        let on = Occasion { now, is_live };
        for (place, opened) in plan::plan(tx, destinations, changed, &news, on).await? {
            if let Some(page) = &mut committed[place] {
                page.news = opened;
            }
        }
        Ok(committed)
    }

    /// Stores mails that were read from files, as an archive's. Posts are edited; none are opened.
    pub(in crate::ingest) async fn import(
        &self,
        feed: i64,
        mails: &[Item],
    ) -> anyhow::Result<StoredPage> {
        let readings = read_early(mails, 0..mails.len(), &self.rules.machines);
        self.store_history(feed, mails, &readings, true).await
    }

    /// The same for mails that were read already. An import, which nothing else goes on beside, uses more memory.
    pub(in crate::ingest) async fn store_history(
        &self,
        feed: i64,
        mails: &[Item],
        readings: &EarlyReadings,
        is_import: bool,
    ) -> anyhow::Result<StoredPage> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let mut progress = Progress::default();
        let stored = items::put_items(&mut tx, feed, mails, now).await?;
        progress.count_items(feed, stored.sighted);
        progress.save(&mut tx, now).await?;
        let mut loaded = LoadedItems::new();
        stored.add_loaded(mails, readings, &mut loaded);
        let touched = stored.touched();
        let changed = match is_import {
            true => fold::fold_imported(&mut tx, &touched, &loaded, &self.rules).await?,
            false => fold::fold_items(&mut tx, &touched, &loaded, &self.rules).await?,
        };
        let on = Occasion {
            now,
            is_live: false,
        };
        plan::plan(
            &mut tx,
            &self.shared.destinations(),
            changed,
            &News::new(),
            on,
        )
        .await?;
        tx.commit().await?;
        Ok(stored)
    }
}

impl<'a> PageBatch<'a> {
    /// Stores a page: its items, its gaps, and the cursor of its walk. Stores nothing if another poll has moved the cursor.
    /// `place` is the page's place in the transaction.
    async fn store(
        &mut self,
        read: &'a ReadPage,
        place: usize,
    ) -> anyhow::Result<Option<Box<CommittedPage>>> {
        let (row, page, now) = (&read.feed.row, &read.page, self.now);
        let is_poll = read.mode != Mode::History;
        if is_poll && !self.progress.stands_at(row.id, read.cursor.as_deref()) {
            return Ok(None);
        }
        let stored = self.store_items(read, place).await?;
        let mut walk = read.walk.clone();
        let gaps = match &read.learned {
            Some(gaps) => gaps.clone(),
            None => walk.learn(&stored.fresh_keys, &stored.new_here),
        };
        let gaps = feeds::record_gaps(self.tx, row.id, &gaps, now).await?;
        report_gaps(self.tx, self.destinations, row, &gaps, now).await?;
        if let Some(warning) = &page.warning {
            report_warning(self.tx, self.destinations, row, warning, now).await?;
        }
        if walk.has_ended_detour() {
            report_end_of_detour(self.tx, self.destinations, row, now).await?;
        } else if let Some(detour) = &page.detour {
            report_detour(self.tx, self.destinations, row, detour, now).await?;
        }
        feeds::record_faults(self.tx, row.id, &page.faults, now).await?;
        let cursor = walk.cursor();
        if is_poll {
            self.progress.put_cursor(row.id, cursor.clone());
        } else {
            feeds::save_backfill(self.tx, row.id, &cursor).await?;
        }
        if let Some(moved_to) = &read.moved_to {
            feeds::save_move(self.tx, row.id, row.url.as_deref(), moved_to).await?;
        }
        let next = walk.next();
        // A walk may have requests before its first items.
        let is_seeded = !page.items.is_empty() || next.is_none();
        if read.mode == Mode::Seed && is_seeded {
            let dates = page.items.iter().filter_map(|item| item.at);
            let floor_at = dates.min().map(|at| at.timestamp());
            self.progress.put_seed(row.id, floor_at);
        }
        let is_last = is_poll && next.is_none();
        let end = is_last.then(|| {
            let reason = EndReason::Walked {
                is_cut_short: walk.is_cut_short(),
                pause_min: read.pause_min,
                quiet_cursor: None,
            };
            PollEnd::new(&read.feed, reason, self.clock.now())
        });
        Ok(Some(Box::new(CommittedPage {
            walk,
            cursor,
            next,
            end,
            fresh: stored.fresh.len(),
            sighted: stored.sighted,
            news: 0,
            faults: page.faults.len(),
        })))
    }

    /// Stores the items of a page, and notes which of them are news.
    async fn store_items(
        &mut self,
        read: &'a ReadPage,
        place: usize,
    ) -> anyhow::Result<StoredPage> {
        let (row, page, now) = (&read.feed.row, &read.page, self.now);
        let mut stored = items::put_items(self.tx, row.id, &page.items, now).await?;
        if page.is_fast_forward {
            // Only a brief commit is known by its subject alone, and in this branch no commit was rebased.
            let is_brief = |position: usize| page.items[position].detail == Detail::Brief;
            stored.twins.retain(|&position| !is_brief(position));
        }
        let mode = read.items_mode();
        let known = known_now(row, mode, &page.items, &stored);
        let seen_again: &[i64] = match mode {
            Mode::Live => &stored.seen_again,
            Mode::Seed | Mode::History => &[],
        };
        items::mark_known(self.tx, row.id, &known, seen_again, now).await?;
        let kind = &read.feed.config.kind;
        let is_mainline = matches!(
            kind,
            FeedKind::Tree {
                role: TreeRole::Mainline,
                ..
            }
        );
        if let Some(read_at) = row.last_ok_at.filter(|_| is_mainline) {
            let arrived: Vec<i64> = known.iter().chain(seen_again).copied().collect();
            items::mark_absent(self.tx, row.id, &arrived, read_at).await?;
        }
        self.progress.count_items(row.id, stored.sighted);
        self.touched.extend(stored.touched());
        if read.mode != Mode::History && matches!(kind, FeedKind::Archive { .. }) {
            let fresh = stored.fresh.iter();
            let mails = fresh.map(|(position, id)| FreshMail::of(*id, &page.items[*position]));
            self.fresh_mails.extend(mails);
        }
        stored.add_loaded(&page.items, &read.readings, &mut self.loaded);
        let news = news(row, mode, &page.items, place, &stored, now);
        self.news.extend(news);
        Ok(stored)
    }
}

/// Records how polls ended, and notifies maintainers of feeds whose health changed.
async fn settle_polls(
    tx: &mut Tx,
    destinations: &[Destination],
    ends: &[&PollEnd],
) -> anyhow::Result<()> {
    let rows: Vec<EndedPoll<'_>> = ends.iter().map(|end| end.row()).collect();
    feeds::settle_polls(tx, &rows).await?;
    let loud: Vec<&&PollEnd> = ends.iter().filter(|end| !end.is_quiet()).collect();
    let subjects: Vec<String> = loud.iter().map(|end| feed_subject(&end.feed.row)).collect();
    let in_trouble = troubles::in_trouble(tx, &subjects).await?;
    for (end, subject) in loud.into_iter().zip(&subjects) {
        // A feed that was well and still is needs no notice.
        if !end.is_success() || in_trouble.contains(subject) {
            report_health(tx, destinations, end)
                .instrument(poll_span(&end.feed.row))
                .await?;
        }
    }
    Ok(())
}

/// The tracing span of the poll, which may be another task's.
fn poll_span(row: &FeedRow) -> Span {
    info_span!(parent: None, "poll", feed.name = row.name)
}
