//! Published issues, their corrections, and the releases that describe the kernel's cycle.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Readers, Tx, packed};
use crate::issue::markdown::Correction;
use crate::issue::{Issue, Last, Period, Release};
use crate::story::kernel::read_title;

/// The most titles that are read to find the last release.
const TITLES_MAX: i64 = 20;
/// The zstd level for issues.
const COMPRESSION_LEVEL: i32 = 9;

/// A published issue without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRow {
    pub number: i64,
    /// The period of the issue, unix seconds.
    pub from_at: i64,
    pub to_at: i64,
    /// Unix seconds.
    pub published_at: i64,
    pub published_by: String,
}

/// The published issues, the newest first.
pub async fn list_issues(mut from: Database<'_>) -> anyhow::Result<Vec<IssueRow>> {
    sqlx::query_as!(
        IssueRow,
        "SELECT number, from_at, to_at, published_at, published_by FROM issues ORDER BY number DESC"
    )
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("listing the issues")
}

/// The last published issue.
pub async fn last_issue(mut from: Database<'_>) -> anyhow::Result<Option<IssueRow>> {
    sqlx::query_as!(
        IssueRow,
        "SELECT number, from_at, to_at, published_at, published_by FROM issues ORDER BY number DESC LIMIT 1"
    )
    .fetch_optional(&mut *from.acquire().await?)
    .await
    .context("asking for the last issue")
}

impl IssueRow {
    /// The reference that the next issue prints.
    pub fn as_last(&self) -> Option<Last> {
        let at = |at: i64| DateTime::from_timestamp(at, 0);
        let (from, to) = (at(self.from_at)?, at(self.to_at)?);
        Some(Last {
            number: u32::try_from(self.number).ok()?,
            on: Period { from, to }.last_day(),
        })
    }
}

/// A published issue as it was frozen; `None` if there is none of that number.
pub async fn issue(mut from: Database<'_>, number: i64) -> anyhow::Result<Option<Issue>> {
    let told = sqlx::query_scalar!("SELECT told FROM issues WHERE number = $1", number)
        .fetch_optional(&mut *from.acquire().await?)
        .await
        .context("reading an issue")?;
    told.map(|told| unpack(&told)).transpose()
}

fn unpack(told: &[u8]) -> anyhow::Result<Issue> {
    let plain = packed::unpack(told).context("an issue")?;
    serde_json::from_slice(&plain).context("reading an issue")
}

pub async fn put_issue(
    tx: &mut Tx,
    issue: &Issue,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let plain = serde_json::to_vec(issue)?;
    let told = zstd::bulk::compress(&plain, COMPRESSION_LEVEL).context("compressing an issue")?;
    let number = i64::from(issue.number);
    let (from, to) = (issue.period.from.timestamp(), issue.period.to.timestamp());
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO issues (number, from_at, to_at, published_at, published_by, told) VALUES ($1, $2, $3, $4, $5, $6)",
        number,
        from,
        to,
        now,
        by,
        told
    )
    .execute(&mut **tx)
    .await
    .context("publishing an issue")?;
    Ok(())
}

/// When an issue was published, unix seconds; `None` if it is not out.
pub async fn published_at(readers: &Readers, number: i64) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!("SELECT published_at FROM issues WHERE number = $1", number)
        .fetch_optional(&mut *readers.acquire().await?)
        .await
        .context("asking when an issue was published")
}

/// The corrections of an issue, oldest first.
pub async fn corrections(mut from: Database<'_>, number: i64) -> anyhow::Result<Vec<Correction>> {
    let rows = sqlx::query!(
        "SELECT at, text FROM corrections WHERE issue = $1 ORDER BY id",
        number
    )
    .fetch_all(&mut *from.acquire().await?)
    .await
    .context("reading corrections")?;
    let read = rows.into_iter().map(|row| Correction {
        at: DateTime::from_timestamp(row.at, 0).unwrap_or_default(),
        text: row.text,
    });
    Ok(read.collect())
}

/// Adds a correction to a published issue.
pub async fn add_correction(
    tx: &mut Tx,
    number: i64,
    text: &str,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO corrections (id, issue, at, person, text)
         VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM corrections), $1, $2, $3, $4)",
        number,
        now,
        by,
        text
    )
    .execute(&mut **tx)
    .await
    .context("keeping a correction")?;
    Ok(())
}

/// The last mainline release before `to` (unix seconds).
pub async fn release_before(
    mut database: Database<'_>,
    to: i64,
) -> anyhow::Result<Option<Release>> {
    // 4 is the code of a release; the index has no others.
    let rows = sqlx::query!(
        r#"SELECT title AS "title!", at AS "at!", url FROM items INDEXED BY items_releases
           WHERE kind = 4 AND title LIKE '%: mainline' AND COALESCE(known_at, at) < $1
           ORDER BY at DESC, id DESC LIMIT $2"#,
        to,
        TITLES_MAX
    )
    .fetch_all(&mut *database.acquire().await?)
    .await
    .context("asking for the last release")?;
    Ok(rows.into_iter().find_map(|row| {
        let (version, _) = read_title(&row.title)?;
        Some(Release {
            version: version.to_string(),
            at: DateTime::from_timestamp(row.at, 0)?,
            link: row.url,
        })
    }))
}

/// A missing stretch of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingStretch {
    pub feed: String,
    /// Unix seconds.
    pub from_at: i64,
    /// Unix seconds; `None` if it goes on.
    pub to_at: Option<i64>,
}

/// Missing stretches of a period: gaps of configured feeds, and feeds that have failed since a day or more before its
/// end.
pub async fn absent(tx: &mut Tx, period: Period) -> anyhow::Result<Vec<MissingStretch>> {
    const DAY_S: i64 = 86_400;
    let (from, to) = (period.from.timestamp(), period.to.timestamp());
    let failing_before = to - DAY_S;
    sqlx::query_as!(
        MissingStretch,
        r#"SELECT f.name AS "feed!", g.from_at AS "from_at!", g.to_at AS "to_at: i64"
           FROM gaps g JOIN feeds f ON f.id = g.feed_id WHERE g.from_at < $2 AND g.to_at > $1
           UNION
           SELECT name, failing_since, NULL FROM feeds
           WHERE failing_since IS NOT NULL AND failing_since <= $3 AND paused_at IS NULL AND configured = 1
           ORDER BY 1, 2"#,
        from,
        to,
        failing_before
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking what is missing")
}
