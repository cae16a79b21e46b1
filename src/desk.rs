//! Channels as they are stored and as they are configured, and what maintainers are told in theirs.

use chrono::{DateTime, Utc};

use crate::config::ChannelConfig;
use crate::post::story::Content;
use crate::store::outbox::{self, ChannelRow, NewDelivery, Verb};
use crate::store::{Store, Tx};

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
    let rows = outbox::channels(&mut **tx).await?;
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
    let rows = outbox::channels(store.read()).await?;
    let is_ours = |row: &&ChannelRow| desks.iter().any(|desk| desk.row.id == row.id);
    let paused = rows.iter().filter(|row| row.paused_at.is_some());
    Ok(paused.filter(is_ours).map(|row| row.id).collect())
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
        outbox::owe(tx, &send).await?;
    }
    Ok(())
}
