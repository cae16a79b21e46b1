//! Requests with a body to addresses that an operator configured: webhooks, and logins at a homeserver. The rules for addresses
//! are those of feeds. No redirect is followed, because the body or a header may be a secret.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response};
use url::Url;

use super::address::{Allowed, PrivateAddress, system_lookup};
use super::body::BodyError;
use super::verdict::is_own_computer;
use super::words::{clean, find_cause, root_cause, shown};
use super::{MakeClient, body, client_maker, headers};
use crate::config::{NetworkConfig, host_and_port};

/// The most bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 256 << 10;
/// The most characters of an answer in a message.
const WORDS_CHARS_MAX: usize = 200;

/// A request.
#[derive(Clone)]
pub struct WebCall {
    pub url: Url,
    pub headers: Vec<(&'static str, String)>,
    /// POST with this body; `None`: GET.
    pub body: Option<Vec<u8>>,
}

/// Any answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    pub status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
}

impl WebAnswer {
    pub fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The beginning of the body, for a message.
    pub fn words(&self) -> String {
        clean(&String::from_utf8_lossy(&self.body), WORDS_CHARS_MAX)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent, because the address must not be asked.
    #[error("{0}")]
    Refused(String),
    /// Nothing was sent: the host cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// It was sent, and may have had its effect.
    #[error("{0}")]
    Unknown(String),
}

/// Sends such requests.
pub struct WebCaller {
    client: OnceLock<Client>,
    make_client: MakeClient,
    allowed: Arc<Allowed>,
    timeout: Duration,
}

impl WebCaller {
    /// `own` are addresses that the operator configured: their hosts may be private.
    pub fn new(config: &NetworkConfig, own: &[&Url]) -> Self {
        let hosts = own.iter().filter_map(|url| url.host_str());
        let hosts = hosts.map(str::to_owned);
        let hosts: Vec<String> = config
            .allow_private_hosts
            .iter()
            .cloned()
            .chain(hosts)
            .collect();
        let allowed = Arc::new(Allowed::new(&hosts));
        Self {
            client: OnceLock::new(),
            make_client: client_maker(config, None, &allowed, system_lookup()),
            allowed,
            timeout: config.request_timeout,
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// If there is no answer. An answer with any status is none.
    pub async fn call(&self, call: &WebCall) -> Result<WebAnswer, CallError> {
        let url = &call.url;
        self.check(url)?;
        let headers = header_map(&call.headers)?;
        let client = match self.client.get() {
            Some(client) => client,
            None => {
                let client = (self.make_client)();
                let client =
                    client.map_err(|error| CallError::Unreachable(format!("{error:#}")))?;
                self.client.get_or_init(|| client)
            }
        };
        let request = match &call.body {
            Some(body) => client.post(url.clone()).body(body.clone()),
            None => client.get(url.clone()),
        };
        let exchange = async {
            let sent = request.headers(headers).send().await;
            let response = sent.map_err(|error| not_sent(url, &error))?;
            read_answer(url, response).await
        };
        let answer = tokio::time::timeout(self.timeout, exchange).await;
        answer.unwrap_or_else(|_| {
            let limit = self.timeout.as_secs_f32();
            Err(CallError::Unknown(format!(
                "{} did not answer within {limit} s",
                shown(url)
            )))
        })
    }

    /// Plain http is only for this computer and for private hosts that are allowed: others could read it on the way.
    fn check(&self, url: &Url) -> Result<(), CallError> {
        let refused = |why: &str| Err(CallError::Refused(format!("{}: {why}", shown(url))));
        if let Err(why) = self.allowed.check(url) {
            return refused(&why);
        }
        let is_own = host_and_port(url).is_some_and(|(host, _)| is_own_computer(&host));
        if url.scheme() != "https" && !is_own && !self.allowed.lists(url) {
            return refused("use https, so that nobody can read it on the way");
        }
        Ok(())
    }
}

fn header_map(named: &[(&'static str, String)]) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    for (name, value) in named {
        let value = HeaderValue::from_str(value).map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let value = value.map_err(|_| {
            CallError::Refused(format!(
                "the value for the header {name} has characters that no header may have; check the file that holds it"
            ))
        })?;
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

fn not_sent(url: &Url, error: &reqwest::Error) -> CallError {
    let why = format!("{}: {}", shown(url), root_cause(error));
    match error {
        _ if find_cause::<PrivateAddress>(error).is_some() => CallError::Refused(why),
        error if error.is_connect() || error.is_builder() => CallError::Unreachable(why),
        _ => CallError::Unknown(why),
    }
}

async fn read_answer(url: &Url, response: Response) -> Result<WebAnswer, CallError> {
    let status = response.status().as_u16();
    let retry_after = headers::retry_after(response.headers(), SystemTime::now());
    let read = match (200..300).contains(&status) {
        true => body::read(response, ANSWER_BYTES_MAX).await,
        false => Ok(body::read_start(response, ANSWER_BYTES_MAX).await),
    };
    let body = read.map_err(|error| {
        let (BodyError::TooBig(why) | BodyError::Cut(why) | BodyError::Broken(why)) = error;
        CallError::Unknown(format!("{}: {why}", shown(url)))
    })?;
    Ok(WebAnswer {
        status,
        retry_after,
        body,
    })
}
