//! Links that readers suggested, and people banned from suggesting.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::personal::checksum;
use super::{Database, Readers, Tx};

/// The most open suggestions shown to editors.
pub const OPEN_MAX: i64 = 100;

#[derive(Debug, Clone)]
pub struct NewSuggestion<'a> {
    /// The canonical form of the link.
    pub url: &'a str,
    /// The link as the reader wrote it.
    pub shown: &'a str,
    /// The reader's reason; may be empty.
    pub note: &'a str,
    pub platform: &'a str,
    pub person: &'a str,
    /// The server, or the room if there is no server.
    pub place: &'a str,
    /// The room in which the reader is notified of the decision.
    pub room: &'a str,
}

/// Limits per day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuggestionLimits {
    pub person_max: u32,
    pub place_max: u32,
}

/// The result of a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuggestionResult {
    /// It is stored under this number.
    Saved(i64),
    /// It was suggested before, at this time (unix seconds).
    Known(i64),
    /// The person has reached the daily limit.
    PersonFull,
    /// The server has reached its limit.
    PlaceFull,
    /// The person is banned.
    Banned,
}

/// Whether an editor has decided about a suggestion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum SuggestionState {
    Open,
    Accepted,
    Declined,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestionRow {
    pub id: i64,
    /// The room of the suggestion.
    pub room: String,
    pub state: SuggestionState,
    /// The issue that contains it.
    pub issue: Option<i64>,
    /// The link as the reader wrote it.
    pub shown: String,
    /// The reader's reason.
    pub note: String,
    pub platform: String,
    pub person: String,
    /// Unix seconds.
    pub at: i64,
}

/// Stores a suggestion, or returns the reason why not. A day is the last 24 hours.
pub async fn take_suggestion(
    tx: &mut Tx,
    new: &NewSuggestion<'_>,
    caps: SuggestionLimits,
    now: DateTime<Utc>,
) -> anyhow::Result<SuggestionResult> {
    let now = now.timestamp();
    let since = now - 86_400;
    let erased = checksum(new.person);
    let row = sqlx::query!(
        r#"SELECT (SELECT COUNT(*) FROM bans WHERE person IN ($2, $6)) AS "bans!: i64",
                  (SELECT at FROM suggestions WHERE url = $5) AS "known: i64",
                  (SELECT COUNT(*) FROM suggestions WHERE platform = $1 AND person = $2 AND at > $4) AS "persons!: i64",
                  (SELECT COUNT(*) FROM suggestions WHERE platform = $1 AND place = $3 AND at > $4) AS "places!: i64""#,
        new.platform,
        new.person,
        new.place,
        since,
        new.url,
        erased
    )
    .fetch_one(&mut **tx)
    .await
    .context("asking about a suggestion")?;
    if row.bans > 0 {
        return Ok(SuggestionResult::Banned);
    }
    if let Some(at) = row.known {
        return Ok(SuggestionResult::Known(at));
    }
    if row.persons >= i64::from(caps.person_max) {
        return Ok(SuggestionResult::PersonFull);
    }
    if row.places >= i64::from(caps.place_max) {
        return Ok(SuggestionResult::PlaceFull);
    }
    let id = sqlx::query_scalar!(
        r#"INSERT INTO suggestions (id, url, shown, note, platform, person, place, at, room)
           VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM suggestions), $1, $2, $3, $4, $5, $6, $7, $8)
           RETURNING id AS "id!""#,
        new.url,
        new.shown,
        new.note,
        new.platform,
        new.person,
        new.place,
        now,
        new.room
    )
    .fetch_one(&mut **tx)
    .await
    .context("keeping a suggestion")?;
    Ok(SuggestionResult::Saved(id))
}

/// A suggestion.
pub async fn suggestion(mut from: Database<'_>, id: i64) -> anyhow::Result<Option<SuggestionRow>> {
    sqlx::query_as!(
        SuggestionRow,
        r#"SELECT id, shown, note, platform, person, at, room, state AS "state: SuggestionState", issue FROM suggestions
           WHERE id = $1"#,
        id
    )
    .fetch_optional(&mut *from.acquire().await?)
    .await
    .context("reading a suggestion")
}

/// Stores the decision that holds for a suggestion that is in no issue.
pub async fn set_suggestion_state(
    tx: &mut Tx,
    id: i64,
    state: SuggestionState,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE suggestions SET state = $2, decided_at = iif($2 = 'open', NULL, $3), decided_by = iif($2 = 'open', NULL, $4)
         WHERE id = $1 AND issue IS NULL",
        id,
        state,
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("deciding a suggestion")?;
    Ok(())
}

/// Records a post that shows a suggestion to editors.
pub async fn keep_post(tx: &mut Tx, suggestion: i64, post: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "INSERT INTO suggestion_posts (suggestion_id, post_id) VALUES ($1, $2)",
        suggestion,
        post
    )
    .execute(&mut **tx)
    .await
    .context("keeping where a suggestion is told")?;
    Ok(())
}

/// The posts that show a suggestion to editors.
pub async fn posts_of(tx: &mut Tx, suggestion: i64) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT post_id FROM suggestion_posts WHERE suggestion_id = $1 ORDER BY post_id",
        suggestion
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking where a suggestion is told")
}

/// Undecided suggestions, oldest first.
pub async fn open_suggestions(readers: &Readers, most: i64) -> anyhow::Result<Vec<SuggestionRow>> {
    sqlx::query_as!(
        SuggestionRow,
        r#"SELECT id, shown, note, platform, person, at, room, state AS "state: SuggestionState", issue FROM suggestions
         WHERE state = 'open' ORDER BY id LIMIT $1"#,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing open suggestions")
}

/// The latest suggestions, newest first.
pub async fn list_suggestions(readers: &Readers, most: i64) -> anyhow::Result<Vec<SuggestionRow>> {
    sqlx::query_as!(
        SuggestionRow,
        r#"SELECT id, shown, note, platform, person, at, room, state AS "state: SuggestionState", issue FROM suggestions ORDER BY id DESC LIMIT $1"#,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing suggestions")
}

/// Bans a person from suggesting. Returns `false` if they were banned already.
pub async fn ban(tx: &mut Tx, person: &str, by: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let now = now.timestamp();
    let banned = sqlx::query!(
        "INSERT INTO bans (person, banned_at, banned_by) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        person,
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("refusing a person's suggestions")?;
    Ok(banned.rows_affected() == 1)
}

/// Lifts a ban. Returns `false` if there was none.
pub async fn lift_ban(tx: &mut Tx, person: &str) -> anyhow::Result<bool> {
    let erased = checksum(person);
    let lifted = sqlx::query!("DELETE FROM bans WHERE person IN ($1, $2)", person, erased)
        .execute(&mut **tx)
        .await
        .context("taking a person's suggestions again")?;
    Ok(lifted.rows_affected() > 0)
}

/// The banned people.
pub async fn list_bans(readers: &Readers) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT person FROM bans ORDER BY banned_at DESC, person")
        .fetch_all(&mut *readers.acquire().await?)
        .await
        .context("listing whose suggestions are not taken")
}
