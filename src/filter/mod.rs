//! Filters: one small language that says which stories are meant, for channels, follows, lists and searches. Pure.
//! docs/filters.md describes it for users.

mod clause;
mod condition;
mod error;
mod explain;
mod maintainers;
mod owners;
mod parse;
mod section;
mod subsystems;
mod takes;
mod value;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::clause::{Clause, FilterTopic, TextField, TextTest};
pub use self::clause::{Comparison, KINDS, NumberField, STATES, json_word};
pub use self::condition::{Condition, StoryValues, ValueColumn, ValueTest};
pub use self::error::FilterError;
pub use self::explain::Explanation;
pub use self::subsystems::{MAINTAINERS_BYTES_MAX, SubsystemTable, Subsystems};
use self::takes::Asked;
use crate::story::{State, Story, StoryKind};

/// The most characters of a filter.
pub const CHARS_MAX: usize = 2_000;
/// The most clauses of a filter that is read from a text.
pub const CLAUSES_MAX: usize = 100;
/// The most regular expressions among them.
pub const PATTERNS_MAX: usize = 4;
/// How deep `and`, `or` and `not` may lie in each other.
pub const DEPTH_MAX: usize = 32;

/// A filter, read. It prints as a text from which the same filter is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    root: Expr,
}

/// Takes every story.
impl Default for Filter {
    fn default() -> Self {
        Self::all_of(Vec::new())
    }
}

impl Filter {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// Where it is wrong, and the right form.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text).map(|root| Self { root })
    }

    /// Whether the filter takes a story.
    pub fn takes(&self, story: &Story, subsystems: &Subsystems) -> bool {
        self.root.takes(&Asked::new(story, subsystems))
    }

    /// What the values that are stored beside a story say about it.
    pub fn condition(&self) -> Condition {
        self.root.condition()
    }

    /// For each clause, whether it takes the story, and the story's value.
    pub fn explain(&self, story: &Story, subsystems: &Subsystems) -> Explanation {
        self.root.explain(&Asked::new(story, subsystems))
    }

    /// Checks the names that depend on the configuration: subsystems.
    ///
    /// # Errors
    ///
    /// The first clause that can take no story, and the right form.
    pub fn check(&self, subsystems: &Subsystems) -> Result<(), FilterError> {
        let mut wrong = None;
        self.root.each(&mut |clause| {
            if let Clause::Text(TextField::Subsystem, test) = clause
                && wrong.is_none()
                && let Err((what, right)) = subsystems.check(test)
            {
                wrong = Some((clause.to_string(), what, right));
            }
        });
        let Some((clause, what, right)) = wrong else {
            return Ok(());
        };
        let text = self.to_string();
        let before = text.find(&clause).map_or("", |at| &text[..at]);
        Err(FilterError::new(&text, before.chars().count(), what, right))
    }

    /// The feeds that it names.
    pub fn feeds(&self) -> Vec<&str> {
        let mut feeds = Vec::new();
        self.root.each(&mut |clause| {
            if let Clause::Text(TextField::Feed, TextTest::Like { text, .. }) = clause {
                feeds.push(text.as_str());
            }
        });
        feeds
    }

    /// How many regular expressions it has. All other clauses take microseconds; one of these, made to be slow, takes up to
    /// 50 ms for a story with many files.
    pub fn patterns(&self) -> usize {
        let mut patterns = 0;
        self.root.each(&mut |clause| {
            let is_pattern = matches!(clause, Clause::Text(_, TextTest::Pattern(_)));
            patterns += usize::from(is_pattern);
        });
        patterns
    }

    /// Reads the text of a search: a filter, or only words for a search in full text (`None`). Words with a colon
    /// that are no filter are words.
    ///
    /// # Errors
    ///
    /// If it has a name of the language, and is no filter.
    pub fn of_search(text: &str) -> Result<Option<Self>, FilterError> {
        match Self::parse(text) {
            Ok(filter) if filter.is_full_text() => Ok(None),
            Ok(filter) => Ok(Some(filter)),
            Err(error) if parse::names_field(text) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// Whether it is nothing but words of titles and names of people, all of which must match.
    fn is_full_text(&self) -> bool {
        let is_word = |part: &Expr| {
            let Expr::Clause(Clause::Text(field, TextTest::Like { text, .. })) = part else {
                return false;
            };
            *field == TextField::Title || *field == TextField::People && !text.contains('@')
        };
        match &self.root {
            Expr::All(parts) => parts.iter().all(is_word),
            part => is_word(part),
        }
    }

    /// Takes the stories that all of these take; every story if there are none.
    pub fn all_of(filters: Vec<Self>) -> Self {
        Self::of(Expr::all_of(roots(filters)))
    }

    /// Takes the stories that any of these takes; none if there are none.
    pub fn any_of(filters: Vec<Self>) -> Self {
        Self::of(Expr::any_of(roots(filters)))
    }

    /// Takes the stories that this one does not take.
    pub fn inverted(self) -> Self {
        Self::of(Expr::not(self.root))
    }

    /// `kind:…`
    pub fn kind(kind: StoryKind) -> Self {
        Self::of(Expr::Clause(Clause::Kind(kind)))
    }

    /// `state:…`
    pub fn state(state: State) -> Self {
        Self::of(Expr::Clause(Clause::State(state)))
    }

    /// `feed:…`
    pub fn feed(name: &str) -> Self {
        Self::text(TextField::Feed, TextTest::like(name))
    }

    /// `tree=…`
    pub fn tree(name: &str) -> Self {
        Self::text(TextField::Tree, TextTest::Whole(name.to_owned()))
    }

    /// `title:…`
    pub fn title_word(word: &str) -> Self {
        Self::text(TextField::Title, TextTest::like(word))
    }

    /// `author=…`
    pub fn author(name: &str) -> Self {
        Self::text(TextField::Author, TextTest::Whole(name.to_owned()))
    }

    /// `people=…`
    pub fn person(name: &str) -> Self {
        Self::text(TextField::People, TextTest::Whole(name.to_owned()))
    }

    /// `score>=…`
    pub fn score_at_least(least: i32) -> Self {
        let (score, least) = (NumberField::Score, i64::from(least));
        Self::of(Expr::Clause(Clause::Number(
            score,
            Comparison::AtLeast,
            least,
        )))
    }

    /// `about:bpf`
    pub fn about_bpf() -> Self {
        Self::of(Expr::Clause(Clause::About(FilterTopic::Bpf)))
    }

    fn text(field: TextField, test: TextTest) -> Self {
        Self::of(Expr::Clause(Clause::Text(field, test)))
    }

    fn of(root: Expr) -> Self {
        Self { root }
    }
}

fn roots(filters: Vec<Filter>) -> Vec<Expr> {
    filters.into_iter().map(|filter| filter.root).collect()
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;

    fn try_from(text: String) -> Result<Self, FilterError> {
        Self::parse(&text)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> Self {
        filter.to_string()
    }
}

/// A part of a filter. `All` and `Any` have at least two parts, none of which is of the same form.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    Clause(Clause),
}

impl Expr {
    fn all_of(parts: Vec<Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::All(inner) => all.extend(inner),
                part => all.push(part),
            }
        }
        match all.len() {
            0 => Self::Clause(Clause::About(FilterTopic::Anything)),
            1 => all.remove(0),
            _ => Self::All(all),
        }
    }

    fn any_of(parts: Vec<Self>) -> Self {
        let mut any = Vec::new();
        for part in parts {
            match part {
                Self::Any(inner) => any.extend(inner),
                part => any.push(part),
            }
        }
        match any.len() {
            0 => Self::not(Self::Clause(Clause::About(FilterTopic::Anything))),
            1 => any.remove(0),
            _ => Self::Any(any),
        }
    }

    fn not(part: Self) -> Self {
        Self::Not(Box::new(part))
    }

    /// How many `and`, `or` and `not` lie in each other.
    fn depth(&self) -> usize {
        let below = |parts: &[Self]| parts.iter().map(Self::depth).max().unwrap_or(0);
        match self {
            Self::All(parts) | Self::Any(parts) => 1 + below(parts),
            Self::Not(part) => 1 + part.depth(),
            Self::Clause(_) => 0,
        }
    }

    fn each<'a>(&'a self, visit: &mut impl FnMut(&'a Clause)) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.each(visit);
                }
            }
            Self::Not(part) => part.each(visit),
            Self::Clause(clause) => visit(clause),
        }
    }

    fn takes(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.takes(asked)),
            Self::Any(parts) => parts.iter().any(|part| part.takes(asked)),
            Self::Not(part) => !part.takes(asked),
            Self::Clause(clause) => asked.holds(clause),
        }
    }

    fn explain(&self, asked: &Asked<'_>) -> Explanation {
        let of = |parts: &[Self]| parts.iter().map(|part| part.explain(asked)).collect();
        let (clause, value, parts) = match self {
            Self::All(parts) => ("all of".to_owned(), String::new(), of(parts)),
            Self::Any(parts) => ("any of".to_owned(), String::new(), of(parts)),
            Self::Not(part) => (
                "not".to_owned(),
                String::new(),
                of(std::slice::from_ref(part)),
            ),
            Self::Clause(clause) => (clause.to_string(), asked.value(clause), Vec::new()),
        };
        Explanation {
            clause,
            taken: self.takes(asked),
            value,
            parts,
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, parts: &[Self], joint: &str| {
            for (place, part) in parts.iter().enumerate() {
                if place > 0 {
                    f.write_str(joint)?;
                }
                part.fmt_inside(f)?;
            }
            Ok(())
        };
        match self {
            Self::All(parts) => joined(f, parts, " and "),
            Self::Any(parts) => joined(f, parts, " or "),
            Self::Not(part) => {
                f.write_str("not ")?;
                part.fmt_inside(f)
            }
            Self::Clause(clause) => clause.fmt(f),
        }
    }
}

impl Expr {
    /// The same as a part of another: in parentheses if it has parts.
    fn fmt_inside(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(_) | Self::Any(_) => write!(f, "({self})"),
            Self::Not(_) | Self::Clause(_) => write!(f, "{self}"),
        }
    }
}

#[cfg(test)]
mod tests;
