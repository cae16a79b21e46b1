//! The input and output of a command's function.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::chat::{Audience, Call, PlatformKind, Requester};
use crate::live::rights::Right;
use crate::live::{Generation, Live};
use crate::post::story::{Content, Digest, IssuePost, Line, Tone};
use crate::store::Tx;
use crate::store::audit::{self, Actor};
use crate::store::stories::day_of;

/// A command being handled.
pub(super) struct CommandContext<'a> {
    pub(super) live: &'a Live,
    /// The generation that was running when the command came.
    pub(super) generation: Arc<Generation>,
    pub(super) by: &'a Requester,
    pub(super) right: Right,
    pub(super) call: &'a Call,
    pub(super) now: DateTime<Utc>,
}

/// The result of a command.
pub(super) enum Answer {
    Message(Content),
    /// A list, shown in pages.
    List(Listing),
    /// An issue, shown in pages.
    Issue(Box<IssuePost>),
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
pub enum CommandError {
    /// The person can correct it, so the text is shown as it is.
    Refused(String),
    /// An internal error: logged, and not shown in chat.
    Internal(anyhow::Error),
}

impl From<anyhow::Error> for CommandError {
    fn from(error: anyhow::Error) -> Self {
        Self::Internal(error)
    }
}

/// A refusal with this reason.
pub(super) fn refuse<T>(what: impl Into<String>) -> Result<T, CommandError> {
    Err(CommandError::Refused(what.into()))
}

impl CommandContext<'_> {
    /// Days since 1970.
    pub(super) fn today(&self) -> i64 {
        day_of(self.now)
    }

    /// How the person searches for stories.
    pub(super) fn search(&self) -> String {
        self.typed(Audience::Readers, "search WORDS")
    }

    /// A command as a person types it on this platform: `/bpfnews latest`.
    pub(super) fn typed(&self, audience: Audience, words: &str) -> String {
        typed(self.by, audience, words)
    }

    /// The person, as the author of a change.
    pub(super) fn actor(&self) -> Actor {
        Actor {
            platform: self.by.platform.word().to_owned(),
            person: self.by.person.clone(),
            room: self.by.room.clone(),
            community: self.by.community.clone(),
        }
    }

    /// Records a change in the audit log, and commits the transaction that made it.
    pub(super) async fn commit(&self, mut tx: Tx, what: &str) -> Result<(), CommandError> {
        audit::record(&mut tx, &self.actor(), what, self.now).await?;
        Ok(tx.commit().await.map_err(anyhow::Error::from)?)
    }

    /// An argument that the grammar requires.
    pub(super) fn required(&self, name: &str) -> &str {
        self.call.get(name).unwrap_or_default()
    }

    /// A short message.
    pub(super) fn message(
        &self,
        title: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Answer, CommandError> {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Message(notice(title, text, mark)))
    }

    /// A short list, without pages.
    pub(super) fn short_list(
        &self,
        title: impl Into<String>,
        lines: Vec<Line>,
    ) -> Result<Answer, CommandError> {
        let mark = mark(self.call.spec.audience, self.call.spec.path);
        Ok(Answer::Message(Content::Digest(Digest {
            title: title.into(),
            lines,
            mark,
        })))
    }
}

/// A command as a person types it: `/bpfnews latest` on Discord, `!bpfnews latest` elsewhere.
pub(super) fn typed(by: &Requester, audience: Audience, words: &str) -> String {
    let sign = match by.platform {
        PlatformKind::Discord => '/',
        PlatformKind::Matrix
        | PlatformKind::Terminal
        | PlatformKind::Mail
        | PlatformKind::Webhook => '!',
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
        tone,
        ..Line::default()
    }
}
