//! Takes the decisions of the demo's editor, with the functions that editors in chat use.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use url::Url;

use crate::demo::editor::{DECISIONS, EditorDecision};
use crate::issue::{EditKind, SectionKind};
use crate::item::link::canonical_link;
use crate::store::edits::{NewEdit, add_edit};
use crate::store::items::{ItemFilter, ItemRow, list_items};
use crate::store::suggestions::{
    NewSuggestion, SuggestionLimits, SuggestionResult, SuggestionVerdict, decide_suggestion,
    take_suggestion,
};
use crate::store::{Store, Tx};

/// The name of the demo's editor.
pub(super) const EDITOR: &str = "the demo";

/// The demo has few suggestions; these limits are those of no channel.
const LIMITS: SuggestionLimits = SuggestionLimits {
    person_max: 10,
    place_max: 10,
};

/// Takes all decisions of the demo's editor, in one transaction.
///
/// # Errors
///
/// When the database fails, or an item of the demo is missing.
pub async fn edit_the_demo(store: &Store, now: DateTime<Utc>) -> anyhow::Result<()> {
    let all = ItemFilter {
        most: i64::MAX,
        ..ItemFilter::default()
    };
    let items = list_items(store.read(), &all, None).await?;
    let mut tx = store.write().await?;
    for decision in DECISIONS {
        match *decision {
            EditorDecision::Introduction(text) => {
                edit(&mut tx, EditKind::Intro, None, text, now).await?;
            }
            EditorDecision::Remark { on, text } => {
                let item = item_at(&items, on)?;
                edit(&mut tx, EditKind::Note, Some(item), text, now).await?;
            }
            EditorDecision::Entry {
                link,
                title,
                note,
                section,
            } => suggest(&mut tx, link, title, note, section, now).await?,
        }
    }
    tx.commit().await?;
    Ok(())
}

async fn edit(
    tx: &mut Tx,
    kind: EditKind,
    item: Option<i64>,
    text: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let new = NewEdit {
        kind,
        item,
        section: None,
        text,
        by: EDITOR,
    };
    add_edit(tx, &new, now).await
}

/// The item with this address for readers.
fn item_at(items: &[ItemRow], address: &str) -> anyhow::Result<i64> {
    let same = |link: &str| Url::parse(link).ok().map(|url| canonical_link(&url));
    let wanted = same(address);
    let found = items.iter().find(|item| {
        let link = item.url.as_deref().and_then(same);
        link.is_some() && link == wanted
    });
    let found = found.with_context(|| format!("the demo has no item at {address}"))?;
    Ok(found.id)
}

/// Hands in a link, and accepts it.
async fn suggest(
    tx: &mut Tx,
    link: &str,
    title: &str,
    note: &str,
    section: SectionKind,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let url = canonical_link(&Url::parse(link).context("reading a link of the demo's editor")?);
    let new = NewSuggestion {
        url: &url,
        shown: link,
        note,
        platform: "terminal",
        person: EDITOR,
        place: "",
        room: "",
    };
    let SuggestionResult::Saved(number) = take_suggestion(tx, &new, LIMITS, now).await? else {
        anyhow::bail!("a suggestion of the demo was not kept: {link}");
    };
    let verdict = SuggestionVerdict::Accepted {
        title,
        section: Some(section.word()),
    };
    decide_suggestion(tx, number, verdict, EDITOR, now).await?;
    Ok(())
}
