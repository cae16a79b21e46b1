//! A simulated OAuth 2.0 server, by the specifications: metadata (MSC2965), registration (RFC 7591), codes for a browser
//! (RFC 8628), refresh tokens that are valid once (RFC 6749, 9700), revocation (RFC 7009). It checks all requests.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::server::ValidTokens;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The reaction of the person, or of the server, to the next request for tokens.
#[derive(Debug, Clone, Copy)]
pub(super) enum CodeStep {
    Pending,
    SlowDown,
    Approve,
    Deny,
    Expire,
    Status(u16),
    /// The answer is cut off.
    Cut,
    /// An error that is in no specification.
    Strange,
}

pub(super) struct OAuthState {
    pub(super) steps: VecDeque<CodeStep>,
    /// The seconds between two requests; `slow_down` makes them longer.
    pub(super) interval: f64,
    pub(super) code_valid_s: u64,
    /// The time for which an access token is valid.
    pub(super) token_valid: Duration,
    pub(super) registers: bool,
    clients: usize,
    asked_at: Option<Instant>,
    /// Requests that arrived too early, and requests that break a rule.
    pub(super) broken: Vec<String>,
    /// The refresh token that is valid now.
    refresh: Option<String>,
    pub(super) given: usize,
    pub(super) revoked: Vec<String>,
    valid: ValidTokens,
}

pub(super) struct OAuthDouble {
    pub(super) url: String,
    state: Arc<Mutex<OAuthState>>,
    pub(super) valid: ValidTokens,
}

impl OAuthDouble {
    pub(super) async fn start(steps: &[CodeStep]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let valid = ValidTokens::default();
        let state = Arc::new(Mutex::new(OAuthState {
            steps: steps.iter().copied().collect(),
            interval: 1.0,
            code_valid_s: 60,
            token_valid: Duration::from_secs(600),
            registers: true,
            clients: 0,
            asked_at: None,
            broken: Vec::new(),
            refresh: None,
            given: 0,
            revoked: Vec::new(),
            valid: Arc::clone(&valid),
        }));
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, state, valid }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, OAuthState> {
        self.state.lock().expect("no holder panics")
    }

    /// All access tokens expire now.
    pub(super) fn expire(&self) {
        let past = Instant::now() - Duration::from_millis(1);
        for until in self.valid.lock().expect("no holder panics").values_mut() {
            *until = past;
        }
    }
}

/// The metadata that a homeserver shows.
pub(super) fn metadata(url: &str) -> Value {
    json!({
        "issuer": format!("{url}/"),
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "registration_endpoint": format!("{url}/register"),
        "revocation_endpoint": format!("{url}/revoke"),
        "device_authorization_endpoint": format!("{url}/device"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment"],
        "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
        "code_challenge_methods_supported": ["S256"],
    })
}

fn plain(status: u16, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).expect("tests name real ones");
    let kind = "application/json".parse().expect("plain text");
    response.headers_mut().insert("content-type", kind);
    response
}

fn error(code: &str) -> Response {
    plain(
        400,
        &json!({"error": code, "error_description": "as the test wants it"}),
    )
}

async fn answer(Shared(state): Shared<Arc<Mutex<OAuthState>>>, uri: Uri, body: Bytes) -> Response {
    let mut state = state.lock().expect("no holder panics");
    let form: HashMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    match uri.path() {
        "/register" => register(&mut state, &body),
        "/device" => {
            let scopes: Vec<&str> = field("scope").split(' ').collect();
            let is_right = field("client_id") == format!("client-{}", state.clients)
                && scopes.contains(&"urn:matrix:org.matrix.msc2967.client:api:*")
                && scopes.iter().any(|scope| {
                    let device = scope.strip_prefix("urn:matrix:org.matrix.msc2967.client:device:");
                    device.is_some_and(|device| device.len() >= 10)
                });
            if !is_right {
                return error("invalid_scope");
            }
            state.asked_at = Some(Instant::now());
            plain(
                200,
                &json!({
                    "device_code": "secret device code", "user_code": "WDJB-MJHT", "expires_in": state.code_valid_s,
                    "verification_uri": "https://auth.example/link",
                    "verification_uri_complete": "https://auth.example/link?code=WDJB-MJHT", "interval": 1,
                }),
            )
        }
        "/token" if field("grant_type") == DEVICE_GRANT => {
            if field("device_code") != "secret device code" || field("client_id").is_empty() {
                state.broken.push(format!("{form:?}"));
            }
            code(&mut state)
        }
        "/token" if field("grant_type") == "refresh_token" => {
            if state.refresh.as_deref() != Some(field("refresh_token")) {
                state.broken.push("an old refresh token".to_owned());
                return error("invalid_grant");
            }
            tokens(&mut state)
        }
        "/revoke" => {
            state
                .revoked
                .push(format!("{} {}", field("token_type_hint"), field("token")));
            plain(200, &json!({}))
        }
        _ => plain(404, &json!({})),
    }
}

fn register(state: &mut OAuthState, body: &[u8]) -> Response {
    let about: Value = serde_json::from_slice(body).unwrap_or_default();
    let grants = about["grant_types"].as_array().cloned().unwrap_or_default();
    let is_right = about["client_uri"]
        .as_str()
        .is_some_and(|page| page.starts_with("https://"))
        && about["token_endpoint_auth_method"] == "none"
        && grants.iter().any(|grant| grant == DEVICE_GRANT)
        && grants.iter().any(|grant| grant == "refresh_token");
    if !is_right || !state.registers {
        return error("invalid_client_metadata");
    }
    state.clients += 1;
    plain(
        201,
        &json!({"client_id": format!("client-{}", state.clients)}),
    )
}

fn code(state: &mut OAuthState) -> Response {
    let now = Instant::now();
    let asked_at = state.asked_at.replace(now);
    let gap = asked_at.map_or(f64::MAX, |at| (now - at).as_secs_f64());
    if gap < state.interval - 0.05 {
        let interval = state.interval;
        state
            .broken
            .push(format!("asked after {gap} s instead of {interval}"));
    }
    match state.steps.pop_front().unwrap_or(CodeStep::Pending) {
        CodeStep::Pending => error("authorization_pending"),
        CodeStep::SlowDown => {
            state.interval += 5.0;
            error("slow_down")
        }
        CodeStep::Approve => tokens(state),
        CodeStep::Deny => error("access_denied"),
        CodeStep::Expire => error("expired_token"),
        CodeStep::Status(status) => plain(status, &json!("no time")),
        CodeStep::Cut => {
            let half = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{\"")),
                Err(std::io::Error::other("the line broke")),
            ]);
            Response::new(Body::from_stream(half))
        }
        CodeStep::Strange => error("invalid_client"),
    }
}

fn tokens(state: &mut OAuthState) -> Response {
    state.given += 1;
    let (access, refresh) = (
        format!("access-{}", state.given),
        format!("refresh-{}", state.given),
    );
    let until = Instant::now() + state.token_valid;
    state
        .valid
        .lock()
        .expect("no holder panics")
        .insert(access.clone(), until);
    state.refresh = Some(refresh.clone());
    plain(
        200,
        &json!({"access_token": access, "token_type": "Bearer", "expires_in": state.token_valid.as_secs(),
                       "refresh_token": refresh}),
    )
}
