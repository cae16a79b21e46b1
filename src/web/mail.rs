//! The pages on which people sign up for mail, confirm, and leave. A link only shows a page; a button of it does something. So a
//! program that opens every link of a mail signs nobody up and nobody off.

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use url::form_urlencoded;

use super::answer::PageError;
use super::client::client;
use super::layout::{PageHead, page};
use super::mail_pages::{EVERY, MailPages};
use super::serve::PeerAddress;
use super::site::{Served, Site};
use crate::item::prose::shorten;
use crate::mailing::{Confirmed, MailAddress};
use crate::post::plain;
use crate::rate::RateDecision;

/// The most bytes of a form.
const FORM_BYTES_MAX: usize = 4_096;
/// The most characters of a typed address that the form shows again.
const TYPED_CHARS_MAX: usize = 254;
const HERE: &str = "/mail";

const STALE_FORM: &str =
    "The form was open for too long, or came from another site. Please send it again.";
const BAD_ADDRESS: &str = "That is no address for mail. It has the form name@example.org.";
const TOO_MANY: &str = "There were many sign-ups from your network. Please try again in an hour.";
const STALE_LINK: &str =
    "This link is too old, or was replaced by a newer one. Please sign up again.";

pub(super) fn routes() -> Router<Served> {
    Router::new()
        .route(HERE, get(form).post(sign_up))
        .route("/mail/confirm/{token}", get(ask_to_confirm).post(confirm))
        .route("/mail/leave/{token}", get(ask_to_leave).post(leave))
}

/// The site with its pages for mail. The routes exist only if it has them.
fn pages_of(site: &Site) -> Result<&MailPages, PageError> {
    site.mail
        .as_ref()
        .ok_or(PageError::Nothing("There is no such page."))
}

async fn form(State(site): State<Served>) -> Result<Response, PageError> {
    let pages = pages_of(&site)?;
    let stamp = pages.mailing.form_stamp(site.clock.now());
    Ok(answer(StatusCode::OK, form_page(&site, &stamp, "", None)))
}

fn form_page(site: &Site, stamp: &str, typed: &str, problem: Option<&str>) -> Markup {
    let described = problem.map(|_| "problem");
    let content = html! {
        h1 { (site.name) " by mail" }
        p { "Each issue comes as one mail, about once a week. The address is used for nothing else, and every mail has a link to \
             unsubscribe." }
        @if let Some(problem) = problem { p.correction id="problem" role="alert" { (problem) } }
        form action=(HERE) method="post" {
            label for="address" { "Your address" }
            input id="address" name="address" type="email" required autocomplete="email" maxlength="254" value=(typed)
                aria-invalid=[problem.map(|_| "true")] aria-describedby=[described];
            div.trap aria-hidden="true" {
                label for="site" { "Leave this empty" }
                input id="site" name="site" type="text" tabindex="-1" autocomplete="off";
            }
            input name="stamp" type="hidden" value=(stamp);
            button type="submit" { "Sign up" }
        }
        p.about { "You get a mail with a link. Only after you open it and press its button, issues come. If you do not, the address is \
                   erased after two days." }
    };
    page(&PageHead::website(site, "By mail", "mail"), HERE, &content)
}

async fn sign_up(
    State(site): State<Served>,
    Extension(peer): Extension<PeerAddress>,
    request: Request,
) -> Result<Response, PageError> {
    let pages = pages_of(&site)?;
    let (now, client) = (site.clock.now(), client(peer.0, request.headers()));
    let is_ours = is_from_our_page(request.headers(), &site);
    let form = SignUpForm::read(request.into_body()).await;
    let stamp = pages.mailing.form_stamp(now);
    let again = |status, problem| {
        let shown = shorten(&plain(&form.address), TYPED_CHARS_MAX);
        Ok(answer(
            status,
            form_page(&site, &stamp, &shown, Some(problem)),
        ))
    };
    if !is_ours || !pages.mailing.is_stamped(&form.stamp, now) {
        return again(StatusCode::BAD_REQUEST, STALE_FORM);
    }
    let Some(address) = MailAddress::read(&form.address) else {
        return again(StatusCode::BAD_REQUEST, BAD_ADDRESS);
    };
    if pages.clients.count(client, EVERY, now) != RateDecision::Answer {
        return again(StatusCode::TOO_MANY_REQUESTS, TOO_MANY);
    }
    // A person does not see the field that programs fill in.
    if form.trap.is_empty() {
        ask(&site, pages, &address, now).await?;
    }
    let content = html! {
        h1 { "Look into your mailbox" }
        p role="status" { "If this address does not get " (site.name) " yet, a mail with a link is on its way. Open the link and press the \
                           button on its page. The link is good for two days." }
        p.about { "No mail? Look into the folder for spam. One address gets at most three such mails a day." }
        p { a href="/issues" { "All issues" } }
    };
    let head = PageHead::unlisted(&site, "Look into your mailbox");
    Ok(answer(StatusCode::OK, page(&head, HERE, &content)))
}

async fn ask(
    site: &Site,
    pages: &MailPages,
    address: &MailAddress,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut tx = site.store.write().await?;
    pages.mailing.ask(&mut tx, address, now).await?;
    tx.commit().await?;
    (pages.wake)();
    Ok(())
}

async fn ask_to_confirm(State(site): State<Served>) -> Result<Response, PageError> {
    let asked = format!("Do you want {} by mail?", site.name);
    Ok(answer(
        StatusCode::OK,
        button_page(
            &site,
            &asked,
            "Each issue comes as one mail, about once a week.",
            "Yes, sign me up",
        ),
    ))
}

async fn confirm(
    State(site): State<Served>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let pages = pages_of(&site)?;
    if !is_from_our_page(&headers, &site) {
        let said = said_page(&site, "Not confirmed", STALE_FORM);
        return Ok(answer(StatusCode::BAD_REQUEST, said));
    }
    let mut tx = site.store.write().await?;
    let confirmed = pages
        .mailing
        .confirm(&mut tx, &token, site.clock.now())
        .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    Ok(match confirmed {
        Confirmed::Yes => {
            let what = format!("The next issue of {} comes by mail.", site.name);
            answer(StatusCode::OK, said_page(&site, "You are signed up", &what))
        }
        Confirmed::Stale => answer(
            StatusCode::GONE,
            said_page(&site, "Not confirmed", STALE_LINK),
        ),
    })
}

async fn ask_to_leave(State(site): State<Served>) -> Result<Response, PageError> {
    let asked = format!("No more mail from {}?", site.name);
    Ok(answer(
        StatusCode::OK,
        button_page(
            &site,
            &asked,
            "The address is erased at once.",
            "Unsubscribe",
        ),
    ))
}

/// Leaves: by the button, or by the one click of a mail program (RFC 8058), which may come from anywhere.
async fn leave(
    State(site): State<Served>,
    Path(token): Path<String>,
) -> Result<Response, PageError> {
    let pages = pages_of(&site)?;
    let mut tx = site.store.write().await?;
    let is_off = pages
        .mailing
        .leave(&mut tx, &token, site.clock.now())
        .await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    Ok(match is_off {
        true => answer(
            StatusCode::OK,
            said_page(
                &site,
                "You are unsubscribed",
                "No more mail comes, and the address is erased.",
            ),
        ),
        false => answer(
            StatusCode::NOT_FOUND,
            said_page(
                &site,
                "Not unsubscribed",
                "This link is not complete. Please copy all of it from the mail.",
            ),
        ),
    })
}

/// A page with one button, which posts to the page's own address.
fn button_page(site: &Site, title: &str, about: &str, button: &str) -> Markup {
    let content = html! {
        h1 { (title) }
        p { (about) }
        form method="post" { button type="submit" { (button) } }
    };
    page(&PageHead::unlisted(site, title), HERE, &content)
}

fn said_page(site: &Site, title: &str, what: &str) -> Markup {
    let content = html! {
        h1 { (title) }
        p role="status" { (what) }
        p { a href=(HERE) { "To the form" } }
    };
    page(&PageHead::unlisted(site, title), HERE, &content)
}

/// A page that nobody caches, since it is about one person.
fn answer(status: StatusCode, page: Markup) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], page).into_response()
}

/// The fields of the form.
#[derive(Debug, Default, PartialEq, Eq)]
struct SignUpForm {
    address: String,
    stamp: String,
    /// The field that people leave empty.
    trap: String,
}

impl SignUpForm {
    /// Reads the body of a request. A body that is too long or no form leaves all fields empty.
    async fn read(body: Body) -> Self {
        let bytes = to_bytes(body, FORM_BYTES_MAX).await.unwrap_or_default();
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(&bytes) {
            let field = match &*name {
                "address" => &mut form.address,
                "stamp" => &mut form.stamp,
                "site" => &mut form.trap,
                _ => continue,
            };
            *field = value.into_owned();
        }
        form
    }
}

/// Whether a browser sent the form from a page of ours. Programs that are no browsers do not say.
fn is_from_our_page(headers: &HeaderMap, site: &Site) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text("sec-fetch-site"), text("origin")) {
        (Some(from), _) => matches!(from, "same-origin" | "none"),
        // Our pages send no referrer, and older browsers then send "null".
        (None, None | Some("null")) => true,
        (None, Some(origin)) => {
            let home = url::Url::parse(&site.home);
            home.is_ok_and(|home| home.origin().ascii_serialization() == origin)
        }
    }
}
