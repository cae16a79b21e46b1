//! Finds a homeserver's address, and asks which ways to log in it offers.

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::oauth::OAuthEndpoints;
use super::settings::{MatrixSettings, refused};
use super::web::{below, get, read_json, unexpected};
use crate::channel::SendError;

/// The ways to log in that a homeserver offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoginOffer {
    /// The address of the homeserver.
    pub homeserver: String,
    /// With a password (`m.login.password`).
    pub password: bool,
    /// With a token for one login (`m.login.token`).
    pub login_token: bool,
    /// On a page of the server (`m.login.sso`), which then gives such a token.
    pub single_sign_on: bool,
    /// By OAuth 2.0, with a code that a person confirms in a browser.
    pub device_code: bool,
    /// By OAuth 2.0, but not with such a code.
    pub other_oauth: bool,
    /// The types that bpfnews does not know.
    pub unknown: Vec<String>,
}

/// The longest list of types, and the longest type.
const UNKNOWN_MAX: usize = 10;

/// The address of the homeserver: as configured, or as the server's `.well-known` names it.
pub(super) async fn address(settings: &MatrixSettings) -> Result<String, SendError> {
    if !settings.names_server() {
        return Ok(settings.homeserver.clone());
    }
    let name = &settings.homeserver;
    // As for a configured address: http only for this computer.
    let is_own = name.starts_with("127.") || name.starts_with("localhost");
    let scheme = if is_own { "http" } else { "https" };
    let document = below(&format!("{scheme}://{name}"), ".well-known/matrix/client")?;
    let shown = document.to_string();
    let answer = get(settings, document, None).await?;
    if answer.status == 404 {
        return Err(refused(format!(
            "{shown} does not exist, so the server does not say where its homeserver is. Set homeserver under [matrix] to \
             the homeserver's address, such as \"https://matrix.{name}\""
        )));
    }
    let named: WellKnown = read_json(&answer, &format!("the answer of {shown}"))?;
    let base = Url::parse(&named.homeserver.base_url)
        .ok()
        .filter(|base| base.has_host() && base.query().is_none() && base.fragment().is_none());
    let base = base.ok_or_else(|| {
        refused(format!(
            "{shown} names {:?} as homeserver, which is not an address; its administrator must correct it",
            crate::post::plain(&named.homeserver.base_url)
        ))
    })?;
    let address = base.as_str().trim_end_matches('/').to_owned();
    // The same rules for addresses apply to the homeserver, and something must answer there.
    let versions = get(settings, below(&address, "_matrix/client/versions")?, None).await?;
    match versions.is_good() {
        true => Ok(address),
        false => Err(unexpected(
            &versions,
            &format!("the answer of the homeserver {address}"),
        )),
    }
}

#[derive(Deserialize)]
struct WellKnown {
    #[serde(rename = "m.homeserver")]
    homeserver: WellKnownAddress,
}

#[derive(Deserialize)]
struct WellKnownAddress {
    base_url: String,
}

/// Asks which ways to log in the homeserver offers.
///
/// # Errors
///
/// Returns an error if the homeserver cannot be found or asked.
pub(super) async fn offer(settings: &MatrixSettings) -> Result<LoginOffer, SendError> {
    let homeserver = address(settings).await?;
    let mut offer = LoginOffer {
        homeserver: homeserver.clone(),
        ..LoginOffer::default()
    };
    let answer = get(
        settings,
        below(&homeserver, "_matrix/client/v3/login")?,
        None,
    )
    .await?;
    match answer.status {
        // A server that knows only OAuth 2.0.
        400 | 403..=405 => {}
        _ => read_flows(
            &read_json(&answer, "the homeserver's list of ways to log in")?,
            &mut offer,
        ),
    }
    if let Some(server) = OAuthEndpoints::find(settings, &homeserver).await? {
        offer.device_code = server.gives_codes();
        offer.other_oauth = !offer.device_code;
    }
    let is_nothing =
        !(offer.password || offer.login_token || offer.device_code || offer.other_oauth);
    if is_nothing && !answer.is_good() {
        let versions = get(
            settings,
            below(&homeserver, "_matrix/client/versions")?,
            None,
        )
        .await?;
        if !versions.is_good() {
            return Err(no_homeserver(settings, &answer.words()));
        }
    }
    Ok(offer)
}

/// The error for an address at which no homeserver answers.
pub(super) fn no_homeserver(settings: &MatrixSettings, said: &str) -> SendError {
    refused(format!(
        "no Matrix homeserver answers at {}: it says {said}. Set homeserver under [matrix] to the server's name, or to the \
         address that its /.well-known/matrix/client names as base_url",
        settings.homeserver
    ))
}

fn read_flows(answer: &Value, offer: &mut LoginOffer) {
    let flows = answer["flows"].as_array().map_or(&[][..], Vec::as_slice);
    for flow in flows.iter().filter_map(|flow| flow["type"].as_str()) {
        match flow {
            "m.login.password" => offer.password = true,
            "m.login.token" => offer.login_token = true,
            "m.login.sso" => offer.single_sign_on = true,
            other if offer.unknown.len() < UNKNOWN_MAX => {
                let other = crate::post::plain(other);
                offer.unknown.push(crate::item::prose::shorten(&other, 60));
            }
            _ => {}
        }
    }
}
