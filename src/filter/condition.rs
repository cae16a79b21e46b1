//! The part of a filter that a database decides without reading whole stories.

use super::clause::{Clause, Comparison, FilterTopic, NumberField, TextField, TextTest};
use super::takes::Asked;
use super::value::folder_of;
use super::{Expr, Subsystems};
use crate::story::relevance::REASONS;
use crate::story::{State, Story, StoryKind};
use serde::Serialize;

/// A filter as a question about the values that are stored beside a story. The answer is true, false or unknown, and its
/// joints are those of SQL. True and false are exact, so a story with another answer than false is compared as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Value(ValueTest),
    Unknown,
}

/// A question about one stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ValueTest {
    Kind(StoryKind),
    State(State),
    /// A story without such a number has -1 there, and the answer is false.
    Number(NumberField, Comparison, i64),
    /// Whether the column contains the text.
    Contains(ValueColumn, String),
    /// Whether it changes a file in this folder or below.
    Folder(String),
}

/// A column of [`StoryValues`] with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueColumn {
    Title,
    Author,
    People,
    Trees,
    Feeds,
    Lists,
    Mailed,
    Reasons,
}

/// The values of a story that are stored for conditions. A text is a list of lines, each between two line feeds. It is `None`
/// if that cannot say it exactly; then the answer is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoryValues {
    /// In lower case, as the names are.
    pub title: Option<String>,
    pub author: Option<String>,
    /// The author and everybody else.
    pub people: Option<String>,
    /// Whole and by the last part, in lower case as far as it is ASCII.
    pub trees: Option<String>,
    pub feeds: Option<String>,
    pub lists: Option<String>,
    /// The parts before the `@` of the addresses in `To:` and `Cc:`.
    pub mailed: Option<String>,
    /// The words of the reasons that hold.
    pub reasons: Option<String>,
    pub score: i64,
    /// -1: it has none; the same for the others.
    pub parts: i64,
    pub version: i64,
    pub replies: i64,
}

impl StoryValues {
    /// The values of a story.
    pub fn of(story: &Story) -> Self {
        let subsystems = Subsystems::default();
        let asked = Asked::new(story, &subsystems);
        let scope = &story.scope;
        // A name may be equal to an address only if that has an `@`.
        let has_odd_address = |addresses: &[String]| addresses.iter().any(|a| !a.contains('@'));
        let names = |field| {
            let names = asked.names(field).into_iter();
            lines(names.map(str::to_lowercase))
        };
        let odd_author = has_odd_address(&scope.authors);
        let odd_person = odd_author || has_odd_address(&scope.people);
        let trees = asked.texts(TextField::Tree).into_iter();
        let trees = trees.flat_map(|tree| {
            let tree = tree.trim_end_matches(".git").to_ascii_lowercase();
            let short = tree.rsplit('/').next().map(str::to_owned);
            short.into_iter().chain([tree])
        });
        let addresses = scope.to.iter().chain(&scope.cc);
        let reasons = story.why.iter().filter_map(|why| {
            let (words, weight) = why.strip_suffix(')')?.rsplit_once(" (")?;
            weight.parse::<i32>().ok().map(|_| words.to_owned())
        });
        let number = |field| asked.number(field).unwrap_or(-1);
        Self {
            title: lines([story.title.to_lowercase()]),
            author: names(TextField::Author).filter(|_| !odd_author),
            people: names(TextField::People).filter(|_| !odd_person),
            trees: lines(trees),
            feeds: lines(story.feeds.iter().cloned()),
            lists: lines(scope.lists.iter().map(|list| list.to_ascii_lowercase())),
            mailed: lines(addresses.map(|address| local_part(address))),
            reasons: lines(reasons),
            score: story.score.into(),
            parts: number(NumberField::Parts),
            version: number(NumberField::Version),
            replies: number(NumberField::Replies),
        }
    }
}

/// Texts as lines, each once and between two line feeds.
fn lines(texts: impl IntoIterator<Item = String>) -> Option<String> {
    let mut lines = String::from("\n");
    for text in texts {
        if text.contains(char::is_control) {
            return None;
        }
        if !lines.contains(&format!("\n{text}\n")) {
            lines.push_str(&text);
            lines.push('\n');
        }
    }
    Some(lines)
}

/// The part of an address before the `@`, in lower case as far as it is ASCII.
fn local_part(address: &str) -> String {
    let (local, _) = address.rsplit_once('@').unwrap_or((address, ""));
    local.to_ascii_lowercase()
}

impl Expr {
    /// What stored values say about it.
    pub(super) fn condition(&self) -> Condition {
        let of = |parts: &[Self]| parts.iter().map(Self::condition).collect();
        match self {
            Self::All(parts) => Condition::All(of(parts)),
            Self::Any(parts) => Condition::Any(of(parts)),
            Self::Not(part) => Condition::Not(Box::new(part.condition())),
            Self::Clause(clause) => clause.condition(),
        }
    }
}

impl Condition {
    const TRUE: Self = Self::All(Vec::new());

    fn contains(column: ValueColumn, text: String) -> Self {
        Self::Value(ValueTest::Contains(column, text))
    }

    /// Whether the column has such a line.
    fn has_line(column: ValueColumn, line: &str) -> Self {
        Self::contains(column, format!("\n{line}\n"))
    }

    /// False if this is false, else unknown: this is necessary and not sufficient.
    fn needed(self) -> Self {
        Self::All(vec![self, Self::Unknown])
    }
}

impl Clause {
    fn condition(&self) -> Condition {
        match self {
            Self::Kind(kind) => Condition::Value(ValueTest::Kind(*kind)),
            Self::State(state) => Condition::Value(ValueTest::State(*state)),
            Self::Number(field, comparison, than) => {
                Condition::Value(ValueTest::Number(*field, *comparison, *than))
            }
            Self::Reason(place) => Condition::has_line(ValueColumn::Reasons, REASONS[*place].words),
            // Values are stored for stories about BPF alone.
            Self::About(FilterTopic::Bpf | FilterTopic::Anything) => Condition::TRUE,
            Self::Text(field, TextTest::Like { text, lower }) if is_plain(text) => {
                like(*field, text, lower)
            }
            Self::Text(field, TextTest::Whole(text)) if is_plain(text) => whole(*field, text),
            Self::Text(..) => Condition::Unknown,
        }
    }
}

/// Whether a text may be looked for in lines.
fn is_plain(text: &str) -> bool {
    !text.contains(char::is_control)
}

fn like(field: TextField, text: &str, lower: &str) -> Condition {
    let ascii = text.to_ascii_lowercase();
    match field {
        TextField::Title => Condition::contains(ValueColumn::Title, lower.to_owned()),
        TextField::Author | TextField::People if text.contains('@') => Condition::Unknown,
        TextField::Author => Condition::contains(ValueColumn::Author, lower.to_owned()),
        TextField::People => Condition::contains(ValueColumn::People, lower.to_owned()),
        TextField::Tree => Condition::has_line(ValueColumn::Trees, &ascii),
        TextField::Feed => Condition::has_line(ValueColumn::Feeds, text),
        TextField::To | TextField::Cc => mailed(&ascii).needed(),
        TextField::List => Condition::Any(vec![
            Condition::has_line(ValueColumn::Lists, &ascii),
            Condition::contains(ValueColumn::Lists, format!("\n{ascii}.")),
            mailed(&ascii),
        ]),
        TextField::Path => match folder_of(text) {
            folder if folder.is_empty() => Condition::Unknown,
            folder => Condition::Value(ValueTest::Folder(folder)).needed(),
        },
        TextField::Subsystem => Condition::Unknown,
    }
}

/// Whether a mail was sent to an address, a domain, or a name before an `@`.
fn mailed(wanted: &str) -> Condition {
    match wanted.rsplit_once('@') {
        Some(("", _)) => Condition::Unknown,
        Some((local, _)) => Condition::has_line(ValueColumn::Mailed, local).needed(),
        None => Condition::has_line(ValueColumn::Mailed, wanted),
    }
}

fn whole(field: TextField, text: &str) -> Condition {
    let lower = text.to_lowercase();
    match field {
        TextField::Title => Condition::has_line(ValueColumn::Title, &lower),
        TextField::Author | TextField::People if text.contains('@') => Condition::Unknown,
        // The exact comparison knows the cases of ASCII alone.
        TextField::Author => Condition::has_line(ValueColumn::Author, &lower).needed(),
        TextField::People => Condition::has_line(ValueColumn::People, &lower).needed(),
        TextField::Tree => {
            Condition::has_line(ValueColumn::Trees, &text.to_ascii_lowercase()).needed()
        }
        TextField::Path
        | TextField::To
        | TextField::Cc
        | TextField::List
        | TextField::Feed
        | TextField::Subsystem => Condition::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whole() {
        let names = ["a", "b", "a"].map(str::to_owned);
        assert_eq!(lines(names).as_deref(), Some("\na\nb\n"));
        assert_eq!(lines([]).as_deref(), Some("\n"));
        assert_eq!(lines(["a\nb".to_owned()]), None);
    }
}
