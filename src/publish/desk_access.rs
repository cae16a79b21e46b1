//! The way to the editors' desk: a link that opens it once, and the session that the link becomes. A secret is 32 random bytes;
//! the database has its hash only.

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::item::hex;
use crate::store::desk_keys::{self, DeskKey, DeskKeyKind};
use crate::store::{Database, Tx};

/// How long a link waits.
pub const LINK_LIFE: TimeDelta = TimeDelta::minutes(15);
/// How long a session lasts.
pub const SESSION_LIFE: TimeDelta = TimeDelta::hours(12);
const SECRET_BYTES: usize = 32;

/// Where the desk is, below the site.
pub const PATH: &str = "desk";

/// Makes a link for an editor. Returns its secret.
///
/// # Errors
///
/// Returns an error if the database fails, or the system has no random bytes.
pub async fn make_link(tx: &mut Tx, by: &DeskKey, now: DateTime<Utc>) -> anyhow::Result<String> {
    put(tx, DeskKeyKind::Link, by, LINK_LIFE, now).await
}

/// The path of a link below the site.
pub fn link_path(secret: &str) -> String {
    format!("{PATH}/enter/{secret}")
}

/// The holder of a link that was not used yet.
///
/// # Errors
///
/// Returns an error if the database fails.
pub async fn holder_of_link(
    from: Database<'_>,
    secret: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DeskKey>> {
    desk_keys::key(from, &hash(secret), DeskKeyKind::Link, now).await
}

/// Turns a link into a session. Returns the session's secret; `None` if the link was used or is too old.
///
/// # Errors
///
/// Returns an error if the database fails, or the system has no random bytes.
pub async fn begin_session(
    tx: &mut Tx,
    secret: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<(String, DeskKey)>> {
    let Some(by) = holder_of_link((&mut *tx).into(), secret, now).await? else {
        return Ok(None);
    };
    desk_keys::drop_key(tx, &hash(secret)).await?;
    let session = put(tx, DeskKeyKind::Session, &by, SESSION_LIFE, now).await?;
    Ok(Some((session, by)))
}

/// The editor of a session.
///
/// # Errors
///
/// Returns an error if the database fails.
pub async fn holder_of_session(
    from: Database<'_>,
    secret: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DeskKey>> {
    desk_keys::key(from, &hash(secret), DeskKeyKind::Session, now).await
}

/// Ends a session.
///
/// # Errors
///
/// Returns an error if the database fails.
pub async fn end_session(tx: &mut Tx, secret: &str) -> anyhow::Result<()> {
    desk_keys::drop_key(tx, &hash(secret)).await?;
    Ok(())
}

/// The token that every form of a session carries. It follows from the session's secret, which no other site knows.
pub fn form_token(session: &str) -> String {
    hash(&format!("form {session}"))
}

/// Whether a form carries the token of its session.
pub fn is_form_token(session: &str, token: &str) -> bool {
    form_token(session)
        .as_bytes()
        .ct_eq(token.as_bytes())
        .into()
}

async fn put(
    tx: &mut Tx,
    kind: DeskKeyKind,
    by: &DeskKey,
    life: TimeDelta,
    now: DateTime<Utc>,
) -> anyhow::Result<String> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context("reading random bytes from the system")?;
    let secret = hex(&bytes);
    let key = DeskKey {
        ends_at: (now + life).timestamp(),
        ..by.clone()
    };
    desk_keys::put_key(tx, &hash(&secret), kind, &key, now).await?;
    Ok(secret)
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}
