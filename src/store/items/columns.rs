//! The columns of an item, and the keys that identify it.

use anyhow::Context as _;
use chrono::{DateTime, Days, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::item::link::canonical_link;
use crate::item::{Item, ItemData, ItemKey, Linked, hex};
use crate::store::packed;

/// The kind in `item_keys` of the key that a commit keeps when it is rebased or picked.
pub(super) const TWIN: i64 = 10;

/// The kind in `item_keys` of a commit's author and subject.
pub(super) const SUBJECT: i64 = 12;

/// The kind in `item_keys` of an article's link.
pub(in crate::store) const LINK: i64 = 11;

/// A date further in the future is not believed; clocks differ.
const FUTURE_S_MAX: i64 = 86_400;

/// Headers and prose, before compression.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredText<'a> {
    #[serde(rename = "h", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Vec<(std::borrow::Cow<'a, str>, std::borrow::Cow<'a, str>)>,
    #[serde(rename = "t")]
    pub(super) text: std::borrow::Cow<'a, str>,
}

/// The location of a text, as `items.text_at` and `items.text_bytes`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TextLocation {
    pub(super) at: Option<i64>,
    pub(super) bytes: Option<i64>,
}

pub(super) fn row(
    id: i64,
    item: &Item,
    key: &ItemKey,
    text: TextLocation,
    now: DateTime<Utc>,
) -> serde_json::Value {
    let now = now.timestamp();
    let at = item
        .at
        .map(|at| at.timestamp())
        .filter(|&at| at <= now + FUTURE_S_MAX)
        .unwrap_or(now);
    let (reference, parent) = match &item.what {
        ItemData::Commit { hash } => (hash.as_str(), None),
        ItemData::Message { id, in_reply_to } => (
            id.as_str(),
            in_reply_to
                .as_ref()
                .map(|parent| hex(&ItemKey::message(parent).digest())),
        ),
        ItemData::Article { .. } | ItemData::Release { .. } | ItemData::Video { .. } => {
            (key.as_str(), None)
        }
    };
    json!([
        id,
        item.kind().code(),
        reference,
        item.title,
        item.author.name,
        item.author.email,
        at,
        item.written_at.map(|at| at.timestamp()),
        now,
        item.url,
        parent,
        free_on(item),
        item.detail.code(),
        text.at,
        text.bytes
    ])
}

pub(super) fn free_on(item: &Item) -> Option<i64> {
    match &item.what {
        ItemData::Article {
            paid: Some(paid), ..
        } => Some(paid.free_on.map_or(-1, |day| {
            day.signed_duration_since(DateTime::UNIX_EPOCH.date_naive())
                .num_days()
        })),
        ItemData::Article { paid: None, .. }
        | ItemData::Commit { .. }
        | ItemData::Message { .. }
        | ItemData::Release { .. }
        | ItemData::Video { .. } => None,
    }
}

/// Converts a number of `ItemRow::free_on` into a day.
pub fn day(number: i64) -> Option<chrono::NaiveDate> {
    DateTime::UNIX_EPOCH
        .date_naive()
        .checked_add_days(Days::new(u64::try_from(number).ok()?))
}

/// How far the link identifies an article, a release or a video. Mails and commits have none.
pub(super) fn linked(item: &Item) -> Linked {
    match item.what {
        ItemData::Article { linked, .. }
        | ItemData::Release { linked, .. }
        | ItemData::Video { linked, .. } => linked,
        ItemData::Commit { .. } | ItemData::Message { .. } => Linked::Nothing,
    }
}

/// Further keys of an item: a commit's author, author date and subject; an article's link.
pub(super) fn aliases(item: &Item) -> Vec<(i64, [u8; 16])> {
    let digest = |text: String| ItemKey::content(&text).digest();
    match (&item.what, &item.url, item.written_at) {
        (ItemData::Commit { .. }, _, written_at) => {
            let author = item.author.name.to_lowercase();
            let subject = format!("{author}\n{}", item.title);
            let twin = written_at.map(|at| {
                let dated = format!("{subject}\n{}", at.timestamp());
                (TWIN, digest(dated))
            });
            twin.into_iter()
                .chain([(SUBJECT, digest(subject))])
                .collect()
        }
        (
            ItemData::Article { .. } | ItemData::Release { .. } | ItemData::Video { .. },
            Some(url),
            _,
        ) if linked(item) != Linked::Nothing => {
            vec![(
                LINK,
                digest(
                    url::Url::parse(url).map_or_else(|_| url.clone(), |url| canonical_link(&url)),
                ),
            )]
        }
        _ => Vec::new(),
    }
}

/// A hash of an item's content that detects changes. `None` for mails and commits: they never change, only their
/// pages do.
pub(super) fn print(item: &Item) -> Option<i64> {
    match item.what {
        ItemData::Commit { .. } | ItemData::Message { .. } => return None,
        ItemData::Article { .. } | ItemData::Release { .. } | ItemData::Video { .. } => {}
    }
    let said = format!(
        "{}\n{}\n{}\n{:?}",
        item.title,
        item.author.name,
        item.text,
        free_on(item)
    );
    let digest = Sha256::digest(said.as_bytes());
    Some(i64::from_le_bytes(
        digest[..8].try_into().expect("a digest has 32 bytes"),
    ))
}

pub(super) fn compress(item: &Item) -> anyhow::Result<Vec<u8>> {
    let headers = item.headers.iter();
    let headers = headers.map(|(name, value)| (name.into(), value.into()));
    let text = StoredText {
        headers: headers.collect(),
        text: (&item.text).into(),
    };
    packed::pack(&serde_json::to_vec(&text)?).context("a text")
}

/// Unpacks the columns `head` and `tail` of `whole_items` into headers and prose.
pub(in crate::store) fn unpack(
    head: Option<Vec<u8>>,
    tail: Option<Vec<u8>>,
) -> anyhow::Result<(Vec<(String, String)>, String)> {
    let Some(mut body) = head else {
        return Ok(Default::default());
    };
    body.extend(tail.unwrap_or_default());
    let plain = packed::unpack(&body).context("a text")?;
    let text: StoredText<'_> = serde_json::from_slice(&plain).context("reading a text")?;
    let headers = text.headers.into_iter();
    Ok((
        headers
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        text.text.into_owned(),
    ))
}
