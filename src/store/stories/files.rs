//! The files that stories change, for lists by subsystem.

use anyhow::Context as _;
use sqlx::SqliteConnection;

use super::folders::IndexedStory;
use super::pages::{ListedRow, ListedStory};
use crate::store::Readers;

/// Paths that are read at a time.
const PATHS_MAX: i64 = 2_000;
/// Files with at most so many rows are read whole and sorted. With more, the newest stories are looked through instead.
const SORTED_MAX: i64 = 10_000;

/// Adds the files of stories that have none.
pub(super) async fn add_files(
    connection: &mut SqliteConnection,
    stories: &[IndexedStory<'_>],
) -> anyhow::Result<()> {
    let rows = stories.iter().flat_map(|indexed| {
        let files = indexed.story.scope.files.iter();
        files.map(|file| (file, indexed.number))
    });
    let rows = serde_json::to_string(&rows.collect::<Vec<_>>())?;
    sqlx::query!(
        "INSERT INTO files (path) SELECT DISTINCT value ->> 0 FROM json_each($1) j
         WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.path = j.value ->> 0)",
        rows
    )
    .execute(&mut *connection)
    .await
    .context("storing the paths of files")?;
    sqlx::query!(
        "INSERT INTO story_files (file, number)
         SELECT f.id, j.value ->> 1 FROM json_each($1) j CROSS JOIN files f ON f.path = j.value ->> 0 WHERE true
         ON CONFLICT DO NOTHING",
        rows
    )
    .execute(&mut *connection)
    .await
    .context("storing the files of stories")?;
    Ok(())
}

/// The next paths behind a number, each with its own: at most a page of them. Their numbers only grow.
pub async fn paths_after(readers: &Readers, after: i64) -> anyhow::Result<Vec<(i64, String)>> {
    // One text for all rows: a row by itself costs more than its path.
    let rows = sqlx::query_scalar!(
        r#"SELECT json_group_array(json_array(id, path)) AS "rows!: String"
           FROM (SELECT id, path FROM files WHERE id > $1 ORDER BY id LIMIT $2)"#,
        after,
        PATHS_MAX
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await
    .context("reading the paths of files")?;
    serde_json::from_str(&rows).context("reading the paths of files")
}

/// Stories about BPF that change one of these files, the latest first, behind a story's number.
pub async fn stories_with_files(
    readers: &Readers,
    files: &[i64],
    after: Option<i64>,
    today: i64,
    most: i64,
) -> anyhow::Result<Vec<ListedStory>> {
    let after = after.unwrap_or(i64::MAX);
    let files = serde_json::to_string(files)?;
    let mut reader = readers.acquire().await?;
    let many = sqlx::query_scalar!(
        r#"SELECT COUNT(*) AS "many!: i64" FROM
           (SELECT 1 FROM json_each($1) j CROSS JOIN story_files f ON f.file = j.value LIMIT $2)"#,
        files,
        SORTED_MAX
    )
    .fetch_one(&mut *reader)
    .await
    .context("counting the stories of files")?;
    let rows = match many < SORTED_MAX {
        true => {
            sqlx::query_as!(
                ListedRow,
                r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
                   FROM (SELECT DISTINCT f.number FROM json_each($1) j CROSS JOIN story_files f ON f.file = j.value
                         WHERE f.number < $2 AND f.number NOT IN (SELECT number FROM retracted_stories)
                         ORDER BY f.number DESC LIMIT $3) f
                   CROSS JOIN stories s ON s.number = f.number ORDER BY f.number DESC"#,
                files,
                after,
                most
            )
            .fetch_all(&mut *reader)
            .await
        }
        false => {
            sqlx::query_as!(
                ListedRow,
                r#"SELECT s.number AS "number!", s.last_at AS "last_at!", s.told AS "told!", s.state AS "state!", s.free_on
                   FROM (SELECT DISTINCT number FROM story_files INDEXED BY story_files_by_story
                         WHERE number < $2 AND file IN (SELECT value FROM json_each($1))
                           AND number NOT IN (SELECT number FROM retracted_stories)
                         ORDER BY number DESC LIMIT $3) f
                   CROSS JOIN stories s ON s.number = f.number ORDER BY f.number DESC"#,
                files,
                after,
                most
            )
            .fetch_all(&mut *reader)
            .await
        }
    };
    let rows = rows.context("listing the stories of files")?.into_iter();
    rows.map(|row| row.listed(today)).collect()
}
