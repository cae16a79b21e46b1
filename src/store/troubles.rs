//! Current problems that maintainers were notified of, so that each is announced once until it ends, even across
//! restarts.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// Records a problem. Returns whether it is new: the subject had none, or one of another kind.
pub async fn note_trouble(
    tx: &mut Tx,
    subject: &str,
    kind: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<bool> {
    let now = now.timestamp();
    let noted = sqlx::query!(
        "INSERT INTO troubles (subject, kind, since_at) VALUES ($1, $2, $3)
         ON CONFLICT (subject) DO UPDATE SET kind = excluded.kind WHERE kind <> excluded.kind",
        subject,
        kind,
        now
    )
    .execute(&mut **tx)
    .await
    .context("noting a trouble")?;
    Ok(noted.rows_affected() > 0)
}

/// Ends a problem. Returns when it began, unix seconds; `None` if there was none.
pub async fn end_trouble(tx: &mut Tx, subject: &str) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"DELETE FROM troubles WHERE subject = $1 RETURNING since_at AS "at!: i64""#,
        subject
    )
    .fetch_optional(&mut **tx)
    .await
    .context("ending a trouble")
}

/// The kind of problem that a subject has.
pub async fn kind_of_trouble(readers: &Readers, subject: &str) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar!("SELECT kind FROM troubles WHERE subject = $1", subject)
        .fetch_optional(&mut *readers.acquire().await?)
        .await
        .context("asking what is wrong with a subject")
}

/// Filters these subjects: those that have a problem.
pub async fn in_trouble(tx: &mut Tx, subjects: &[String]) -> anyhow::Result<Vec<String>> {
    if subjects.is_empty() {
        return Ok(Vec::new());
    }
    let subjects = serde_json::to_string(subjects)?;
    sqlx::query_scalar!(
        "SELECT subject FROM troubles WHERE subject IN (SELECT value FROM json_each($1))",
        subjects
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking what is not well")
}

/// Deletes the problems of feeds that are not configured any more.
pub async fn forget_removed_feeds(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query!(
        "DELETE FROM troubles WHERE subject LIKE 'feed %'
         AND substr(subject, 6) NOT IN (SELECT name FROM feeds WHERE configured = 1)"
    )
    .execute(&mut **tx)
    .await
    .context("forgetting troubles of feeds that are no more")?;
    Ok(())
}

/// Checks for free space: writes so much that a full disk refuses it, and deletes it again.
pub async fn try_to_write(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query!(
        "INSERT INTO troubles (subject, kind, since_at) VALUES ('', hex(zeroblob(500000)), 0)
         ON CONFLICT (subject) DO NOTHING"
    )
    .execute(&mut **tx)
    .await
    .context("trying whether there is room")?;
    sqlx::query!("DELETE FROM troubles WHERE subject = ''")
        .execute(&mut **tx)
        .await?;
    Ok(())
}
