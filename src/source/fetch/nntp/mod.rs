//! The NNTP client: the same address rules, gates, time and byte limits as for HTTP, and one idle connection for each server.
//!
//! Questions are sent in small batches, so that a page of articles takes few round trips. The answer is a frame
//! ([`FrameWriter`]). If the connection breaks in the middle of a page, the articles that came in full are the answer.

mod dial;
mod exchange;
mod threads;
mod wire;

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use self::dial::Dialer;
use self::exchange::exchange;
use self::wire::{NewsLines, Status, WireError};
use super::verdict::is_own_computer;
use super::words::{clean, shown};
use super::{CONNECT_TIMEOUT_MAX, Fetcher, gate_key};
use crate::config::host_and_port;
use crate::source::newsgroup::frame::FrameWriter;
use crate::source::request::NewsRequest;
use crate::source::{Answer, FetchError, Request};

/// How long an idle connection is kept. Most servers close it earlier, and then the next poll connects again.
const IDLE_MAX: Duration = Duration::from_secs(20 * 60);
/// A server and its group.
pub(super) struct NewsPlace {
    host: Host<String>,
    port: u16,
    is_tls: bool,
    group: String,
    /// The same host and port as an https URL, which the address rules and the gates read.
    web: Url,
}

impl NewsPlace {
    fn of(url: &Url) -> Option<Self> {
        let (host, port) = host_and_port(url)?;
        Some(Self {
            web: Url::parse(&format!("https://{host}:{port}/")).ok()?,
            host,
            port,
            is_tls: url.scheme() == "nntps",
            group: url.path().trim_matches('/').to_owned(),
        })
    }
}

/// Why a question has no answer.
enum NewsError {
    /// The host may not be asked, or not in this way.
    Forbidden(String),
    NotConnected(io::Error),
    Handshake(String),
    Refused(Status),
    Wire(WireError),
}

impl From<WireError> for NewsError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// The idle connections, one for each server and account.
#[derive(Default)]
pub(super) struct NewsConnections {
    idle: Mutex<HashMap<String, (NewsLines, Instant)>>,
    tls: OnceLock<TlsConnector>,
}

impl NewsConnections {
    fn take(&self, key: &str) -> Option<NewsLines> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, (_, since)| since.elapsed() < IDLE_MAX);
        idle.remove(key).map(|(lines, _)| lines)
    }

    fn keep(&self, key: String, lines: NewsLines) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.insert(key, (lines, Instant::now()));
    }

    fn tls(&self) -> Result<&TlsConnector, String> {
        if let Some(connector) = self.tls.get() {
            return Ok(connector);
        }
        let connector = dial::tls().map_err(|error| error.to_string())?;
        Ok(self.tls.get_or_init(|| connector))
    }
}

impl Fetcher {
    /// Asks a news server one question, in the host's turn.
    pub(super) async fn ask_news(
        &self,
        request: &Request,
        news: &NewsRequest,
    ) -> Result<Answer, FetchError> {
        let url = &request.url;
        let broken = |why: String| FetchError::Broken {
            why: format!("{}: {why}", shown(url)),
        };
        let place = NewsPlace::of(url).ok_or_else(|| broken("a URL without a host".to_owned()))?;
        self.allowed.check(&place.web).map_err(broken)?;
        let turn = self.gates.enter(&gate_key(&place.web)).await;
        let turn = turn.map_err(|held| self.held(url, &held))?;
        let mut frame = FrameWriter::default();
        let asked = self.news_answer(request, news, &place, &mut frame);
        let outcome = tokio::time::timeout(self.request_timeout, asked).await;
        drop(turn);
        let error = match outcome {
            Ok(Ok(())) => return Ok(Answer::without_headers(url, frame.whole())),
            Ok(Err(error)) => self.judge_news(url, error),
            Err(_) => {
                let limit = self.request_timeout.as_secs_f32();
                let why = format!("{} did not answer in full within {limit} s", shown(url));
                FetchError::Later { after: None, why }
            }
        };
        match frame.so_far() {
            Some(bytes) => Ok(Answer::without_headers(url, bytes)),
            None => Err(error),
        }
    }

    /// Asks by the idle connection. If that turns out to be dead, connects again, once.
    async fn news_answer(
        &self,
        request: &Request,
        news: &NewsRequest,
        place: &NewsPlace,
        frame: &mut FrameWriter,
    ) -> Result<(), NewsError> {
        let user = news.login.as_ref().map_or("", |login| &login.user);
        let key = format!("{} {user}", place.web);
        if let Some(mut lines) = self.news.take(&key) {
            lines.bytes_left = request.bytes_max;
            match exchange(&mut lines, &news.ask, &place.group, frame).await {
                Ok(()) => {
                    self.keep_connection(key, lines);
                    return Ok(());
                }
                // It was closed while it was idle, and nothing of the answer came.
                Err(NewsError::Wire(WireError::Io(_))) if frame.is_empty() => {}
                Err(NewsError::Refused(status)) if status.code == 400 && frame.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        let connector = match place.is_tls {
            true => Some(self.news.tls().map_err(NewsError::Handshake)?),
            false => None,
        };
        let dialer = Dialer {
            allowed: &self.allowed,
            lookup: &self.lookup,
            timeout: CONNECT_TIMEOUT_MAX.min(self.request_timeout / 2),
        };
        let mut lines = dialer.dial(place, connector, news.login.as_ref()).await?;
        lines.bytes_left = request.bytes_max;
        exchange(&mut lines, &news.ask, &place.group, frame).await?;
        self.keep_connection(key, lines);
        Ok(())
    }

    fn keep_connection(&self, key: String, lines: NewsLines) {
        if !lines.is_own {
            self.reach.answered();
        }
        self.news.keep(key, lines);
    }

    fn judge_news(&self, url: &Url, error: NewsError) -> FetchError {
        let url_shown = shown(url);
        match error {
            NewsError::Forbidden(why) => FetchError::Broken {
                why: format!("{url_shown}: {why}"),
            },
            NewsError::NotConnected(error) => {
                let cause = clean(&error.to_string(), 160);
                let why = format!("{url_shown} cannot be reached ({cause})");
                let is_own = host_and_port(url).is_some_and(|(host, _)| is_own_computer(&host));
                let is_sign = error.kind() != io::ErrorKind::ConnectionRefused && !is_own;
                if is_sign && self.reach.failed(url.host_str().unwrap_or_default()) {
                    let why = format!("our own network seems to be down: {why}");
                    return FetchError::Offline { why };
                }
                FetchError::Unreachable { why }
            }
            NewsError::Handshake(cause) => FetchError::Later {
                after: None,
                why: format!(
                    "{url_shown}: the TLS handshake failed ({})",
                    clean(&cause, 160)
                ),
            },
            NewsError::Refused(status) => refusal(&url_shown, &status),
            NewsError::Wire(WireError::Io(error)) => FetchError::Later {
                after: None,
                why: format!(
                    "{url_shown}: the connection broke off ({})",
                    clean(&error.to_string(), 160)
                ),
            },
            NewsError::Wire(WireError::TooBig) => FetchError::TooBig {
                why: format!("{url_shown}: the answer is too large"),
            },
            NewsError::Wire(WireError::Nonsense(line)) => FetchError::Broken {
                why: format!("{url_shown} does not speak NNTP: “{}”", clean(&line, 80)),
            },
        }
    }
}

/// The meaning of a refusal (RFC 3977, section 3.2.1).
fn refusal(url: &str, status: &Status) -> FetchError {
    let Status { code, text } = status;
    let why = format!("{url} answers {code} {}", clean(text, 120));
    match code {
        411 => FetchError::Missing {
            why: format!("{why}: it has no such group"),
            page: String::new(),
        },
        400 | 403 => FetchError::Later { after: None, why },
        480 => FetchError::Broken {
            why: format!("{why}: it wants an account; give `user` and `password_file`"),
        },
        481 | 482 | 502 => FetchError::Broken {
            why: format!("{why}: it does not let bpfnews in"),
        },
        483 => FetchError::Broken {
            why: format!("{why}: it wants TLS; write nntps://"),
        },
        _ => FetchError::Broken { why },
    }
}
