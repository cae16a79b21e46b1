//! Logs the saved device out, before another one logs in.

use secrecy::SecretString;
use serde_json::json;

use super::oauth::OAuthEndpoints;
use super::offer::{LoginOffer, offer};
use super::session::{self, SavedSession};
use super::settings::{MatrixSettings, refused};
use super::web::{below, post_json, unexpected};
use crate::channel::SendError;

impl MatrixSettings {
    /// Asks which ways to log in the homeserver offers.
    ///
    /// # Errors
    ///
    /// Returns an error if the homeserver cannot be found or asked.
    pub async fn offer(&self) -> Result<LoginOffer, SendError> {
        offer(self).await
    }

    /// Logs the saved device out and deletes its session, so that the next login creates a new device. Returns the reason if
    /// the server did not log it out; the session is deleted all the same.
    ///
    /// # Errors
    ///
    /// Returns an error if another process uses the session, if it belongs to another account, or if it cannot be deleted.
    pub async fn forget(&self) -> Result<Option<String>, SendError> {
        let saved = session::read_saved(self)?;
        let ended = match &saved {
            Some(saved) => log_out(self, saved).await,
            None => Ok(()),
        };
        session::forget(self)?;
        Ok(ended.err().map(|error| error.to_string()))
    }
}

/// Ends the session at the server. A session that the server does not know any more has ended.
async fn log_out(settings: &MatrixSettings, saved: &SavedSession) -> Result<(), SendError> {
    let tokens = &saved.session.tokens;
    if let Some(client_id) = &saved.client_id {
        let server = OAuthEndpoints::find(settings, &saved.homeserver).await?;
        let server =
            server.ok_or_else(|| refused("the homeserver has no OAuth server any more"))?;
        // The access token may have expired.
        let token = match &tokens.refresh_token {
            Some(token) => ("refresh_token", token.as_str()),
            None => ("access_token", tokens.access_token.as_str()),
        };
        return server.revoke(settings, client_id, token).await;
    }
    let url = below(&saved.homeserver, "_matrix/client/v3/logout")?;
    let token = SecretString::from(tokens.access_token.clone());
    let answer = post_json(settings, url, Some(&token), &json!({})).await?;
    match answer.status {
        401 => Ok(()),
        _ if answer.is_good() => Ok(()),
        _ => Err(unexpected(&answer, "the homeserver's answer to the logout")),
    }
}
