//! Messages about stories, as the lines of a mail.

use crate::post::plain;
use crate::post::story::{Content, Line, Post};

/// A message in the form of a mail: a subject, a line of its own for each story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MailNews {
    pub(super) subject: String,
    /// Paragraphs above the stories.
    pub(super) lead: Vec<String>,
    pub(super) lines: Vec<NewsLine>,
}

/// A story in a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NewsLine {
    pub(super) title: String,
    pub(super) about: String,
    pub(super) link: Option<String>,
}

/// Reads any content of a channel.
pub(super) fn news_of(content: &Content) -> MailNews {
    let subject = plain(&content.title());
    match content {
        Content::Story(post) => MailNews {
            subject: match post.state.as_str() {
                "" => subject,
                state => format!("{subject} ({})", plain(state)),
            },
            lead: words_of(post),
            lines: vec![NewsLine {
                title: plain(&post.title),
                about: plain(&post.state),
                link: post.link.clone(),
            }],
        },
        Content::Line(line) => MailNews {
            subject: format!("{}: {subject}", plain(&line.what)),
            lead: Vec::new(),
            lines: vec![news_line(line)],
        },
        Content::Digest(digest) => MailNews {
            subject,
            lead: Vec::new(),
            lines: digest.lines.iter().map(news_line).collect(),
        },
        Content::Issue(post) => MailNews {
            subject,
            lead: post.lead.lines().map(plain).collect(),
            lines: post
                .parts
                .iter()
                .flat_map(|part| part.lines.iter().map(news_line))
                .collect(),
        },
        Content::Suggestion(suggestion) => MailNews {
            subject,
            lead: vec![plain(&suggestion.note)],
            lines: vec![NewsLine {
                title: plain(&suggestion.link),
                about: plain(&suggestion.decided),
                link: Some(suggestion.link.clone()),
            }],
        },
        Content::Notice { text, .. } => MailNews {
            subject,
            lead: text.lines().map(plain).collect(),
            lines: Vec::new(),
        },
    }
}

fn news_line(line: &Line) -> NewsLine {
    NewsLine {
        title: plain(&line.title),
        about: plain(&line.what),
        link: line.link.clone(),
    }
}

/// The author's words about a story, and its steps.
fn words_of(post: &Post) -> Vec<String> {
    let steps = post.steps.join(" · ");
    let words = [&post.author, &post.summary, &post.change, &steps];
    words
        .into_iter()
        .map(|text| plain(text))
        .filter(|text| !text.is_empty())
        .collect()
}
