//! The loop that tells: posts that are due → terminal, each settled once it was shown.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tracing::warn;

use crate::item::Kind;
use crate::post::{self, Post, Shown};
use crate::source;
use crate::store::items::{self, ItemRow};
use crate::store::{Store, posts};

/// A feed that carries an item, as lists of items name it.
#[derive(Debug, Clone, Deserialize)]
pub struct Carrier {
    /// Its name.
    pub name: String,
    /// tree, archive, lwn or feed.
    pub kind: String,
    /// Where it is.
    pub url: Option<String>,
}

/// The feeds that carry an item.
pub fn carriers(row: &ItemRow) -> Vec<Carrier> {
    serde_json::from_str(&row.feeds).unwrap_or_default()
}

/// Where a person reads an item: what it says itself, else what the first feed that carries it tells.
pub fn link(row: &ItemRow) -> Option<String> {
    row.url.clone().or_else(|| {
        carriers(row).iter().find_map(|feed| {
            let base = url::Url::parse(feed.url.as_deref()?).ok()?;
            source::item_url(Kind::from_code(row.kind)?, &base, &row.reference)
        })
    })
}

/// Tells every post that is due: `show` is handed the post and whether it is only a sample, and a post is settled once
/// `show` returned. Gives how many were told.
///
/// # Errors
///
/// When the database or `show` fails; what was not settled is told again.
pub async fn pass(
    store: &Store,
    now: DateTime<Utc>,
    mut show: impl FnMut(&Post, bool) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let mut told = 0;
    for owed in posts::owed_posts(store.read(), now).await? {
        let mut shown = Vec::new();
        for row in posts::items_of_post(store.read(), owed.id).await? {
            // A text that cannot be unpacked must not keep its post, and all behind it, from being told.
            let text = items::text_of(store.read(), row.id)
                .await
                .unwrap_or_else(|error| {
                    warn!("the text of item {} cannot be read: {error:#}", row.id);
                    String::new()
                });
            shown.extend(shown_item(&row, text));
        }
        if let Some(post) = post::compose(&shown) {
            show(&post, owed.is_sample)?;
            told += 1;
        }
        let mut tx = store.write().await?;
        posts::settle_post(&mut tx, owed.id, now).await?;
        tx.commit().await?;
    }
    Ok(told)
}

fn shown_item(row: &ItemRow, text: String) -> Option<Shown> {
    Some(Shown {
        kind: Kind::from_code(row.kind)?,
        reference: row.reference.clone(),
        title: row.title.clone(),
        author: row.author.clone(),
        at: DateTime::from_timestamp(row.at, 0)?,
        url: link(row),
        paid: row.free_on.map(items::day),
        feeds: carriers(row).into_iter().map(|feed| feed.name).collect(),
        text,
    })
}
