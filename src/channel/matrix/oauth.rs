//! OAuth 2.0 at a homeserver: its metadata (MSC2965), registration of the program (RFC 7591), a code that a person confirms in
//! a browser (RFC 8628, MSC4341), and revocation (RFC 7009). The SDK refreshes the tokens.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use url::Url;

use super::settings::{DeviceCode, MatrixSettings, ShowCode, refused};
use super::web::{below, get, meaning, post_form, post_json, read_json, unexpected};
use crate::channel::SendError;
use crate::post::plain;
use crate::source::fetch::{CallError, WebAnswer};

/// Where the metadata is: as specified, and as servers had it before.
const METADATA: [&str; 2] = [
    "_matrix/client/v1/auth_metadata",
    "_matrix/client/unstable/org.matrix.msc2965/auth_metadata",
];
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The scopes for all of the client API, and for one device. Servers know these names longer than those without `msc2967`.
const API_SCOPE: &str = "urn:matrix:org.matrix.msc2967.client:api:*";
const DEVICE_SCOPE: &str = "urn:matrix:org.matrix.msc2967.client:device:";
const DEVICE_ID_CHARS: usize = 10;

/// The pause between two questions whether the code was confirmed, if the server names none (RFC 8628), and its bounds.
const ASK_EVERY: u64 = 5;
const ASK_EVERY_MAX: u64 = 60;
/// The seconds that `slow_down` adds to it.
const SLOWER_BY: Duration = Duration::from_secs(5);
/// The longest time that a code is waited for.
const CODE_VALID_MAX: u64 = 30 * 60;

/// The addresses of an OAuth server.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct OAuthEndpoints {
    token_endpoint: Url,
    #[serde(default)]
    device_authorization_endpoint: Option<Url>,
    #[serde(default)]
    registration_endpoint: Option<Url>,
    #[serde(default)]
    revocation_endpoint: Option<Url>,
    #[serde(default)]
    grant_types_supported: Option<Vec<String>>,
}

/// The tokens of a login.
pub(super) struct OAuthTokens {
    pub(super) client_id: String,
    pub(super) access_token: SecretString,
    pub(super) refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Registration {
    client_id: String,
}

#[derive(Deserialize)]
struct CodeAnswer {
    device_code: String,
    user_code: String,
    verification_uri: Url,
    #[serde(default)]
    verification_uri_complete: Option<Url>,
    expires_in: u64,
    #[serde(default)]
    interval: Option<u64>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct OAuthRefusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl OAuthEndpoints {
    /// Asks the homeserver for its OAuth server; `None` if it has none.
    pub(super) async fn find(
        settings: &MatrixSettings,
        homeserver: &str,
    ) -> Result<Option<Self>, SendError> {
        for path in METADATA {
            let answer = get(settings, below(homeserver, path)?, None).await?;
            match answer.status {
                400..=405 => {}
                _ => return read_json(&answer, "the homeserver's OAuth metadata").map(Some),
            }
        }
        Ok(None)
    }

    /// Whether a person can confirm a code in a browser.
    pub(super) fn gives_codes(&self) -> bool {
        let grants = self.grant_types_supported.as_ref();
        self.device_authorization_endpoint.is_some()
            && grants.is_none_or(|grants| grants.iter().any(|grant| grant == DEVICE_GRANT))
    }

    /// Logs in: registers the program, shows a code, and waits until a person confirms it.
    pub(super) async fn log_in(
        &self,
        settings: &MatrixSettings,
        show: &ShowCode,
    ) -> Result<OAuthTokens, SendError> {
        let endpoint = self.device_authorization_endpoint.as_ref();
        let endpoint = endpoint.filter(|_| self.gives_codes()).ok_or_else(|| {
            refused(format!(
                "{} offers no login with a code; see the other ways that bpfnews matrix login lists",
                settings.homeserver
            ))
        })?;
        let client_id = self.register(settings).await?;
        let device = device_id();
        let scope = format!("{API_SCOPE} {DEVICE_SCOPE}{device}");
        let fields = [("client_id", client_id.as_str()), ("scope", scope.as_str())];
        let answer = post_form(settings, endpoint.clone(), &fields).await;
        let answer = answer.map_err(meaning)?;
        let code: CodeAnswer = read_json(
            &answer,
            "the OAuth server's answer to the request for a code",
        )?;
        let valid_for = Duration::from_secs(code.expires_in.min(CODE_VALID_MAX));
        show(&DeviceCode {
            page: web_page(code.verification_uri)?,
            page_with_code: code.verification_uri_complete.map(web_page).transpose()?,
            code: plain(&code.user_code),
            valid_for,
        });
        let every = code.interval.unwrap_or(ASK_EVERY).clamp(1, ASK_EVERY_MAX);
        let poll = CodePoll {
            client_id: &client_id,
            device_code: &code.device_code,
            valid_for,
        };
        self.wait(settings, &poll, Duration::from_secs(every)).await
    }

    /// Registers bpfnews as a program without a secret; returns its id.
    async fn register(&self, settings: &MatrixSettings) -> Result<String, SendError> {
        let Some(endpoint) = &self.registration_endpoint else {
            return Err(refused(format!(
                "the OAuth server of {} registers no programs by itself; use another way that bpfnews matrix login lists",
                settings.homeserver
            )));
        };
        let about = json!({
            "client_name": "bpfnews",
            "client_uri": settings.page,
            "application_type": "native",
            "grant_types": [DEVICE_GRANT, "refresh_token"],
            "response_types": [],
            "redirect_uris": [],
            "token_endpoint_auth_method": "none",
        });
        let answer = post_json(settings, endpoint.clone(), None, &about).await?;
        let registered: Registration =
            read_json(&answer, "the OAuth server's answer to the registration")?;
        Ok(registered.client_id)
    }

    /// Asks again and again whether the code was confirmed.
    async fn wait(
        &self,
        settings: &MatrixSettings,
        poll: &CodePoll<'_>,
        mut every: Duration,
    ) -> Result<OAuthTokens, SendError> {
        // The server ends the code too; this only bounds the loop.
        let mut waited = Duration::ZERO;
        loop {
            sleep(every).await;
            waited += every;
            if waited >= poll.valid_for {
                return Err(expired());
            }
            let fields = [
                ("grant_type", DEVICE_GRANT),
                ("device_code", poll.device_code),
                ("client_id", poll.client_id),
            ];
            match post_form(settings, self.token_endpoint.clone(), &fields).await {
                Ok(answer) if answer.is_good() => return tokens(&answer, poll.client_id),
                Ok(answer) => match judge(&answer)? {
                    CodeState::Pending => {}
                    CodeState::TooFast => every += SLOWER_BY,
                    CodeState::Busy(wait) => every = every.max(wait),
                },
                Err(error @ CallError::Refused(_)) => return Err(meaning(error)),
                // RFC 8628: after a lost connection, ask less often.
                Err(CallError::Unreachable(_) | CallError::Unknown(_)) => every *= 2,
            }
            every = every.min(Duration::from_secs(ASK_EVERY_MAX));
        }
    }

    /// Ends a session: revokes its tokens.
    pub(super) async fn revoke(
        &self,
        settings: &MatrixSettings,
        client_id: &str,
        (kind, token): (&str, &str),
    ) -> Result<(), SendError> {
        let Some(endpoint) = &self.revocation_endpoint else {
            return Err(refused("the OAuth server cannot revoke tokens"));
        };
        let fields = [
            ("token", token),
            ("token_type_hint", kind),
            ("client_id", client_id),
        ];
        let answer = post_form(settings, endpoint.clone(), &fields).await;
        let answer = answer.map_err(meaning)?;
        match answer.is_good() {
            true => Ok(()),
            false => Err(unexpected(
                &answer,
                "the OAuth server's answer to the revocation",
            )),
        }
    }
}

/// A code that is being confirmed.
struct CodePoll<'a> {
    client_id: &'a str,
    device_code: &'a str,
    valid_for: Duration,
}

/// The state of a code that is not confirmed.
enum CodeState {
    Pending,
    /// Ask less often.
    TooFast,
    /// The server has no time; the least wait.
    Busy(Duration),
}

fn judge(answer: &WebAnswer) -> Result<CodeState, SendError> {
    if matches!(answer.status, 408 | 429 | 500..=599) {
        let wait = answer.retry_after.unwrap_or(SLOWER_BY);
        return Ok(CodeState::Busy(wait));
    }
    let Ok(refusal) = serde_json::from_slice::<OAuthRefusal>(&answer.body) else {
        return Err(unexpected(answer, "the OAuth server's answer"));
    };
    match refusal.error.as_str() {
        "authorization_pending" => Ok(CodeState::Pending),
        "slow_down" => Ok(CodeState::TooFast),
        "access_denied" => Err(refused(
            "the login was declined in the browser. Run bpfnews matrix login again, and confirm it",
        )),
        "expired_token" => Err(expired()),
        other => Err(refused(format!(
            "the OAuth server refuses the login: {} {}",
            plain(other),
            plain(&refusal.error_description)
        ))),
    }
}

fn expired() -> SendError {
    refused("nobody confirmed the code in time. Run bpfnews matrix login again")
}

fn tokens(answer: &WebAnswer, client_id: &str) -> Result<OAuthTokens, SendError> {
    let given: TokenAnswer = read_json(answer, "the OAuth server's answer with the tokens")?;
    if !given.token_type.eq_ignore_ascii_case("bearer") {
        return Err(refused(format!(
            "the OAuth server gives tokens of the type {}, which bpfnews cannot use",
            plain(&given.token_type)
        )));
    }
    Ok(OAuthTokens {
        client_id: client_id.to_owned(),
        access_token: given.access_token.into(),
        refresh_token: given.refresh_token,
    })
}

/// A page that a person is asked to open.
fn web_page(url: Url) -> Result<Url, SendError> {
    match matches!(url.scheme(), "https" | "http") {
        true => Ok(url),
        false => Err(refused(format!(
            "the OAuth server names a page that is not on the web: {}",
            plain(url.as_str())
        ))),
    }
}

fn device_id() -> String {
    let letter = |_| char::from(b'A' + fastrand::u8(0..26));
    (0..DEVICE_ID_CHARS).map(letter).collect()
}
