//! Sends that took several attempts. An earlier request of them may still arrive, so their platform watches for a second
//! message; this lets it do so after a restart too.

use anyhow::Context as _;

use crate::post::story::Content;
use crate::store::{Readers, Tx};

/// How long such a send is kept. The first contact with its channel after that is the last look.
const KEPT_S: i64 = 15 * 60;

/// A send that succeeded after a failed attempt.
#[derive(Debug)]
pub struct RetriedSend {
    /// The content of all attempts.
    pub content: Content,
    /// The place of the message now, JSON.
    pub receipt: String,
    /// Unix seconds.
    pub sent_at: i64,
}

/// The sends of a channel that were retried and whose message stands, the oldest first.
pub async fn retried_sends(readers: &Readers, channel: i64) -> anyhow::Result<Vec<RetriedSend>> {
    let rows = sqlx::query!(
        r#"SELECT d.id AS "id!", d.content AS "content!: String", p.receipt AS "receipt!: String",
                  d.settled_at AS "sent_at!"
           FROM deliveries d JOIN posts p ON p.id = d.post_id
           WHERE d.channel_id = $1 AND d.state = 'done' AND d.content IS NOT NULL AND p.receipt IS NOT NULL
             AND d.settled_at IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM deliveries n WHERE n.post_id = d.post_id AND n.id > d.id
                               AND n.verb IN ('send', 'remove'))
           ORDER BY d.id"#,
        channel
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking which messages were sent by a retry")?;
    let sent = rows.into_iter().map(|row| {
        let content = serde_json::from_str(&row.content);
        Ok(RetriedSend {
            content: content.with_context(|| format!("reading the delivery {}", row.id))?,
            receipt: row.receipt,
            sent_at: row.sent_at,
        })
    });
    sent.collect()
}

/// Forgets the sends of a channel that had their last look, because the channel took something now.
pub(super) async fn forget_retried(tx: &mut Tx, channel: i64, now: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE deliveries SET content = NULL
         WHERE channel_id = $1 AND state = 'done' AND content IS NOT NULL AND settled_at < $2 - $3",
        channel,
        now,
        KEPT_S
    )
    .execute(&mut **tx)
    .await
    .context("forgetting messages that were sent by a retry")?;
    Ok(())
}
