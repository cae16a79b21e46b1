//! The subscribers of mail. This is the only table with their addresses.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Readers, Tx};

/// Mails with a link to confirm that one address gets in a day, and the least time between two of them.
const ASKS_A_DAY_MAX: i64 = 3;
const ASK_GAP_S: i64 = 600;
const DAY_S: i64 = 86_400;

/// Whether a subscriber gets mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(rename_all = "lowercase")]
pub enum SubscriberState {
    /// The address was typed, and its owner did not confirm yet.
    Asked,
    On,
    /// The address refuses mail.
    Suspended,
    /// The person left. The address is erased.
    Off,
}

impl SubscriberState {
    /// The word for people and programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::On => "on",
            Self::Suspended => "suspended",
            Self::Off => "off",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberRow {
    pub id: i64,
    /// `None` if it is erased.
    pub address: Option<String>,
    /// The key of the person's links.
    pub secret: Vec<u8>,
    pub state: SubscriberState,
    /// The last sign-up, unix seconds.
    pub asked_at: i64,
    pub changed_at: i64,
    /// The code of the last refusal.
    pub why: Option<String>,
}

/// An address that asks for mail.
#[derive(Debug, Clone, Copy)]
pub struct NewSubscriber<'a> {
    pub address: &'a str,
    /// In lower case.
    pub folded: &'a str,
    /// Random bytes, used if the address is new.
    pub secret: &'a [u8],
}

/// The result of a sign-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskResult {
    /// The subscriber must confirm, and gets a mail for that.
    Confirm(i64),
    /// The address gets mail already.
    Known,
    /// The address got enough mails to confirm.
    TooMany,
}

/// Stores a sign-up.
pub async fn ask(
    tx: &mut Tx,
    new: NewSubscriber<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<AskResult> {
    let now = now.timestamp();
    let known = sqlx::query!(
        r#"SELECT id AS "id!", state AS "state!: SubscriberState", asked_at, asks, asks_from FROM subscribers WHERE folded = $1"#,
        new.folded
    )
    .fetch_optional(&mut **tx)
    .await
    .context("asking about an address")?;
    let Some(known) = known else {
        let id = sqlx::query_scalar!(
            r#"INSERT INTO subscribers (address, folded, secret, state, asked_at, asks_from, changed_at)
               VALUES ($1, $2, $3, 'asked', $4, $4, $4) RETURNING id AS "id!""#,
            new.address,
            new.folded,
            new.secret,
            now
        )
        .fetch_one(&mut **tx)
        .await
        .context("keeping an address")?;
        return Ok(AskResult::Confirm(id));
    };
    if known.state == SubscriberState::On {
        return Ok(AskResult::Known);
    }
    // A clock that was set back must not lock an address out.
    let is_today = (0..DAY_S).contains(&(now - known.asks_from));
    let is_soon = (0..ASK_GAP_S).contains(&(now - known.asked_at));
    if is_soon || (is_today && known.asks >= ASKS_A_DAY_MAX) {
        return Ok(AskResult::TooMany);
    }
    sqlx::query!(
        "UPDATE subscribers SET address = $2, asked_at = $3, asks = iif($4, asks + 1, 1), asks_from = iif($4, asks_from, $3)
         WHERE id = $1",
        known.id,
        new.address,
        now,
        is_today
    )
    .execute(&mut **tx)
    .await
    .context("keeping a sign-up")?;
    Ok(AskResult::Confirm(known.id))
}

pub async fn subscriber(mut from: Database<'_>, id: i64) -> anyhow::Result<Option<SubscriberRow>> {
    sqlx::query_as!(
        SubscriberRow,
        r#"SELECT id, address, secret, state AS "state: SubscriberState", asked_at, changed_at, why
           FROM subscribers WHERE id = $1"#,
        id
    )
    .fetch_optional(&mut *from.acquire().await?)
    .await
    .context("reading a subscriber")
}

/// The subscriber with an address, in lower case.
pub async fn subscriber_of(
    mut from: Database<'_>,
    folded: &str,
) -> anyhow::Result<Option<SubscriberRow>> {
    sqlx::query_as!(
        SubscriberRow,
        r#"SELECT id AS "id!", address, secret, state AS "state: SubscriberState", asked_at, changed_at, why
           FROM subscribers WHERE folded = $1"#,
        folded
    )
    .fetch_optional(&mut *from.acquire().await?)
    .await
    .context("reading a subscriber")
}

/// The next subscribers after a number who still have an address.
pub async fn list_subscribers(
    readers: &Readers,
    after: i64,
    most: i64,
) -> anyhow::Result<Vec<SubscriberRow>> {
    sqlx::query_as!(
        SubscriberRow,
        r#"SELECT id, address, secret, state AS "state: SubscriberState", asked_at, changed_at, why
           FROM subscribers WHERE id > $1 AND address IS NOT NULL ORDER BY id LIMIT $2"#,
        after,
        most
    )
    .fetch_all(&mut *readers.acquire().await?)
    .await
    .context("listing subscribers")
}

/// Turns mail on for a confirmed subscriber.
pub async fn confirm(tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "UPDATE subscribers SET state = 'on', confirmed_at = $2, changed_at = $2, refusals = 0, why = NULL
         WHERE id = $1 AND address IS NOT NULL",
        id,
        now
    )
    .execute(&mut **tx)
    .await
    .context("turning mail on")?;
    Ok(())
}

/// Turns mail off and erases the address. The secret stays, so that an old link still finds that mail is off.
pub async fn leave(tx: &mut Tx, id: i64, now: DateTime<Utc>) -> anyhow::Result<()> {
    let now = now.timestamp();
    erase_for_good(tx).await?;
    sqlx::query!(
        "UPDATE subscribers SET state = 'off', address = NULL, folded = NULL, changed_at = $2, why = NULL
         WHERE id = $1 AND state <> 'off'",
        id,
        now
    )
    .execute(&mut **tx)
    .await
    .context("turning mail off")?;
    Ok(())
}

/// Removes everything about a subscriber.
pub async fn erase(tx: &mut Tx, id: i64) -> anyhow::Result<()> {
    erase_for_good(tx).await?;
    sqlx::query!("DELETE FROM subscribers WHERE id = $1", id)
        .execute(&mut **tx)
        .await
        .context("erasing a subscriber")?;
    Ok(())
}

/// Subscribers who signed up before `before` and did not confirm.
pub async fn expired(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> anyhow::Result<Vec<i64>> {
    let before = before.timestamp();
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM subscribers WHERE state = 'asked' AND asked_at < $1 ORDER BY id LIMIT $2"#,
        before,
        most
    )
    .fetch_all(&mut **tx)
    .await
    .context("asking for sign-ups that nobody confirmed")
}

/// Whether there are sign-ups from before `before` that nobody confirmed.
pub async fn has_expired(readers: &Readers, before: DateTime<Utc>) -> anyhow::Result<bool> {
    let before = before.timestamp();
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT 1 FROM subscribers WHERE state = 'asked' AND asked_at < $1) AS "is!: bool""#,
        before
    )
    .fetch_one(&mut *readers.acquire().await?)
    .await;
    found.context("looking for sign-ups that nobody confirmed")
}

/// From now on, SQLite overwrites what this connection removes. Otherwise an erased address stays in free pages.
async fn erase_for_good(tx: &mut Tx) -> anyhow::Result<()> {
    sqlx::query("PRAGMA secure_delete = ON")
        .execute(&mut **tx)
        .await
        .context("having SQLite overwrite what it removes")?;
    Ok(())
}

/// Stops mail to an address that refuses it. `why` is a code.
pub async fn suspend(tx: &mut Tx, id: i64, why: &str, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let now = now.timestamp();
    let suspended = sqlx::query!(
        "UPDATE subscribers SET state = 'suspended', changed_at = $3, why = $2 WHERE id = $1 AND state = 'on'",
        id,
        why,
        now
    )
    .execute(&mut **tx)
    .await
    .context("suspending an address")?;
    Ok(suspended.rows_affected() == 1)
}

/// Counts a refused mail that does not say that the address is wrong. Returns how many there are in a row.
pub async fn count_refusal(tx: &mut Tx, id: i64, why: &str) -> anyhow::Result<i64> {
    let many = sqlx::query_scalar!(
        r#"UPDATE subscribers SET refusals = refusals + 1, why = $2 WHERE id = $1 RETURNING refusals AS "refusals!""#,
        id,
        why
    )
    .fetch_optional(&mut **tx)
    .await
    .context("counting a refused mail")?;
    Ok(many.unwrap_or_default())
}

/// An address took a mail.
pub async fn took_mail(tx: &mut Tx, id: i64) -> anyhow::Result<()> {
    sqlx::query!(
        "UPDATE subscribers SET refusals = 0, why = NULL WHERE id = $1 AND refusals > 0",
        id
    )
    .execute(&mut **tx)
    .await
    .context("noting that an address took a mail")?;
    Ok(())
}
