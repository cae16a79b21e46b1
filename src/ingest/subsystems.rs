//! The MAINTAINERS file that is read from the tree of a feed: at most once a day, after a poll of that feed. The database keeps
//! it, so it is there at the next start. A file that is missing or makes no sense leaves the one from before.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Ingest;
use super::poll_end::PolledFeed;
use crate::config::FeedKind;
use crate::destination::{Problem, report_recovery, warn_of_problem};
use crate::filter::{MAINTAINERS_BYTES_MAX, Subsystems};
use crate::post::plain;
use crate::source::Body;
use crate::source::git::{file_request, is_git};
use crate::store::{Store, subsystems};

const FILE: &str = "MAINTAINERS";
/// The file is read again after so long …
const READ_AFTER: TimeDelta = TimeDelta::days(1);
/// … and after a failure, after so long.
const TRIED_AFTER: TimeDelta = TimeDelta::hours(1);

/// Fills subsystems of a feed from the database. A stored file that makes no sense to this version is left out.
pub(super) async fn load(store: &Store, into: &Subsystems) -> anyhow::Result<()> {
    let Some(feed) = into.feed() else {
        return Ok(());
    };
    if let Some(text) = subsystems::stored_file(store.read(), feed).await? {
        match Subsystems::parse(&text) {
            Ok(read) => into.fill(feed, &read),
            Err(why) => warn!("the stored {FILE} of {feed} cannot be used: {why}"),
        }
    }
    Ok(())
}

/// Reads the file anew after a poll of its feed, if it is time.
pub(super) async fn refresh(
    ingest: &Ingest,
    feed: &PolledFeed,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let name = &feed.row.name;
    let present = ingest.subsystems();
    if present.feed() != Some(name.as_str()) {
        return Ok(());
    }
    let now = ingest.clock.now();
    let times = subsystems::file_times(ingest.store.read(), name).await?;
    // A stored file that cannot be used does not count.
    let read_at = times.read_at.filter(|_| !present.is_empty());
    if !is_due(read_at, times.tried_at, now) {
        return Ok(());
    }
    let Some(read) = stop.run_until_cancelled(read_file(ingest, feed)).await else {
        return Ok(());
    };
    let parsed = read.and_then(|text| Subsystems::parse(&text).map(|parsed| (text, parsed)));
    let mut tx = ingest.store.write().await?;
    let (subject, destinations) = (format!("subsystems {name}"), ingest.destinations());
    match &parsed {
        Ok((text, _)) => {
            subsystems::put_file(&mut tx, name, text, now).await?;
            let title = format!("{FILE} is read from {name} again");
            report_recovery(&mut tx, &destinations, &subject, &title, now).await?;
        }
        Err(why) => {
            subsystems::note_try(&mut tx, name, now).await?;
            let kept = match present.is_empty() {
                false => "The one from before stays in use",
                true => "Until then, no filter with subsystem: takes a story",
            };
            let problem = Problem {
                subject: &subject,
                kind: "",
                title: format!("{FILE} cannot be read from {name}"),
                text: format!(
                    "{}\n{kept}. bpfnews tries again each hour. If the tree has no such file, name another feed or the path of a \
                     file in [subsystems].",
                    plain(why)
                ),
            };
            warn_of_problem(&mut tx, &destinations, &problem, now).await?;
        }
    }
    tx.commit().await?;
    if let Ok((_, parsed)) = parsed {
        // The configuration may have been read anew in the meantime.
        ingest.subsystems().fill(name, &parsed);
        info!("read {} subsystems from {FILE} of {name}", parsed.len());
        warn_of_unknown_names(ingest);
    }
    Ok(())
}

/// Logs the filters of channels that name no subsystem of the file. The configuration could not be checked before.
pub(super) fn warn_of_unknown_names(ingest: &Ingest) {
    let subsystems = ingest.subsystems();
    for destination in &*ingest.destinations() {
        let channel = &destination.config;
        let filter = channel.route.filter.as_ref();
        if let Some(Err(error)) = filter.map(|filter| filter.check(&subsystems)) {
            warn!(
                "the filter of the channel {} can take no story: {}",
                channel.name,
                error.brief()
            );
        }
    }
}

fn is_due(read_at: Option<i64>, tried_at: Option<i64>, now: DateTime<Utc>) -> bool {
    // Times of the future are from before the clock was set back.
    let is_past = |at: Option<i64>, after: TimeDelta| {
        at.is_none_or(|at| at > now.timestamp() || at + after.num_seconds() <= now.timestamp())
    };
    is_past(read_at, READ_AFTER) && is_past(tried_at, TRIED_AFTER)
}

/// The file at the tip of the feed's branch, by the first address at which git has it.
async fn read_file(ingest: &Ingest, feed: &PolledFeed) -> Result<String, String> {
    let FeedKind::Tree { branch, .. } = &feed.config.kind else {
        return Err("the feed is no tree".to_owned());
    };
    let mut problem = "the feed has no address that git reads".to_owned();
    for url in feed.config.ways().iter().filter(|url| is_git(url)) {
        let request = file_request(url, branch, FILE, MAINTAINERS_BYTES_MAX);
        match ingest.reader.fetch(&feed.row, &request).await {
            Ok(answer) => match answer.body {
                // Names of people may be in any encoding; patterns are ASCII.
                Body::Bytes { bytes, .. } => {
                    return Ok(String::from_utf8_lossy(&bytes).into_owned());
                }
                Body::Unchanged => {}
            },
            Err(error) => problem = error.to_string(),
        }
    }
    Err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_daily_and_tried_hourly() {
        let now = DateTime::from_timestamp(10_000_000, 0).expect("a time");
        let ago = |hours: i64| Some(now.timestamp() - hours * 3_600);
        #[rustfmt::skip]
        let table = [
            (None, None, true), (ago(1), ago(1), false), (ago(24), ago(24), true), (ago(30), ago(0), false),
            (None, ago(0), false), (None, ago(1), true), (ago(-5), ago(-5), true),
        ];
        for (read_at, tried_at, due) in table {
            assert_eq!(
                is_due(read_at, tried_at, now),
                due,
                "{read_at:?} {tried_at:?}"
            );
        }
    }
}
