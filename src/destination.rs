//! Destinations: channels with their stored row and their configuration. Notices to maintainers go out through here.

use chrono::{DateTime, Utc};
use tracing::{info, warn};

use crate::config::{ChannelConfig, PlatformKind};
use crate::post::story::Content;
use crate::store::outbox::{self, ChannelRow, NewDelivery, Verb};
use crate::store::{Store, Tx, recipients, troubles};

/// A channel: its row in the database and its configuration.
#[derive(Debug, Clone)]
pub struct Destination {
    pub row: ChannelRow,
    pub config: ChannelConfig,
}

/// Updates the database to the configured channels; returns them.
pub async fn sync(
    tx: &mut Tx,
    configured: &[ChannelConfig],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Destination>> {
    outbox::sync_channels(tx, configured, now).await?;
    let rows = outbox::channels((&mut *tx).into()).await?;
    Ok(with_rows(rows, configured))
}

/// Joins stored channels with their configuration. A channel that is not configured any more is left out.
pub fn with_rows(rows: Vec<ChannelRow>, configured: &[ChannelConfig]) -> Vec<Destination> {
    let destination = |row: ChannelRow| {
        let mut configured = configured.iter();
        let config = configured.find(|config| config.name == row.name)?.clone();
        Some(Destination { row, config })
    };
    rows.into_iter().filter_map(destination).collect()
}

/// The destinations of personal messages on these platforms. They take no posts and no notices, so only the delivery loop knows
/// them.
pub async fn personal(
    tx: &mut Tx,
    platforms: &[PlatformKind],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Destination>> {
    let mut destinations = Vec::new();
    for &platform in platforms {
        let row = recipients::personal_channel(tx, platform.word(), now).await?;
        let config = ChannelConfig {
            name: row.name.clone(),
            platform,
            address: row.address.clone(),
            issues: false,
            ..ChannelConfig::terminal()
        };
        destinations.push(Destination { row, config });
    }
    Ok(destinations)
}

/// The destinations of notices to maintainers.
pub fn for_maintainers(destinations: &[Destination]) -> impl Iterator<Item = &Destination> {
    destinations.iter().filter(|own| own.config.maintainers)
}

/// The destinations of issues.
pub fn for_issues(destinations: &[Destination]) -> impl Iterator<Item = &Destination> {
    destinations.iter().filter(|own| own.config.issues)
}

/// The numbers of those destinations that their platforms refuse now.
pub async fn paused(destinations: &[Destination], store: &Store) -> anyhow::Result<Vec<i64>> {
    let rows = outbox::channels(store.read().into()).await?;
    let paused = rows.iter().filter(|row| row.paused_at.is_some());
    let is_ours = |id: &i64| destinations.iter().any(|own| own.row.id == *id);
    Ok(paused.map(|row| row.id).filter(is_ours).collect())
}

/// A problem that maintainers must know about.
#[derive(Debug)]
pub struct Problem<'a> {
    /// The subject, such as `feed bpf` or `channel 3`. It is reported once until it recovers.
    pub subject: &'a str,
    /// The kind of problem. Another kind of the same subject is reported as well.
    pub kind: &'a str,
    /// The problem in a few words.
    pub title: String,
    /// The cause and the remedy.
    pub text: String,
}

/// Reports a problem to maintainers, unless it was reported before. Returns whether it was new, so that the caller can log it;
/// without a maintainers' channel, the log is the only place.
pub async fn report_problem(
    tx: &mut Tx,
    destinations: &[Destination],
    problem: &Problem<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    if !troubles::note_trouble(tx, problem.subject, problem.kind, now).await? {
        return Ok(false);
    }
    notify_maintainers(tx, destinations, &problem.title, &problem.text, now).await?;
    Ok(true)
}

/// The same; a new problem is also logged as a warning.
pub async fn warn_of_problem(
    tx: &mut Tx,
    destinations: &[Destination],
    problem: &Problem<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if report_problem(tx, destinations, problem, now).await? {
        warn!("{}: {}", problem.title, problem.text.replace('\n', " "));
    }
    Ok(())
}

/// Reports to maintainers that a subject has recovered, if its problem was reported.
pub async fn report_recovery(
    tx: &mut Tx,
    destinations: &[Destination],
    subject: &str,
    title: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Some(since) = troubles::end_trouble(tx, subject).await? else {
        return Ok(());
    };
    info!("{title}");
    let since = DateTime::from_timestamp(since, 0).unwrap_or(now);
    let text = format!(
        "It had been failing since {} UTC.",
        since.format("%Y-%m-%d %H:%M")
    );
    notify_maintainers(tx, destinations, title, &text, now).await
}

/// Queues a notice for every channel of maintainers.
pub async fn notify_maintainers(
    tx: &mut Tx,
    destinations: &[Destination],
    title: &str,
    text: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for own in for_maintainers(destinations) {
        let notice = Content::Notice {
            title: title.to_owned(),
            text: text.to_owned(),
            mark: format!("n{:x}", fastrand::u64(..)),
        };
        let send = NewDelivery {
            channel: own.row.id,
            post: None,
            verb: Verb::Send,
            content: Some(&notice),
            due_at: now,
        };
        outbox::queue(tx, &send).await?;
    }
    Ok(())
}
