//! Backfill: walks a feed back, and stores its history without announcing it.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::group_commit::ReadPage;
use super::poll_end::PolledFeed;
use super::report::Report;
use super::{Ingest, Mode};
use crate::source::{Goal, Source};
use crate::store::feeds::{self, FeedRow, Outcome};
use crate::store::items;

/// Walks a feed back to `since`. It first polls the feed to its end. Otherwise the backfill would meet new items first, and treat
/// them as history.
pub(super) async fn backfill(
    ingest: &Ingest,
    row: FeedRow,
    since: DateTime<Utc>,
    stop: &CancellationToken,
    mut on_progress: impl FnMut(f64, usize),
) -> anyhow::Result<Report> {
    let feed = catch_up(ingest, row, stop).await?;
    let row = &feed.row;
    let mut walk = Source::open(&feed.config)
        .begin(
            row.backfill.as_deref(),
            Goal::Backfill { since },
            ingest.clock.now(),
        )
        .map_err(|why| anyhow::anyhow!("{}: {why}", row.name))?;
    let mut report = Report::of(row);
    let mut next = walk.next();
    while let Some(request) = next {
        on_progress(walk.progress(), report.fresh);
        report.requests += 1;
        let read = async {
            let answer = ingest.reader.fetch(row, &request).await;
            ingest.reader.read(row, &request, walk, answer).await
        };
        let Some((walked, page)) = stop.run_until_cancelled(read).await else {
            report.outcome = Outcome::OkSoFar;
            return Ok(report);
        };
        let page = page.map_err(|e| {
            anyhow::anyhow!(
                "{}: {e}\nThe items so far are stored; the same command continues.",
                row.name
            )
        })?;
        let known = items::known_page(ingest.store.read(), row.id, &page.items).await?;
        let (page, readings) = ingest.reader.read_early(page, known.unknown).await?;
        let read = ReadPage {
            feed: feed.clone(),
            mode: Mode::History,
            walk: walked,
            page,
            readings,
            learned: None,
            moved_to: None,
            cursor: None,
            pause_min: Duration::ZERO,
            was_sampled: false,
        };
        let committed = ingest.commits.commit_page(read).await?;
        let committed = committed.context("a poll moved the cursor of a backfill")?;
        report.add(&committed);
        (walk, next) = (committed.walk, committed.next);
    }
    on_progress(1.0, report.fresh);
    Ok(report)
}

/// Polls a feed until nothing is left to fetch; returns it as it is afterwards.
async fn catch_up(
    ingest: &Ingest,
    mut row: FeedRow,
    stop: &CancellationToken,
) -> anyhow::Result<PolledFeed> {
    loop {
        let report = ingest.poll(row.clone(), stop).await?;
        if let Outcome::Failed { why, .. } = report.outcome {
            anyhow::bail!(
                "{}: {why}\nThe feed must be polled before the backfill; try again after a good poll.",
                row.name
            );
        }
        let rows = feeds::list_feeds(ingest.store.read()).await?;
        row = rows
            .into_iter()
            .find(|known| known.id == row.id)
            .with_context(|| format!("the database lost the feed {}", report.feed))?;
        if !report.is_cut_short() || stop.is_cancelled() {
            return ingest.feed(row);
        }
    }
}
