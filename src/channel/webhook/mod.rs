//! Webhooks: each message, edit and removal is an event as JSON, signed and posted to an address.
//!
//! A receiver may get an event more than once, always with the same id and the same body. Events of one message come in order.

mod event;
mod sign;
mod template;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use url::Url;

use self::event::event_of;
pub use self::sign::HookKey;
pub use self::template::HookTemplate;
use self::template::TEMPLATE_BYTES_MAX;
use super::{Platform, PostedMessage, Receipt, Scope, SendError, Work};
use crate::source::fetch::{CallError, WebAnswer, WebCall, WebCaller};

/// The wait if a receiver asks to slow down without a time.
const SLOWER: Duration = Duration::from_secs(60);

/// The receiver of a channel's events.
pub struct HookEndpoint {
    pub url: Url,
    /// Signs the events.
    pub secret: Option<HookKey>,
    /// Makes the body; without it, the body is the event.
    pub template: Option<HookTemplate>,
}

/// Returns the time in unix seconds.
pub type HookNow = Arc<dyn Fn() -> i64 + Send + Sync>;

/// All webhooks.
pub struct Webhook {
    caller: WebCaller,
    /// By the names of their channels.
    endpoints: HashMap<String, HookEndpoint>,
    now: HookNow,
}

/// Reads a template's file.
///
/// # Errors
///
/// Returns an error if it cannot be read, is too large, or is no template.
pub fn read_template(file: &Path) -> anyhow::Result<HookTemplate> {
    let read = || format!("reading the template {}", file.display());
    let mut source = String::new();
    let opened = File::open(file).with_context(read)?;
    let mut limited = opened.take(TEMPLATE_BYTES_MAX + 1);
    limited.read_to_string(&mut source).with_context(read)?;
    let is_short = source.len() as u64 <= TEMPLATE_BYTES_MAX;
    anyhow::ensure!(
        is_short,
        "the template {} has more than {TEMPLATE_BYTES_MAX} bytes",
        file.display()
    );
    HookTemplate::compile(source).with_context(read)
}

impl Webhook {
    pub fn new(caller: WebCaller, endpoints: HashMap<String, HookEndpoint>, now: HookNow) -> Self {
        Self {
            caller,
            endpoints,
            now,
        }
    }

    async fn send(&self, work: &Work) -> Result<Receipt, SendError> {
        let endpoint = self.endpoints.get(&work.address).ok_or_else(|| {
            never(
                Scope::Channel,
                format!(
                    "bpfnews does not know the webhook {} yet, because it was added while bpfnews was running: restart bpfnews",
                    work.address
                ),
            )
        })?;
        let (event, receipt) = event_of(work);
        let body = match &endpoint.template {
            None => serde_json::to_vec(&event)
                .map_err(anyhow::Error::from)
                .map(Some),
            Some(template) => template.render(&event),
        };
        let body = body.map_err(|error| {
            never(
                Scope::Channel,
                format!(
                    "{error:#}. Correct template_file of the channel {}",
                    work.address
                ),
            )
        })?;
        let Some(body) = body else {
            return Ok(receipt);
        };
        let timestamp = (self.now)();
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", event.id.clone()),
            ("webhook-timestamp", timestamp.to_string()),
        ];
        if let Some(secret) = &endpoint.secret {
            let signature = secret.sign(&event.id, timestamp, &body);
            headers.push(("webhook-signature", signature));
        }
        let call = WebCall {
            url: endpoint.url.clone(),
            headers,
            body: Some(body),
        };
        match self.caller.call(&call).await {
            Ok(answer) if answer.is_good() => Ok(receipt),
            Ok(answer) => Err(meaning(&answer)),
            Err(error) => Err(no_answer(error)),
        }
    }
}

impl Platform for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    /// The receiver knows an event by its id, whenever it comes again.
    fn dedupes_for(&self, _: &str) -> Duration {
        Duration::MAX
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        self.send(work).boxed()
    }

    /// A receiver cannot be asked for its messages.
    fn find<'a>(&'a self, _: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        std::future::ready(Ok(None)).boxed()
    }

    fn standing<'a>(
        &'a self,
        _: &'a str,
        _: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
}

fn never(scope: Scope, why: String) -> SendError {
    SendError::Never { scope, why }
}

/// The meaning of an answer that is not good.
fn meaning(answer: &WebAnswer) -> SendError {
    let why = format!("the receiver answers {}: {}", answer.status, answer.words());
    let refused = |scope, advice: &str| never(scope, format!("{why}. {advice}"));
    match answer.status {
        429 => SendError::Later {
            after: answer.retry_after.unwrap_or(SLOWER),
            scope: Scope::Channel,
            why,
        },
        503 if answer.retry_after.is_some() => SendError::Later {
            after: answer.retry_after.unwrap_or(SLOWER),
            scope: Scope::Channel,
            why,
        },
        // It may have taken the event.
        408 | 425 | 500..=599 => SendError::Unknown { why },
        300..=399 => refused(
            Scope::Channel,
            "Redirects are not followed: set url of the channel to the address where it leads",
        ),
        401 | 403 | 404 | 405 | 410 => refused(
            Scope::Channel,
            "Check url and secret_file of the channel, and the receiver's settings",
        ),
        _ => refused(Scope::Delivery, "The receiver does not take this event"),
    }
}

fn no_answer(error: CallError) -> SendError {
    match error {
        CallError::Refused(why) => never(Scope::Channel, why),
        CallError::Unreachable(why) => SendError::Failed {
            after: Duration::ZERO,
            scope: Scope::Channel,
            why,
        },
        CallError::Unknown(why) => SendError::Unknown { why },
    }
}
