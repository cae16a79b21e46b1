//! Databases of any size in no time: rows of the shape that the shipped code writes.

use std::path::Path;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

/// What is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// How many items; a tenth as many stories.
    pub(crate) items: u64,
    /// The first one's number.
    pub(crate) first: u64,
    /// What a story says, as it is stored.
    pub(crate) told: &'a [u8],
    /// When the first item came, unix seconds.
    pub(crate) from_at: i64,
    /// How long after it the last one came.
    pub(crate) span_s: i64,
}

/// Makes mails with their keys, texts, clusters and stories: ten mails to a story, six join keys to a mail. Two stories
/// of three are about BPF, with scores from -5 to 24.
pub(crate) async fn make(file: &Path, rows: Rows<'_>) {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .foreign_keys(false);
    let mut database = options.connect().await.expect("the file was just made");
    for statement in [
        "INSERT INTO items (id, kind, ref, title, author, email, at, seen_at, detail)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, 2, hex(randomblob(12)) || '-1-someone@example.org',
                '[PATCH bpf-next v2 1/4] bpf: a subject line of the usual length ' || i, 'Some One',
                'someone@example.org', $4 + i * $5 / $1, $4 + i * $5 / $1, 1 FROM n",
        "INSERT INTO item_keys (kind, digest, item_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT 2, randomblob(16), $2 + i FROM n ORDER BY 2",
        "INSERT INTO sightings (item_id, feed_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, 1 FROM n",
        "INSERT INTO members (item_id, cluster, story)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, $2 + i - i % 10, NULL FROM n",
        "INSERT OR IGNORE INTO join_keys (key, item_id)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 * 6)
         SELECT random(), $2 + i / 6 FROM n ORDER BY 1",
        "INSERT INTO texts (item_id, body)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1)
         SELECT $2 + i, randomblob(300) FROM n",
        "INSERT INTO stories (number, id, item_id, cluster, kind, state, first_at, last_at, score, relevant, told)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 / 10)
         SELECT $2 + i * 10, hex(randomblob(5)), $2 + i * 10, $2 + i * 10, 'series', 'posted', $4 + i * $5 / ($1 / 10),
                $4 + i * $5 / ($1 / 10), i % 30 - 5, i % 3 > 0, $3 FROM n",
        "INSERT INTO story_search (rowid, title, people, words)
         WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $1 / 10)
         SELECT $2 + i * 10, 'bpf: a subject line of the usual length ' || i, 'Some One', 'a few words more ' || i FROM n",
    ] {
        sqlx::query(statement)
            .bind(i64::try_from(rows.items).expect("small"))
            .bind(i64::try_from(rows.first).expect("small"))
            .bind(rows.told)
            .bind(rows.from_at)
            .bind(rows.span_s)
            .execute(&mut database)
            .await
            .expect("room on the disk");
    }
}
