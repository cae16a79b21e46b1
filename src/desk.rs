//! Channels as they are stored and as they are configured, and what maintainers are told in theirs.

use chrono::{DateTime, Utc};
use tracing::info;

use crate::config::ChannelConfig;
use crate::post::story::Content;
use crate::store::outbox::{self, ChannelRow, NewDelivery, Verb};
use crate::store::{Store, Tx, troubles};

/// A channel, and what it wants.
#[derive(Debug, Clone)]
pub struct Desk {
    /// As it is stored.
    pub row: ChannelRow,
    /// As it is configured.
    pub config: ChannelConfig,
}

/// Makes the database agree with the configured channels; gives them as they stand.
///
/// # Errors
///
/// When the database fails.
pub async fn open(
    tx: &mut Tx,
    configured: &[ChannelConfig],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Desk>> {
    outbox::sync_channels(tx, configured, now).await?;
    let rows = outbox::channels((&mut *tx).into()).await?;
    Ok(desks(rows, configured))
}

/// Channels as they are stored, with what the configuration says of them.
pub fn desks(rows: Vec<ChannelRow>, configured: &[ChannelConfig]) -> Vec<Desk> {
    let desk = |row: ChannelRow| {
        let mut configured = configured.iter();
        let config = configured.find(|config| config.name == row.name)?.clone();
        Some(Desk { row, config })
    };
    rows.into_iter().filter_map(desk).collect()
}

/// The channels among these that their platforms refuse by now.
///
/// # Errors
///
/// When the database fails.
pub async fn paused(desks: &[Desk], store: &Store) -> anyhow::Result<Vec<i64>> {
    let rows = outbox::channels(store.read().into()).await?;
    let is_ours = |row: &&ChannelRow| desks.iter().any(|desk| desk.row.id == row.id);
    let paused = rows.iter().filter(|row| row.paused_at.is_some());
    Ok(paused.filter(is_ours).map(|row| row.id).collect())
}

/// Something that is wrong, for maintainers.
#[derive(Debug)]
pub struct Trouble<'a> {
    /// What it is about: `feed bpf`, `channel 3`. It is told once until it is well again.
    pub subject: &'a str,
    /// Another kind of trouble of the same subject is told all the same.
    pub kind: &'a str,
    /// What is wrong.
    pub title: String,
    /// Why, and what to do about it.
    pub text: String,
}

/// Tells maintainers that something is wrong, unless they know; gives whether that was new, for the log, which is where to
/// look without a channel.
///
/// # Errors
///
/// When the database fails.
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

/// Tells maintainers that a subject is well again, if they were told that it was not.
///
/// # Errors
///
/// When the database fails.
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

/// Tells maintainers something, wherever a channel is theirs.
///
/// # Errors
///
/// When the database fails.
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
