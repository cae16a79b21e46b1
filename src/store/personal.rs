//! Erases a person. These are all columns with a person's id, as the test of the command `forget me` checks; a new one belongs
//! here too.

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::Tx;
use super::recipients::{erase_recipient, recipient};
use crate::item::hex;

/// The word in place of a person's id.
pub const SOMEBODY: &str = "somebody";

/// The stored data about a person.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ForgottenPerson {
    pub recipients: u64,
    pub follows: u64,
    pub news: u64,
    /// Messages to the person that were sent or queued.
    pub messages: u64,
    /// Suggested links, and decisions about such.
    pub suggestions: u64,
    /// Changes in the audit log, and what was added, muted, edited or published by the person.
    pub changes: u64,
    pub bans: u64,
}

/// Erases a person's id everywhere. Links, changes and bans stay, without the person.
pub async fn forget(tx: &mut Tx, platform: &str, person: &str) -> anyhow::Result<ForgottenPerson> {
    // Zeroes the pages that become free. Erased rows are always zeroed.
    secure_delete(tx, "PRAGMA secure_delete = ON").await?;
    let mut forgotten = ForgottenPerson::default();
    if let Some(row) = recipient(tx, platform, person).await? {
        let erased = erase_recipient(tx, row.id).await?;
        forgotten.recipients = 1;
        forgotten.follows = erased.follows;
        forgotten.news = erased.news;
        forgotten.messages = erased.messages;
    }
    forgotten.suggestions = forget_suggestions(tx, platform, person).await?;
    forgotten.changes = forget_changes(tx, platform, person).await?;
    forgotten.changes += forget_issues(tx, platform, person).await?;
    forgotten.bans = forget_ban(tx, person).await?;
    secure_delete(tx, "PRAGMA secure_delete = FAST").await?;
    Ok(forgotten)
}

async fn secure_delete(tx: &mut Tx, pragma: &'static str) -> anyhow::Result<()> {
    sqlx::query(pragma)
        .execute(&mut **tx)
        .await
        .context("having erased data overwritten")?;
    Ok(())
}

/// A person as changes name it.
fn named(platform: &str, person: &str) -> String {
    format!("{person} on {platform}")
}

async fn forget_suggestions(tx: &mut Tx, platform: &str, person: &str) -> anyhow::Result<u64> {
    let named = named(platform, person);
    let suggested = sqlx::query!(
        "UPDATE suggestions SET person = $3 WHERE platform = $1 AND person = $2",
        platform,
        person,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from suggestions")?;
    let decided = sqlx::query!(
        "UPDATE suggestions SET decided_by = $2 WHERE decided_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from decisions")?;
    // A message that was given up keeps its content.
    sqlx::query!(
        "UPDATE deliveries SET content = replace(content, $1, $2)
         WHERE post_id IN (SELECT post_id FROM suggestion_posts) AND instr(content, $1) > 0",
        person,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from messages")?;
    Ok(suggested.rows_affected() + decided.rows_affected())
}

async fn forget_changes(tx: &mut Tx, platform: &str, person: &str) -> anyhow::Result<u64> {
    let named = named(platform, person);
    let changes = sqlx::query!(
        "UPDATE audit SET person = $3 WHERE platform = $1 AND person = $2",
        platform,
        person,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from the audit log")?;
    sqlx::query!(
        "UPDATE audit SET what = replace(what, $1, $2) WHERE instr(what, $1) > 0",
        person,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from the changes of others")?;
    let added = sqlx::query!(
        "UPDATE additions SET added_by = $2 WHERE added_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from additions")?;
    let muted = sqlx::query!(
        "UPDATE mutes SET muted_by = $2 WHERE muted_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from mutes")?;
    let banned = sqlx::query!(
        "UPDATE bans SET banned_by = $2 WHERE banned_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from bans")?;
    Ok([changes, added, muted, banned]
        .iter()
        .map(|changed| changed.rows_affected())
        .sum())
}

async fn forget_issues(tx: &mut Tx, platform: &str, person: &str) -> anyhow::Result<u64> {
    let named = named(platform, person);
    let edited = sqlx::query!(
        "UPDATE edits SET person = $2 WHERE person = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from edits")?;
    let corrected = sqlx::query!(
        "UPDATE corrections SET person = $2 WHERE person = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from corrections")?;
    let published = sqlx::query!(
        "UPDATE issues SET published_by = $2 WHERE published_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from issues")?;
    let withdrawn = sqlx::query!(
        "UPDATE withdrawn_issues SET published_by = iif(published_by = $1, $2, published_by),
                withdrawn_by = iif(withdrawn_by = $1, $2, withdrawn_by)
         WHERE published_by = $1 OR withdrawn_by = $1",
        named,
        SOMEBODY
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from withdrawn issues")?;
    Ok([edited, corrected, published, withdrawn]
        .iter()
        .map(|changed| changed.rows_affected())
        .sum())
}

/// A ban outlives its person's data, or else the person could lift it. It is found by a checksum.
async fn forget_ban(tx: &mut Tx, person: &str) -> anyhow::Result<u64> {
    let sum = checksum(person);
    let banned = sqlx::query!(
        "UPDATE OR REPLACE bans SET person = $2 WHERE person = $1",
        person,
        sum
    )
    .execute(&mut **tx)
    .await
    .context("erasing a person from the bans")?;
    Ok(banned.rows_affected())
}

/// The checksum under which a banned person is found who was erased.
pub(super) fn checksum(person: &str) -> String {
    let sum = Sha256::digest(person.as_bytes());
    format!("erased-{}", hex(&sum[..8]))
}

/// Posts about suggestions that name a person.
pub async fn posts_that_name(tx: &mut Tx, person: &str) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar!(
        "SELECT id FROM posts WHERE id IN (SELECT post_id FROM suggestion_posts) AND instr(content, $1) > 0",
        person
    )
    .fetch_all(&mut **tx)
    .await
    .context("looking for posts that name a person")
}
