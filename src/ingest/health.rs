//! Notices to maintainers about feeds: failing for a day, walled, gone, or with a gap. Each is sent once with advice, and a
//! second notice reports the recovery.

use chrono::{DateTime, TimeDelta, Utc};

use super::poll_end::PollEnd;
use crate::config::{FeedConfig, FeedKind, UpstreamKind};
use crate::destination::{Destination, Problem, report_recovery, warn_of_problem};
use crate::post::plain;
use crate::source::Gap;
use crate::store::Tx;
use crate::store::feeds::{self, FailureState, FeedRow, Outcome};

/// How long a feed may fail before maintainers are notified.
const FAILS_FOR: TimeDelta = TimeDelta::days(1);
/// The most gaps that one notice names.
const GAPS_NAMED_MAX: usize = 3;
/// How far back the notice of a gap without a known beginning suggests to read.
const GAP_SINCE: TimeDelta = TimeDelta::days(60);

/// Notifies maintainers if the health of a feed changed. It runs in the transaction that settles the poll.
pub(super) async fn report_health(
    tx: &mut Tx,
    destinations: &[Destination],
    end: &PollEnd,
) -> anyhow::Result<()> {
    let (row, now) = (&end.feed.row, end.at);
    let (name, subject) = (&row.name, feed_subject(row));
    let (state, why) = match &end.outcome {
        Outcome::Ok | Outcome::OkSoFar => {
            let title = format!("{name} is well again");
            return report_recovery(tx, destinations, &subject, &title, now).await;
        }
        // Our own network failed: nothing is wrong with the feed.
        Outcome::Excused { .. } => return Ok(()),
        Outcome::Failed { state, why } => (*state, why),
    };
    let since = feeds::failing_since(tx, row.id)
        .await?
        .unwrap_or(now.timestamp());
    let since = DateTime::from_timestamp(since, 0).unwrap_or(now);
    if state == FailureState::BackingOff && now - since < FAILS_FOR {
        return Ok(());
    }
    let (what, remedy) = words(state, name, &end.feed.config, since);
    let problem = Problem {
        subject: &subject,
        // A feed that fails in changing ways is reported once.
        kind: "",
        title: format!("{name} {what}"),
        text: format!("{}\n{remedy}", plain(why)),
    };
    warn_of_problem(tx, destinations, &problem, now).await
}

/// Reports gaps that were found: once a day for each feed, because a feed that is too fast for its poll gap has many.
pub(super) async fn report_gaps(
    tx: &mut Tx,
    destinations: &[Destination],
    row: &FeedRow,
    gaps: &[Gap],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if gaps.is_empty() {
        return Ok(());
    }
    let when = |at: i64| match DateTime::from_timestamp(at, 0) {
        Some(time) if at > 0 => time.format("%Y-%m-%d %H:%M").to_string(),
        _ => "?".to_owned(),
    };
    let mut lines: Vec<String> = gaps
        .iter()
        .take(GAPS_NAMED_MAX)
        .map(|gap| {
            let (from, to) = (when(gap.from_at), when(gap.to_at));
            format!("{from} to {to} UTC: {}", plain(&gap.why))
        })
        .collect();
    let name = &row.name;
    lines.push(match row.kind {
        UpstreamKind::Archive | UpstreamKind::Tree => {
            let from = gaps.iter().map(|gap| gap.from_at).filter(|at| *at > 0).min();
            let from = from.and_then(|at| DateTime::from_timestamp(at, 0));
            let day = from.unwrap_or(now - GAP_SINCE).format("%F");
            format!(
                "bpfnews requests it again if that is possible. To fetch it now, stop bpfnews and run: \
                 bpfnews backfill --feed {name} --since {day}"
            )
        }
        UpstreamKind::Lwn | UpstreamKind::Feed => "bpfnews cannot read older entries of this kind of feed. A shorter poll_gap_s makes gaps rarer; bpfnews feeds lists them."
            .to_owned(),
    });
    let problem = Problem {
        subject: &format!("gaps {name}"),
        kind: &now.format("%F").to_string(),
        title: format!("{name}: something is missing"),
        text: lines.join("\n"),
    };
    warn_of_problem(tx, destinations, &problem, now).await
}

/// Reports a warning about a whole source, once a month at most.
pub(super) async fn report_warning(
    tx: &mut Tx,
    destinations: &[Destination],
    row: &FeedRow,
    warning: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let problem = Problem {
        subject: &format!("warning {}", row.name),
        kind: &now.format("%Y-%m").to_string(),
        title: format!("{}: a warning", row.name),
        text: plain(warning),
    };
    warn_of_problem(tx, destinations, &problem, now).await
}

/// Reports that a feed is read by its best address again.
pub(super) async fn report_end_of_detour(
    tx: &mut Tx,
    destinations: &[Destination],
    row: &FeedRow,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let title = format!("{} is read by its best address again", row.name);
    report_recovery(tx, destinations, &detour_subject(row), &title, now).await
}

fn detour_subject(row: &FeedRow) -> String {
    format!("detour {}", row.name)
}

/// Reports that a feed is read by another of its addresses, once for each detour, and at most once an hour.
pub(super) async fn report_detour(
    tx: &mut Tx,
    destinations: &[Destination],
    row: &FeedRow,
    detour: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let problem = Problem {
        subject: &detour_subject(row),
        kind: &now.format("%F %H").to_string(),
        title: format!("{} is read by another address", row.name),
        text: plain(detour),
    };
    warn_of_problem(tx, destinations, &problem, now).await
}

/// The key under which problems of a feed are recorded.
pub(super) fn feed_subject(row: &FeedRow) -> String {
    format!("feed {}", row.name)
}

/// Describes the problem of a feed, and the remedy.
fn words(
    state: FailureState,
    name: &str,
    config: &FeedConfig,
    since: DateTime<Utc>,
) -> (String, String) {
    let try_it = format!("bpfnews check --online --feed {name} tries it.");
    match state {
        FailureState::Walled => (
            "is walled".to_owned(),
            format!(
                "Its host answers with a page for people, which bpfnews cannot pass. Ask its operators to let \
                 bpfnews' User-Agent in, or read it from {}. {try_it}",
                match config.kind {
                    FeedKind::Tree { .. } => "a mirror",
                    FeedKind::Archive { .. } | FeedKind::Lwn | FeedKind::Feed { .. } => "elsewhere",
                }
            ),
        ),
        FailureState::Gone => (
            "is gone".to_owned(),
            format!("Set its new url in the configuration, or remove the feed. {try_it}"),
        ),
        FailureState::BackingOff => (
            format!("has failed since {} UTC", since.format("%Y-%m-%d %H:%M")),
            format!(
                "bpfnews retries at least once a day, and reads all entries that the feed still shows then. Check that {} is \
                 still its address: {try_it}",
                config.url
            ),
        ),
    }
}
