//! The only HTTP and NNTP client: validators, limits, Retry-After, one request at a time per host, address rules.
//!
//! [`Fetcher::fetch`] turns a [`Request`] into an [`Answer`] or a [`FetchError`]. The error's variant is the decision; no caller
//! looks at a status code. It writes nothing to disk and does not interpret documents.
//!
//! - `address`: which hosts may be asked, on every hop and by the resolver the connection uses
//! - `git`: git's program, for addresses that git reads
//! - `gate`: one request at a time to a host, the pause between two, and waits that hosts ask for
//! - `headers`: the headers of requests, and the meaning of an answer's headers
//! - `body`: decompression within limits
//! - `call`: requests with a body, for webhooks and logins
//! - `sniff`: detects an HTML page in place of a document
//! - `reach`: distinguishes an unreachable host from an outage of our own network
//! - `verdict`: the meaning of failed requests
//! - `nntp`: news servers
//! - `words`: URLs and servers' messages in errors

mod address;
mod body;
mod call;
mod gate;
mod git;
mod headers;
mod nntp;
mod reach;
mod sniff;
mod verdict;
mod words;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use url::Url;

use self::address::{Allowed, GuardedResolver, Lookup};
pub use self::call::{CallError, WebAnswer, WebCall, WebCaller};
use self::gate::{Gates, Held};
use self::git::GitClient;
pub use self::git::git_version;
use self::nntp::NewsConnections;
use self::reach::Reach;
use self::words::shown;
use super::{Answer, Body, FetchError, Method, OWN_NETWORK, Request, Validators};
use crate::config::NetworkConfig;

/// The most redirects of one request.
const REDIRECTS_MAX: usize = 5;

/// The longest time to connect, TLS included.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(15);

/// How long an idle connection is kept: long enough to page through an archive, shorter than servers' own limits.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes that are kept of an error page.
const ERROR_PAGE_BYTES_MAX: u64 = 4096;

/// The HTTP client that all feeds share: it knows which hosts are busy, on hold or unreachable.
pub struct Fetcher {
    client: OnceLock<Client>,
    make_client: MakeClient,
    allowed: Arc<Allowed>,
    gates: Arc<Gates>,
    reach: Arc<Reach>,
    request_timeout: Duration,
    git: Arc<GitClient>,
    lookup: Lookup,
    installation: Option<String>,
    news: NewsConnections,
}

/// Makes a client, at each call.
type MakeClient = Box<dyn Fn() -> anyhow::Result<Client> + Send + Sync>;

/// The result of one HTTP exchange that did not fail.
enum Hop {
    Answer(Answer),
    Redirect { to: Url, permanent: bool },
}

impl Fetcher {
    /// A client for this configuration.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up, for example if the system has no certificate authorities.
    pub fn new(config: &NetworkConfig) -> anyhow::Result<Self> {
        Self::with_lookup(config, None, address::system_lookup())
    }

    /// A client that also sends the id of this installation.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::new`].
    pub fn of_installation(config: &NetworkConfig, id: Option<&str>) -> anyhow::Result<Self> {
        Self::with_lookup(config, id, address::system_lookup())
    }

    fn with_lookup(
        config: &NetworkConfig,
        installation: Option<&str>,
        lookup: Lookup,
    ) -> anyhow::Result<Self> {
        let allowed = Arc::new(Allowed::new(&config.allow_private_hosts));
        let git = GitClient::new(
            config,
            &user_agent(config, installation),
            Arc::clone(&lookup),
        );
        let fetcher = Self {
            client: OnceLock::new(),
            make_client: client_maker(config, installation, &allowed, Arc::clone(&lookup)),
            allowed,
            gates: Arc::new(Gates::new(config.host_gap)),
            reach: Arc::default(),
            request_timeout: config.request_timeout,
            git: Arc::new(git),
            lookup,
            installation: installation.map(str::to_owned),
            news: NewsConnections::default(),
        };
        fetcher.client()?;
        Ok(fetcher)
    }

    /// A client for addresses that people gave in chat; it shares the gates with this one. Of private hosts it asks only
    /// `places` (host and port), and its errors do not reveal the bot's own network.
    pub fn narrowed(&self, config: &NetworkConfig, places: &[(String, u16)]) -> Self {
        let installation = self.installation.as_deref();
        let allowed = Arc::new(Allowed::narrowed(&config.allow_private_hosts, places));
        Self {
            client: OnceLock::new(),
            make_client: client_maker(config, installation, &allowed, address::system_lookup()),
            installation: self.installation.clone(),
            allowed,
            gates: Arc::clone(&self.gates),
            reach: Arc::clone(&self.reach),
            request_timeout: config.request_timeout,
            git: Arc::clone(&self.git),
            lookup: address::system_lookup(),
            news: NewsConnections::default(),
        }
    }

    /// The client, made at the first request: that reads all certificate authorities of the system and takes as long as
    /// hundreds of requests. If it fails, the next request tries again.
    fn client(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = (self.make_client)()?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Makes one request and follows its redirects.
    ///
    /// First waits for the host's turn. `request_timeout` does not count that wait, and covers all redirects together.
    /// Dropping the future ends the request and frees the host.
    pub async fn fetch(&self, request: &Request) -> Result<Answer, FetchError> {
        if let Method::Git(question) = &request.method {
            return self.ask_git(request, question).await;
        }
        if let Method::News(news) = &request.method {
            return self.ask_news(request, news).await;
        }
        let mut url = request.url.clone();
        let mut time_left = self.request_timeout;
        let mut all_permanent = true;
        for redirects in 0..=REDIRECTS_MAX {
            words::bare(&mut url);
            match self.ask(request, &url, &mut time_left).await? {
                Hop::Answer(mut answer) => {
                    answer.moved_to = (redirects > 0 && all_permanent).then_some(url);
                    return Ok(answer);
                }
                Hop::Redirect { to, permanent } => {
                    all_permanent &= permanent;
                    url = to;
                }
            }
        }
        let from = shown(&request.url);
        let why = format!("{from} redirects more than {REDIRECTS_MAX} times");
        Err(FetchError::Broken { why })
    }

    /// One HTTP exchange, in the host's turn and within the time that is left.
    async fn ask(
        &self,
        request: &Request,
        url: &Url,
        time_left: &mut Duration,
    ) -> Result<Hop, FetchError> {
        if let Err(why) = self.allowed.check(url) {
            let why = format!("{}: {why}", shown(url));
            return Err(FetchError::Broken { why });
        }
        let gate = gate_key(url);
        let turn = self.gates.enter(&gate).await;
        let turn = turn.map_err(|held| self.held(url, &held))?;
        let started_at = Instant::now();
        let exchange = self.exchange(request, url, &gate);
        let outcome = tokio::time::timeout(*time_left, exchange).await;
        *time_left = time_left.saturating_sub(started_at.elapsed());
        drop(turn);
        outcome.unwrap_or_else(|_| {
            let limit = self.request_timeout.as_secs_f32();
            let why = format!("{} did not answer in full within {limit} s", shown(url));
            Err(FetchError::Later { after: None, why })
        })
    }

    async fn exchange(&self, request: &Request, url: &Url, gate: &str) -> Result<Hop, FetchError> {
        // This is not the feed's fault.
        let client = self.client().map_err(|error| FetchError::Offline {
            why: format!("{}: {error:#}", shown(url)),
        })?;
        let sent = send(client, request, url).await;
        let response = sent.map_err(|error| self.not_sent(url, &error))?;
        let from_loopback = response.remote_addr().is_some_and(|a| a.ip().is_loopback());
        if !from_loopback {
            self.reach.answered();
        }
        match response.status() {
            StatusCode::OK => whole_answer(request, url, response).await,
            StatusCode::NOT_MODIFIED => unchanged(request, url, &response),
            status if status.is_redirection() => redirect(request, url, &response),
            _ => Err(self.refused(url, gate, response).await),
        }
    }

    fn held(&self, url: &Url, held: &Held) -> FetchError {
        let Held(wait) = *held;
        let host = url.host_str().unwrap_or_default();
        let seconds = wait.as_secs_f64().ceil();
        let why = format!(
            "{}: {host} asked us to stay away for {seconds} s more",
            shown(url)
        );
        FetchError::Held { after: wait, why }
    }

    fn not_sent(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        let failure = verdict::of_failure(url, error);
        match failure {
            FetchError::Unreachable { why } if verdict::is_sign_of_outage(url, error) => {
                if self.reach.failed(url.host_str().unwrap_or_default()) {
                    let why = format!("{OWN_NETWORK}{why}");
                    FetchError::Offline { why }
                } else {
                    FetchError::Unreachable { why }
                }
            }
            other => other,
        }
    }

    async fn refused(&self, url: &Url, gate: &str, response: Response) -> FetchError {
        let status = response.status();
        let after = headers::retry_after(response.headers(), SystemTime::now());
        if let Some(wait) = after.filter(|_| verdict::is_for_whole_host(status)) {
            self.gates.hold(gate, wait);
        }
        if !verdict::needs_page(status) {
            return verdict::of_status(url, status, after, &[]);
        }
        let page = body::read_start(response, ERROR_PAGE_BYTES_MAX).await;
        verdict::of_status(url, status, after, &page)
    }
}

fn user_agent(config: &NetworkConfig, installation: Option<&str>) -> String {
    let page = config.page.as_ref().map_or("", Url::as_str);
    headers::user_agent(page, config.contact.as_deref(), installation)
}

fn client_maker(
    config: &NetworkConfig,
    installation: Option<&str>,
    allowed: &Arc<Allowed>,
    lookup: Lookup,
) -> MakeClient {
    let resolver = Arc::new(GuardedResolver::new(Arc::clone(allowed), lookup));
    let user_agent = user_agent(config, installation);
    // Half of the whole, to distinguish an unreachable host from a slow one.
    let connect_timeout = CONNECT_TIMEOUT_MAX.min(config.request_timeout / 2);
    Box::new(move || {
        Client::builder()
            .user_agent(user_agent.clone())
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            // `body` decompresses, within its limits; another crate may have enabled these features.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(connect_timeout)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .dns_resolver(Arc::clone(&resolver))
            .build()
            .context("setting up the HTTP client (are certificate authorities installed?)")
    })
}

async fn send(client: &Client, request: &Request, url: &Url) -> reqwest::Result<Response> {
    let builder = match request.method {
        Method::Get | Method::Git(_) | Method::News(_) => client.get(url.clone()),
        Method::Post => client.post(url.clone()),
    };
    builder.headers(headers::of_request(request)).send().await
}

/// The name of a gate: host and port.
fn gate_key(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}")
}

async fn whole_answer(request: &Request, url: &Url, response: Response) -> Result<Hop, FetchError> {
    let headers = response.headers().clone();
    let read = body::read(response, request.bytes_max).await;
    let bytes = read.map_err(|error| verdict::of_body(url, error))?;
    verdict::check_document(url, request.expect, &bytes)?;
    Ok(Hop::Answer(Answer {
        url: url.clone(),
        moved_to: None,
        body: Body::Bytes {
            bytes,
            charset: headers::charset(&headers),
        },
        validators: headers::validators(&headers, &Validators::default()),
        fresh_for: headers::fresh_for(&headers, SystemTime::now()),
    }))
}

fn unchanged(request: &Request, url: &Url, response: &Response) -> Result<Hop, FetchError> {
    if !headers::is_conditional(request) {
        let why = format!(
            "{} answers 304 although nothing was known of it",
            shown(url)
        );
        return Err(FetchError::Broken { why });
    }
    let headers = response.headers();
    Ok(Hop::Answer(Answer {
        url: url.clone(),
        moved_to: None,
        body: Body::Unchanged,
        validators: headers::validators(headers, &request.validators),
        fresh_for: headers::fresh_for(headers, SystemTime::now()),
    }))
}

fn redirect(request: &Request, url: &Url, response: &Response) -> Result<Hop, FetchError> {
    let status = response.status();
    let broken = |what: &str| {
        let why = format!("{} answers {status} {what}", shown(url));
        Err(FetchError::Broken { why })
    };
    let (permanent, same_method) = match status.as_u16() {
        301 => (true, false),
        302 | 303 => (false, false),
        307 => (false, true),
        308 => (true, true),
        _ => return broken("which says nothing"),
    };
    if request.method == Method::Post && !same_method {
        return broken("to a POST, which would lose the question");
    }
    let Some(location) = response.headers().get(LOCATION) else {
        return broken("without a place to go");
    };
    match url.join(&String::from_utf8_lossy(location.as_bytes())) {
        Ok(to) => Ok(Hop::Redirect { to, permanent }),
        Err(_) => broken("to a place that is no URL"),
    }
}

#[cfg(test)]
mod tests;
