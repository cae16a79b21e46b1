//! One entry, or the introduction: its texts in fields, its place, and its edits.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::DeskState;
use super::session::DeskSession;
use super::shown::{DeskDraft, last_edits, order_buttons};
use super::text_page::text_form;
use crate::issue::EditKind;
use crate::issue::html::{HERE, entry_article};
use crate::publish::edit::{Editable, EditableLookup, present_text, readers_note};
use crate::store::edits::EditRow;
use crate::store::stories;
use crate::web::answer::PageError;
use crate::web::layout::private_page;

const NO_ENTRY: PageError = PageError::Nothing("There is no such entry.");

/// The subject of an id: `intro`, `s7`, `e12`, or a story's.
pub(super) async fn subject(desk: &DeskState, id: &str) -> anyhow::Result<Option<Editable>> {
    let mut tx = desk.live.store.snapshot().await?;
    let known = Editable::of_name(&mut tx, id).await?;
    tx.rollback().await;
    match known {
        EditableLookup::Known(subject) => return Ok(Some(*subject)),
        EditableLookup::Missing(_) => return Ok(None),
        EditableLookup::Other => {}
    }
    let today = stories::day_of(desk.live.clock.now());
    let Some(story) = stories::story_by_id(desk.live.store.read(), id, today).await? else {
        return Ok(None);
    };
    let mut tx = desk.live.store.snapshot().await?;
    let subject = Editable::of_story(&mut tx, &story).await?;
    tx.rollback().await;
    Ok(Some(subject))
}

pub(super) async fn entry(
    State(desk): State<DeskState>,
    session: DeskSession,
    Path(id): Path<String>,
) -> Result<Response, PageError> {
    let subject = subject(&desk, &id).await?.ok_or(NO_ENTRY)?;
    let draft = DeskDraft::read(&desk).await?;
    let mut tx = desk.live.store.snapshot().await?;
    let note = readers_note(&mut tx, &subject).await?;
    tx.rollback().await;
    let entries = draft.compiled.issue.sections.iter().flat_map(|section| {
        let entries = section.entries.iter();
        entries.map(|entry| (section.kind, entry))
    });
    let mut entries = entries.filter(|(_, entry)| entry.name() == id);
    let shown = entries.next();
    let rows: Vec<EditRow> = draft
        .rows
        .iter()
        .filter(|row| subject.has(row.edit.subject))
        .cloned()
        .collect();
    let kinds: &[EditKind] = match id.as_str() {
        "intro" => &[EditKind::Intro],
        _ => &[EditKind::Title, EditKind::Note],
    };
    let title = match id.as_str() {
        "intro" => "The introduction",
        _ => &subject.title,
    };
    let content = html! {
        h1 { (title) }
        @if let Some((kind, entry)) = shown {
            p.about { "It is under “" (kind.heading()) "”." }
            div.entry { (entry_article(kind, entry, HERE)) (order_buttons(kind, entry, &session, &html! {})) }
        } @else if id != "intro" {
            p.about {
                "The coming issue does not have it. "
                @if subject.is_suggestion() { a href=(format!("/desk#{id}")) { "Accept or decline it on the desk" } }
            }
        }
        @for kind in kinds {
            @let present = present_text(&draft.rows, &subject, *kind);
            @let is_first_note = present.version == 0 && *kind == EditKind::Note;
            @let text = if is_first_note { format!("{}{note}", present.text) } else { present.text.clone() };
            (text_form(&session, &id, *kind, &present, &text))
        }
        (last_edits(&rows, &session))
    };
    Ok(private_page(title, &content).into_response())
}
