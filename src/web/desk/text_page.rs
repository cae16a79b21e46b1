//! Text fields in Markdown, their preview, and the page for two editors who wrote the same text.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::session::DeskSession;
use super::shown::writer;
use crate::issue::EditKind;
use crate::issue::prose::INTRO_CHARS_MAX;
use crate::issue::written::written;
use crate::publish::edit::{PresentText, TextConflict};
use crate::web::layout::private_page;

/// The name of a text for people.
fn called(kind: EditKind) -> &'static str {
    match kind {
        EditKind::Title => "Title",
        EditKind::Intro => "Introduction",
        _ => "Text",
    }
}

fn field(kind: EditKind, text: &str) -> Markup {
    let id = format!("text-{}", kind.word());
    html! {
        label for=(id) {
            (called(kind))
            @if kind != EditKind::Title {
                ", in Markdown: **strong**, `code`, [a link](https://…), lists with - or 1., quotations with >. A new line stays one."
            }
        }
        @if kind == EditKind::Title {
            input id=(id) name="text" maxlength="200" value=(text);
        } @else {
            // A browser drops the first line break in the field.
            textarea id=(id) name="text" rows="10" maxlength=(INTRO_CHARS_MAX) { "\n" (text) }
        }
    }
}

/// The form for a text. `text` is in the field; `present` is the version that the editor begins from.
pub(super) fn text_form(
    session: &DeskSession,
    id: &str,
    kind: EditKind,
    present: &PresentText,
    text: &str,
) -> Markup {
    html! {
        form.text method="post" action="/desk/edit" {
            (session.token())
            input type="hidden" name="id" value=(id);
            input type="hidden" name="kind" value=(kind.word());
            input type="hidden" name="version" value=(present.version);
            (field(kind, text))
            (writer(&present.by, present.at))
            button type="submit" name="do" value="write" { "Save" }
            @if kind != EditKind::Title {
                button type="submit" name="do" value="preview" { "Show it first" }
            }
        }
    }
}

/// A text as it will look, and the field to go on. Nothing is saved yet.
pub(super) fn preview(
    session: &DeskSession,
    id: &str,
    kind: EditKind,
    version: i64,
    text: &str,
) -> Response {
    let begun = PresentText {
        version,
        ..PresentText::default()
    };
    let content = html! {
        h1 { "Not saved yet" }
        div.entry { (written(text)) }
        (text_form(session, id, kind, &begun, text))
    };
    private_page("Not saved yet", &content).into_response()
}

/// Both texts of two editors. The field has the one that was not saved; saving it replaces the other.
pub(super) fn merge(
    session: &DeskSession,
    id: &str,
    kind: EditKind,
    conflict: &TextConflict,
) -> Response {
    let TextConflict { present, yours } = conflict;
    let both = format!("{}\n\n{yours}", present.text);
    // The writer's name stands at the present text.
    let begun = PresentText {
        version: present.version,
        ..PresentText::default()
    };
    let content = html! {
        h1 { "Somebody else wrote it meanwhile" }
        p role="alert" {
            "Nothing was lost and nothing was saved. Below are both texts. What you save now replaces the present one, which stays \
             in the log."
        }
        div.beside {
            section aria-labelledby="theirs" {
                h2 id="theirs" { "The present text" }
                (writer(&present.by, present.at))
                @if kind == EditKind::Title { p { (present.text) } } @else { (written(&present.text)) }
                div.text {
                    label for="present" { "To copy from" }
                    textarea id="present" rows="8" readonly { "\n" (present.text) }
                }
            }
            section aria-labelledby="yours" {
                h2 id="yours" { "Your text" }
                @if kind == EditKind::Title { p { (yours) } } @else { (written(yours)) }
                (text_form(session, id, kind, &begun, yours))
            }
        }
        @if kind != EditKind::Title {
            form method="post" action="/desk/edit" {
                (session.token())
                input type="hidden" name="id" value=(id);
                input type="hidden" name="kind" value=(kind.word());
                input type="hidden" name="version" value=(present.version);
                textarea.hidden name="text" aria-hidden="true" tabindex="-1" readonly { "\n" (both) }
                button.both type="submit" name="do" value="preview" { "Put yours below theirs, and show it" }
            }
        }
    };
    let page = private_page("Somebody else wrote it meanwhile", &content);
    (StatusCode::CONFLICT, page).into_response()
}
