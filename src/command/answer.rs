//! What a command's function is given, and what it gives back.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::grammar::{Audience, Call};
use super::heard::Asker;
use super::rights::Right;
use crate::config::PlatformKind;
use crate::live::{Generation, Live};
use crate::post::story::{Content, Digest, IssuePost, Line, Tone};
use crate::store::audit::Actor;

/// A command under way.
pub(super) struct Ask<'a> {
    /// What runs.
    pub(super) live: &'a Live,
    /// The configuration in effect when it was asked.
    pub(super) generation: Arc<Generation>,
    /// Who asks.
    pub(super) by: &'a Asker,
    /// What they may.
    pub(super) right: Right,
    /// What.
    pub(super) call: &'a Call,
    /// When.
    pub(super) now: DateTime<Utc>,
}

/// What a command gives.
pub(super) enum Answer {
    /// One message.
    Says(Content),
    /// A list, shown by pages.
    Lists(Listing),
    /// An issue, shown by pages.
    Tells(Box<IssuePost>),
}

/// A list, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    /// What it lists.
    pub(super) title: String,
    /// A line for each.
    pub(super) lines: Vec<Line>,
    /// What is said where there is nothing.
    pub(super) nothing: &'static str,
}

/// Why a command gives nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something that who asked can put right; told as it is.
    Mistake(String),
    /// Something of ours; logged.
    Fault(anyhow::Error),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Fault(error)
    }
}

/// What a command's function gives.
pub(super) type Told = Result<Answer, Trouble>;

/// A mistake, as an error.
pub(super) fn mistake<T>(what: impl Into<String>) -> Result<T, Trouble> {
    Err(Trouble::Mistake(what.into()))
}

impl Ask<'_> {
    /// Days since 1970.
    pub(super) fn today(&self) -> i64 {
        self.now.timestamp().div_euclid(86_400)
    }

    /// A command as it is typed where this one was: `/bpfnews latest`.
    pub(super) fn typed(&self, audience: Audience, words: &str) -> String {
        typed(self.by, audience, words)
    }

    /// Who makes a change.
    pub(super) fn hand(&self) -> Actor {
        Actor {
            platform: self.by.platform.to_owned(),
            person: self.by.person.clone(),
            room: self.by.room.clone(),
            community: self.by.community.clone(),
        }
    }

    /// The platform on which it is asked, where it is one of ours.
    pub(super) fn platform(&self) -> Option<PlatformKind> {
        platform_of(self.by)
    }

    /// An argument that the grammar made sure of.
    pub(super) fn needed(&self, name: &str) -> &str {
        self.call.get(name).unwrap_or_default()
    }

    /// A few words.
    pub(super) fn says(&self, title: impl Into<String>, text: impl Into<String>) -> Told {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Says(notice(title, text, mark)))
    }

    /// A short list that has no pages.
    pub(super) fn shows(&self, title: impl Into<String>, lines: Vec<Line>) -> Told {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Says(Content::Digest(Digest {
            title: title.into(),
            lines,
            mark,
        })))
    }
}

/// The platform on which something is asked, where it is one of ours.
pub(super) fn platform_of(by: &Asker) -> Option<PlatformKind> {
    let mut all = PlatformKind::ALL.into_iter();
    all.find(|platform| platform.word() == by.platform)
}

/// A command as it is typed by somebody: `/bpfnews latest`, or `!bpfnews latest` where there are no slash commands.
pub(super) fn typed(by: &Asker, audience: Audience, words: &str) -> String {
    let sign = match platform_of(by) {
        Some(PlatformKind::Discord) => '/',
        Some(PlatformKind::Matrix | PlatformKind::Terminal) | None => '!',
    };
    format!("{sign}{} {words}", audience.command())
}

/// What an answer is marked with: the command that it answers.
pub(super) fn mark(audience: Audience, path: &str) -> String {
    format!("{} {path}", audience.command())
}

/// A message of a few words.
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

/// A line that is about no story.
pub(super) fn plain_line(what: impl Into<String>, title: impl Into<String>, tone: Tone) -> Line {
    Line {
        what: what.into(),
        title: title.into(),
        link: None,
        tone,
        mark: String::new(),
    }
}
