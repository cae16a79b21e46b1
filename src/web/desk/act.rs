//! The buttons of the desk.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::html;

use super::DeskState;
use super::entry_page::subject;
use super::form::DeskForm;
use super::refusal::{refusal, to_desk};
use super::session::DeskSession;
use super::text_page;
use crate::issue::EditKind;
use crate::post::plain;
use crate::publish::Rules;
use crate::publish::edit::{
    Change, Desk, Editable, NotEdited, Place, TextBase, UndoChoice, find_place,
};
use crate::store::stories::{self, NamedStory, StoryLookup};
use crate::web::answer::PageError;
use crate::web::layout::private_page;

/// Why an action ends early: a page for the editor, or an internal error.
pub(super) enum ActionEnd {
    Page(Box<Response>),
    Fault(PageError),
}

impl From<anyhow::Error> for ActionEnd {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Response> for ActionEnd {
    fn from(page: Response) -> Self {
        Self::Page(Box::new(page))
    }
}

impl From<Box<Response>> for ActionEnd {
    fn from(page: Box<Response>) -> Self {
        Self::Page(page)
    }
}

impl IntoResponse for ActionEnd {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => *page,
            Self::Fault(error) => error.into_response(),
        }
    }
}

/// A page that says why nothing was changed.
pub(super) fn not_changed(why: &str) -> Response {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, "Nothing was changed", why)
}

/// Carries out a button of the desk.
pub(super) async fn edit(
    State(desk): State<DeskState>,
    session: DeskSession,
    body: Body,
) -> Result<Response, ActionEnd> {
    let form = DeskForm::read(body).await?;
    session.check(&form)?;
    let id = form.get("id");
    match form.get("do") {
        "undo" => undo(&desk, &session, &form).await,
        "pin" => {
            let subject = named(&desk, id).await?;
            let change = Change::Pin(form.section());
            save(&desk, &session, &subject, &change, "saved").await
        }
        "preview" => {
            let (kind, version) = text_of(&form)?;
            let text = form.get("text").replace("\r\n", "\n");
            Ok(text_page::preview(&session, id, kind, version, &text))
        }
        "write" => {
            let (kind, version) = text_of(&form)?;
            let subject = existing(&desk, id).await?;
            let text = form.get("text");
            let change = Change::Write(kind, text, TextBase::Version(version));
            save(&desk, &session, &subject, &change, "saved").await
        }
        word => {
            let subject = existing(&desk, id).await?;
            let (change, did) = match (word, form.section()) {
                ("up", _) => (order(&desk, &subject, Place::Up).await?, "saved"),
                ("down", _) => (order(&desk, &subject, Place::Down).await?, "saved"),
                ("pin-here", _) => (Change::Pin(None), "saved"),
                ("drop", _) => (Change::Drop, "saved"),
                ("move", Some(section)) => (Change::Move(section), "saved"),
                ("accept", section) => (Change::Accept(form.get("title"), section), "decided"),
                ("decline", _) => (Change::Decline, "decided"),
                _ => return Err(not_changed("The desk has no such button.").into()),
            };
            save(&desk, &session, &subject, &change, did).await
        }
    }
}

fn text_of(form: &DeskForm) -> Result<(EditKind, i64), ActionEnd> {
    let kind = EditKind::of(form.get("kind"));
    let kind =
        kind.filter(|kind| matches!(kind, EditKind::Title | EditKind::Note | EditKind::Intro));
    match (kind, form.get("version").parse()) {
        (Some(kind), Ok(version)) => Ok((kind, version)),
        _ => Err(not_changed("The form is not complete. Open the page again.").into()),
    }
}

async fn existing(desk: &DeskState, id: &str) -> Result<Editable, ActionEnd> {
    let found = subject(desk, id).await?;
    found.ok_or_else(|| not_changed("There is no such entry any more.").into())
}

async fn order(
    desk: &DeskState,
    subject: &Editable,
    place: Place,
) -> Result<Change<'static>, ActionEnd> {
    let generation = desk.live.now();
    let rules = Rules::of(&generation.effective.config);
    let now = desk.live.clock.now();
    match find_place(&desk.live.store, rules, subject, place, now).await? {
        Some((section, place)) => Ok(Change::Order(section, place)),
        None => Err(not_changed("The coming issue does not have it any more.").into()),
    }
}

/// The story that an editor names, or a page with those that it may be.
async fn named(desk: &DeskState, name: &str) -> Result<Editable, ActionEnd> {
    if let Some(subject) = subject(desk, name).await? {
        return Ok(subject);
    }
    let today = stories::day_of(desk.live.clock.now());
    let near = match stories::look_up_story(desk.live.store.read(), name, today).await? {
        StoryLookup::Found(NamedStory::One(story)) => {
            let mut tx = desk.live.store.snapshot().await?;
            let subject = Editable::of_story(&mut tx, &story).await?;
            tx.rollback().await;
            return Ok(subject);
        }
        StoryLookup::Found(NamedStory::Several(near) | NamedStory::Near(near)) => near,
        StoryLookup::Retracted => {
            return Err(not_changed("A maintainer retracted that story.").into());
        }
        StoryLookup::Nothing => return Err(not_changed("No story matches that.").into()),
    };
    let content = html! {
        h1 { "Which story?" }
        p { "Nothing was changed. Give its id, or open it here." }
        ul {
            @for story in &near {
                li { a href=(format!("/desk/entry/{}", story.id)) { (plain(&story.title)) } " " code { (story.id) } }
            }
        }
    };
    let page = private_page("Which story?", &content);
    Err((StatusCode::UNPROCESSABLE_ENTITY, page)
        .into_response()
        .into())
}

async fn save(
    desk: &DeskState,
    session: &DeskSession,
    subject: &Editable,
    change: &Change<'_>,
    did: &str,
) -> Result<Response, ActionEnd> {
    let destinations = desk.live.now().ingest.destinations();
    let editing = Desk {
        by: &session.by,
        destinations: &destinations,
        now: desk.live.clock.now(),
    };
    let mut tx = desk.live.store.write().await?;
    let edited = match editing.edit(&mut tx, subject, change).await? {
        Ok(edited) => edited,
        Err(NotEdited::Refused(why)) => return Err(not_changed(&why).into()),
        Err(NotEdited::Conflict(conflict)) => {
            let kind = match change {
                Change::Write(kind, ..) => *kind,
                _ => EditKind::Note,
            };
            let id = match subject.id.as_str() {
                "" => "intro",
                id => id,
            };
            return Ok(text_page::merge(session, id, kind, &conflict));
        }
    };
    tx.commit().await.map_err(anyhow::Error::from)?;
    desk.live.wake();
    if let Some(news) = edited.reader {
        let posted = desk
            .live
            .post_to_room(&news.platform, &news.room, news.content);
        if let Err(why) = posted.await {
            tracing::warn!("the reader of a suggestion could not be notified: {why}");
        }
    }
    Ok(to_desk(&format!("?did={did}#{}", subject.id)))
}

async fn undo(
    desk: &DeskState,
    session: &DeskSession,
    form: &DeskForm,
) -> Result<Response, ActionEnd> {
    let Ok(number) = form.get("edit").parse() else {
        return Err(not_changed("The form is not complete. Open the page again.").into());
    };
    let destinations = desk.live.now().ingest.destinations();
    let editing = Desk {
        by: &session.by,
        destinations: &destinations,
        now: desk.live.clock.now(),
    };
    let mut tx = desk.live.store.write().await?;
    if let Err(why) = editing.undo(&mut tx, UndoChoice::Number(number)).await? {
        return Err(not_changed(&why.to_string()).into());
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    desk.live.wake();
    Ok(to_desk("?did=undone#edits"))
}
