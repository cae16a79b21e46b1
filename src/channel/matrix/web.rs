//! Requests of a login that the SDK does not send: to a server's `.well-known`, to its OAuth server, and with a token that does
//! not belong to the client yet.

use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

use super::settings::{MatrixSettings, refused};
use crate::channel::{Scope, SendError};
use crate::source::fetch::{CallError, WebAnswer, WebCall};

/// The wait before a request that failed for now is worth repeating.
const LATER: std::time::Duration = std::time::Duration::from_secs(30);

/// An address below another one. Both may come with or without a slash between them.
pub(super) fn below(base: &str, path: &str) -> Result<Url, SendError> {
    let text = format!("{}/{}", base.trim_end_matches('/'), path);
    Url::parse(&text).map_err(|error| refused(format!("{base:?} is not an address: {error}")))
}

/// Asks for an address; any status is an answer.
pub(super) async fn get(
    settings: &MatrixSettings,
    url: Url,
    token: Option<&SecretString>,
) -> Result<WebAnswer, SendError> {
    send(settings, url, token, None).await
}

/// Posts a form, as OAuth 2.0 has it.
pub(super) async fn post_form(
    settings: &MatrixSettings,
    url: Url,
    fields: &[(&str, &str)],
) -> Result<WebAnswer, CallError> {
    let form = Serializer::new(String::new()).extend_pairs(fields).finish();
    let call = WebCall {
        url,
        headers: vec![
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
            ("accept", "application/json".to_owned()),
        ],
        body: Some(form.into_bytes()),
    };
    settings.web.call(&call).await
}

/// Posts JSON.
pub(super) async fn post_json(
    settings: &MatrixSettings,
    url: Url,
    token: Option<&SecretString>,
    body: &Value,
) -> Result<WebAnswer, SendError> {
    send(settings, url, token, Some(body.to_string().into_bytes())).await
}

async fn send(
    settings: &MatrixSettings,
    url: Url,
    token: Option<&SecretString>,
    body: Option<Vec<u8>>,
) -> Result<WebAnswer, SendError> {
    let mut headers = vec![("accept", "application/json".to_owned())];
    if let Some(token) = token {
        headers.push(("authorization", format!("Bearer {}", token.expose_secret())));
    }
    if body.is_some() {
        headers.push(("content-type", "application/json".to_owned()));
    }
    let call = WebCall { url, headers, body };
    settings.web.call(&call).await.map_err(meaning)
}

/// The meaning of a missing answer: nothing is lost, so it can be tried again.
pub(super) fn meaning(error: CallError) -> SendError {
    match error {
        CallError::Refused(why) => refused(format!("Matrix: {why}")),
        CallError::Unreachable(why) | CallError::Unknown(why) => SendError::Later {
            after: LATER,
            scope: Scope::Platform,
            why: format!("Matrix: {why}"),
        },
    }
}

/// Reads the JSON of a good answer; `what` names it in the error.
pub(super) fn read_json<T: DeserializeOwned>(
    answer: &WebAnswer,
    what: &str,
) -> Result<T, SendError> {
    if !answer.is_good() {
        return Err(unexpected(answer, what));
    }
    serde_json::from_slice(&answer.body).map_err(|error| {
        refused(format!(
            "{what} makes no sense ({error}): {}",
            answer.words()
        ))
    })
}

/// The error for an answer that is not good.
pub(super) fn unexpected(answer: &WebAnswer, what: &str) -> SendError {
    let why = format!("{what} is status {}: {}", answer.status, answer.words());
    match answer.status {
        408 | 429 | 500..=599 => SendError::Later {
            after: answer.retry_after.unwrap_or(LATER),
            scope: Scope::Platform,
            why,
        },
        _ => refused(why),
    }
}
