//! Issues that go to subscribers, and the bound of mails in a day.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

const HOUR_S: i64 = 3_600;
/// The hours of a day.
const HOURS: i64 = 24;

/// An issue on its way to subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailingRow {
    /// Its number.
    pub issue: i64,
    /// Unix seconds.
    pub begun_at: i64,
    /// The last subscriber with a delivery.
    pub queued_to: i64,
}

/// Begins to send an issue to the subscribers of this moment.
pub async fn begin_mailing(tx: &mut Tx, issue: u32, now: DateTime<Utc>) -> anyhow::Result<()> {
    let (issue, now) = (i64::from(issue), now.timestamp());
    sqlx::query!(
        "INSERT INTO mailings (issue, begun_at) SELECT $1, $2 WHERE EXISTS (SELECT 1 FROM subscribers WHERE state = 'on')
         ON CONFLICT (issue) DO UPDATE SET begun_at = excluded.begun_at, queued_to = 0, ended_at = NULL",
        issue,
        now
    )
    .execute(&mut **tx)
    .await
    .context("beginning to mail an issue")?;
    Ok(())
}

/// The oldest mailing with subscribers that are not queued yet.
pub async fn open_mailing(readers: &Readers) -> anyhow::Result<Option<MailingRow>> {
    sqlx::query_as!(
        MailingRow,
        "SELECT issue, begun_at, queued_to FROM mailings WHERE ended_at IS NULL ORDER BY issue LIMIT 1"
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("asking for an issue to mail")
}

/// The next subscribers of a mailing, who confirmed before it began.
pub async fn next_subscribers(
    tx: &mut Tx,
    mailing: MailingRow,
    most: i64,
) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM subscribers WHERE state = 'on' AND id > $1 AND confirmed_at <= $2 ORDER BY id LIMIT $3"#,
        mailing.queued_to,
        mailing.begun_at,
        most
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for the next subscribers")
}

/// Notes that the deliveries of a mailing are queued up to a subscriber.
pub async fn queued_to(tx: &mut Tx, issue: i64, subscriber: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE mailings SET queued_to = $2 WHERE issue = $1",
        issue,
        subscriber
    )
    .execute(&mut **tx)
    .await
    .context("noting how far a mailing is queued")?;
    Ok(())
}

/// Ends a mailing: all of its deliveries are queued, or no more shall be.
pub async fn end_mailing(tx: &mut Tx, issue: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE mailings SET ended_at = $2 WHERE issue = $1 AND ended_at IS NULL",
        issue,
        now
    )
    .execute(&mut **tx)
    .await
    .context("ending a mailing")?;
    Ok(())
}

/// How many mails wait to be sent.
pub async fn count_queued(readers: &Readers) -> anyhow::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM channels c JOIN deliveries d ON d.channel_id = c.id
           WHERE c.platform = 'mail' AND d.state = 'owed'"#
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("counting the mails that wait")
}

/// Whether there are deliveries of mails that were settled before `before`.
pub async fn has_settled(readers: &Readers, before: DateTime<Utc>) -> anyhow::Result<bool> {
    let before = before.timestamp();
    // The oldest delivery is enough: they are settled nearly in their order.
    let oldest = sqlx::query_scalar!(
        r#"SELECT d.settled_at < $1 AS "is!: bool" FROM channels c JOIN deliveries d ON d.channel_id = c.id
           WHERE c.platform = 'mail' AND d.verb = 'send' AND d.state <> 'owed' ORDER BY d.due_at LIMIT 1"#,
        before
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("looking for old deliveries of mails")?;
    Ok(oldest.unwrap_or_default())
}

/// Removes deliveries of mails that were settled before `before`.
pub async fn drop_settled(tx: &mut Tx, before: DateTime<Utc>) -> anyhow::Result<()> {
    let before = before.timestamp();
    sqlx::query!(
        "DELETE FROM deliveries WHERE id IN
           (SELECT d.id FROM channels c JOIN deliveries d ON d.channel_id = c.id
            WHERE c.platform = 'mail' AND d.verb = 'send' AND d.state <> 'owed' AND d.settled_at < $1
            ORDER BY d.due_at LIMIT 1000)",
        before
    )
    .execute(&mut **tx)
    .await
    .context("removing old deliveries of mails")?;
    Ok(())
}

/// Counts a mail that is about to be sent. Returns `false`, and counts nothing, if the last 24 hours had `most`.
pub async fn count_mail(tx: &mut Tx, most: u32, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let hour = now.timestamp().div_euclid(HOUR_S);
    let from = hour - HOURS;
    sqlx::query!("DELETE FROM mail_hours WHERE hour <= $1", from)
        .execute(&mut **tx)
        .await?;
    let counted = sqlx::query!(
        "INSERT INTO mail_hours (hour, sent) SELECT $1, 1 WHERE (SELECT COALESCE(SUM(sent), 0) FROM mail_hours) < $2
         ON CONFLICT (hour) DO UPDATE SET sent = sent + 1",
        hour,
        most
    )
    .execute(&mut **tx)
    .await
    .context("counting a mail")?;
    Ok(counted.rows_affected() == 1)
}
