//! Feeds as the database knows them: where polling stands and how it went.

mod due;
mod pause;
mod progress;
mod settle;

use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};

pub use self::due::{due_feeds, next_due_after, next_due_at};
pub use self::pause::{Health, health, pause_feed};
pub use self::progress::Progress;
pub use self::settle::{EndedPoll, settle_polls};

use super::{Readers, Tx};
use crate::config::{FeedConfig, FeedKind};
use crate::source::Gap;

/// The most different faults kept of one feed.
const FAULTS_MAX: i64 = 50;

/// A row of the table of feeds. Times are unix seconds.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// The number by which other tables name it.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// tree, archive, lwn or feed.
    pub kind: String,
    /// Where it is; `None` for a list that was only imported.
    pub url: Option<String>,
    /// Whether the configuration names it; one that it no longer names is paused.
    pub configured: bool,
    /// never, ok, `backing_off`, walled or gone.
    pub state: String,
    /// The first successful poll.
    pub seeded_at: Option<i64>,
    /// The oldest date of the seed.
    pub floor_at: Option<i64>,
    /// The last successful poll.
    pub last_ok_at: Option<i64>,
    /// When it is due.
    pub next_poll_at: i64,
    /// Failures in a row.
    pub failures: i64,
    /// What the last poll failed with.
    pub last_error: Option<String>,
    /// Where it moved for good.
    pub moved_to: Option<String>,
    /// Items seen in it.
    pub items: i64,
    /// Where polling stands.
    pub cursor: Option<String>,
    /// Where a backfill stands.
    pub backfill: Option<String>,
    /// Since when a maintainer has it paused.
    pub paused_at: Option<i64>,
}

impl FeedRow {
    /// Whether it is polled: the configuration names it, and nobody paused it.
    pub fn is_polled(&self) -> bool {
        self.configured && self.paused_at.is_none()
    }

    /// Whether its last poll went well, and nothing of one before that did not is left.
    pub fn is_well(&self) -> bool {
        self.state == "ok" && self.failures == 0 && self.last_error.is_none()
    }

    /// The state as maintainers see it.
    pub fn shown_state(&self) -> &str {
        if self.is_polled() {
            &self.state
        } else {
            "paused"
        }
    }
}

/// How a poll ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Ok,
    /// Well as far as it went; there is more to fetch at the next poll.
    OkSoFar,
    /// It failed and is backed off.
    Failed {
        /// `backing_off`, `walled` or `gone`.
        state: &'static str,
        /// Why.
        why: String,
    },
    /// It was not the feed's fault (our own network, a shutdown): nothing is charged.
    Excused {
        /// Why.
        why: String,
    },
}

/// Makes the table agree with the configuration: new feeds are added, changed ones changed, missing ones paused. Where
/// polling stands is kept as long as the kind stays. What agrees is not written.
pub async fn sync_feeds(
    tx: &mut Tx,
    feeds: &[Arc<FeedConfig>],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    // Items that were read say which feeds carry them, and what those are for.
    tx.forget_aside();
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

/// The number of an archive that mails are imported into, made if there is none of that name.
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
        r#"SELECT id, name, kind, url, configured AS "configured: bool", state, seeded_at, floor_at, last_ok_at,
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
        r#"SELECT id AS "id!", name, kind, url, configured AS "configured: bool", state, seeded_at, floor_at, last_ok_at,
           next_poll_at, failures, last_error, moved_to, items, cursor, backfill, paused_at FROM feeds ORDER BY name"#
    )
    .fetch_all(&mut *readers.turn().await?)
    .await
    .context("listing the feeds")
}

/// Records where a backfill stands, with the items that it brought.
pub async fn save_backfill(tx: &mut Tx, feed: i64, cursor: &str) -> anyhow::Result<()> {
    sqlx::query!("UPDATE feeds SET backfill = $2 WHERE id = $1", feed, cursor)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Records where a feed has moved for good, once the new place has proved good; `from` is the address that it has.
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

/// Records entries that could not be read; the same words count up instead of filling the table.
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

/// Since when a feed fails, unix seconds; `None`: it does not.
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

/// All gaps: the feed's number and the gap, oldest first.
pub async fn list_gaps(readers: &Readers) -> anyhow::Result<Vec<(i64, Gap)>> {
    let rows = sqlx::query!("SELECT feed_id, from_at, to_at, why FROM gaps ORDER BY from_at")
        .fetch_all(&mut *readers.turn().await?)
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

/// All faults: the feed's number, what was wrong, how often and when last (unix seconds), newest first.
pub async fn list_faults(readers: &Readers) -> anyhow::Result<Vec<(i64, String, i64, i64)>> {
    let rows = sqlx::query!("SELECT feed_id, what, met, last_at FROM faults ORDER BY last_at DESC")
        .fetch_all(&mut *readers.turn().await?)
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

    /// Rows written to make the table agree with feeds of these names and addresses.
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
