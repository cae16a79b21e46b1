//! Reads a TOML table key by key, and collects every problem with its line.
//!
//! serde stops at the first error, so this module walks the spanned table. It checks each key that is taken, and
//! reports the keys that are left as unknown. Rules of single tables are in other modules.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) use super::hints::quoted;
use super::hints::{did_you_mean, printable, shortened, unknown};
use super::keys::{KEYS, TableName};
use super::problem::{ConfigErrors, ConfigProblem};

/// The most lines with syntax errors that are reported; one open bracket can spoil the rest of the file.
const SYNTAX_ERRORS_MAX: usize = 10;

/// Whether a value is wrong or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProblemKind {
    Wrong,
    Missing,
}

/// The problems of one file.
pub(super) struct ProblemLog<'a> {
    file: &'a Path,
    text: &'a str,
    /// The positions of line ends, for fast lookups: a file may have thousands of fields.
    ends: Vec<usize>,
    problems: RefCell<Vec<(ProblemKind, ConfigProblem)>>,
}

impl<'a> ProblemLog<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        ProblemLog {
            file,
            text,
            ends: text.match_indices('\n').map(|(at, _)| at).collect(),
            problems: RefCell::new(Vec::new()),
        }
    }

    /// The line of the byte at `at`, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.ends.partition_point(|&end| end < at)
    }

    pub(super) fn note(&self, what: ProblemKind, line: Option<usize>, key: &str, message: String) {
        let problem = ConfigProblem {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            message,
        };
        self.problems.borrow_mut().push((what, problem));
    }

    /// Parses the text as TOML. Records one syntax error per line, because more only repeat the first. Returns
    /// everything that could be parsed.
    pub(super) fn document(&self) -> DeTable<'a> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        let at = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let mut errors: Vec<_> = errors.into_iter().map(|e| (self.line(at(&e)), e)).collect();
        // An unclosed bracket explains more than the error that it causes.
        let is_other = |error: &toml::de::Error| !error.message().starts_with("unclosed");
        errors.sort_by_key(|(line, error)| (*line, is_other(error), at(error)));
        errors.dedup_by_key(|(line, _)| *line);
        let more = errors.len().saturating_sub(SYNTAX_ERRORS_MAX);
        for (line, error) in errors.iter().take(SYNTAX_ERRORS_MAX) {
            let message = error.message().replace(['\n', '\r'], " ");
            self.note(
                ProblemKind::Wrong,
                Some(*line),
                "",
                format!("not TOML: {message}"),
            );
        }
        if let Some((line, _)) = errors.get(SYNTAX_ERRORS_MAX) {
            let message =
                format!("not TOML from here on in {more} lines; fix the first ones first");
            self.note(ProblemKind::Wrong, Some(*line), "", message);
        }
        document.into_inner()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    /// The lines of all problems so far.
    pub(super) fn lines(&self) -> Vec<usize> {
        let problems = self.problems.borrow();
        problems.iter().filter_map(|(_, note)| note.line).collect()
    }

    /// Drops problems that syntax errors may have caused: those in the same lines, and all missing values. The first
    /// `syntax_lines.len()` problems are the syntax errors.
    pub(super) fn drop_consequences(&self, syntax_lines: &[usize]) {
        let mut index = 0;
        self.problems.borrow_mut().retain(|(what, problem)| {
            index += 1;
            let repeats = problem
                .line
                .is_some_and(|line| syntax_lines.contains(&line));
            index <= syntax_lines.len() || (*what == ProblemKind::Wrong && !repeats)
        });
    }

    /// All problems, sorted by line.
    pub(super) fn into_errors(self) -> ConfigErrors {
        let noted = self.problems.into_inner();
        let mut problems: Vec<ConfigProblem> =
            noted.into_iter().map(|(_, problem)| problem).collect();
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { problems }
    }
}

/// A table that is being read.
pub(super) struct Table<'n, 't> {
    notes: &'n ProblemLog<'t>,
    within: TableName,
    /// The prefix of the table's keys in messages: empty, `network` or `feed[3] "name"`.
    place: String,
    /// The line of its header; 1 for the whole document.
    line: usize,
    entries: DeTable<'t>,
}

impl<'n, 't> Table<'n, 't> {
    pub(super) fn top(notes: &'n ProblemLog<'t>, entries: DeTable<'t>) -> Self {
        Table {
            notes,
            within: TableName::Top,
            place: String::new(),
            line: 1,
            entries,
        }
    }

    /// The line of its header.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Adds the table's own name to its name in messages.
    pub(super) fn call(&mut self, name: &str) {
        self.place = format!("{} {}", self.place, quoted(name));
    }

    /// Takes a key's value.
    pub(super) fn take(&mut self, key: &str) -> Option<Field<'n, 't>> {
        debug_assert!(
            KEYS.contains(&(self.within, key)),
            "{key} is missing from KEYS"
        );
        let (spanned_key, value) = self.entries.remove_entry(key)?;
        Some(Field {
            notes: self.notes,
            key: self.path(key),
            line: self.notes.line(spanned_key.span().start),
            value,
        })
    }

    /// Takes a key's value, which must be a table.
    pub(super) fn take_table(&mut self, key: &str, name: TableName) -> Option<Table<'n, 't>> {
        let right = format!("a table: write [{key}], its keys below");
        self.take(key)?.table(name, &right)
    }

    /// Takes a key's value, and records a problem if it is missing. `right` describes a good value.
    pub(super) fn need(&mut self, key: &str, right: &str) -> Option<Field<'n, 't>> {
        let field = self.take(key);
        if field.is_none() {
            let message = format!("missing; expected {right}");
            let path = self.path(key);
            self.notes
                .note(ProblemKind::Missing, Some(self.line), &path, message);
        }
        field
    }

    /// Records every key that was not taken as unknown.
    pub(super) fn finish(self) {
        for key in self.entries.keys() {
            let line = self.notes.line(key.span().start);
            let path = self.path(&printable(key.get_ref()));
            let message = unknown(self.within, key.get_ref());
            self.notes
                .note(ProblemKind::Wrong, Some(line), &path, message);
        }
    }

    fn path(&self, key: &str) -> String {
        match self.within {
            TableName::Top => key.to_owned(),
            TableName::Network
            | TableName::Relevance
            | TableName::Weights
            | TableName::Machines
            | TableName::Discord
            | TableName::Matrix
            | TableName::Commands
            | TableName::Follow
            | TableName::Issue
            | TableName::Web
            | TableName::Subsystems
            | TableName::Mail => {
                format!("{}.{key}", self.place)
            }
            TableName::Feed | TableName::Channel => format!("{}: {key}", self.place),
        }
    }
}

/// A value that is being read.
pub(super) struct Field<'n, 't> {
    notes: &'n ProblemLog<'t>,
    key: String,
    line: usize,
    value: Spanned<DeValue<'t>>,
}

impl<'n, 't> Field<'n, 't> {
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Records a problem with this value.
    pub(super) fn note(&self, message: impl Into<String>) {
        let line = Some(self.line);
        self.notes
            .note(ProblemKind::Wrong, line, &self.key, message.into());
    }

    /// Records that the value is not as `right` describes.
    pub(super) fn expected(&self, right: &str) {
        self.note(format!("expected {right}, found {}", self.found()));
    }

    /// Whether the value is an array.
    pub(super) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    /// Whether the value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// Whether the value is a table without keys.
    pub(super) fn is_empty_table(&self) -> bool {
        let table = self.value.get_ref().as_table();
        table.is_some_and(|table| table.is_empty())
    }

    /// The entries of a table whose keys are values too. More than `entries_max` are a problem.
    pub(super) fn entries(
        self,
        right: &str,
        entries_max: usize,
    ) -> Option<Vec<(String, Field<'n, 't>)>> {
        let Some(entries) = self.value.get_ref().as_table() else {
            self.expected(right);
            return None;
        };
        if entries.len() > entries_max {
            let many = entries.len();
            self.note(format!("expected at most {entries_max}, found {many}"));
            return None;
        }
        let DeValue::Table(entries) = self.value.into_inner() else {
            return None;
        };
        let entry = |(key, value): (Spanned<Cow<'t, str>>, Spanned<DeValue<'t>>)| {
            let field = Field {
                notes: self.notes,
                key: format!("{}.{}", self.key, printable(key.get_ref())),
                line: self.notes.line(key.span().start),
                value,
            };
            (key.get_ref().to_string(), field)
        };
        Some(entries.into_iter().map(entry).collect())
    }

    /// Whether the value is an array without members.
    pub(super) fn is_empty_list(&self) -> bool {
        let members = self.value.get_ref().as_array();
        members.is_some_and(|members| members.is_empty())
    }

    /// The text; `right` describes a good one.
    pub(super) fn text(&self, right: &str) -> Option<&str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            self.expected(right);
        }
        text
    }

    /// The whole number, if it is one. Records no problem.
    pub(super) fn number(&self) -> Option<u64> {
        let integer = self.value.get_ref().as_integer()?;
        u64::from_str_radix(integer.as_str(), integer.radix()).ok()
    }

    pub(super) fn truth(&self) -> Option<bool> {
        let truth = self.value.get_ref().as_bool();
        if truth.is_none() {
            self.expected("true or false");
        }
        truth
    }

    /// A whole number within `range`.
    pub(super) fn whole(&self, unit: &str, range: RangeInclusive<u64>) -> Option<u64> {
        let within = self.number().filter(|number| range.contains(number));
        if within.is_none() {
            let (least, most) = (range.start(), range.end());
            self.expected(&format!("a whole number of {unit} from {least} to {most}"));
        }
        within
    }

    /// A whole number from `-most` to `most`.
    pub(super) fn signed(&self, most: i64) -> Option<i32> {
        let integer = self.value.get_ref().as_integer();
        let number =
            integer.and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok());
        let within = number.filter(|number| number.abs() <= most);
        if within.is_none() {
            self.expected(&format!("a whole number from -{most} to {most}"));
        }
        within.and_then(|number| i32::try_from(number).ok())
    }

    /// One of a few words.
    pub(super) fn one_of<T: Copy>(&self, choices: &[(&'static str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let right = format!("one of {}", words.join(", "));
        let text = self.text(&right)?;
        let choice = choices.iter().find(|(word, _)| *word == text);
        if choice.is_none() {
            let hint = did_you_mean(text, words.into_iter());
            self.note(format!("expected {right}, found {}{hint}", self.found()));
        }
        choice.map(|(_, value)| *value)
    }

    /// The members of an array as values. More than `members_max` are a problem.
    pub(super) fn list(self, right: &str, members_max: usize) -> Option<Vec<Field<'n, 't>>> {
        let Some(members) = self.value.get_ref().as_array() else {
            self.expected(right);
            return None;
        };
        if members.len() > members_max {
            let many = members.len();
            self.note(format!("expected at most {members_max}, found {many}"));
            return None;
        }
        let DeValue::Array(members) = self.value.into_inner() else {
            return None;
        };
        let member = |(index, value): (usize, Spanned<DeValue<'t>>)| Field {
            notes: self.notes,
            key: format!("{}[{}]", self.key, index + 1),
            line: self.notes.line(value.span().start),
            value,
        };
        Some(members.into_iter().enumerate().map(member).collect())
    }

    /// The value as a table.
    pub(super) fn table(self, within: TableName, right: &str) -> Option<Table<'n, 't>> {
        if !self.value.get_ref().is_table() {
            self.expected(right);
            return None;
        }
        let DeValue::Table(entries) = self.value.into_inner() else {
            return None;
        };
        Some(Table {
            notes: self.notes,
            within,
            place: self.key,
            line: self.line,
            entries,
        })
    }

    /// The value for a message. Long and unprintable text is cut and escaped.
    fn found(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) => quoted(text),
            DeValue::Integer(number) => shortened(&number.to_string()),
            DeValue::Float(number) => shortened(&number.to_string()),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "a list".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}
