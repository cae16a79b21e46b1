//! The form for a free entry, with a picture.

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State};
use axum::response::{IntoResponse, Response};
use maud::html;

use super::DeskState;
use super::act::{ActionEnd, not_changed};
use super::form::{DeskForm, section_list};
use super::refusal::to_desk;
use super::session::DeskSession;
use crate::issue::SectionKind;
use crate::issue::picture::{EncodedPicture, UPLOAD_BYTES_MAX, encode};
use crate::publish::edit::{Desk, NewEntry};
use crate::web::layout::private_page;

/// The most bytes of a form with a picture: the fields and the frames between them come on top.
pub(super) const BODY_BYTES_MAX: usize = UPLOAD_BYTES_MAX + (256 << 10);
/// The most bytes of a field, and the most fields.
const FIELD_BYTES_MAX: usize = 64 << 10;
const FIELDS_MAX: usize = 16;

/// The limit of a body with a picture.
pub(super) fn limit() -> DefaultBodyLimit {
    DefaultBodyLimit::max(BODY_BYTES_MAX)
}

pub(super) async fn form(session: DeskSession) -> Response {
    let content = html! {
        h1 { "Add a free entry" }
        form.text method="post" action="/desk/add" enctype="multipart/form-data" {
            (session.token())
            label for="title" { "Title" }
            input id="title" name="title" maxlength="200" required;
            label for="link" { "Link; may be empty" }
            input id="link" name="link" type="url" maxlength="500";
            label for="text" { "Text in Markdown; may be empty. A new line stays one." }
            textarea id="text" name="text" rows="6" maxlength="2000" {}
            label for="section" { "Section" }
            (section_list("section", Some(SectionKind::Note)))
            label for="picture" { "Picture: PNG, JPEG or WebP, at most " (UPLOAD_BYTES_MAX >> 20) " MB; may be empty" }
            input id="picture" name="picture" type="file" accept="image/png,image/jpeg,image/webp";
            label for="alt" { "What the picture shows, for readers who do not see it" }
            input id="alt" name="alt" maxlength="300";
            button type="submit" { "Add it" }
        }
    };
    private_page("Add a free entry", &content).into_response()
}

pub(super) async fn add(
    State(desk): State<DeskState>,
    session: DeskSession,
    request: Request,
) -> Result<Response, ActionEnd> {
    let multipart = Multipart::from_request(request, &()).await;
    let multipart = multipart.map_err(|_| not_changed("The form is not complete."))?;
    let (form, picture) = fields(multipart).await?;
    session.check(&form)?;
    let picture = match picture {
        Some(bytes) => Some(decode(bytes).await?),
        None => None,
    };
    let editing = Desk {
        by: &session.by,
        destinations: &[],
        now: desk.live.clock.now(),
    };
    let new = NewEntry {
        title: form.get("title"),
        text: form.get("text"),
        link: Some(form.get("link")),
        section: form.section(),
        picture: picture.as_ref().map(|picture| (picture, form.get("alt"))),
    };
    let mut tx = desk.live.store.write().await?;
    let subject = match editing.add(&mut tx, &new).await? {
        Ok((_, subject)) => subject,
        Err(why) => return Err(not_changed(&why.to_string()).into()),
    };
    tx.commit().await.map_err(anyhow::Error::from)?;
    Ok(to_desk(&format!("?did=added#{}", subject.id)))
}

/// The fields, and the bytes of the picture if there is one.
async fn fields(mut multipart: Multipart) -> Result<(DeskForm, Option<Vec<u8>>), ActionEnd> {
    let wrong = |error: MultipartError| {
        not_changed(&format!(
            "The form could not be read: {}. A picture has at most {} MB.",
            crate::post::plain(&error.body_text()),
            UPLOAD_BYTES_MAX >> 20
        ))
    };
    let (mut form, mut picture) = (DeskForm::default(), None);
    for _ in 0..FIELDS_MAX {
        let Some(mut field) = multipart.next_field().await.map_err(wrong)? else {
            break;
        };
        let name = field.name().unwrap_or_default().to_owned();
        let most = match name.as_str() {
            "picture" => UPLOAD_BYTES_MAX,
            _ => FIELD_BYTES_MAX,
        };
        let mut bytes = Vec::new();
        while let Some(chunk) = field.chunk().await.map_err(wrong)? {
            if bytes.len() + chunk.len() > most {
                let text = format!("The field {name:?} has more than {most} bytes.");
                return Err(not_changed(&crate::post::plain(&text)).into());
            }
            bytes.extend_from_slice(&chunk);
        }
        match name.as_str() {
            "picture" => picture = Some(bytes).filter(|bytes| !bytes.is_empty()),
            _ => form.put(name, String::from_utf8_lossy(&bytes).into_owned()),
        }
    }
    Ok((form, picture))
}

/// Decodes and encodes beside the loops, because it takes a while.
async fn decode(bytes: Vec<u8>) -> Result<EncodedPicture, ActionEnd> {
    let encoded = tokio::task::spawn_blocking(move || encode(&bytes));
    let encoded = encoded.await.map_err(anyhow::Error::from)?;
    encoded.map_err(|why| not_changed(&format!("The picture was not taken: {why}.")).into())
}
