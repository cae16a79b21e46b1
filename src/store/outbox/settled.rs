//! Recording the results of deliveries.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::deliveries::{Claimed, Verb};
use super::letters::retry_letter;
use super::retried::forget_retried;
use crate::store::Tx;

/// The result of a claimed delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// It succeeded.
    Done {
        /// The location of the message (JSON), for a send or an edit.
        receipt: Option<String>,
    },
    /// It was not attempted. It may be tried from `due_at` on.
    Later {
        /// `None`: as before.
        due_at: Option<DateTime<Utc>>,
        why: String,
    },
    /// The attempt failed. It is retried from `due_at` on.
    Failed {
        /// Whether it may have succeeded all the same.
        may_be_done: bool,
        /// Whether the channel accepts other deliveries.
        is_passed: bool,
        /// `None`: as before.
        due_at: Option<DateTime<Utc>>,
        why: String,
    },
    /// It failed for good, and there is nothing to decide.
    Dead { why: String },
    /// It is a dead letter: maintainers decide whether to retry it.
    Aside { why: String },
}

/// Records the result of a claimed delivery. If its content has changed since, it stays queued.
pub async fn settle_delivery(
    tx: &mut Tx,
    claimed: &Claimed,
    settled: &Settled,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    match settled {
        Settled::Done { receipt } => done(tx, claimed, receipt.as_deref(), now).await,
        Settled::Later { due_at, why } => not_tried(tx, claimed, *due_at, why).await,
        Settled::Failed {
            may_be_done,
            is_passed,
            due_at,
            why,
        } => {
            if *may_be_done {
                maybe_done(tx, claimed, *due_at, why, now).await?;
            } else {
                not_tried(tx, claimed, *due_at, why).await?;
            }
            count_failure(tx, claimed, *is_passed, now).await
        }
        Settled::Dead { why } => dead(tx, claimed, why, false, now).await,
        Settled::Aside { why } => dead(tx, claimed, why, true, now).await,
    }
}

async fn done(
    tx: &mut Tx,
    claimed: &Claimed,
    receipt: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    if let (Verb::Send | Verb::Edit, Some(post), Some(receipt)) =
        (claimed.verb, claimed.post, receipt)
    {
        sqlx::query!("UPDATE posts SET receipt = $2 WHERE id = $1", post, receipt)
            .execute(&mut **tx)
            .await?;
    }
    if let (Verb::Reply, Some(receipt)) = (claimed.verb, receipt) {
        let id = claimed.id;
        sqlx::query!(
            "UPDATE deliveries SET receipt = $2 WHERE id = $1",
            id,
            receipt
        )
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query!(
        "UPDATE deliveries SET state = 'done', why = NULL, settled_at = $3,
                content = iif(verb = 'send' AND attempts > 1 AND post_id IS NOT NULL, content, NULL)
         WHERE id = $1 AND version = $2",
        claimed.id,
        claimed.version,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "UPDATE channels SET took_at = $2 WHERE id = $1",
        claimed.channel,
        now
    )
    .execute(&mut **tx)
    .await
    .context("keeping that a channel took something")?;
    forget_retried(tx, claimed.channel, now).await
}

/// Undoes the count of an attempt that did not happen.
async fn not_tried(
    tx: &mut Tx,
    claimed: &Claimed,
    due_at: Option<DateTime<Utc>>,
    why: &str,
) -> anyhow::Result<()> {
    let due_at = due_at.map(|at| at.timestamp());
    sqlx::query!(
        "UPDATE deliveries SET attempts = MAX(attempts - 1, 0), why = $3, due_at = COALESCE($4, due_at),
                first_tried_at = iif(attempts <= 1, NULL, first_tried_at), last_tried_at = $5
         WHERE id = $1 AND version = $2",
        claimed.id,
        claimed.version,
        why,
        due_at,
        claimed.tried_before_at
    )
    .execute(&mut **tx)
    .await
    .context("putting a delivery off")?;
    Ok(())
}

async fn maybe_done(
    tx: &mut Tx,
    claimed: &Claimed,
    due_at: Option<DateTime<Utc>>,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (due_at, now) = (due_at.map(|at| at.timestamp()), now.timestamp());
    sqlx::query!(
        "UPDATE deliveries SET why = $2, due_at = COALESCE($3, due_at), last_tried_at = MAX(last_tried_at, $4)
         WHERE id = $1",
        claimed.id,
        why,
        due_at,
        now
    )
    .execute(&mut **tx)
    .await
    .context("noting a try whose outcome is unknown")?;
    Ok(())
}

async fn count_failure(
    tx: &mut Tx,
    claimed: &Claimed,
    is_passed: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE deliveries SET failures = failures + 1, passed = passed + $2,
                failing_since = COALESCE(failing_since, $3) WHERE id = $1",
        claimed.id,
        is_passed,
        now
    )
    .execute(&mut **tx)
    .await
    .context("counting a try that failed")?;
    Ok(())
}

/// Whether another delivery of the channel could be tried now.
pub async fn has_others_due(
    tx: &mut Tx,
    claimed: &Claimed,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let now = now.timestamp();
    let others = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM deliveries d
                          WHERE d.channel_id = $1 AND d.state = 'owed' AND d.due_at <= $3 AND d.id <> $2
                            AND NOT EXISTS (SELECT 1 FROM deliveries s
                                            WHERE s.post_id = d.post_id AND s.id < d.id AND s.state = 'owed'
                                              AND (s.verb <> 'reply' OR d.verb = 'reply'))
                            AND NOT EXISTS (SELECT 1 FROM deliveries s
                                            WHERE s.recipient_id = d.recipient_id AND s.id < d.id AND s.state = 'owed')) AS "is!: bool""#,
        claimed.channel,
        claimed.id,
        now
    );
    others
        .fetch_one(&mut **tx)
        .await
        .context("asking what else a channel is owed")
}

/// Restores a delivery's place in the order, even if it was set aside.
pub async fn put_back(
    tx: &mut Tx,
    delivery: i64,
    due_at: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let is_letter = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM deliveries WHERE id = $1 AND set_aside_at IS NOT NULL) AS "is!: bool""#,
        delivery
    );
    if is_letter.fetch_one(&mut **tx).await? {
        retry_letter(tx, delivery, now).await?;
    }
    sqlx::query!(
        "UPDATE deliveries SET due_at = $2 WHERE id = $1 AND state = 'owed'",
        delivery,
        due_at
    )
    .execute(&mut **tx)
    .await
    .context("putting a delivery back to its place")?;
    Ok(())
}

async fn dead(
    tx: &mut Tx,
    claimed: &Claimed,
    why: &str,
    is_letter: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    let aside = is_letter.then_some(now);
    sqlx::query!(
        "UPDATE deliveries SET state = 'dead', why = $3, settled_at = $4, set_aside_at = $5
         WHERE id = $1 AND version = $2",
        claimed.id,
        claimed.version,
        why,
        now,
        aside
    )
    .execute(&mut **tx)
    .await
    .context("giving up a delivery")?;
    Ok(())
}

/// Whether the channel accepted anything since the delivery first failed. The same second counts, because the next
/// delivery follows a refusal at once.
pub async fn took_others_since(tx: &mut Tx, claimed: &Claimed) -> anyhow::Result<bool> {
    let took = sqlx::query_scalar!(
        r#"SELECT COALESCE(c.took_at >= d.failing_since, 0) AS "took!: bool"
           FROM deliveries d JOIN channels c ON c.id = d.channel_id WHERE d.id = $1"#,
        claimed.id
    );
    took.fetch_one(&mut **tx)
        .await
        .context("asking what a channel took")
}
