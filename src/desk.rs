//! Destinations: channels with their stored row and their configuration. Notices to maintainers go out through here.

use chrono::{DateTime, Utc};
use tracing::info;

use crate::config::ChannelConfig;
use crate::post::story::Content;
use crate::store::outbox::{self, ChannelRow, NewDelivery, Verb};
use crate::store::{Store, Tx, troubles};

/// A channel: its row in the database and its configuration.
#[derive(Debug, Clone)]
pub struct Desk {
    /// As it is stored.
    pub row: ChannelRow,
    /// As it is configured.
    pub config: ChannelConfig,
}

/// Updates the database to the configured channels; returns them.
pub async fn open(
    tx: &mut Tx,
    configured: &[ChannelConfig],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Desk>> {
    outbox::sync_channels(tx, configured, now).await?;
    let rows = outbox::channels((&mut *tx).into()).await?;
    Ok(desks(rows, configured))
}

/// Joins stored channels with their configuration.
pub fn desks(rows: Vec<ChannelRow>, configured: &[ChannelConfig]) -> Vec<Desk> {
    let desk = |row: ChannelRow| {
        let mut configured = configured.iter();
        let config = configured.find(|config| config.name == row.name)?.clone();
        Some(Desk { row, config })
    };
    rows.into_iter().filter_map(desk).collect()
}

/// The channels among these that their platforms refuse by now.
pub async fn paused(desks: &[Desk], store: &Store) -> anyhow::Result<Vec<i64>> {
    let rows = outbox::channels(store.read().into()).await?;
    let is_ours = |row: &&ChannelRow| desks.iter().any(|desk| desk.row.id == row.id);
    let paused = rows.iter().filter(|row| row.paused_at.is_some());
    Ok(paused.filter(is_ours).map(|row| row.id).collect())
}

/// Something that is wrong, for maintainers.
#[derive(Debug)]
pub struct Trouble<'a> {
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
/// without a maintainers' channel the log is the only place.
pub async fn tell_trouble(
    tx: &mut Tx,
    desks: &[Desk],
    trouble: &Trouble<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    if !troubles::note_trouble(tx, trouble.subject, trouble.kind, now).await? {
        return Ok(false);
    }
    tell_maintainers(tx, desks, &trouble.title, &trouble.text, now).await?;
    Ok(true)
}

/// Reports to maintainers that a subject has recovered, if its problem was reported.
pub async fn is_well(
    tx: &mut Tx,
    desks: &[Desk],
    subject: &str,
    title: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let Some(since) = troubles::end_trouble(tx, subject).await? else {
        return Ok(());
    };
    info!("{title}");
    let since = DateTime::from_timestamp(since, 0).unwrap_or(now);
    let text = format!("It was not since {} UTC.", since.format("%Y-%m-%d %H:%M"));
    tell_maintainers(tx, desks, title, &text, now).await
}

/// Queues a notice for every channel of maintainers.
pub async fn tell_maintainers(
    tx: &mut Tx,
    desks: &[Desk],
    title: &str,
    text: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for desk in desks.iter().filter(|desk| desk.config.maintainers) {
        let notice = Content::Notice {
            title: title.to_owned(),
            text: text.to_owned(),
            mark: format!("n{:x}", fastrand::u64(..)),
        };
        let send = NewDelivery {
            channel: desk.row.id,
            post: None,
            verb: Verb::Send,
            content: Some(&notice),
            due_at: now,
        };
        outbox::queue(tx, &send).await?;
    }
    Ok(())
}
