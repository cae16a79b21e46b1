//! A client for Discord's REST interface: one request, one response. It never waits; limits are returned to the caller.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Client, Method, Response, redirect::Policy};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::{Host, Url};

use super::refusal::{Aim, DELAY_MAX, DELAY_UNREADABLE, ErrorResponse, verdict};
use crate::channel::{Scope, SendError};

/// The most bytes read of a response: more than a hundred messages with full embeds.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The most buckets remembered before expired ones are dropped.
const BUCKETS_MAX: usize = 1024;

#[derive(Debug)]
pub struct DiscordSettings {
    /// Discord's address, `https://discord.com`. Plain HTTP is allowed on the loopback only.
    pub base: String,
    pub token: SecretString,
    /// The project's page for the User-Agent, which Discord requires.
    pub page: String,
}

#[derive(Debug)]
pub(super) struct DiscordRequest {
    pub(super) method: Method,
    /// The path with open parameters: the name of the route.
    pub(super) route: &'static str,
    /// The channel or server that the rate limit counts for.
    pub(super) major: String,
    /// The path below `/api/v10`.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) aim: Aim,
}

/// Why a request failed.
#[derive(Debug)]
pub(super) struct RequestError {
    pub(super) error: SendError,
    /// Discord's error code; zero if there is none.
    pub(super) code: u64,
}

impl From<SendError> for RequestError {
    fn from(error: SendError) -> Self {
        Self { error, code: 0 }
    }
}

#[derive(Debug, Default)]
struct RateLimits {
    everything: Option<Instant>,
    /// The bucket of each route, learnt from responses.
    buckets: HashMap<(Method, &'static str), String>,
    /// When the empty bucket of a channel refills.
    empty: HashMap<(String, String), Instant>,
}

#[derive(Debug)]
pub(super) struct Rest {
    client: Client,
    base: String,
    is_loopback: bool,
    token: SecretString,
    limits: Mutex<RateLimits>,
}

impl Rest {
    pub(super) fn new(settings: DiscordSettings, timeout: Duration) -> anyhow::Result<Self> {
        let base =
            Url::parse(&settings.base).context("the address of Discord's API is not a URL")?;
        let is_loopback = match base.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        ensure!(
            base.scheme() == "https" || (base.scheme() == "http" && is_loopback),
            "Discord's address must start with https://: the token goes there"
        );
        let mut token = HeaderValue::from_str(&format!("Bot {}", settings.token.expose_secret()))
            .map_err(|_| {
            anyhow::anyhow!("the token contains characters that are not allowed in a token")
        })?;
        ensure!(
            !settings.token.expose_secret().trim().is_empty(),
            "the token is empty"
        );
        token.set_sensitive(true);
        let agent = format!(
            "DiscordBot ({}, {})",
            settings.page,
            env!("CARGO_PKG_VERSION")
        );
        let agent = HeaderValue::from_str(&agent).context("the project's page")?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, token), (USER_AGENT, agent)]);
        let client = Client::builder()
            .default_headers(headers)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(timeout)
            .build()
            .context("setting up the HTTP client (are certificate authorities installed?)")?;
        Ok(Self {
            client,
            base: base.as_str().trim_end_matches('/').to_owned(),
            is_loopback,
            token: settings.token,
            limits: Mutex::default(),
        })
    }

    /// Whether a server on this machine stands in for Discord.
    pub(super) fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(super) fn token(&self) -> &SecretString {
        &self.token
    }

    /// Makes one request, unless a known limit forbids it. A response without a body is `null`.
    pub(super) async fn ask(&self, request: DiscordRequest) -> Result<Value, SendError> {
        self.ask_for(request).await.map_err(|failure| failure.error)
    }

    /// The same, with Discord's error code.
    pub(super) async fn ask_for(&self, request: DiscordRequest) -> Result<Value, RequestError> {
        let result = self.ask_bare(request).await;
        result.map_err(|failure| RequestError {
            error: self.without_token(failure.error),
            ..failure
        })
    }

    async fn ask_bare(&self, request: DiscordRequest) -> Result<Value, RequestError> {
        self.may_go(&request)?;
        let url = format!("{}/api/v10{}", self.base, request.path);
        let mut sent = self.client.request(request.method.clone(), url);
        if let Some(body) = &request.body {
            sent = sent
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let response = sent.send().await.map_err(lost)?;
        let status = response.status();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let mut answer = ErrorResponse {
            status: status.as_u16(),
            retry_after: header(RETRY_AFTER.as_str()),
            scope: header("x-ratelimit-scope"),
            body: None,
        };
        if header("x-ratelimit-global").is_some_and(|is| is.eq_ignore_ascii_case("true")) {
            answer.scope = Some("global".to_owned());
        }
        let number = |name| header(name).and_then(|text| text.trim().parse::<f64>().ok());
        let bucket = header("x-ratelimit-bucket");
        let is_empty = number("x-ratelimit-remaining").is_some_and(|left| left < 1.0);
        let reset_after = number("x-ratelimit-reset-after").filter(|_| is_empty);
        self.learn(&request, bucket, reset_after);
        let body = read(response).await;
        if status.is_success() {
            let body = body?;
            return match body.is_empty() {
                true => Ok(Value::Null),
                false => serde_json::from_slice(&body).map_err(|_| {
                    let why = "Discord's response is not JSON".to_owned();
                    SendError::Unknown { why }.into()
                }),
            };
        }
        answer.body = body
            .ok()
            .and_then(|body| serde_json::from_slice::<Value>(&body).ok())
            .filter(Value::is_object);
        let verdict = verdict(request.aim, &answer);
        if answer.status == 429
            && let SendError::Later { after, scope, .. } = &verdict
        {
            self.hold(&request, *scope, *after);
        }
        Err(RequestError {
            error: verdict,
            code: answer.code(),
        })
    }

    fn limits(&self) -> MutexGuard<'_, RateLimits> {
        self.limits.lock().expect("no holder of the limits panics")
    }

    /// Checks the limits learnt from earlier responses.
    fn may_go(&self, request: &DiscordRequest) -> Result<(), SendError> {
        let limits = self.limits();
        let now = Instant::now();
        let later = |until: Option<Instant>, scope, why: &str| match until {
            Some(until) if until > now => Err(SendError::Later {
                after: until - now,
                scope,
                why: why.to_owned(),
            }),
            _ => Ok(()),
        };
        if request.aim != Aim::Answer {
            later(
                limits.everything,
                Scope::Platform,
                "Discord's limit for the whole bot is reached",
            )?;
        }
        later(
            limits.empty.get(&limits.bucket(request)).copied(),
            Scope::Channel,
            "Discord's limit for the channel is reached",
        )
    }

    /// Remembers the limits in a response: the bucket, and the seconds until it refills if it is empty.
    fn learn(&self, request: &DiscordRequest, bucket: Option<String>, reset_after: Option<f64>) {
        let mut limits = self.limits();
        if let Some(bucket) = bucket {
            limits
                .buckets
                .insert((request.method.clone(), request.route), bucket);
        }
        let seconds = reset_after.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        if let Some(seconds) = seconds {
            let after = Duration::from_secs_f64(seconds.min(DELAY_MAX.as_secs_f64()));
            limits.wait(request, after);
        }
    }

    fn hold(&self, request: &DiscordRequest, scope: Scope, after: Duration) {
        let mut limits = self.limits();
        match scope {
            Scope::Platform => {
                limits.everything = limits.everything.max(Some(Instant::now() + after));
            }
            Scope::Channel => limits.wait(request, after),
            Scope::Delivery => {}
        }
    }

    /// Removes the token from an error, in case a server or a library repeated it.
    fn without_token(&self, mut error: SendError) -> SendError {
        match &mut error {
            SendError::Later { why, .. }
            | SendError::Failed { why, .. }
            | SendError::Unknown { why }
            | SendError::Never { why, .. }
            | SendError::Refused { why } => {
                *why = why.replace(self.token.expose_secret(), "…");
            }
            SendError::Replaced { .. } | SendError::Gone => {}
        }
        error
    }
}

impl RateLimits {
    /// The key of a limit: the channel with the bucket, or with the route if the bucket is unknown.
    fn bucket(&self, request: &DiscordRequest) -> (String, String) {
        let route = (request.method.clone(), request.route);
        let bucket = match self.buckets.get(&route) {
            Some(bucket) => bucket.clone(),
            None => format!("{} {}", route.0, route.1),
        };
        (bucket, request.major.clone())
    }

    fn wait(&mut self, request: &DiscordRequest, after: Duration) {
        let now = Instant::now();
        if self.empty.len() >= BUCKETS_MAX {
            self.empty.retain(|_, until| *until > now);
        }
        let until = self.empty.entry(self.bucket(request)).or_insert(now);
        *until = (*until).max(now + after);
    }
}

async fn read(mut response: Response) -> Result<Vec<u8>, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(lost)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(SendError::Unknown {
                why: "Discord's response is too long".to_owned(),
            });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The error for a response that is missing or incomplete.
fn lost(error: reqwest::Error) -> SendError {
    let (is_connect, is_builder) = (error.is_connect(), error.is_builder());
    let error = error.without_url();
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why = format!("{why}: {cause}");
        source = cause.source();
    }
    match (is_connect, is_builder) {
        (true, _) => SendError::Later {
            after: DELAY_UNREADABLE,
            scope: Scope::Platform,
            why,
        },
        (_, true) => SendError::Never {
            scope: Scope::Delivery,
            why,
        },
        _ => SendError::Unknown { why },
    }
}
