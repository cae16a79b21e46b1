//! The parts that several pages of the desk show: the draft, who wrote what, the last edits, and the buttons of an entry.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::DeskState;
use super::form::section_list;
use super::session::DeskSession;
use crate::issue::{Compiled, Entry, SectionKind};
use crate::item::prose::shorten;
use crate::post::plain;
use crate::publish::edit::described_with_subject;
use crate::publish::{self, Rules};
use crate::store::edits::{self, EditRow};

/// The most edits in the list of the last ones, and characters of each.
const EDITS_MAX: usize = 30;
const EDIT_CHARS_MAX: usize = 160;

/// The coming issue and its edits, of one moment.
pub(super) struct DeskDraft {
    pub(super) compiled: Compiled,
    pub(super) rows: Vec<EditRow>,
}

impl DeskDraft {
    pub(super) async fn read(desk: &DeskState) -> anyhow::Result<Self> {
        let generation = desk.live.now();
        let rules = Rules::of(&generation.effective.config);
        let mut tx = desk.live.store.snapshot().await?;
        let compiled = publish::draft(&mut tx, rules, desk.live.clock.now()).await?;
        let rows = edits::edits_of_issue(&mut tx, None).await?;
        tx.rollback().await;
        Ok(Self { compiled, rows })
    }
}

/// The author and the time of a text.
pub(super) fn writer(by: &str, at: DateTime<Utc>) -> Markup {
    html! {
        @if !by.is_empty() { p.about { "Written by " (plain(by)) " on " (moment(at)) "." } }
    }
}

fn moment(at: DateTime<Utc>) -> Markup {
    html! { time datetime=(at.to_rfc3339()) { (at.format("%-d %B at %H:%M UTC")) } }
}

/// The last edits, the newest first. The last one of each thing can be undone.
pub(super) fn last_edits(rows: &[EditRow], session: &DeskSession) -> Markup {
    let is_last = |row: &EditRow| {
        let of_same =
            |other: &&EditRow| other.undone.is_none() && other.edit.subject == row.edit.subject;
        let last = rows.iter().rev().find(of_same);
        last.is_some_and(|last| last.edit.id == row.edit.id)
    };
    html! {
        section aria-labelledby="edits" {
            h2 id="edits" { "Last edits" }
            @if rows.is_empty() { p { "There are none." } }
            ol.edits {
                @for row in rows.iter().rev().take(EDITS_MAX) {
                    li value=(row.edit.id) {
                        (plain(&row.by)) ", " (moment(row.edit.at)) ": "
                        @let said = shorten(&plain(&described_with_subject(row)), EDIT_CHARS_MAX);
                        @match &row.undone {
                            Some((_, by)) => { s { (said) } " undone by " (plain(by)) }
                            None => { (said) }
                        }
                        @if row.undone.is_none() && is_last(row) {
                            form.inline method="post" action="/desk/edit" {
                                (session.token())
                                input type="hidden" name="edit" value=(row.edit.id);
                                button type="submit" name="do" value="undo"
                                    aria-label={ "Undo edit " (row.edit.id) } { "Undo" }
                            }
                        }
                    }
                }
            }
            @if rows.len() > EDITS_MAX { p { "bpfnews issue edit log shows all " (rows.len()) "." } }
        }
    }
}

/// The buttons for the place of an entry, and `more` behind them. They are named for those who hear the page.
pub(super) fn order_buttons(
    kind: SectionKind,
    entry: &Entry,
    session: &DeskSession,
    more: &Markup,
) -> Markup {
    let id = entry.name();
    let button = |word: &str, called: &str| {
        let label = format!("{called}: {}", entry.title);
        html! { button type="submit" name="do" value=(word) aria-label=(label) { (called) } }
    };
    html! {
        form.inline method="post" action="/desk/edit" {
            (session.token())
            input type="hidden" name="id" value=(id);
            (button("up", "Up"))
            (button("down", "Down"))
            @if entry.story.is_some() && !entry.is_pinned { (button("pin-here", "Pin")) }
            (button("drop", "Leave out"))
            label.hidden for={ "move-" (id) } { "Section of " (entry.title) }
            (section_list(&format!("move-{id}"), Some(kind)))
            (button("move", "Move"))
            (more)
        }
    }
}
