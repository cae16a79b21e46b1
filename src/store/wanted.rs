//! Mails that stories lack, and the limit on threads that are fetched in a day.

use std::collections::HashSet;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Sqlite, Type};

use super::stories::day_of;
use super::{Readers, Tx};
use crate::item::{ItemKey, ItemKind, MessageId, hex};

/// A wanted mail whose turn does not come for so long is given up.
const WANTED_FOR: TimeDelta = TimeDelta::days(14);
/// How long it is remembered that a mail was fetched or given up.
const SETTLED_FOR: TimeDelta = TimeDelta::days(90);
/// The most mails that are wanted at a time, and of one story.
const WANTED_MAX: i64 = 5_000;
const OF_STORY_MAX: i64 = 200;

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lack {
    /// A mail that a stored one answers.
    Mail,
    /// Patches of a series.
    Parts,
}

impl Lack {
    const ALL: [Self; 2] = [Self::Mail, Self::Parts];

    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Parts => "parts",
        }
    }
}

impl Type<Sqlite> for Lack {
    fn type_info() -> SqliteTypeInfo {
        <str as Type<Sqlite>>::type_info()
    }
}

impl<'r> Decode<'r, Sqlite> for Lack {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let word = <&str as Decode<Sqlite>>::decode(value)?;
        let lack = Self::ALL.into_iter().find(|lack| lack.word() == word);
        lack.ok_or_else(|| format!("{word} is nothing that a story lacks").into())
    }
}

/// A mail, or the parts of a series, that a story lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedMail {
    pub what: Lack,
    /// Of the missing mail; for parts, of the first stored mail of the series.
    pub message_id: String,
    /// A stored mail of the story: the answer to the missing one.
    pub item: i64,
}

/// The same as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRow {
    pub what: Lack,
    pub message_id: String,
    /// The Message-ID of the stored mail.
    pub by: String,
    pub tries: i64,
    /// Unix seconds.
    pub due_at: i64,
    /// Whether the mail of `message_id` is stored by now. Says nothing of parts.
    pub is_stored: bool,
}

/// The outcome for a wanted mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedEnd {
    Fetched,
    GivenUp,
}

/// How many mails a feed wants, got and gave up, and the reasons for the latter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedCount {
    pub feed: i64,
    pub wanted: i64,
    pub fetched: i64,
    pub given_up: i64,
    /// The reason why one was last given up, or the last error of one that is wanted.
    pub why: Option<String>,
}

/// Records mails that stories lack. Those that are stored, recorded or settled already stay as they are.
pub async fn want(
    tx: &mut Tx,
    mails: &[(WantedMail, DateTime<Utc>)],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if mails.is_empty() {
        return Ok(());
    }
    let rows = mails.iter().filter_map(|(mail, due_at)| {
        let id = MessageId::parse(&mail.message_id)?;
        let digest = hex(&ItemKey::message(&id).digest());
        let what = mail.what.word();
        Some(json!([
            what,
            id.as_str(),
            mail.item,
            due_at.timestamp(),
            digest
        ]))
    });
    let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
    let (now, kind) = (now.timestamp(), ItemKind::Message.code());
    sqlx::query!(
        "INSERT INTO wanted_mails (what, message_id, item_id, wanted_at, due_at)
         SELECT value ->> 0, value ->> 1, value ->> 2, $2, value ->> 3 FROM json_each($1)
         WHERE (value ->> 0 = 'parts'
                OR NOT EXISTS (SELECT 1 FROM item_keys k WHERE k.kind = $3 AND k.digest = unhex(value ->> 4)))
           AND (SELECT COUNT(*) FROM wanted_mails WHERE state = 'wanted') < $4
         ON CONFLICT DO NOTHING",
        rows,
        now,
        kind,
        WANTED_MAX
    )
    .execute(&mut **tx)
    .await
    .context("recording mails that stories lack")?;
    Ok(())
}

/// A wanted mail that is due in this feed: of a story with a post first, then the one that was wanted last.
pub async fn next_wanted(
    readers: &Readers,
    feed: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<WantedMail>> {
    let now = now.timestamp();
    sqlx::query_as!(
        WantedMail,
        r#"SELECT w.what AS "what!: Lack", w.message_id AS "message_id!", w.item_id AS "item!"
           FROM wanted_mails w JOIN sightings s ON s.item_id = w.item_id AND s.feed_id = $1
           WHERE w.state = 'wanted' AND w.due_at <= $2
           ORDER BY EXISTS (SELECT 1 FROM members m JOIN members o ON o.story = m.story
                            JOIN posts p ON p.item_id = o.item_id WHERE m.item_id = w.item_id) DESC,
                    w.wanted_at DESC, w.item_id DESC, w.message_id LIMIT 1"#,
        feed,
        now
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("asking for a mail that a story lacks")
}

/// What the story of an item lacks, as far as it is wanted; what the item itself shows first.
pub async fn wanted_by_story(readers: &Readers, item: i64) -> anyhow::Result<Vec<WantedRow>> {
    let rows = sqlx::query!(
        r#"SELECT w.what AS "what!: Lack", w.message_id AS "message_id!", i.ref AS "by!", w.tries AS "tries!",
                  w.due_at AS "due_at!"
           FROM members m JOIN members o ON o.story = m.story
           JOIN wanted_mails w ON w.item_id = o.item_id JOIN items i ON i.id = w.item_id
           WHERE m.item_id = $1 AND w.state = 'wanted' ORDER BY w.item_id = $1 DESC, w.message_id LIMIT $2"#,
        item,
        OF_STORY_MAX
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking what a story lacks")?;
    let digest = |id: &str| Some(hex(&ItemKey::message(&MessageId::parse(id)?).digest()));
    let digests: Vec<_> = rows.iter().map(|row| digest(&row.message_id)).collect();
    let (digests, kind) = (serde_json::to_string(&digests)?, ItemKind::Message.code());
    let stored = sqlx::query_scalar!(
        r#"SELECT j.key + 0 AS "place!: i64" FROM json_each($1) j
           CROSS JOIN item_keys k ON k.kind = $2 AND k.digest = unhex(j.value)"#,
        digests,
        kind
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking which mails are stored")?;
    let stored: HashSet<i64> = stored.into_iter().collect();
    let rows = rows.into_iter().zip(0..);
    Ok(rows
        .map(|(row, place)| WantedRow {
            what: row.what,
            message_id: row.message_id,
            by: row.by,
            tries: row.tries,
            due_at: row.due_at,
            is_stored: stored.contains(&place),
        })
        .collect())
}

/// The configured feeds that carry an item, by name, except those that are paused.
pub async fn carriers(readers: &Readers, item: i64) -> anyhow::Result<Vec<String>> {
    sqlx::query_scalar!(
        "SELECT f.name FROM sightings s JOIN feeds f ON f.id = s.feed_id
         WHERE s.item_id = $1 AND f.configured = 1 AND f.paused_at IS NULL ORDER BY f.name",
        item
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("asking which feeds carry a mail")
}

/// Whether fewer threads than `most` were fetched today.
pub async fn may_fetch(readers: &Readers, most: u64, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let day = day_of(now);
    let many = sqlx::query_scalar!(
        r#"SELECT COALESCE(SUM(many), 0) AS "many!: i64" FROM thread_fetches WHERE day = $1"#,
        day
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("asking how many threads were fetched")?;
    Ok(u64::try_from(many).unwrap_or_default() < most)
}

/// Counts a fetch before its request: a try of each of these mails, and one of the day's fetches. Until `due_at`, they are not
/// asked for again. Also drops what is long past.
pub async fn claim(
    tx: &mut Tx,
    rows: &[WantedRow],
    due_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (rows, due_at) = (names(rows)?, due_at.timestamp());
    sqlx::query!(
        "UPDATE wanted_mails SET tries = tries + 1, due_at = $2
         WHERE (what, message_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
        rows,
        due_at
    )
    .execute(&mut **tx)
    .await
    .context("counting a try")?;
    let day = day_of(now);
    sqlx::query!("DELETE FROM thread_fetches WHERE day < $1", day)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "INSERT INTO thread_fetches (day, many) VALUES ($1, 1) ON CONFLICT (day) DO UPDATE SET many = many + 1",
        day
    )
    .execute(&mut **tx)
    .await
    .context("counting a fetched thread")?;
    let settled_before = (now - SETTLED_FOR).timestamp();
    sqlx::query!(
        "DELETE FROM wanted_mails WHERE settled_at < $1",
        settled_before
    )
    .execute(&mut **tx)
    .await
    .context("forgetting settled mails")?;
    Ok(())
}

/// Gives up mails whose turn did not come within two weeks.
pub async fn give_up_old(tx: &mut Tx, now: DateTime<Utc>) -> anyhow::Result<()> {
    let (before, now) = ((now - WANTED_FOR).timestamp(), now.timestamp());
    sqlx::query!(
        "UPDATE wanted_mails SET state = 'given_up', settled_at = $2,
             why = COALESCE(why, 'its turn did not come within two weeks')
         WHERE state = 'wanted' AND wanted_at < $1",
        before,
        now
    )
    .execute(&mut **tx)
    .await
    .context("giving up old wanted mails")?;
    Ok(())
}

/// Ends the search for these mails.
pub async fn settle(
    tx: &mut Tx,
    rows: &[WantedRow],
    end: WantedEnd,
    why: Option<&str>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let (rows, now) = (names(rows)?, now.timestamp());
    let state = match end {
        WantedEnd::Fetched => "fetched",
        WantedEnd::GivenUp => "given_up",
    };
    sqlx::query!(
        "UPDATE wanted_mails SET state = $2, why = $3, settled_at = $4
         WHERE state = 'wanted' AND (what, message_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
        rows,
        state,
        why,
        now
    )
    .execute(&mut **tx)
    .await
    .context("settling wanted mails")?;
    Ok(())
}

/// Forgets mails that came in the course of polling, or that no story lacks any more.
pub async fn forget(tx: &mut Tx, rows: &[WantedRow]) -> anyhow::Result<()> {
    let rows = names(rows)?;
    sqlx::query!(
        "DELETE FROM wanted_mails WHERE (what, message_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
        rows
    )
    .execute(&mut **tx)
    .await
    .context("forgetting wanted mails")?;
    Ok(())
}

/// Records an error of a try. If the server is not to blame, or only wants to be left alone, the try does not count.
pub async fn postpone(
    tx: &mut Tx,
    rows: &[WantedRow],
    why: &str,
    counts: bool,
    due_at: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (rows, due_at) = (names(rows)?, due_at.timestamp());
    let back = i64::from(!counts);
    sqlx::query!(
        "UPDATE wanted_mails SET why = $2, tries = MAX(tries - $3, 0), due_at = $4
         WHERE state = 'wanted' AND (what, message_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each($1))",
        rows,
        why,
        back,
        due_at
    )
    .execute(&mut **tx)
    .await
    .context("postponing wanted mails")?;
    Ok(())
}

/// Leaves all wanted mails of a feed alone until then.
pub async fn leave_alone(tx: &mut Tx, feed: i64, until: DateTime<Utc>) -> anyhow::Result<()> {
    let until = until.timestamp();
    sqlx::query!(
        "UPDATE wanted_mails SET due_at = $2 WHERE state = 'wanted' AND due_at < $2
             AND EXISTS (SELECT 1 FROM sightings s WHERE s.item_id = wanted_mails.item_id AND s.feed_id = $1)",
        feed,
        until
    )
    .execute(&mut **tx)
    .await
    .context("leaving wanted mails alone")?;
    Ok(())
}

/// The counts of each feed that wants or wanted mails. A mail that several feeds carry counts for each.
pub async fn wanted_counts(readers: &Readers) -> anyhow::Result<Vec<WantedCount>> {
    sqlx::query_as!(
        WantedCount,
        r#"SELECT s.feed_id AS "feed!", SUM(w.state = 'wanted') AS "wanted!: i64", SUM(w.state = 'fetched') AS "fetched!: i64",
                  SUM(w.state = 'given_up') AS "given_up!: i64",
                  (SELECT v.why FROM wanted_mails v JOIN sightings t ON t.item_id = v.item_id AND t.feed_id = s.feed_id
                   WHERE v.why IS NOT NULL ORDER BY COALESCE(v.settled_at, v.due_at) DESC LIMIT 1) AS "why: String"
           FROM wanted_mails w JOIN sightings s ON s.item_id = w.item_id GROUP BY s.feed_id"#
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("counting wanted mails")
}

/// Rows by their primary key, as JSON.
fn names(rows: &[WantedRow]) -> anyhow::Result<String> {
    let names = rows.iter().map(|row| (row.what.word(), &row.message_id));
    Ok(serde_json::to_string(&names.collect::<Vec<_>>())?)
}
