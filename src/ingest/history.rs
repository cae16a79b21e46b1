//! Backfill: walks a feed back, and stores its history without announcing it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::plan::{self, News};
use super::waiting::{Left, ReadPage};
use super::{Ingest, Mode, Report, fold};
use crate::item::Item;
use crate::source::{Goal, Source};
use crate::store::feeds::{self, FeedRow, Outcome, Progress};
use crate::store::items::{self, LoadedItems, StoredPage};

impl Ingest {
    /// Walks a feed back to `since`; stores everything and announces nothing. It first polls the feed to its end. Otherwise the
    /// backfill would meet new items first, and treat them as history. `told` receives the share that is done, from 0 to 1, and
    /// the number of new items so far.
    ///
    /// # Errors
    ///
    /// Returns the error that ended the walk. The next call goes on from there.
    pub async fn backfill(
        &self,
        row: FeedRow,
        since: DateTime<Utc>,
        stop: &CancellationToken,
        mut told: impl FnMut(f64, usize),
    ) -> anyhow::Result<Report> {
        let row = Arc::new(self.catch_up(row, stop).await?);
        let Some(config) = self.feeds.get(&row.name) else {
            anyhow::bail!("the feed {} is not in the configuration", row.name);
        };
        let mut walk = Source::open(config)
            .begin(
                row.backfill.as_deref(),
                Goal::Backfill { since },
                self.clock.now(),
            )
            .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))?;
        let mut report = Report::of(&row);
        let mut next = walk.next();
        while let Some(request) = next {
            told(walk.progress(), report.fresh);
            report.requests += 1;
            let asked = async {
                let answer = self.fetch(&row, &request).await;
                self.read_answer(&row, &request, walk, answer).await
            };
            let (walked, read) = tokio::select! {
                read = asked => read,
                () = stop.cancelled() => {
                    report.outcome = Outcome::OkSoFar;
                    return Ok(report);
                }
            };
            walk = walked;
            let page = read.map_err(|e| {
                anyhow::anyhow!(
                    "{}: {e}\nWhat came so far is kept; the same command goes on from there.",
                    row.name
                )
            })?;
            let read = ReadPage {
                row: Arc::clone(&row),
                mode: Mode::History,
                walk,
                page,
                learned: None,
                moved_to: None,
                cursor: None,
                leave_alone: Duration::ZERO,
                was_sampled: false,
            };
            let kept = self.commit(Left::Page(Box::new(read))).await?;
            let kept = kept.context("a walk back is in nobody's way")?;
            report.add(&kept);
            (walk, next) = (kept.walk, kept.next);
        }
        told(1.0, report.fresh);
        Ok(report)
    }

    /// Polls a feed until nothing is left to fetch; returns its row afterwards.
    async fn catch_up(&self, row: FeedRow, stop: &CancellationToken) -> anyhow::Result<FeedRow> {
        let mut row = row;
        loop {
            let report = self.poll(row.clone(), stop).await?;
            if let Outcome::Failed { why, .. } = report.outcome {
                anyhow::bail!(
                    "{}: {why}\nIt is polled before it is walked back; try again once that goes well.",
                    row.name
                );
            }
            let rows = feeds::list_feeds(self.store.read()).await?;
            row = rows
                .into_iter()
                .find(|known| known.id == row.id)
                .with_context(|| format!("the database lost the feed {}", report.feed))?;
            if !report.is_cut_short() || stop.is_cancelled() {
                return Ok(row);
            }
        }
    }
}

impl Ingest {
    /// Stores mails that were read from files, as an archive's. Posts that stand are edited; none are opened.
    pub async fn import(&self, feed: i64, mails: &[Item]) -> anyhow::Result<StoredPage> {
        let now = self.clock.now();
        let mut tx = self.store.write().await?;
        let mut progress = Progress::default();
        let stored = items::put_items(&mut tx, feed, mails, now).await?;
        progress.count_items(feed, stored.sighted);
        progress.save(&mut tx, now).await?;
        let mut at_hand = LoadedItems::new();
        stored.add_loaded(mails, &mut at_hand);
        let moved = fold::fold_imported(&mut tx, &stored.touched(), &at_hand, &self.words).await?;
        plan::plan(&mut tx, &self.desks(), moved, &News::new(), now).await?;
        tx.commit().await?;
        Ok(stored)
    }
}
