//! Sessions: how an editor enters the desk, and what each request checks.

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::DeskState;
use super::form::DeskForm;
use super::refusal::{refusal, to_desk};
use crate::chat::{PlatformKind, Requester};
use crate::live::rights::Right;
use crate::post::plain;
use crate::publish::desk_access::{self, PATH, SESSION_LIFE};
use crate::publish::edit::Editor;
use crate::store::audit::Actor;
use crate::store::desk_keys::DeskKey;
use crate::web::answer::PageError;
use crate::web::layout::private_page;

/// An editor's session, whose right was checked with this request.
pub(super) struct DeskSession {
    secret: String,
    pub(super) by: Editor,
}

impl DeskSession {
    /// The hidden field that every form carries.
    pub(super) fn token(&self) -> Markup {
        let token = desk_access::form_token(&self.secret);
        html! { input type="hidden" name="token" value=(token); }
    }

    /// Checks that a form came from a page of this session.
    pub(super) fn check(&self, form: &DeskForm) -> Result<(), Box<Response>> {
        match desk_access::is_form_token(&self.secret, form.get("token")) {
            true => Ok(()),
            false => Err(Box::new(refusal(
                StatusCode::FORBIDDEN,
                "That form is not of this session",
                "Nothing was changed. Go back, copy what you wrote, open the desk again, and save it there.",
            ))),
        }
    }
}

impl FromRequestParts<DeskState> for DeskSession {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, desk: &DeskState) -> Result<Self, Response> {
        let Some(secret) = cookie(&parts.headers, desk.is_secure()) else {
            return Err(closed());
        };
        let now = desk.live.clock.now();
        let readers = desk.live.store.read();
        let held = desk_access::holder_of_session(readers.into(), &secret, now).await;
        let Some(key) = held.map_err(fault)? else {
            return Err(closed());
        };
        if !desk.may_edit(&key).await.map_err(fault)? {
            let mut tx = desk.live.store.write().await.map_err(fault)?;
            desk_access::end_session(&mut tx, &secret)
                .await
                .map_err(fault)?;
            tx.commit().await.map_err(|error| fault(error.into()))?;
            return Err(refusal(
                StatusCode::FORBIDDEN,
                "You are no editor any more",
                "The session has ended. Editors are listed under [issue] or [commands] in the configuration.",
            ));
        }
        let by = Editor::new(Actor {
            platform: key.platform,
            person: key.person,
            room: PATH.to_owned(),
            community: key.community,
        });
        Ok(Self { secret, by })
    }
}

impl DeskState {
    /// Whether browsers reach the desk by HTTPS.
    fn is_secure(&self) -> bool {
        self.served.home.starts_with("https://")
    }

    /// Whether the present configuration lets the holder of a key edit.
    async fn may_edit(&self, key: &DeskKey) -> anyhow::Result<bool> {
        let Some(platform) = PlatformKind::of(&key.platform) else {
            // Made on the command line, by somebody who may read the database.
            return Ok(true);
        };
        let by = Requester {
            platform,
            room: key.room.clone(),
            community: key.community.clone(),
            person: key.person.clone(),
            roles: key.roles.clone(),
            is_manager: key.manages,
            is_alone: true,
        };
        Ok(self.live.right_of(&by).await? >= Right::Editor)
    }
}

/// The name of the cookie. Browsers accept the prefix only by HTTPS, from the host itself.
fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-desk" } else { "desk" }
}

fn cookie(headers: &HeaderMap, is_secure: bool) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter();
    let mut pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    let found = pairs.find(|(name, _)| *name == cookie_name(is_secure));
    found.map(|(_, secret)| secret.to_owned())
}

fn set_cookie(secret: &str, is_secure: bool, life_s: i64) -> HeaderValue {
    let (secure, path) = match is_secure {
        true => ("; Secure", "/".to_owned()),
        false => ("", format!("/{PATH}")),
    };
    let name = cookie_name(is_secure);
    let text = format!(
        "{name}={secret}; Path={path}; Max-Age={life_s}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::from_str(&text).expect("a cookie of hexadecimal digits is a header")
}

fn fault(error: anyhow::Error) -> Response {
    PageError::Fault(error).into_response()
}

fn closed() -> Response {
    let content = html! {
        h1 { "The desk is closed" }
        p { "The editors' desk opens with a link that the bot gives editors. A session ends after some hours. Ask for a link with" }
        ul {
            li { code { "/bpfnews-edit desk" } " on Discord," }
            li { code { "!bpfnews-edit desk" } " in a direct room on Matrix, or" }
            li { code { "bpfnews desk-link" } " on the command line." }
        }
        p { a href="/" { "To the public pages" } }
    };
    (
        StatusCode::UNAUTHORIZED,
        private_page("The desk is closed", &content),
    )
        .into_response()
}

fn used_up() -> Response {
    let text = "A link opens the desk once, within some minutes. Ask the bot for another one.";
    let content = html! { h1 { "That link is used or too old" } p { (text) } };
    (
        StatusCode::GONE,
        private_page("That link is used or too old", &content),
    )
        .into_response()
}

/// Shows the button that uses the link. A program that only looks at the link does not use it.
pub(super) async fn ask(
    State(desk): State<DeskState>,
    Path(secret): Path<String>,
) -> Result<Response, PageError> {
    let (now, readers) = (desk.live.clock.now(), desk.live.store.read());
    let Some(key) = desk_access::holder_of_link(readers.into(), &secret, now).await? else {
        return Ok(used_up());
    };
    let content = html! {
        h1 { "The editors' desk" }
        p { "This link is for " (plain(&key.person)) ". It works once." }
        form method="post" { button type="submit" autofocus { "Open the desk" } }
    };
    Ok(private_page("The editors' desk", &content).into_response())
}

/// Turns the link into a session.
pub(super) async fn enter(
    State(desk): State<DeskState>,
    Path(secret): Path<String>,
) -> Result<Response, PageError> {
    let now = desk.live.clock.now();
    let mut tx = desk.live.store.write().await?;
    let Some((session, _)) = desk_access::begin_session(&mut tx, &secret, now).await? else {
        return Ok(used_up());
    };
    tx.commit().await.map_err(anyhow::Error::from)?;
    let cookie = set_cookie(&session, desk.is_secure(), SESSION_LIFE.num_seconds());
    Ok(([(header::SET_COOKIE, cookie)], to_desk("")).into_response())
}

/// Ends the session.
pub(super) async fn leave(
    State(desk): State<DeskState>,
    session: DeskSession,
    body: axum::body::Body,
) -> Result<Response, PageError> {
    let form = match DeskForm::read(body).await {
        Ok(form) => form,
        Err(refused) => return Ok(refused),
    };
    if let Err(refused) = session.check(&form) {
        return Ok(*refused);
    }
    let mut tx = desk.live.store.write().await?;
    desk_access::end_session(&mut tx, &session.secret).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    let cookie = set_cookie("", desk.is_secure(), 0);
    Ok(([(header::SET_COOKIE, cookie)], to_desk("")).into_response())
}
