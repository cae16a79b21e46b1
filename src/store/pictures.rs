//! Pictures of free entries. They are in the database, so a copy of it has them.

use anyhow::Context as _;
use chrono::{DateTime, Utc};

use super::{Database, Tx};
use crate::issue::picture::EncodedPicture;

/// Stores a picture. One that is stored already stays.
pub async fn put_picture(
    tx: &mut Tx,
    picture: &EncodedPicture,
    by: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (file, body) = (picture.file.as_str(), picture.body.as_slice());
    let (width, height) = (i64::from(picture.width), i64::from(picture.height));
    let now = now.timestamp();
    sqlx::query!(
        "INSERT INTO pictures (file, width, height, body, added_at, added_by) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
        file,
        width,
        height,
        body,
        now,
        by
    )
    .execute(&mut **tx)
    .await
    .context("keeping a picture")?;
    Ok(())
}

/// The bytes of a picture.
pub async fn picture(mut from: Database<'_>, file: &str) -> anyhow::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!("SELECT body FROM pictures WHERE file = $1", file)
        .fetch_optional(&mut *from.acquire().await?)
        .await
        .context("reading a picture")
}
