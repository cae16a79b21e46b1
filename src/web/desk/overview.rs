//! The desk itself: the draft with buttons, the suggestions, and the last edits of all editors; and the draft as every place
//! will show it.

use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::DeskState;
use super::form::section_list;
use super::session::DeskSession;
use super::shown::{DeskDraft, last_edits, order_buttons, writer};
use crate::channel::discord;
#[cfg(feature = "matrix")]
use crate::channel::matrix;
use crate::issue::html::{HERE, entry_article, issue_article};
use crate::issue::written::written;
use crate::issue::{EditKind, Section, SectionKind, post, suggestion_id};
use crate::post::plain;
use crate::post::story::Content;
use crate::publish::Rules;
use crate::publish::edit::{Editable, present_text};
use crate::store::suggestions::{self, SuggestionRow};
use crate::web::answer::PageError;
use crate::web::layout::private_page;

/// A word that an action leaves for the next page.
#[derive(Deserialize)]
pub(super) struct DidQuery {
    #[serde(default)]
    did: String,
}

/// The sentence for an action. Only known words have one, so nobody can make the desk say something.
fn did(word: &str) -> Option<&'static str> {
    Some(match word {
        "saved" => "Saved.",
        "undone" => "Undone. The edit before it holds again.",
        "added" => "The entry is added.",
        "published" => "The issue is published.",
        "corrected" => "The correction is published.",
        "decided" => "The suggestion is decided.",
        _ => return None,
    })
}

pub(super) async fn desk(
    State(desk): State<DeskState>,
    session: DeskSession,
    Query(query): Query<DidQuery>,
) -> Result<Response, PageError> {
    let draft = DeskDraft::read(&desk).await?;
    let open = suggestions::open_suggestions(desk.live.store.read(), suggestions::OPEN_MAX).await?;
    let issue = &draft.compiled.issue;
    let title = format!("The desk: {}", issue.title());
    let intro = present_text(&draft.rows, &Editable::intro(), EditKind::Intro);
    let content = html! {
        h1 { (title) }
        @if let Some(did) = did(&query.did) { p.did role="status" { (did) } }
        p.about { "You are " (plain(&session.by.name)) ". Everything is saved with your name and can be undone." }
        section aria-labelledby="intro" {
            h2 id="intro" { "Introduction" }
            @if intro.text.is_empty() { p { "There is none yet." } }
            (written(&intro.text))
            (writer(&intro.by, intro.at))
            p { a href="/desk/entry/intro" { "Write the introduction" } }
        }
        @for section in &issue.sections { (desk_section(section, &session)) }
        (pin_form(&session))
        (suggestion_list(&open, &session))
        (last_edits(&draft.rows, &session))
        form method="post" action="/desk/leave" { (session.token()) button type="submit" name="do" value="leave" { "Leave the desk" } }
    };
    Ok(private_page(&title, &content).into_response())
}

fn desk_section(section: &Section, session: &DeskSession) -> Markup {
    let word = section.kind.word();
    html! {
        section aria-labelledby=(word) {
            h2 id=(word) { (section.kind.heading()) }
            @for entry in &section.entries {
                @let write = html! {
                    a href=(format!("/desk/entry/{}", entry.name())) aria-label={ "Write: " (entry.title) } { "Write" }
                };
                div.entry id=(entry.name()) {
                    (entry_article(section.kind, entry, HERE))
                    (order_buttons(section.kind, entry, session, &write))
                }
            }
            @if section.left_out > 0 { p.about { (section.left_out) " more have no room." } }
        }
    }
}

fn pin_form(session: &DeskSession) -> Markup {
    html! {
        section aria-labelledby="pin" {
            h2 id="pin" { "Put another story in" }
            form method="post" action="/desk/edit" {
                (session.token())
                label for="name" { "Words of its title, its id, a Message-ID or a link" }
                input id="name" name="id" required maxlength="300";
                label for="pin-section" { "Section" }
                (section_list("pin-section", Some(SectionKind::Highlights)))
                button type="submit" name="do" value="pin" { "Put it in" }
            }
        }
    }
}

fn suggestion_list(open: &[SuggestionRow], session: &DeskSession) -> Markup {
    html! {
        section aria-labelledby="suggestions" {
            h2 id="suggestions" { "Suggestions of readers" }
            @if open.is_empty() { p { "None waits for a decision." } }
            @for row in open {
                @let id = suggestion_id(row.id);
                div.entry id=(id) {
                    p { a href=(row.shown) rel="noopener noreferrer" { (plain(&row.shown)) } }
                    @if !row.note.is_empty() { blockquote { p { (plain(&row.note)) } } }
                    form method="post" action="/desk/edit" {
                        (session.token())
                        input type="hidden" name="id" value=(id);
                        label for={ "title-" (id) } { "Title" }
                        input id={ "title-" (id) } name="title" maxlength="200";
                        label for={ "section-" (id) } { "Section" }
                        (section_list(&format!("section-{id}"), Some(SectionKind::Missed)))
                        button type="submit" name="do" value="accept" { "Accept" }
                        button type="submit" name="do" value="decline" { "Decline" }
                        a href=(format!("/desk/entry/{id}")) { "Write its title and note" }
                    }
                }
            }
        }
    }
}

/// The draft as the page, Discord and Matrix will show it.
pub(super) async fn look(
    State(desk): State<DeskState>,
    _session: DeskSession,
) -> Result<Response, PageError> {
    let draft = DeskDraft::read(&desk).await?;
    let issue = &draft.compiled.issue;
    let generation = desk.live.now();
    let page = Rules::of(&generation.effective.config).page(issue.number);
    let content = Content::Issue(Box::new(post::announcement(issue, page.as_deref())));
    let content = html! {
        div.beside {
            article aria-label="The page" { p.about { "The page" } (issue_article(issue, &[], HERE, None)) }
            aside aria-label="Discord" { p.about { "Discord" } (in_discord(&content)) }
            @if let Some(shown) = in_matrix(&content) {
                aside aria-label="Matrix" { p.about { "Matrix" } (shown) }
            }
        }
    };
    Ok(private_page("As it will look", &content).into_response())
}

/// Discord's Markdown, with the marks that it shares with ours.
fn in_discord(content: &Content) -> Markup {
    let body = discord::render::body(content);
    let embed = &body["embeds"][0];
    html! {
        p { strong { (embed["title"].as_str().unwrap_or_default()) } }
        (written(embed["description"].as_str().unwrap_or_default()))
        p.about { (embed["footer"]["text"].as_str().unwrap_or_default()) }
    }
}

/// The HTML that Matrix rooms get. Its renderer escapes all that strangers wrote.
#[cfg(feature = "matrix")]
fn in_matrix(content: &Content) -> Option<Markup> {
    let event = matrix::render::event(content);
    let html = event["formatted_body"].as_str()?;
    Some(PreEscaped(html.to_owned()))
}

#[cfg(not(feature = "matrix"))]
fn in_matrix(_: &Content) -> Option<Markup> {
    None::<PreEscaped<String>>
}
