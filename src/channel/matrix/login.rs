//! Logs in with a password, and explains refusals.

use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::ruma::api::client::session::get_login_types::v3::LoginType;
use matrix_sdk::ruma::api::error::ErrorKind;
use matrix_sdk::{Client, Error, HttpError};
use secrecy::{ExposeSecret as _, SecretString};

use super::MatrixSettings;
use super::failure::{broken, from_http, from_sdk};
use crate::channel::{Scope, SendError};

/// Logs a new device in.
///
/// # Errors
///
/// Returns an error if the address is not a homeserver, or if it takes no passwords or refuses this one.
pub(super) async fn log_in(
    client: &Client,
    settings: &MatrixSettings,
    password: &SecretString,
) -> Result<MatrixSession, SendError> {
    let auth = client.matrix_auth();
    match auth.get_login_types().await {
        Ok(offered) => check_offer(settings, &offered.flows)?,
        Err(error) => return Err(no_offer(client, settings, &error).await),
    }
    let login = auth.login_username(&settings.user, password.expose_secret());
    let login = login.initial_device_display_name("bpfnews").send().await;
    login.map_err(|error| refused(settings, error))?;
    auth.session()
        .ok_or_else(|| broken("the login returned no session"))
}

fn never(why: String) -> SendError {
    SendError::Never {
        scope: Scope::Platform,
        why,
    }
}

fn check_offer(settings: &MatrixSettings, flows: &[LoginType]) -> Result<(), SendError> {
    if flows
        .iter()
        .any(|flow| matches!(flow, LoginType::Password(_)))
    {
        return Ok(());
    }
    let offered: Vec<&str> = flows.iter().map(LoginType::login_type).collect();
    Err(no_passwords(settings, &offered.join(", ")))
}

/// The error for a server that allows logins on its own web pages only.
fn no_passwords(settings: &MatrixSettings, offered: &str) -> SendError {
    let offered = match offered {
        "" => String::new(),
        offered => format!(" (it offers {offered})"),
    };
    never(format!(
        "{} takes no passwords{offered}: it only lets accounts log in by OAuth in a browser, which a bot cannot do. Use an \
         account on a homeserver that takes a password",
        settings.homeserver
    ))
}

/// The error for a server that does not list its ways to log in.
async fn no_offer(client: &Client, settings: &MatrixSettings, error: &HttpError) -> SendError {
    let is_unknown = error
        .as_client_api_error()
        .is_some_and(|error| matches!(error.status_code.as_u16(), 400..=499 if error.status_code.as_u16() != 429));
    if !is_unknown {
        return from_http(error);
    }
    match client.supported_versions().await {
        Ok(_) => no_passwords(settings, ""),
        Err(_) => never(format!(
            "no Matrix homeserver answers at {}: it says {error}. Set homeserver under [matrix] to the address that \
             the server's /.well-known/matrix/client names as base_url",
            settings.homeserver
        )),
    }
}

/// The meaning of a refused login.
fn refused(settings: &MatrixSettings, error: Error) -> SendError {
    let user = &settings.user;
    let kind = error.client_api_error_kind().cloned();
    let said = error.to_string();
    match (kind, from_sdk(error)) {
        (Some(ErrorKind::Forbidden), _) => never(format!(
            "{user} cannot log in: the homeserver refuses the name or the password. Check user and the password under \
             [matrix] [{said}]"
        )),
        (
            Some(ErrorKind::UserDeactivated | ErrorKind::UserLocked | ErrorKind::UserSuspended),
            _,
        ) => never(format!(
            "{user} cannot log in: the account is closed [{said}]"
        )),
        (Some(ErrorKind::Unrecognized), _) => no_passwords(settings, ""),
        (_, SendError::Never { .. }) => never(format!("{user} cannot log in [{said}]")),
        (_, other) => other,
    }
}
