//! Which clauses of a filter took or refused a story.

use serde::Serialize;

/// The most characters of a line.
const LINE_CHARS_MAX: usize = 240;
/// The most clauses that are listed on one line.
const REASONS_MAX: usize = 2;
/// The most lines of an explanation.
const LINES_MAX: usize = 60;

/// A part of a filter, and its verdict on a story. Values are text of strangers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The clause as it is written; `all of`, `any of` or `not` if it has parts.
    pub clause: String,
    /// Whether it takes the story.
    pub taken: bool,
    /// The story's value there; empty if the part has parts.
    pub value: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explanation>,
}

impl Explanation {
    /// A refusal that no clause of a filter decided.
    pub fn refusal(why: &str) -> Self {
        Self {
            clause: why.to_owned(),
            taken: false,
            value: String::new(),
            parts: Vec::new(),
        }
    }

    /// The whole as lines: `no  score>=3 (the score is 1)`, with parts indented.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        self.add_lines(0, &mut lines);
        if lines.len() > LINES_MAX {
            let left = lines.len() - LINES_MAX;
            lines.truncate(LINES_MAX);
            lines.push(format!("and {left} more lines"));
        }
        lines
    }

    fn add_lines(&self, depth: usize, lines: &mut Vec<String>) {
        let word = if self.taken { "yes" } else { "no" };
        let line = format!(
            "{word:<3} {:indent$}{}",
            "",
            self.brief(),
            indent = 2 * depth
        );
        lines.push(crate::item::prose::shorten(&line, LINE_CHARS_MAX));
        for part in &self.parts {
            part.add_lines(depth + 1, lines);
        }
    }

    /// The clause, and the story's value in parentheses.
    pub fn brief(&self) -> String {
        match self.value.as_str() {
            "" => self.clause.clone(),
            value => format!("{} ({value})", self.clause),
        }
    }

    /// The clauses that decided, on one line.
    pub fn reasons(&self) -> String {
        let deciding = self.deciding();
        let shown: Vec<String> = deciding
            .iter()
            .take(REASONS_MAX)
            .map(|part| match part.taken {
                true => format!("{} holds", part.brief()),
                false => format!("not {}", part.brief()),
            })
            .collect();
        let shown = shown.join("; ");
        match deciding.len().saturating_sub(REASONS_MAX) {
            0 => shown,
            more => format!("{shown}; and {more} more"),
        }
    }

    /// The clauses that decided: those that took the story, or those that refused it.
    pub fn deciding(&self) -> Vec<&Self> {
        match self.clause.as_str() {
            _ if self.parts.is_empty() => vec![self],
            "not" => self.parts.iter().flat_map(Self::deciding).collect(),
            // Of `all of`, each part takes it, or those that refuse it decide; the same for `any of`.
            _ => {
                let parts = self.parts.iter();
                let deciding = parts.filter(|part| part.taken == self.taken);
                deciding.flat_map(Self::deciding).collect()
            }
        }
    }
}
