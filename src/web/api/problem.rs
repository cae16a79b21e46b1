//! Errors of the API: JSON with one sentence for a person.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tracing::error;
use utoipa::ToSchema;

use crate::item::prose::shorten;
use crate::post::plain;

/// The most characters of an error's sentence.
const CHARS_MAX: usize = 400;

/// The body of an error.
#[derive(Serialize, ToSchema)]
pub(super) struct ProblemJson {
    /// A sentence for a person.
    error: String,
}

/// Why a request gets no data.
pub(super) enum ApiProblem {
    /// 400: the program can correct it.
    Bad(String),
    /// 404.
    NotFound(&'static str),
    /// 405.
    NotAllowed,
    /// 429, with the seconds to wait.
    TooMany(u32),
    /// 500.
    Fault(anyhow::Error),
}

pub(super) type ApiResult<T> = Result<T, ApiProblem>;

impl From<anyhow::Error> for ApiProblem {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

impl From<QueryRejection> for ApiProblem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Bad(rejection.body_text())
    }
}

impl From<PathRejection> for ApiProblem {
    fn from(rejection: PathRejection) -> Self {
        Self::Bad(rejection.body_text())
    }
}

impl ApiProblem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The sentence for a person. A fault is logged, and only its number is sent.
    fn sentence(&self) -> String {
        match self {
            Self::Bad(why) => why.clone(),
            Self::NotFound(what) => (*what).to_owned(),
            Self::NotAllowed => "This path answers GET only: the API is for reading.".to_owned(),
            Self::TooMany(seconds) => {
                format!("Too many requests came from your address. Wait for {seconds} seconds.")
            }
            Self::Fault(fault) => {
                let id = format!("{:08x}", fastrand::u32(..));
                error!(id, "a request of the API failed: {fault:#}");
                format!("That failed. It is our fault, and in the log as {id}.")
            }
        }
    }
}

impl IntoResponse for ApiProblem {
    fn into_response(self) -> Response {
        let error = shorten(&plain(&self.sentence()), CHARS_MAX);
        let mut response = (self.status(), Json(ProblemJson { error })).into_response();
        if let Self::TooMany(seconds) = self {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
