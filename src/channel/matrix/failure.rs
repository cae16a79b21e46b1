//! The meaning of errors of the homeserver, or of the connection to it, for a delivery.

use std::time::Duration;

use matrix_sdk::authentication::oauth::OAuthError;
use matrix_sdk::authentication::oauth::error::{BasicErrorResponseType, RequestTokenError};
use matrix_sdk::ruma::api::error::{ErrorKind, RetryAfter};
use matrix_sdk::{ClientBuildError, Error, HttpError, RefreshTokenError};

use crate::channel::{Scope, SendError};

/// The wait if a server asks to slow down without a time.
const SLOWER: Duration = Duration::from_secs(5);

/// The advice for a session that the server ended.
const LOGGED_OUT: &str = "The bot was logged out. `bpfnews matrix login --anew` logs it in again, and `bpfnews matrix recover` \
                          makes that device trusted.";

/// The meaning of an error of the SDK.
pub(super) fn from_sdk(error: Error) -> SendError {
    let status = match &error {
        Error::Http(error) if is_refresh_refused(error) => return no_refresh(error),
        Error::Http(error) => status_of(error),
        _ => None,
    };
    decide(error.client_api_error_kind(), status, &error.to_string())
}

/// The same for a plain request.
pub(super) fn from_http(error: &HttpError) -> SendError {
    if is_refresh_refused(error) {
        return no_refresh(error);
    }
    decide(
        error.client_api_error_kind(),
        status_of(error),
        &error.to_string(),
    )
}

/// Whether the server does not give new tokens for the old ones any more.
fn is_refresh_refused(error: &HttpError) -> bool {
    match error {
        HttpError::RefreshToken(RefreshTokenError::OAuth(error)) => matches!(
            &**error,
            OAuthError::RefreshToken(RequestTokenError::ServerResponse(answer))
                if *answer.error() == BasicErrorResponseType::InvalidGrant
        ),
        HttpError::RefreshToken(RefreshTokenError::MatrixAuth(error)) => matches!(
            error.client_api_error_kind(),
            Some(ErrorKind::UnknownToken { .. })
        ),
        _ => false,
    }
}

fn no_refresh(error: &HttpError) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why: format!("the server no longer refreshes the session: {error}. {LOGGED_OUT}"),
    }
}

/// The same for setting up the client.
pub(super) fn from_setup(error: ClientBuildError) -> SendError {
    match error {
        ClientBuildError::Url(_) | ClientBuildError::SqliteStore(_) => SendError::Never {
            scope: Scope::Platform,
            why: format!("Matrix cannot be set up: {error}"),
        },
        other => broken(&other.to_string()),
    }
}

/// An error with an unknown outcome.
pub(super) fn broken(why: &str) -> SendError {
    SendError::Unknown {
        why: format!("Matrix: {why}"),
    }
}

fn status_of(error: &HttpError) -> Option<u16> {
    let error = error.as_client_api_error()?;
    Some(error.status_code.as_u16())
}

fn decide(kind: Option<&ErrorKind>, status: Option<u16>, said: &str) -> SendError {
    let never = |scope, hint: &str| SendError::Never {
        scope,
        why: format!("the homeserver says: {said}. {hint}"),
    };
    match (kind, status) {
        (Some(ErrorKind::LimitExceeded(limit)), _) => SendError::Later {
            after: match limit.retry_after {
                Some(RetryAfter::Delay(delay)) => delay,
                _ => SLOWER,
            },
            scope: Scope::Platform,
            why: "the homeserver asks to slow down".to_owned(),
        },
        (_, Some(429)) => SendError::Later {
            after: SLOWER,
            scope: Scope::Platform,
            why: "a proxy before the homeserver asks to slow down".to_owned(),
        },
        (Some(ErrorKind::UnknownToken { .. } | ErrorKind::MissingToken), _) => {
            never(Scope::Platform, LOGGED_OUT)
        }
        (
            Some(ErrorKind::UserDeactivated | ErrorKind::UserLocked | ErrorKind::UserSuspended),
            _,
        ) => never(Scope::Platform, "The bot's account is closed."),
        (Some(ErrorKind::TooLarge), _) | (_, Some(413)) => never(Scope::Delivery, ""),
        (Some(ErrorKind::Forbidden), _) | (_, Some(403)) => never(
            Scope::Channel,
            "Invite the bot to the room, and let it send messages there.",
        ),
        (Some(ErrorKind::NotFound), _) | (_, Some(404)) => never(
            Scope::Channel,
            "Check the room's id, and that the bot was invited.",
        ),
        (_, Some(status)) if (400..500).contains(&status) && status != 408 => {
            never(Scope::Delivery, "")
        }
        // No response, or an invalid one: the request may have succeeded.
        _ => broken(said),
    }
}

#[cfg(test)]
mod tests {
    use matrix_sdk::ruma::api::error::LimitExceededErrorData;

    use super::*;

    /// The variant, or the scope of a permanent error.
    fn short(error: &SendError) -> &'static str {
        match error {
            SendError::Later { .. } => "later",
            SendError::Unknown { .. } => "unknown",
            SendError::Failed { .. } => "failed",
            SendError::Replaced { .. } => "replaced",
            SendError::Gone => "gone",
            SendError::Refused { .. } => "refused",
            SendError::Never { scope, .. } => match scope {
                Scope::Delivery => "delivery",
                Scope::Channel => "channel",
                Scope::Platform => "platform",
            },
        }
    }

    #[test]
    fn an_error_carries_the_decision() {
        let slow = ErrorKind::LimitExceeded(LimitExceededErrorData::new());
        #[rustfmt::skip]
        let table = [
            (Some(slow), Some(429), "later"),
            (Some(ErrorKind::MissingToken), Some(401), "platform"),
            (Some(ErrorKind::UserDeactivated), Some(403), "platform"),
            (Some(ErrorKind::TooLarge), Some(413), "delivery"),
            (Some(ErrorKind::Forbidden), Some(403), "channel"),
            (Some(ErrorKind::NotFound), Some(404), "channel"),
            (Some(ErrorKind::BadJson), Some(400), "delivery"),
            // Responses of a proxy.
            (None, Some(413), "delivery"),
            (None, Some(403), "channel"),
            (None, Some(408), "unknown"),
            (None, Some(429), "later"),
            (None, Some(500), "unknown"),
            (None, Some(502), "unknown"),
            (None, Some(504), "unknown"),
            (None, None, "unknown"),
        ];
        for (kind, status, right) in table {
            let decided = decide(kind.as_ref(), status, "words");
            assert_eq!(short(&decided), right, "{kind:?} {status:?}");
        }
    }
}
