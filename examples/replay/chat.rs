//! Chat systems that write down what they are told, and hold their senders to limits as the real ones do, in the time of a
//! clock.
//!
//! Discord: five messages in five seconds for each channel, as many edits, and fifty requests a second in all. Matrix: ten
//! at once for the account, then one every five seconds, edits counted as what they are there: messages.

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

/// What was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum What {
    Post,
    Digest,
    Answer,
    Notice,
    Edit,
    DigestEdit,
    Removal,
}

impl What {
    /// Whether it is a message of its own, which people see coming.
    pub(crate) fn is_message(self) -> bool {
        matches!(
            self,
            Self::Post | Self::Digest | Self::Answer | Self::Notice
        )
    }
}

/// One thing that was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) at: DateTime<Utc>,
    pub(crate) room: String,
    pub(crate) what: What,
    pub(crate) mark: String,
}

#[derive(Debug, Default)]
struct Inside {
    told: Vec<Told>,
    refused: usize,
    /// Discord's: when requests of a kind were let through.
    passed: HashMap<(String, &'static str), VecDeque<DateTime<Utc>>>,
    /// Matrix': what is left, and when that was so.
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

    /// What was told, in order.
    pub(crate) fn told(&self) -> Vec<Told> {
        self.inside().told.clone()
    }

    /// How often somebody was told to wait.
    pub(crate) fn refused(&self) -> usize {
        self.inside().refused
    }

    fn act(&self, work: &Work) -> Result<Receipt, SendError> {
        let now = self.clock.now();
        let mut inside = self.inside();
        let wait = match self.kind {
            PlatformKind::Matrix => inside.matrix(now).map(|after| (after, Scope::Platform)),
            PlatformKind::Discord | PlatformKind::Terminal => inside.discord(work, now),
        };
        if let Some((after, scope)) = wait {
            inside.refused += 1;
            let after = after.to_std().unwrap_or_default();
            let why = "too fast".to_owned();
            return Err(SendError::Later { after, scope, why });
        }
        let (what, content, receipt) = match &work.act {
            Act::Send { content, under } => {
                let what = match (content, under) {
                    (_, Some(_)) => What::Answer,
                    (Content::Digest(_), None) => What::Digest,
                    (Content::Notice { .. } | Content::Issue(_) | Content::Suggestion(_), None) => {
                        What::Notice
                    }
                    (Content::Story(_) | Content::Line(_), None) => What::Post,
                };
                let message = format!("{}-{}", work.address, inside.told.len());
                let thread = None;
                (what, Some(content), Receipt { message, thread })
            }
            Act::Edit { receipt, content } => {
                let what = match content {
                    Content::Digest(_) => What::DigestEdit,
                    Content::Story(_)
                    | Content::Line(_)
                    | Content::Issue(_)
                    | Content::Suggestion(_)
                    | Content::Notice { .. } => What::Edit,
                };
                (what, Some(content), receipt.clone())
            }
            Act::Remove { receipt } => (What::Removal, None, receipt.clone()),
        };
        inside.told.push(Told {
            at: now,
            room: work.address.clone(),
            what,
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
