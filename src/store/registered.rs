//! The commands registered with a chat system.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Readers, Tx};

/// The hash of the commands last registered for an application.
pub async fn registered_commands(
    readers: &Readers,
    application: &str,
) -> anyhow::Result<Option<String>> {
    sqlx::query_scalar!(
        "SELECT hash FROM registered_commands WHERE application = $1",
        application
    )
    .fetch_optional(&mut *readers.acquire().await?)
    .await
    .context("asking which commands are registered")
}

pub async fn keep_registered_commands(
    tx: &mut Tx,
    application: &str,
    hash: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO registered_commands (application, hash, registered_at) VALUES ($1, $2, $3)
         ON CONFLICT (application) DO UPDATE SET hash = excluded.hash, registered_at = excluded.registered_at",
        application,
        hash,
        now
    )
    .execute(&mut **tx)
    .await
    .context("keeping which commands are registered")?;
    Ok(())
}
