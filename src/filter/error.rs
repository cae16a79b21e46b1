//! The error of a text that is no filter: the place, the fault, and the right form.

use std::fmt;

use crate::item::prose;

/// The most characters of the text that an error shows, before and after its place.
const SHOWN_BEFORE: usize = 40;
const SHOWN_AFTER: usize = 30;

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    at: usize,
    wrong: String,
    right: String,
}

impl FilterError {
    /// An error at a character of `text`, counted from 0.
    pub(super) fn new(
        text: &str,
        at: usize,
        wrong: impl Into<String>,
        right: impl Into<String>,
    ) -> Self {
        Self {
            text: text.to_owned(),
            at,
            wrong: wrong.into(),
            right: right.into(),
        }
    }

    /// The column, in characters from 1.
    pub fn column(&self) -> usize {
        self.at + 1
    }

    /// The fault.
    pub fn wrong(&self) -> &str {
        &self.wrong
    }

    /// The right form.
    pub fn right(&self) -> &str {
        &self.right
    }

    /// The error on one line, without the text.
    pub fn brief(&self) -> String {
        format!("column {}: {}; {}", self.column(), self.wrong, self.right)
    }

    /// The part of the text around the place, and how many characters of it stand before the place.
    fn around(&self) -> (String, usize) {
        let skipped = self.at.saturating_sub(SHOWN_BEFORE);
        let (mut shown, mut before) = (String::new(), 0);
        if skipped > 0 {
            shown.push('…');
            before += 1;
        }
        let part = self.text.chars().enumerate().skip(skipped);
        for (at, c) in part.take(SHOWN_BEFORE + SHOWN_AFTER) {
            if prose::is_invisible(c) {
                continue;
            }
            shown.push(if c.is_control() { ' ' } else { c });
            before += usize::from(at < self.at);
        }
        (shown, before)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, before) = self.around();
        write!(f, "{}\n  {shown}\n  {:before$}^", self.brief(), "")
    }
}

impl std::error::Error for FilterError {}
