//! The clauses of a filter, and how they are written.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::Serialize;

use crate::story::relevance::REASONS;
use crate::story::{State, StoryKind};

/// The most memory of a compiled regular expression.
const REGEX_BYTES_MAX: usize = 128 * 1024;
/// The most bytes of a text that a regular expression sees. The slowest ones take 10 µs a byte.
const MATCHED_BYTES_MAX: usize = 400;
/// How deep the groups of a regular expression may lie in each other.
const REGEX_DEPTH_MAX: u32 = 40;

/// The kinds of stories, in the order of messages.
pub const KINDS: [StoryKind; 7] = [
    StoryKind::Series,
    StoryKind::Commit,
    StoryKind::Pull,
    StoryKind::Thread,
    StoryKind::Article,
    StoryKind::Release,
    StoryKind::Video,
];
/// The states of stories, in the order of messages.
pub const STATES: [State; 14] = [
    State::Posted,
    State::Discussed,
    State::Applied,
    State::PartlyApplied,
    State::Pulled,
    State::Mainline,
    State::Stable,
    State::Superseded,
    State::Withdrawn,
    State::Rejected,
    State::Open,
    State::Paid,
    State::Free,
    State::Published,
];

/// The word of a value, as in the JSON of a story and in the configuration.
pub fn json_word(value: &impl Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

/// A name that a text follows: `title:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum TextField {
    Path,
    Author,
    People,
    To,
    Cc,
    List,
    Tree,
    Title,
    Feed,
    Subsystem,
}

/// A name that a number follows: `parts>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberField {
    Parts,
    Score,
    Version,
    Replies,
}

/// A name that one of a few words follows: `kind:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WordField {
    Kind,
    State,
    Reason,
    About,
}

/// Any name of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Text(TextField),
    Number(NumberField),
    Word(WordField),
}

/// All names, in the order of messages.
pub(super) const FIELDS: [(&str, FieldKind); 18] = [
    ("path", FieldKind::Text(TextField::Path)),
    ("author", FieldKind::Text(TextField::Author)),
    ("people", FieldKind::Text(TextField::People)),
    ("to", FieldKind::Text(TextField::To)),
    ("cc", FieldKind::Text(TextField::Cc)),
    ("list", FieldKind::Text(TextField::List)),
    ("tree", FieldKind::Text(TextField::Tree)),
    ("kind", FieldKind::Word(WordField::Kind)),
    ("state", FieldKind::Word(WordField::State)),
    ("title", FieldKind::Text(TextField::Title)),
    ("reason", FieldKind::Word(WordField::Reason)),
    ("feed", FieldKind::Text(TextField::Feed)),
    ("subsystem", FieldKind::Text(TextField::Subsystem)),
    ("about", FieldKind::Word(WordField::About)),
    ("parts", FieldKind::Number(NumberField::Parts)),
    ("score", FieldKind::Number(NumberField::Score)),
    ("version", FieldKind::Number(NumberField::Version)),
    ("replies", FieldKind::Number(NumberField::Replies)),
];

impl FieldKind {
    /// The name as it is written.
    pub(super) fn word(self) -> &'static str {
        let field = FIELDS.iter().find(|(_, field)| *field == self);
        field.map_or("", |(word, _)| word)
    }
}

impl TextField {
    /// Whether a value after `:` means less than the whole, so that `=` means something else.
    pub(super) fn has_whole(self) -> bool {
        match self {
            Self::Author | Self::People | Self::Tree | Self::Title | Self::Subsystem => true,
            Self::Path | Self::To | Self::Cc | Self::List | Self::Feed => false,
        }
    }
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Comparison {
    /// The signs, the longer ones first.
    pub(super) const SIGNS: [(&str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Less),
        (">", Self::More),
        ("=", Self::Equal),
    ];

    pub(super) fn holds(self, value: i64, than: i64) -> bool {
        match self {
            Self::Less => value < than,
            Self::AtMost => value <= than,
            Self::Equal => value == than,
            Self::AtLeast => value >= than,
            Self::More => value > than,
        }
    }

    /// The sign as it is written, also in SQL.
    pub fn sign(self) -> &'static str {
        let sign = Self::SIGNS.iter().find(|(_, known)| *known == self);
        sign.map_or("", |(sign, _)| sign)
    }
}

/// The other side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextTest {
    /// As the field compares: a part of a title, a folder of a path.
    Like {
        text: String,
        /// The same in lower case.
        lower: String,
    },
    /// The whole value.
    Whole(String),
    Pattern(TextPattern),
}

impl TextTest {
    pub(super) fn like(text: &str) -> Self {
        Self::Like {
            text: text.to_owned(),
            lower: text.to_lowercase(),
        }
    }
}

/// A regular expression, equal to another with the same text.
#[derive(Debug, Clone)]
pub(super) struct TextPattern {
    /// As it was written, without slashes.
    source: String,
    /// Whether any case matches.
    any_case: bool,
    regex: Regex,
}

impl TextPattern {
    /// Compiles it within bounds.
    ///
    /// # Errors
    ///
    /// Why it cannot be compiled.
    pub(super) fn new(source: &str, any_case: bool) -> Result<Self, String> {
        Ok(Self {
            source: source.to_owned(),
            any_case,
            regex: compile(source, any_case)?,
        })
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.regex
            .is_match(&text[..text.floor_char_boundary(MATCHED_BYTES_MAX)])
    }
}

impl PartialEq for TextPattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.any_case) == (&other.source, other.any_case)
    }
}

impl Eq for TextPattern {}

/// Compiles a regular expression within bounds; matching takes time in proportion to the text.
pub(super) fn compile(source: &str, any_case: bool) -> Result<Regex, String> {
    let built = RegexBuilder::new(source)
        .case_insensitive(any_case)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .nest_limit(REGEX_DEPTH_MAX)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.strip_prefix("error: ").unwrap_or(last).to_owned()
        }
    })
}

/// The subject of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterTopic {
    Bpf,
    Anything,
}

impl FilterTopic {
    pub(super) const WORDS: [(&str, Self); 2] = [("bpf", Self::Bpf), ("anything", Self::Anything)];
}

/// The smallest part of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Clause {
    Text(TextField, TextTest),
    Number(NumberField, Comparison, i64),
    Kind(StoryKind),
    State(State),
    /// By its place in [`REASONS`].
    Reason(usize),
    About(FilterTopic),
}

impl Clause {
    /// The clause of a name and one of its words; `None` for another word. A word may be written with spaces, hyphens and in
    /// any case.
    pub(super) fn of_word(field: WordField, typed: &str) -> Option<Self> {
        let typed = typed.to_lowercase().replace(['-', ' '], "_");
        let is = |word: &str| word == typed;
        match field {
            WordField::Kind => KINDS
                .into_iter()
                .find(|kind| is(&json_word(kind)))
                .map(Self::Kind),
            WordField::State => STATES
                .into_iter()
                .find(|state| is(&json_word(state)))
                .map(Self::State),
            WordField::Reason => REASONS
                .iter()
                .position(|reason| is(reason.name))
                .map(Self::Reason),
            WordField::About => FilterTopic::WORDS
                .into_iter()
                .find(|(word, _)| is(word))
                .map(|(_, topic)| Self::About(topic)),
        }
    }
}

impl WordField {
    /// The words that may follow.
    pub(super) fn words(self) -> Vec<String> {
        match self {
            Self::Kind => KINDS.iter().map(json_word).collect(),
            Self::State => STATES.iter().map(json_word).collect(),
            Self::Reason => REASONS
                .iter()
                .map(|reason| reason.name.to_owned())
                .collect(),
            Self::About => FilterTopic::WORDS
                .iter()
                .map(|(word, _)| (*word).to_owned())
                .collect(),
        }
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(field, test) => {
                f.write_str(FieldKind::Text(*field).word())?;
                match test {
                    TextTest::Like { text, .. } => write!(f, ":{}", Quoted(text)),
                    TextTest::Whole(text) => write!(f, "={}", Quoted(text)),
                    TextTest::Pattern(pattern) => write!(f, ":{pattern}"),
                }
            }
            Self::Number(field, comparison, than) => {
                let name = FieldKind::Number(*field).word();
                write!(f, "{name}{}{than}", comparison.sign())
            }
            Self::Kind(kind) => write!(f, "kind:{}", json_word(kind)),
            Self::State(state) => write!(f, "state:{}", json_word(state)),
            Self::Reason(place) => write!(f, "reason:{}", REASONS[*place].name),
            Self::About(topic) => {
                let word = FilterTopic::WORDS.iter().find(|(_, known)| known == topic);
                write!(f, "about:{}", word.map_or("", |(word, _)| word))
            }
        }
    }
}

/// A value, in quotes if it needs them.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '(' | ')' | '"');
        if !self.0.is_empty() && !self.0.starts_with(['/', '\'']) && !self.0.contains(ends) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for TextPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("/")?;
        let mut chars = self.source.chars();
        while let Some(c) = chars.next() {
            match c {
                '/' => f.write_str("\\/")?,
                '\\' => {
                    f.write_str("\\")?;
                    if let Some(next) = chars.next() {
                        write!(f, "{next}")?;
                    }
                }
                c => write!(f, "{c}")?,
            }
        }
        f.write_str(if self.any_case { "/i" } else { "/" })
    }
}
