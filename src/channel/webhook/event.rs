//! The JSON of a webhook, as docs/webhook.schema.json describes it. It is a promise: fields are added, never changed.

use serde::Serialize;

use crate::channel::{Act, Receipt, Work};
use crate::post::story::{Content, Digest, IssuePost, Line, Post, Suggestion, Tone};

/// The version of the format.
const SCHEMA: u32 = 1;

/// An event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct HookEvent {
    schema: u32,
    /// The same for all attempts, and for no other event.
    pub(super) id: String,
    event: &'static str,
    /// The channel's name in the configuration.
    channel: String,
    message: HookMessage,
    /// `None` for a removal.
    content: Option<HookBody>,
}

/// The message that an event is about. An edit has the id of the message that it changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookMessage {
    id: String,
    /// Grows with each change.
    revision: u64,
    /// The message that this one answers.
    reply_to: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum HookBody {
    Story(Box<HookStory>),
    Line(HookLine),
    Digest { title: String, lines: Vec<HookLine> },
    Issue(HookIssue),
    Suggestion(HookSuggestion),
    Notice { title: String, text: String },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookStory {
    story: String,
    about: &'static str,
    state: String,
    tone: Tone,
    tree: String,
    title: String,
    author: String,
    at: String,
    feeds: Vec<String>,
    notes: Vec<String>,
    patches: Vec<HookPart>,
    patches_left_out: usize,
    summary: String,
    change: String,
    checks: String,
    steps: Vec<String>,
    link: Option<String>,
    reviews: String,
    commit: Option<HookCommit>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookCommit {
    words: String,
    link: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookPart {
    number: String,
    title: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookLine {
    what: String,
    title: String,
    author: String,
    summary: String,
    link: Option<String>,
    tone: Tone,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookIssue {
    number: u32,
    title: String,
    lead: String,
    parts: Vec<HookIssuePart>,
    link: Option<String>,
    lines_left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookIssuePart {
    heading: String,
    lines: Vec<HookLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct HookSuggestion {
    number: i64,
    link: String,
    note: String,
    known: String,
    decided: String,
}

/// The event of a delivery, and the receipt of its message.
pub(super) fn event_of(work: &Work) -> (HookEvent, Receipt) {
    let version = version_of(&work.key);
    let (event, message, content) = match &work.act {
        Act::Send { content, under } => {
            let message = HookMessage {
                id: work.key.clone(),
                revision: 1 + version,
                reply_to: under.as_ref().map(|below| read_receipt(below.message()).0),
            };
            ("posted", message, Some(content_of(content)))
        }
        Act::Edit { receipt, content } => {
            let message = changed(receipt, version);
            ("changed", message, Some(content_of(content)))
        }
        Act::Remove { receipt } => ("removed", changed(receipt, version), None),
    };
    let receipt = Receipt {
        message: format!("{}.{}", message.id, message.revision),
        thread: None,
    };
    let event = HookEvent {
        schema: SCHEMA,
        id: work.key.clone(),
        event,
        channel: work.address.clone(),
        message,
        content,
    };
    (event, receipt)
}

/// A new revision of a message. It is higher than those of all earlier deliveries, also of one that was replaced before its
/// outcome was known.
fn changed(receipt: &Receipt, version: u64) -> HookMessage {
    let (id, revision) = read_receipt(receipt);
    HookMessage {
        id,
        revision: revision.saturating_add(1).saturating_add(version),
        reply_to: None,
    }
}

/// The id and the revision in a receipt.
fn read_receipt(receipt: &Receipt) -> (String, u64) {
    let parts = receipt.message.rsplit_once('.');
    let read = parts.and_then(|(id, revision)| Some((id.to_owned(), revision.parse().ok()?)));
    read.unwrap_or_else(|| (receipt.message.clone(), 1))
}

/// How often the content of a delivery changed before it was sent: the part of its key behind the dash.
fn version_of(key: &str) -> u64 {
    let version = key.rsplit_once('-').filter(|(nonce, _)| *nonce != "try");
    version
        .and_then(|(_, version)| u64::from_str_radix(version, 16).ok())
        .unwrap_or(0)
}

fn content_of(content: &Content) -> HookBody {
    match content {
        Content::Story(post) => HookBody::Story(Box::new(story(post))),
        Content::Line(line) => HookBody::Line(hook_line(line)),
        Content::Digest(Digest { title, lines, .. }) => HookBody::Digest {
            title: title.clone(),
            lines: lines.iter().map(hook_line).collect(),
        },
        Content::Issue(issue) => HookBody::Issue(hook_issue(issue)),
        Content::Suggestion(suggestion) => HookBody::Suggestion(hook_suggestion(suggestion)),
        Content::Notice { title, text, .. } => HookBody::Notice {
            title: title.clone(),
            text: text.clone(),
        },
    }
}

fn story(post: &Post) -> HookStory {
    let patches = post.parts.iter().map(|(number, title)| HookPart {
        number: number.clone(),
        title: title.clone(),
    });
    HookStory {
        story: post.mark.clone(),
        about: post.about.word(),
        state: post.state.clone(),
        tone: post.tone,
        tree: post.tree.clone(),
        title: post.title.clone(),
        author: post.author.clone(),
        at: post.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        feeds: post.feeds.clone(),
        notes: post.notes.clone(),
        patches: patches.collect(),
        patches_left_out: post.parts_left_out,
        summary: post.summary.clone(),
        change: post.change.clone(),
        checks: post.checks.clone(),
        steps: post.steps.clone(),
        link: post.link.clone(),
        reviews: post.reviews.clone(),
        commit: post.commit.as_ref().map(|commit| HookCommit {
            words: commit.words.clone(),
            link: commit.link.clone(),
        }),
    }
}

fn hook_line(line: &Line) -> HookLine {
    HookLine {
        what: line.what.clone(),
        title: line.title.clone(),
        author: line.author.clone(),
        summary: line.summary.clone(),
        link: line.link.clone(),
        tone: line.tone,
    }
}

fn hook_issue(issue: &IssuePost) -> HookIssue {
    let parts = issue.parts.iter().map(|part| HookIssuePart {
        heading: part.heading.clone(),
        lines: part.lines.iter().map(hook_line).collect(),
    });
    HookIssue {
        number: issue.number,
        title: issue.title.clone(),
        lead: issue.lead.clone(),
        parts: parts.collect(),
        link: issue.link.clone(),
        lines_left_out: issue.left_out,
    }
}

fn hook_suggestion(suggestion: &Suggestion) -> HookSuggestion {
    HookSuggestion {
        number: suggestion.number,
        link: suggestion.link.clone(),
        note: suggestion.note.clone(),
        known: suggestion.known.clone(),
        decided: suggestion.decided.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice() -> Content {
        Content::Notice {
            title: "t".to_owned(),
            text: String::new(),
            mark: "m".to_owned(),
        }
    }

    fn sent(key: &str, act: Act) -> (HookMessage, Receipt) {
        let work = Work {
            address: "hook".to_owned(),
            act,
            key: key.to_owned(),
            is_retry: false,
            person: None,
            tried_ago: None,
        };
        let (event, receipt) = event_of(&work);
        assert_eq!(event.id, key);
        (event.message, receipt)
    }

    #[test]
    fn revisions_only_grow() {
        let content = notice;
        let under = None;
        let (first, receipt) = sent(
            "ab-2",
            Act::Send {
                content: content(),
                under,
            },
        );
        assert_eq!((&*first.id, first.revision), ("ab-2", 3));
        let edit = |receipt: &Receipt| Act::Edit {
            receipt: receipt.clone(),
            content: content(),
        };
        // The first attempt of an edit may have arrived; newer content replaced it.
        let (lost, _) = sent("cd-0", edit(&receipt));
        let (second, receipt) = sent("cd-a", edit(&receipt));
        assert_eq!((lost.revision, second.revision), (4, 14));
        assert_eq!(second.id, first.id);
        let (gone, _) = sent(
            "ef-0",
            Act::Remove {
                receipt: receipt.clone(),
            },
        );
        assert_eq!((&*gone.id, gone.revision), ("ab-2", 15));
        let under = Some(crate::channel::Below::Answer(receipt));
        let (answer, _) = sent(
            "12-0",
            Act::Send {
                content: content(),
                under,
            },
        );
        assert_eq!(
            (answer.reply_to.as_deref(), answer.revision),
            (Some("ab-2"), 1)
        );
        assert_eq!(
            sent(
                "try-ffff",
                Act::Send {
                    content: content(),
                    under: None
                }
            )
            .0
            .revision,
            1
        );
    }
}
