//! Logs a new device in, and explains refusals.

use matrix_sdk::authentication::matrix::MatrixSession;
use matrix_sdk::authentication::oauth::{ClientId, OAuthSession, UserSession};
use matrix_sdk::ruma::UserId;
use matrix_sdk::ruma::api::client::session::get_login_types::v3::LoginType;
use matrix_sdk::ruma::api::error::ErrorKind;
use matrix_sdk::store::RoomLoadSettings;
use matrix_sdk::{Client, Error, HttpError, SessionMeta, SessionTokens};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{broken, from_http, from_sdk};
use super::oauth::OAuthEndpoints;
use super::offer::no_homeserver;
use super::settings::{LoginWay, MatrixSettings, refused};
use super::web::{below, get, post_json, read_json, unexpected};
use crate::channel::SendError;
use crate::post::plain;

/// A session, and the id of the program at the OAuth server if it is one of OAuth.
pub(super) struct NewSession {
    pub(super) session: MatrixSession,
    pub(super) client_id: Option<String>,
}

/// Logs a new device in.
///
/// # Errors
///
/// Returns an error if the address is not a homeserver, or if it does not offer the way or refuses the secret.
pub(super) async fn log_in(
    client: &Client,
    settings: &MatrixSettings,
    homeserver: &str,
    way: &LoginWay,
) -> Result<NewSession, SendError> {
    match way {
        LoginWay::Password(password) => with_password(client, settings, password).await,
        LoginWay::LoginToken(token) => with_login_token(client, settings, token).await,
        LoginWay::AccessToken(token) => {
            let session = whose(settings, homeserver, token, None).await?;
            refuse_used_device(settings, homeserver, token, &session.meta).await?;
            restore(client, session, None).await
        }
        LoginWay::DeviceCode(show) => {
            let server = OAuthEndpoints::find(settings, homeserver).await?;
            let server = server.ok_or_else(|| {
                refused(format!(
                    "{} offers no login by OAuth; see the other ways that bpfnews matrix login lists",
                    settings.homeserver
                ))
            })?;
            let tokens = server.log_in(settings, show).await?;
            let session = whose(
                settings,
                homeserver,
                &tokens.access_token,
                tokens.refresh_token,
            );
            restore(client, session.await?, Some(tokens.client_id)).await
        }
    }
}

/// Gives a session to the client.
pub(super) async fn restore(
    client: &Client,
    session: MatrixSession,
    client_id: Option<String>,
) -> Result<NewSession, SendError> {
    let rooms = RoomLoadSettings::default();
    let restored = match &client_id {
        None => {
            client
                .matrix_auth()
                .restore_session(session.clone(), rooms)
                .await
        }
        Some(id) => {
            let user = UserSession {
                meta: session.meta.clone(),
                tokens: session.tokens.clone(),
            };
            let client_id = ClientId::new(id.clone());
            let session = OAuthSession { client_id, user };
            client.oauth().restore_session(session, rooms).await
        }
    };
    restored.map_err(from_sdk)?;
    Ok(NewSession { session, client_id })
}

async fn with_password(
    client: &Client,
    settings: &MatrixSettings,
    password: &SecretString,
) -> Result<NewSession, SendError> {
    check_offer(client, settings, "passwords", |flow| {
        matches!(flow, LoginType::Password(_))
    })
    .await?;
    let login = client.matrix_auth();
    let login = login.login_username(&settings.user, password.expose_secret());
    let login = login.initial_device_display_name("bpfnews").send().await;
    login.map_err(|error| explain(settings, "the name or the password", error))?;
    logged_in(client)
}

async fn with_login_token(
    client: &Client,
    settings: &MatrixSettings,
    token: &SecretString,
) -> Result<NewSession, SendError> {
    check_offer(client, settings, "login tokens", |flow| {
        matches!(flow, LoginType::Token(_))
    })
    .await?;
    let login = client.matrix_auth().login_token(token.expose_secret());
    let login = login.initial_device_display_name("bpfnews").send().await;
    let login = login.map_err(|error| explain(settings, "the login token", error))?;
    if !is_same(settings, login.user_id.as_str()) {
        // The device is of no use to anybody.
        let _ = client.matrix_auth().logout().await;
        return Err(other_account(settings, login.user_id.as_str()));
    }
    logged_in(client)
}

fn logged_in(client: &Client) -> Result<NewSession, SendError> {
    let session = client.matrix_auth().session();
    let session = session.ok_or_else(|| broken("the login returned no session"))?;
    Ok(NewSession {
        session,
        client_id: None,
    })
}

fn is_same(settings: &MatrixSettings, user: &str) -> bool {
    user.eq_ignore_ascii_case(&settings.user)
}

fn other_account(settings: &MatrixSettings, user: &str) -> SendError {
    refused(format!(
        "that was the login of {}, and user under [matrix] is {}: log in as that account, or correct user",
        plain(user),
        settings.user
    ))
}

#[derive(Deserialize)]
struct TokenOwner {
    user_id: String,
    #[serde(default)]
    device_id: Option<String>,
}

/// The session of an access token: asks the homeserver for its account and device.
async fn whose(
    settings: &MatrixSettings,
    homeserver: &str,
    token: &SecretString,
    refresh_token: Option<String>,
) -> Result<MatrixSession, SendError> {
    let url = below(homeserver, "_matrix/client/v3/account/whoami")?;
    let answer = get(settings, url, Some(token)).await?;
    if answer.status == 401 {
        return Err(refused(format!(
            "{} does not know the access token: it was revoked, or it belongs to another server. Make a new one [{}]",
            settings.homeserver,
            answer.words()
        )));
    }
    let owner: TokenOwner = read_json(&answer, "the homeserver's answer to whoami")?;
    if !is_same(settings, &owner.user_id) {
        return Err(other_account(settings, &owner.user_id));
    }
    let device = owner.device_id.ok_or_else(|| {
        refused(
            "the access token belongs to no device, so it cannot read or write encrypted rooms. Take the token of a login \
             (POST /_matrix/client/v3/login), which has a device",
        )
    })?;
    let user = UserId::parse(&owner.user_id);
    let user_id =
        user.map_err(|error| refused(format!("the homeserver names a wrong account: {error}")))?;
    Ok(MatrixSession {
        meta: SessionMeta {
            user_id,
            device_id: device.into(),
        },
        tokens: SessionTokens {
            access_token: token.expose_secret().to_owned(),
            refresh_token,
        },
    })
}

/// Refuses a device that has keys already: they belong to another program, and two programs on one device break encryption.
async fn refuse_used_device(
    settings: &MatrixSettings,
    homeserver: &str,
    token: &SecretString,
    meta: &SessionMeta,
) -> Result<(), SendError> {
    let (user, device) = (meta.user_id.as_str(), meta.device_id.as_str());
    let url = below(homeserver, "_matrix/client/v3/keys/query")?;
    let asked = json!({"device_keys": {user: [device]}});
    let answer = post_json(settings, url, Some(token), &asked).await?;
    let keys: Value = match answer.is_good() {
        true => read_json(&answer, "the homeserver's list of keys")?,
        false => return Err(unexpected(&answer, "the homeserver's list of keys")),
    };
    match keys["device_keys"][user][device].is_null() {
        true => Ok(()),
        false => Err(refused(format!(
            "the access token belongs to the device {}, whose keys another program made. Two programs on one device break \
             encryption: log in once more for bpfnews alone, and give the token of that login",
            plain(device)
        ))),
    }
}

/// Asks for the ways to log in, because a refusal does not name them.
async fn check_offer(
    client: &Client,
    settings: &MatrixSettings,
    what: &str,
    is_it: fn(&LoginType) -> bool,
) -> Result<(), SendError> {
    match client.matrix_auth().get_login_types().await {
        Ok(offered) if offered.flows.iter().any(is_it) => Ok(()),
        Ok(offered) => {
            let offered: Vec<&str> = offered.flows.iter().map(LoginType::login_type).collect();
            Err(not_offered(settings, what, &offered.join(", ")))
        }
        Err(error) => Err(no_offer(client, settings, what, &error).await),
    }
}

fn not_offered(settings: &MatrixSettings, what: &str, offered: &str) -> SendError {
    let offered = match offered {
        "" => String::new(),
        offered => format!(" (it offers {})", plain(offered)),
    };
    refused(format!(
        "{} takes no {what}{offered}. bpfnews matrix login lists the ways that it offers, and logs in by OAuth with a code \
         if the server can",
        settings.homeserver
    ))
}

/// The error for a server that does not list its ways to log in.
async fn no_offer(
    client: &Client,
    settings: &MatrixSettings,
    what: &str,
    error: &HttpError,
) -> SendError {
    let is_unknown = error
        .as_client_api_error()
        .is_some_and(|error| matches!(error.status_code.as_u16(), 400..=499 if error.status_code.as_u16() != 429));
    if !is_unknown {
        return from_http(error);
    }
    match client.supported_versions().await {
        Ok(_) => not_offered(settings, what, ""),
        Err(_) => no_homeserver(settings, &error.to_string()),
    }
}

/// The meaning of a refused login.
fn explain(settings: &MatrixSettings, secret: &str, error: Error) -> SendError {
    let user = &settings.user;
    let kind = error.client_api_error_kind().cloned();
    let said = error.to_string();
    match (kind, from_sdk(error)) {
        (Some(ErrorKind::Forbidden), _) => refused(format!(
            "{user} cannot log in: the homeserver refuses {secret}. Check user and the secret under [matrix] [{said}]"
        )),
        (
            Some(ErrorKind::UserDeactivated | ErrorKind::UserLocked | ErrorKind::UserSuspended),
            _,
        ) => refused(format!(
            "{user} cannot log in: the account is closed [{said}]"
        )),
        (Some(ErrorKind::Unrecognized), _) => not_offered(settings, "such logins", ""),
        (_, SendError::Never { .. }) => refused(format!("{user} cannot log in [{said}]")),
        (_, other) => other,
    }
}
