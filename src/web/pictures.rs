//! Pictures of free entries. Their names are hashes, so a cache may keep them for good.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::answer::PageError;
use super::site::Served;
use crate::issue::picture::content_type;
use crate::store::pictures;

/// How long caches keep a picture.
const CACHE_FOR: &str = "public, max-age=31536000, immutable";

pub(super) async fn picture(
    State(site): State<Served>,
    Path(file): Path<String>,
) -> Result<Response, PageError> {
    const NO_PICTURE: PageError = PageError::Nothing("There is no such picture.");
    let kind = content_type(&file).ok_or(NO_PICTURE)?;
    let body = pictures::picture(site.store.read().into(), &file).await?;
    let body = body.ok_or(NO_PICTURE)?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, CACHE_FOR),
    ];
    Ok((headers, body).into_response())
}
