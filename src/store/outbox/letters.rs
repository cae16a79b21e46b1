//! Dead letters: deliveries that failed again and again, or that the platform refused. Maintainers retry or drop
//! them.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::deliveries::{NewDelivery, Verb, queue};
use crate::post::story::Content;
use crate::store::{Readers, Tx};

/// A queued delivery is listed too after this many failures.
const LISTED_FROM: i64 = 3;

/// A delivery that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub id: i64,
    pub channel: String,
    pub platform: String,
    pub verb: Verb,
    /// The content of the delivery, or of its post.
    pub content: Option<Content>,
    /// The error of the last attempt.
    pub why: String,
    /// Failed attempts.
    pub failures: i64,
    /// When it became a dead letter, or first failed; unix seconds.
    pub since: i64,
    /// Whether it is a dead letter. If not, it is still retried.
    pub is_aside: bool,
}

impl Letter {
    /// The title of its content, or its action if it has none.
    pub fn title(&self) -> String {
        match &self.content {
            Some(content) => content.title(),
            None => format!("a {}", self.verb.word()),
        }
    }

    pub fn link(&self) -> Option<String> {
        self.content.as_ref().and_then(Content::link)
    }
}

/// Dead letters, and deliveries that fail but are still retried, newest first. Personal messages are nobody else's business.
pub async fn letters(readers: &Readers, most: i64) -> anyhow::Result<Vec<Letter>> {
    let rows = sqlx::query!(
        r#"SELECT d.id AS "id!", c.name AS "channel!", c.platform AS "platform!", d.verb AS "verb!: Verb", d.failures AS "failures!",
                  COALESCE(d.content, p.content) AS "content: String", COALESCE(d.why, '') AS "why!: String",
                  COALESCE(d.set_aside_at, d.failing_since, 0) AS "since!: i64", d.set_aside_at
           FROM deliveries d JOIN channels c ON c.id = d.channel_id LEFT JOIN posts p ON p.id = d.post_id
           WHERE d.recipient_id IS NULL
             AND d.id IN (SELECT id FROM deliveries WHERE set_aside_at IS NOT NULL
                          UNION SELECT id FROM deliveries WHERE state = 'owed' AND failures > 0 AND failures >= $2)
           ORDER BY d.set_aside_at IS NULL, d.id DESC LIMIT $1"#,
        most,
        LISTED_FROM
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing what could not be delivered")?;
    let letter = rows.into_iter().map(|row| {
        let content = row.content.as_deref().map(serde_json::from_str).transpose();
        Ok(Letter {
            content: content.with_context(|| format!("reading the delivery {}", row.id))?,
            id: row.id,
            channel: row.channel,
            platform: row.platform,
            verb: row.verb,
            why: row.why,
            failures: row.failures,
            since: row.since,
            is_aside: row.set_aside_at.is_some(),
        })
    });
    letter.collect()
}

/// The number of dead letters.
pub async fn letters_aside(readers: &Readers) -> anyhow::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM deliveries WHERE set_aside_at IS NOT NULL"#
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("counting what is set aside")
}

/// How many dead letters a channel got since a time.
pub async fn set_aside_since(
    tx: &mut Tx,
    channel: i64,
    from: DateTime<Utc>,
) -> anyhow::Result<i64> {
    let from = from.timestamp();
    sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM deliveries WHERE channel_id = $1 AND set_aside_at >= $2"#,
        channel,
        from
    )
    .fetch_one(&mut **tx)
    .await
    .context("counting what was set aside")
}

/// A maintainer's decision about a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LetterFate {
    /// Try it again.
    Retry,
    /// Give it up.
    Drop,
}

/// The result of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterDecision {
    /// The number of letters decided.
    Done(usize),
    /// There is no dead letter with this number.
    Unknown,
    /// The channel is not configured any more, or its room was replaced: the letter can only be dropped.
    NoChannel(String),
}

/// Decides one letter, or all (`None`). A retry of all skips letters without a channel.
pub async fn decide_letters(
    tx: &mut Tx,
    which: Option<i64>,
    fate: LetterFate,
    now: DateTime<Utc>,
) -> anyhow::Result<LetterDecision> {
    let rows = sqlx::query!(
        r#"SELECT d.id AS "id!", c.name AS "channel!", c.configured AS "configured!", c.replaced_by
           FROM deliveries d JOIN channels c ON c.id = d.channel_id
           WHERE (d.set_aside_at IS NOT NULL OR (d.state = 'owed' AND d.failures > 0)) AND ($1 IS NULL OR d.id = $1)
             AND d.recipient_id IS NULL
           ORDER BY d.id"#,
        which
    )
    .fetch_all(&mut **tx)
    .await
    .context("looking for what is set aside")?;
    if rows.is_empty() {
        return Ok(match which {
            Some(_) => LetterDecision::Unknown,
            None => LetterDecision::Done(0),
        });
    }
    let mut done = 0;
    for row in rows {
        let has_channel = row.configured != 0 && row.replaced_by.is_none();
        match fate {
            LetterFate::Drop => drop_letter(tx, row.id, now).await?,
            LetterFate::Retry if has_channel => retry_letter(tx, row.id, now).await?,
            LetterFate::Retry if which.is_some() => {
                return Ok(LetterDecision::NoChannel(row.channel));
            }
            LetterFate::Retry => continue,
        }
        done += 1;
    }
    Ok(LetterDecision::Done(done))
}

async fn drop_letter(tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE deliveries SET state = 'dead', set_aside_at = NULL, settled_at = $2 WHERE id = $1",
        id,
        now
    )
    .execute(&mut **tx)
    .await
    .context("dropping a dead letter")?;
    Ok(())
}

/// Queues a letter again. If it may have been sent, it keeps its key and content so that the platform finds it, and
/// an edit with the post's current content follows. Otherwise it gets that content now.
pub(super) async fn retry_letter(tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let at = now.timestamp();
    let row = sqlx::query!(
        r#"SELECT d.verb AS "verb!: Verb", d.attempts AS "attempts!", d.post_id, d.channel_id AS "channel!",
                  d.content AS "said: String", p.content AS "says: String"
           FROM deliveries d LEFT JOIN posts p ON p.id = d.post_id WHERE d.id = $1"#,
        id
    )
    .fetch_one(&mut **tx)
    .await
    .context("reading a dead letter")?;
    let follows_post = matches!(row.verb, Verb::Send | Verb::Edit);
    let is_stale = follows_post && row.says.is_some() && row.says != row.said;
    let may_be_sent = row.verb == Verb::Send && row.attempts > 0;
    let new_words = row.says.as_ref().filter(|_| is_stale && !may_be_sent);
    sqlx::query!(
        "UPDATE deliveries SET state = 'owed', set_aside_at = NULL, settled_at = NULL, due_at = MIN(due_at, $2), failures = 0, passed = 0,
                failing_since = NULL, content = COALESCE($3, content), version = version + ($3 IS NOT NULL)
         WHERE id = $1",
        id,
        at,
        new_words
    )
    .execute(&mut **tx)
    .await
    .context("owing a dead letter again")?;
    if is_stale
        && may_be_sent
        && let (Some(post), Some(says)) = (row.post_id, &row.says)
    {
        let content: Content = serde_json::from_str(says).context("reading a post")?;
        let edit = NewDelivery {
            channel: row.channel,
            post: Some(post),
            verb: Verb::Edit,
            content: Some(&content),
            due_at: now,
            in_thread: false,
        };
        queue(tx, &edit).await?;
    }
    Ok(())
}

/// Turns all queued deliveries of a channel into dead letters, and returns how many.
pub async fn set_all_aside(
    tx: &mut Tx,
    channel: i64,
    why: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let now = now.timestamp();
    let aside = sqlx::query!(
        "UPDATE deliveries SET state = 'dead', why = $2, settled_at = $3, set_aside_at = $3
         WHERE channel_id = $1 AND state = 'owed'",
        channel,
        why,
        now
    )
    .execute(&mut **tx)
    .await
    .context("setting aside what a channel is owed")?;
    Ok(usize::try_from(aside.rows_affected()).unwrap_or(usize::MAX))
}

/// Records that another room replaced a channel's room. Returns whether that is new.
pub async fn replace_channel(tx: &mut Tx, channel: i64, by: &str) -> anyhow::Result<bool> {
    let kept = sqlx::query!(
        "UPDATE channels SET replaced_by = $2 WHERE id = $1 AND replaced_by IS NOT $2",
        channel,
        by
    )
    .execute(&mut **tx)
    .await
    .context("keeping which room replaced a channel")?;
    Ok(kept.rows_affected() > 0)
}
