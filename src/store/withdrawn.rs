//! Issues that editors withdrew.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use url::Url;

use super::items::LINK;
use super::{Database, Tx};
use crate::item::ItemKey;
use crate::item::link::canonical_link;

/// Withdraws a published issue: moves it to the withdrawn ones, frees its number, and returns its decisions to the
/// coming issue. It must have no corrections.
pub async fn withdraw_issue(
    tx: &mut Tx,
    number: i64,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO withdrawn_issues (id, number, from_at, to_at, published_at, published_by, told, withdrawn_at, withdrawn_by)
         SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM withdrawn_issues), number, from_at, to_at, published_at, published_by,
                told, $2, $3
         FROM issues WHERE number = $1",
        number,
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("keeping a withdrawn issue")?;
    sqlx::query!("UPDATE edits SET issue = NULL WHERE issue = $1", number)
        .execute(&mut **tx)
        .await?;
    sqlx::query!(
        "UPDATE suggestions SET issue = NULL WHERE issue = $1",
        number
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("DELETE FROM issues WHERE number = $1", number)
        .execute(&mut **tx)
        .await
        .context("taking an issue back")?;
    Ok(())
}

/// The last withdrawal, unix seconds.
pub async fn withdrawn_at(mut from: Database<'_>) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(r#"SELECT MAX(withdrawn_at) AS "at: i64" FROM withdrawn_issues"#)
        .fetch_one(&mut *from.acquire().await?)
        .await
        .context("asking when an issue was taken back")
}

/// When the earliest withdrawn issue number 1 began, unix seconds.
pub async fn first_began_at(tx: &mut Tx) -> anyhow::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"SELECT MIN(from_at) AS "at: i64" FROM withdrawn_issues WHERE number = 1"#
    )
    .fetch_one(&mut **tx)
    .await
    .context("asking where the first issue began")
}

/// Whether a feed carried this address, or a reader suggested it.
pub async fn is_cited(tx: &mut Tx, link: &Url) -> anyhow::Result<bool> {
    let canonical = canonical_link(link);
    let digest = ItemKey::content(&canonical).digest();
    let digest = digest.as_slice();
    sqlx::query_scalar!(
        r#"SELECT (EXISTS (SELECT 1 FROM item_keys WHERE kind = $1 AND digest = $2)
                   OR EXISTS (SELECT 1 FROM suggestions WHERE url = $3)) AS "is!: bool""#,
        LINK,
        digest,
        canonical
    )
    .fetch_one(&mut **tx)
    .await
    .context("asking who names an address")
}
