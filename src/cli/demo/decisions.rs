//! Takes the decisions of the demo's editor, with the functions that editors in chat and on the desk use.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use url::Url;

use crate::demo::editor::{DECISIONS, EditorDecision};
use crate::issue::{EditKind, EditSubject};
use crate::item::link::canonical_link;
use crate::publish::edit::{Change, Desk, Editable, Editor, NewEntry, TextBase};
use crate::store::Store;
use crate::store::audit::Actor;
use crate::store::items::{ItemFilter, ItemRow, list_items};

/// The name of the demo's editor.
pub(super) const EDITOR: &str = "the demo";

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
    let by = Editor {
        name: EDITOR.to_owned(),
        actor: Actor {
            platform: "terminal".to_owned(),
            person: EDITOR.to_owned(),
            room: String::new(),
            community: None,
        },
    };
    let desk = Desk {
        by: &by,
        destinations: &[],
        now,
    };
    let mut tx = store.write().await?;
    for decision in DECISIONS {
        let (subject, kind, text) = match *decision {
            EditorDecision::Introduction(text) => (Editable::intro(), EditKind::Intro, text),
            EditorDecision::Remark { on, text } => {
                let item = EditSubject::Story(item_at(&items, on)?);
                let subject = Editable::new(vec![item], String::new(), on);
                (subject, EditKind::Note, text)
            }
            EditorDecision::Entry {
                link,
                title,
                note,
                section,
            } => {
                let new = NewEntry {
                    title,
                    text: note,
                    link: Some(link),
                    section: Some(section),
                    picture: None,
                };
                desk.add(&mut tx, &new).await??;
                continue;
            }
        };
        let change = Change::Write(kind, text, TextBase::Unsaid);
        desk.edit(&mut tx, &subject, &change).await??;
    }
    tx.commit().await?;
    Ok(())
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
