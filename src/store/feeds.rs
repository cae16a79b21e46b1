//! Feeds as the database knows them: the cursor of each, and the result of its last poll.

mod due;
mod pause;
mod progress;
mod settle;
mod state;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

pub use self::due::{due_feeds, next_due_after, next_due_at};
pub use self::pause::{FeedHealth, health, pause_feed};
pub use self::progress::Progress;
pub use self::settle::{EndedPoll, settle_polls};
pub use self::state::{FailureState, FeedRow, FeedState, Outcome};

use super::{Readers, Tx};
use crate::config::{FeedConfig, FeedKind, UpstreamKind};
use crate::source::Gap;

/// The most different faults kept per feed.
const FAULTS_MAX: i64 = 50;

/// Makes the table match the configuration: adds new feeds, updates changed ones, stops polling removed ones. A feed
/// keeps its cursor while its kind stays the same. Rows that match already are not written.
pub async fn sync_feeds(
    tx: &mut Tx,
    feeds: &[Arc<FeedConfig>],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    // Cached items include the names and roles of their feeds.
    tx.drop_cache();
    let now = now.timestamp();
    let names: Vec<&str> = feeds.iter().map(|feed| feed.name.as_str()).collect();
    let names = serde_json::to_string(&names)?;
    sqlx::query!(
        "UPDATE feeds SET configured = 0 WHERE configured = 1 AND name NOT IN (SELECT value FROM json_each($1))",
        names
    )
    .execute(&mut **tx)
    .await
    .context("pausing feeds that are no longer configured")?;
    for feed in feeds {
        let (kind, url) = (feed.kind.word(), feed.url.as_str());
        let (role, branch) = match &feed.kind {
            FeedKind::Tree { branch, role, .. } => (Some(role.word()), Some(branch.as_str())),
            FeedKind::Archive { .. } | FeedKind::Lwn | FeedKind::Feed { .. } => (None, None),
        };
        sqlx::query!(
            "INSERT INTO feeds (name, kind, url, added_at, role, branch, bpf_only) VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (name) DO UPDATE SET
                 configured = 1,
                 cursor = CASE WHEN kind = excluded.kind THEN cursor END,
                 backfill = CASE WHEN kind = excluded.kind AND url IS excluded.url THEN backfill END,
                 seeded_at = CASE WHEN kind = excluded.kind THEN seeded_at END,
                 floor_at = CASE WHEN kind = excluded.kind THEN floor_at END,
                 next_poll_at = CASE WHEN kind = excluded.kind AND url IS excluded.url THEN next_poll_at ELSE 0 END,
                 moved_to = CASE WHEN url IS excluded.url THEN moved_to END,
                 kind = excluded.kind,
                 url = excluded.url,
                 role = excluded.role,
                 branch = excluded.branch,
                 bpf_only = excluded.bpf_only
             WHERE (configured, kind, url, role, branch, bpf_only)
                   IS NOT (1, excluded.kind, excluded.url, excluded.role, excluded.branch, excluded.bpf_only)",
            feed.name,
            kind,
            url,
            now,
            role,
            branch,
            feed.bpf_only
        )
        .execute(&mut **tx)
        .await
        .with_context(|| format!("recording the feed {}", feed.name))?;
    }
    Ok(())
}

/// The archive into which mails are imported. Created if there is none of that name.
pub async fn import_feed(tx: &mut Tx, name: &str, now: DateTime<Utc>) -> anyhow::Result<FeedRow> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO feeds (name, kind, configured, added_at) VALUES ($1, 'archive', 0, $2) ON CONFLICT (name) DO NOTHING",
        name,
        now
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query_as!(
        FeedRow,
        r#"SELECT id, name, kind AS "kind: UpstreamKind", url, configured AS "configured: bool",
           state AS "state: FeedState", seeded_at, floor_at, last_ok_at,
           next_poll_at, failures, last_error, moved_to, items, cursor, backfill, paused_at FROM feeds WHERE name = $1"#,
        name
    )
    .fetch_one(&mut **tx)
    .await
    .with_context(|| format!("finding the feed {name}"))
}

/// All feeds, by name.
pub async fn list_feeds(readers: &Readers) -> anyhow::Result<Vec<FeedRow>> {
    sqlx::query_as!(
        FeedRow,
        r#"SELECT id AS "id!", name, kind AS "kind: UpstreamKind", url, configured AS "configured: bool",
           state AS "state: FeedState", seeded_at, floor_at, last_ok_at,
           next_poll_at, failures, last_error, moved_to, items, cursor, backfill, paused_at FROM feeds ORDER BY name"#
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing the feeds")
}

/// Stores the cursor of a backfill, in the transaction of its items.
pub async fn save_backfill(tx: &mut Tx, feed: i64, cursor: &str) -> anyhow::Result<()> {
    sqlx::query!("UPDATE feeds SET backfill = $2 WHERE id = $1", feed, cursor)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Records a permanent redirect, once the new address has worked. `from` is the address it had.
pub async fn save_move(
    tx: &mut Tx,
    feed: i64,
    from: Option<&str>,
    moved_to: &str,
) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE feeds SET moved_to = $3 WHERE id = $1 AND url IS $2",
        feed,
        from,
        moved_to
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Records entries that could not be read. A repeated fault increases a counter.
pub async fn record_faults(
    tx: &mut Tx,
    feed: i64,
    faults: &[String],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    for what in faults {
        sqlx::query!(
            "INSERT INTO faults (feed_id, what, first_at, last_at)
             SELECT $1, $2, $3, $3 WHERE (SELECT COUNT(*) FROM faults WHERE feed_id = $1) < $4
                OR EXISTS (SELECT 1 FROM faults WHERE feed_id = $1 AND what = $2)
             ON CONFLICT (feed_id, what) DO UPDATE SET last_at = excluded.last_at, met = met + 1",
            feed,
            what,
            now,
            FAULTS_MAX
        )
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Since when the feed fails, unix seconds; `None` if it does not.
pub async fn failing_since(tx: &mut Tx, feed: i64) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!("SELECT failing_since FROM feeds WHERE id = $1", feed)
        .fetch_one(&mut **tx)
        .await
        .context("asking since when a feed fails")
}

/// Records gaps and removes those inside a healed range; returns the gaps that were not known before.
pub async fn record_gaps(
    tx: &mut Tx,
    feed: i64,
    gaps: &[Gap],
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Gap>> {
    let now = now.timestamp();
    let mut new = Vec::new();
    for gap in gaps {
        if gap.is_healed {
            // A gap without a beginning is healed if its end is.
            sqlx::query!(
                "DELETE FROM gaps WHERE feed_id = $1 AND (from_at >= $2 OR (from_at = 0 AND to_at >= $2)) AND to_at <= $3",
                feed,
                gap.from_at,
                gap.to_at
            )
            .execute(&mut **tx)
            .await?;
            continue;
        }
        let recorded = sqlx::query!(
            "INSERT INTO gaps (feed_id, from_at, to_at, why, found_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            feed,
            gap.from_at,
            gap.to_at,
            gap.why,
            now
        )
        .execute(&mut **tx)
        .await?;
        if recorded.rows_affected() > 0 {
            new.push(gap.clone());
        }
    }
    Ok(new)
}

/// All gaps with the feed's number, oldest first.
pub async fn list_gaps(readers: &Readers) -> anyhow::Result<Vec<(i64, Gap)>> {
    let rows = sqlx::query!("SELECT feed_id, from_at, to_at, why FROM gaps ORDER BY from_at")
        .fetch_all(&mut *readers.acquire().await?)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            (
                r.feed_id,
                Gap {
                    from_at: r.from_at,
                    to_at: r.to_at,
                    why: r.why,
                    is_healed: false,
                },
            )
        })
        .collect())
}

/// All faults, newest first: the feed's number, the fault, its count, and when it last occurred (unix seconds).
pub async fn list_faults(readers: &Readers) -> anyhow::Result<Vec<(i64, String, i64, i64)>> {
    let rows = sqlx::query!("SELECT feed_id, what, met, last_at FROM faults ORDER BY last_at DESC")
        .fetch_all(&mut *readers.acquire().await?)
        .await?;
    Ok(rows
        .into_iter()
        .map(|r| (r.feed_id, r.what, r.met, r.last_at))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;
    use crate::store::Store;

    /// The number of rows written to make the table match feeds of these names and addresses.
    async fn written(store: &Store, feeds: &[(&str, &str)]) -> i64 {
        let feeds = feeds.iter().map(|(name, url)| {
            format!("[[feed]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"{url}\"\n")
        });
        let feeds: String = feeds.collect();
        let config = Config::parse(&feeds, Path::new("config.toml")).expect("a configuration");
        let mut tx = store.write().await.expect("a transaction");
        let before = changes(&mut tx).await;
        let now = DateTime::UNIX_EPOCH;
        sync_feeds(&mut tx, &config.feeds, now)
            .await
            .expect("feeds");
        let written = changes(&mut tx).await - before;
        tx.commit().await.expect("a commit");
        written
    }

    async fn changes(tx: &mut Tx) -> i64 {
        sqlx::query_scalar("SELECT total_changes()")
            .fetch_one(&mut **tx)
            .await
            .expect("a number")
    }

    #[tokio::test]
    async fn only_feeds_that_differ_from_the_configuration_are_written() {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::open(&home.path().join("bpfnews.sqlite")).await;
        let store = store.expect("a database");
        let (one, two) = (
            ("one", "https://one.example/"),
            ("two", "https://two.example/"),
        );
        assert_eq!(written(&store, &[one, two]).await, 2);
        assert_eq!(written(&store, &[two, one]).await, 0);
        assert_eq!(
            written(&store, &[one, ("two", "https://2.example/")]).await,
            1
        );
        assert_eq!(written(&store, &[one]).await, 1);
        assert_eq!(written(&store, &[one]).await, 0);
        let rows = list_feeds(store.read()).await.expect("feeds");
        let configured: Vec<bool> = rows.iter().map(|row| row.configured).collect();
        assert_eq!(configured, [true, false]);
        assert_eq!(
            written(&store, &[one, ("two", "https://2.example/")]).await,
            1
        );
    }

    #[tokio::test]
    async fn a_database_in_memory_has_its_tables() {
        let store = Store::open(Path::new(":memory:")).await;
        let store = store.expect("a database");
        let one = ("one", "https://one.example/");
        assert_eq!(written(&store, &[one]).await, 1);
    }
}
