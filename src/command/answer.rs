//! The input and output of a command's function.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::grammar::{Audience, Call};
use super::heard::Asker;
use super::rights::Right;
use crate::config::PlatformKind;
use crate::live::{Generation, Live};
use crate::post::story::{Content, Digest, IssuePost, Line, Tone};
use crate::store::audit::Hand;

/// A command being handled.
pub(super) struct Ask<'a> {
    pub(super) live: &'a Live,
    /// The generation that was running when the command came.
    pub(super) generation: Arc<Generation>,
    pub(super) by: &'a Asker,
    pub(super) right: Right,
    pub(super) call: &'a Call,
    pub(super) now: DateTime<Utc>,
}

/// The result of a command.
pub(super) enum Answer {
    Says(Content),
    /// A list, shown in pages.
    Lists(Listing),
    /// An issue, shown in pages.
    Tells(Box<IssuePost>),
}

/// A whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) title: String,
    pub(super) lines: Vec<Line>,
    /// The text for an empty list.
    pub(super) nothing: &'static str,
}

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The person can correct it, so the text is shown as it is.
    Mistake(String),
    /// An internal error: logged, and not shown.
    Fault(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

pub(super) type Told = Result<Answer, Trouble>;

/// A refusal with this reason.
pub(super) fn mistake<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Mistake(what.into()))
}

impl Ask<'_> {
    /// Days since 1970.
    pub(super) fn today(&self) -> i64 {
        self.now.timestamp().div_euclid(86_400)
    }

    /// A command as a person types it on this platform: `/bpfnews latest`.
    pub(super) fn typed(&self, audience: Audience, words: &str) -> String {
        typed(self.by, audience, words)
    }

    /// The person, as the author of a change.
    pub(super) fn hand(&self) -> Hand {
        Hand {
            platform: self.by.platform.to_owned(),
            person: self.by.person.clone(),
            room: self.by.room.clone(),
            community: self.by.community.clone(),
        }
    }

    pub(super) fn platform(&self) -> Option<PlatformKind> {
        platform_of(self.by)
    }

    /// An argument that the grammar requires.
    pub(super) fn needed(&self, name: &str) -> &str {
        self.call.get(name).unwrap_or_default()
    }

    /// A short message.
    pub(super) fn says(&self, title: impl Into<String>, text: impl Into<String>) -> Told {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Says(notice(title, text, mark)))
    }

    /// A short list, without pages.
    pub(super) fn shows(&self, title: impl Into<String>, lines: Vec<Line>) -> Told {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Says(Content::Digest(Digest {
            title: title.into(),
            lines,
            mark,
        })))
    }
}

pub(super) fn platform_of(by: &Asker) -> Option<PlatformKind> {
    let mut all = PlatformKind::ALL.into_iter();
    all.find(|platform| platform.word() == by.platform)
}

/// A command as a person types it: `/bpfnews latest` on Discord, `!bpfnews latest` elsewhere.
pub(super) fn typed(by: &Asker, audience: Audience, words: &str) -> String {
    let sign = match platform_of(by) {
        Some(PlatformKind::Discord) => '/',
        Some(PlatformKind::Matrix | PlatformKind::Terminal) | None => '!',
    };
    format!("{sign}{} {words}", audience.command())
}

/// The mark of an answer: its command.
pub(super) fn mark(audience: Audience, path: &str) -> String {
    format!("{} {path}", audience.command())
}

pub(super) fn notice(
    title: impl Into<String>,
    text: impl Into<String>,
    mark: impl Into<String>,
) -> Content {
    Content::Notice {
        title: title.into(),
        text: text.into(),
        mark: mark.into(),
    }
}

/// A line without a story.
pub(super) fn plain_line(what: impl Into<String>, title: impl Into<String>, tone: Tone) -> Line {
    Line {
        what: what.into(),
        title: title.into(),
        link: None,
        tone,
        mark: String::new(),
    }
}
