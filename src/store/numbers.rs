//! The figures of series, a row each, and their numbers.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::SqliteConnection;

use super::Database;
use crate::story::Story;
use crate::story::numbers::{LISTED_MAX, ReviewerNumbers, SeriesFigures, SeriesNumbers};
use crate::story::waiting::GIVEN_UP_AFTER;

/// The most series that are counted, the newest first. It bounds the time; kernel lists have a few thousand a year.
const SERIES_MAX: i64 = 200_000;

/// Stores the figures of stories that were stored, by their numbers. A story that is no series any more loses its row.
pub(super) async fn put_figures(
    connection: &mut SqliteConnection,
    stories: impl Iterator<Item = (i64, bool, &Story)>,
) -> anyhow::Result<()> {
    let (mut rows, mut none) = (Vec::new(), Vec::new());
    for (number, is_new, story) in stories {
        match SeriesFigures::of(story) {
            Some(figures) => rows.push(row(number, &figures)),
            None if is_new => {}
            None => none.push(number),
        }
    }
    if !none.is_empty() {
        let none = serde_json::to_string(&none)?;
        sqlx::query!(
            "DELETE FROM series_figures WHERE story IN (SELECT value FROM json_each($1))",
            none
        )
        .execute(&mut *connection)
        .await
        .context("removing the figures of stories")?;
    }
    put_rows(connection, &rows).await
}

/// The row of a story.
fn row(number: i64, figures: &SeriesFigures) -> serde_json::Value {
    json!([
        number,
        figures.first_at,
        i64::from(figures.is_whole),
        figures.revisions,
        figures.applied_at,
        figures.waits_since,
        figures.tree,
        figures.area,
        figures.reviewers,
    ])
}

async fn put_rows(
    connection: &mut SqliteConnection,
    rows: &[serde_json::Value],
) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let rows = serde_json::to_string(rows)?;
    sqlx::query!(
        "INSERT INTO series_figures (story, first_at, is_whole, revisions, applied_at, waits_since, tree, area, reviewers)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value -> 8
         FROM json_each($1) WHERE true
         ON CONFLICT (story) DO UPDATE SET first_at = excluded.first_at, is_whole = excluded.is_whole,
             revisions = excluded.revisions, applied_at = excluded.applied_at, waits_since = excluded.waits_since,
             tree = excluded.tree, area = excluded.area, reviewers = excluded.reviewers",
        rows
    )
    .execute(connection)
    .await
    .context("storing the figures of series")?;
    Ok(())
}

/// Counts the series of twelve months, and those that wait. Stories that a maintainer retracted do not count.
pub async fn series_numbers(
    mut from: Database<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<SeriesNumbers> {
    let begin = SeriesNumbers::begin(now).timestamp();
    let waits_after = (now - GIVEN_UP_AFTER).timestamp();
    let mut connection = from.acquire().await?;
    // One text for all rows: a row by itself costs more than its numbers.
    let rows = sqlx::query_scalar!(
        r#"SELECT json_group_array(json_array(first_at, is_whole, revisions, applied_at, waits_since, tree, area)) AS "rows!: String"
           FROM (SELECT * FROM series_figures
                 WHERE story IN (SELECT story FROM series_figures WHERE first_at >= $1
                                 UNION SELECT story FROM series_figures WHERE applied_at >= $1
                                 UNION SELECT story FROM series_figures WHERE waits_since >= $2)
                   AND story NOT IN (SELECT number FROM retracted_stories)
                 ORDER BY story DESC LIMIT $3)"#,
        begin,
        waits_after,
        SERIES_MAX
    )
    .fetch_one(&mut *connection)
    .await
    .context("counting the series")?;
    type Row = (i64, i64, u32, Option<i64>, Option<i64>, String, String);
    let rows: Vec<Row> = serde_json::from_str(&rows).context("reading the figures of series")?;
    let series: Vec<SeriesFigures> = rows
        .into_iter()
        .map(
            |(first_at, is_whole, revisions, applied_at, waits_since, tree, area)| SeriesFigures {
                first_at,
                is_whole: is_whole == 1,
                revisions,
                applied_at,
                waits_since,
                tree,
                area,
                reviewers: Vec::new(),
            },
        )
        .collect();
    let most = i64::try_from(LISTED_MAX)?;
    let reviewers = sqlx::query!(
        r#"SELECT CAST(j.value AS TEXT) AS "name!: String", COUNT(*) AS "series!: i64"
           FROM (SELECT reviewers FROM series_figures
                 WHERE first_at >= $1 AND reviewers <> '[]' AND story NOT IN (SELECT number FROM retracted_stories)
                 ORDER BY first_at DESC LIMIT $3) f, json_each(f.reviewers) j
           GROUP BY j.value ORDER BY COUNT(*) DESC, j.value LIMIT $2"#,
        begin,
        most,
        SERIES_MAX
    )
    .fetch_all(&mut *connection)
    .await
    .context("counting the reviewers")?;
    let reviewers = reviewers.into_iter().map(|row| ReviewerNumbers {
        name: row.name,
        series: u32::try_from(row.series).unwrap_or(u32::MAX),
    });
    Ok(SeriesNumbers::count(
        &series,
        reviewers.collect(),
        waits_after,
        now,
    ))
}
