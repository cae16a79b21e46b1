//! Simulated chat platforms that record messages and apply the real rate limits, in the time of a clock.
//!
//! Discord: five messages in five seconds for each channel, as many edits, and fifty requests a second in all. Matrix: ten at
//! once for the account, then one every five seconds; edits count as messages there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bpfnews::channel::{Act, Platform, PostedMessage, Receipt, Scope, SendError, Work};
use bpfnews::clock::{Clock as _, FixedClock};
use bpfnews::config::PlatformKind;
use bpfnews::post::story::Content;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{BoxFuture, FutureExt as _};

const DISCORD_MOST: usize = 5;
const DISCORD_SPAN: TimeDelta = TimeDelta::seconds(5);
const DISCORD_GLOBAL_MOST: usize = 50;
const DISCORD_GLOBAL_SPAN: TimeDelta = TimeDelta::seconds(1);
const MATRIX_BURST: f64 = 10.0;
const MATRIX_PER_S: f64 = 0.2;
/// How long keys are remembered.
const REMEMBERS: Duration = Duration::from_secs(120);

/// The kind of a sent message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MessageKind {
    Post,
    Digest,
    Answer,
    Notice,
    Edit,
    DigestEdit,
    Removal,
}

impl MessageKind {
    /// Whether it is a message of its own, which people see coming.
    pub(crate) fn is_message(self) -> bool {
        matches!(
            self,
            Self::Post | Self::Digest | Self::Answer | Self::Notice
        )
    }
}

/// A sent message.
#[derive(Debug, Clone)]
pub(crate) struct SentMessage {
    pub(crate) at: DateTime<Utc>,
    pub(crate) room: String,
    pub(crate) kind: MessageKind,
    pub(crate) mark: String,
}

#[derive(Debug, Default)]
struct Inside {
    sent: Vec<SentMessage>,
    refused: usize,
    /// Discord's: when requests of a kind were let through.
    passed: HashMap<(String, &'static str), VecDeque<DateTime<Utc>>>,
    /// Matrix: the remaining burst, and its time.
    left: Option<(f64, DateTime<Utc>)>,
}

/// A chat system.
pub(crate) struct Chat {
    kind: PlatformKind,
    clock: Arc<FixedClock>,
    inside: Mutex<Inside>,
}

impl Chat {
    pub(crate) fn new(kind: PlatformKind, clock: Arc<FixedClock>) -> Arc<Self> {
        Arc::new(Self {
            kind,
            clock,
            inside: Mutex::default(),
        })
    }

    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().expect("no holder panics")
    }

    /// The sent messages, in order.
    pub(crate) fn sent(&self) -> Vec<SentMessage> {
        self.inside().sent.clone()
    }

    /// The number of refused requests.
    pub(crate) fn refused(&self) -> usize {
        self.inside().refused
    }

    fn act(&self, work: &Work) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let mut inside = self.inside();
        let wait = match self.kind {
            PlatformKind::Matrix => inside.matrix(now).map(|after| (after, Scope::Platform)),
            PlatformKind::Discord | PlatformKind::Terminal | PlatformKind::Webhook => {
                inside.discord(work, now)
            }
        };
        if let Some((after, scope)) = wait {
            inside.refused += 1;
            let after = after.to_std().unwrap_or_default();
            let why = "too fast".to_owned();
            return Err(SendError::Later { after, scope, why });
        }
        let (kind, content, receipt) = match &work.act {
            Act::Send { content, under } => {
                let kind = match (content, under) {
                    (_, Some(_)) => MessageKind::Answer,
                    (Content::Digest(_), None) => MessageKind::Digest,
                    (Content::Notice { .. } | Content::Issue(_) | Content::Suggestion(_), None) => {
                        MessageKind::Notice
                    }
                    (Content::Story(_) | Content::Line(_), None) => MessageKind::Post,
                };
                let message = format!("{}-{}", work.address, inside.sent.len());
                let thread = None;
                (kind, Some(content), Receipt { message, thread })
            }
            Act::Edit { receipt, content } => {
                let kind = match content {
                    Content::Digest(_) => MessageKind::DigestEdit,
                    Content::Story(_)
                    | Content::Line(_)
                    | Content::Issue(_)
                    | Content::Suggestion(_)
                    | Content::Notice { .. } => MessageKind::Edit,
                };
                (kind, Some(content), receipt.clone())
            }
            Act::Remove { receipt } => (MessageKind::Removal, None, receipt.clone()),
        };
        inside.sent.push(SentMessage {
            at: now,
            room: work.address.clone(),
            kind,
            mark: content.map_or(String::new(), |content| content.mark().to_owned()),
        });
        Ok(receipt)
    }
}

impl Inside {
    fn discord(&mut self, work: &Work, now: DateTime<Utc>) -> Option<(TimeDelta, Scope)> {
        let verb = match &work.act {
            Act::Send { .. } => "send",
            Act::Edit { .. } => "edit",
            Act::Remove { .. } => "remove",
        };
        let own = (work.address.clone(), verb);
        let all = (String::new(), "all");
        let limits = [
            (&own, DISCORD_MOST, DISCORD_SPAN, Scope::Channel),
            (
                &all,
                DISCORD_GLOBAL_MOST,
                DISCORD_GLOBAL_SPAN,
                Scope::Platform,
            ),
        ];
        for (key, most, span, scope) in limits {
            let passed = self.passed.entry(key.clone()).or_default();
            while passed.front().is_some_and(|at| *at + span <= now) {
                passed.pop_front();
            }
            if passed.len() >= most {
                return Some((passed[0] + span - now, scope));
            }
        }
        for key in [own, all] {
            self.passed.entry(key).or_default().push_back(now);
        }
        None
    }

    fn matrix(&mut self, now: DateTime<Utc>) -> Option<TimeDelta> {
        let (left, at) = self.left.unwrap_or((MATRIX_BURST, now));
        let since_s = (now - at).num_milliseconds() as f64 / 1000.0;
        let left = (left + since_s * MATRIX_PER_S).min(MATRIX_BURST);
        // A thousandth of a message short is none short: times are whole milliseconds.
        let missing = 1.0 - left;
        if missing > 0.001 {
            self.left = Some((left, now));
            let wait_ms = (missing / MATRIX_PER_S * 1000.0).ceil();
            return Some(TimeDelta::milliseconds(wait_ms as i64));
        }
        self.left = Some((left - 1.0, now));
        None
    }
}

impl Platform for Chat {
    fn name(&self) -> &'static str {
        self.kind.word()
    }

    fn dedupes_for(&self, _: &str) -> Duration {
        REMEMBERS
    }

    fn sends_side_by_side(&self) -> bool {
        self.kind != PlatformKind::Matrix
    }

    fn deliver<'a>(&'a self, work: &'a Work) -> BoxFuture<'a, Result<Receipt, SendError>> {
        async move { self.act(work) }.boxed()
    }

    fn find<'a>(&'a self, _: &'a Work) -> BoxFuture<'a, Result<Option<Receipt>, SendError>> {
        async { Ok(None) }.boxed()
    }

    /// Nothing is restored here.
    fn standing<'a>(
        &'a self,
        _: &'a str,
        _: i64,
    ) -> BoxFuture<'a, Result<Vec<PostedMessage>, SendError>> {
        async { Ok(Vec::new()) }.boxed()
    }
}
