//! Reads a TOML table key by key and collects every problem with its line.
//!
//! serde stops at the first error, so the spanned table is walked by hand: a key that is taken is checked against what
//! it should be, and what nobody took is unknown. No rule of a single feed stands here.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Within};
use super::{ConfigErrors, Problem};

/// How much of a wrong value is repeated in a message, in characters.
const FOUND_CHARS_MAX: usize = 40;

/// How many lines with errors of syntax are told; one open bracket can spoil all that follow it.
const SYNTAX_ERRORS_MAX: usize = 10;

/// How alike an unknown key must be to a known one before we ask whether that was meant (0 to 1).
const LIKENESS_MIN: f64 = 0.8;

/// Whether a problem says that something is wrong or that something is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Wrong,
    Missing,
}

/// The problems found so far in one file.
pub(super) struct Notes<'a> {
    file: &'a Path,
    text: &'a str,
    /// Where lines end: a file may hold thousands of fields, each of which is asked for its line.
    ends: Vec<usize>,
    problems: RefCell<Vec<(What, Problem)>>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(file: &'a Path, text: &'a str) -> Self {
        Notes {
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

    pub(super) fn note(&self, what: What, line: Option<usize>, key: &str, message: String) {
        let problem = Problem {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            message,
        };
        self.problems.borrow_mut().push((what, problem));
    }

    /// Reads the text as TOML. Errors of syntax are noted, one a line, for more only repeat the first; what could be
    /// read all the same is returned.
    pub(super) fn document(&self) -> DeTable<'a> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        let at = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
        let mut errors: Vec<_> = errors.into_iter().map(|e| (self.line(at(&e)), e)).collect();
        // That something never closes says more than what does not fit into it.
        let is_other = |error: &toml::de::Error| !error.message().starts_with("unclosed");
        errors.sort_by_key(|(line, error)| (*line, is_other(error), at(error)));
        errors.dedup_by_key(|(line, _)| *line);
        let more = errors.len().saturating_sub(SYNTAX_ERRORS_MAX);
        for (line, error) in errors.iter().take(SYNTAX_ERRORS_MAX) {
            let message = error.message().replace(['\n', '\r'], " ");
            self.note(What::Wrong, Some(*line), "", format!("not TOML: {message}"));
        }
        if let Some((line, _)) = errors.get(SYNTAX_ERRORS_MAX) {
            let message =
                format!("not TOML from here on in {more} lines; mend the first ones first");
            self.note(What::Wrong, Some(*line), "", message);
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

    /// Drops what follows only from errors of syntax: after the first `syntax` problems, all that stand in the same
    /// lines and all that say something is missing, for it may be what could not be read.
    pub(super) fn drop_consequences(&self, syntax_lines: &[usize]) {
        let mut index = 0;
        self.problems.borrow_mut().retain(|(what, problem)| {
            index += 1;
            let repeats = problem
                .line
                .is_some_and(|line| syntax_lines.contains(&line));
            index <= syntax_lines.len() || (*what == What::Wrong && !repeats)
        });
    }

    /// All problems, sorted by line, as the error they are.
    pub(super) fn into_errors(self) -> ConfigErrors {
        let noted = self.problems.into_inner();
        let mut problems: Vec<Problem> = noted.into_iter().map(|(_, problem)| problem).collect();
        problems.sort_by_key(|problem| problem.line);
        ConfigErrors { problems }
    }
}

/// One table being read.
pub(super) struct Table<'n, 't> {
    notes: &'n Notes<'t>,
    within: Within,
    /// What stands before a key of this table in messages: empty, `network` or `feed[3] "name"`.
    place: String,
    /// The line the table opens in; the whole document opens in line 1.
    line: usize,
    entries: DeTable<'t>,
}

impl<'n, 't> Table<'n, 't> {
    pub(super) fn top(notes: &'n Notes<'t>, entries: DeTable<'t>) -> Self {
        Table {
            notes,
            within: Within::Top,
            place: String::new(),
            line: 1,
            entries,
        }
    }

    /// The line the table opens in.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// How messages call the table.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Adds the table's own name to its place in messages.
    pub(super) fn call(&mut self, name: &str) {
        self.place = format!("{} {}", self.place, quoted(name));
    }

    /// Takes a key's value out, if it is there.
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

    /// Takes a key's value out; it is a problem when there is none. `right` says what should stand there.
    pub(super) fn need(&mut self, key: &str, right: &str) -> Option<Field<'n, 't>> {
        let field = self.take(key);
        if field.is_none() {
            let message = format!("missing; expected {right}");
            let path = self.path(key);
            self.notes
                .note(What::Missing, Some(self.line), &path, message);
        }
        field
    }

    /// Notes every key that nobody took.
    pub(super) fn finish(self) {
        for key in self.entries.keys() {
            let line = self.notes.line(key.span().start);
            let path = self.path(&printable(key.get_ref()));
            let message = unknown(self.within, key.get_ref());
            self.notes.note(What::Wrong, Some(line), &path, message);
        }
    }

    fn path(&self, key: &str) -> String {
        match self.within {
            Within::Top => key.to_owned(),
            Within::Network
            | Within::Relevance
            | Within::Weights
            | Within::Machines
            | Within::Discord
            | Within::Matrix
            | Within::Commands
            | Within::Issue
            | Within::Web => {
                format!("{}.{key}", self.place)
            }
            Within::Feed | Within::Channel => format!("{}: {key}", self.place),
        }
    }
}

/// One value being read.
pub(super) struct Field<'n, 't> {
    notes: &'n Notes<'t>,
    key: String,
    line: usize,
    value: Spanned<DeValue<'t>>,
}

impl<'n, 't> Field<'n, 't> {
    /// The line the key stands in.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// Notes that something is wrong with this value.
    pub(super) fn note(&self, message: impl Into<String>) {
        let line = Some(self.line);
        self.notes
            .note(What::Wrong, line, &self.key, message.into());
    }

    /// Notes what was expected instead of this value.
    pub(super) fn expected(&self, right: &str) {
        self.note(format!("expected {right}, found {}", self.found()));
    }

    /// The text, as `right` describes it.
    pub(super) fn text(&self, right: &str) -> Option<&str> {
        let text = self.value.get_ref().as_str();
        if text.is_none() {
            self.expected(right);
        }
        text
    }

    /// The whole number, if it is one; nothing is noted.
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

    /// The members of an array, each a value of its own; more than `members_max` are a problem.
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

    /// The table this value is.
    pub(super) fn table(self, within: Within, right: &str) -> Option<Table<'n, 't>> {
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

    /// What stands there, for a message; long and unprintable text is cut and escaped.
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

/// Text in quotation marks, cut and escaped so that it cannot disturb a terminal.
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", printable(text))
}

fn printable(text: &str) -> String {
    shortened(text)
        .escape_debug()
        .to_string()
        .replace("\\'", "'")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(FOUND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// What to say of a key that is not known in this table.
fn unknown(within: Within, key: &str) -> String {
    let elsewhere = KEYS.iter().find(|(_, known)| *known == key);
    if let Some((right, _)) = elsewhere {
        return format!("this key belongs {}", right.place());
    }
    let here = KEYS.iter().filter(|(place, _)| *place == within);
    let here: Vec<&str> = here.map(|(_, known)| *known).collect();
    match did_you_mean(key, here.iter().copied()) {
        hint if hint.is_empty() => format!("unknown key; expected one of {}", here.join(", ")),
        hint => format!("unknown key{hint}"),
    }
}

/// `; did you mean "this"?`, or nothing where no word is near.
fn did_you_mean<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> String {
    words
        .map(|word| (strsim::jaro_winkler(&text.to_lowercase(), word), word))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map_or_else(String::new, |(_, word)| {
            format!("; did you mean \"{word}\"?")
        })
}
