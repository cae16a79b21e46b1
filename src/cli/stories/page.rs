//! A page of text that keeps to a width.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::view::{DIM, GAP};
use crate::channel::terminal::wrap_words;
use crate::post::plain;

/// With fewer columns than these beside its head, a row's words stand below it.
const ROOM_MIN: usize = 24;

/// The width left of a name or a link.
const LABEL: usize = 2 + 13 + 2;
/// How far such words are set in.
const BELOW: usize = 4;
pub(super) const CALM: Style = Style::new();

/// The rows of the page.
pub(super) struct StoryLayout {
    pub(super) width: usize,
    pub(super) text: String,
}

impl StoryLayout {
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A row that wraps under itself. `words` may be a stranger's; `head` is ours, styled and `columns` wide; where that leaves too little room, the words
    /// stand below it.
    pub(super) fn row(&mut self, head: &str, columns: usize, words: &str, style: Style) {
        let is_below = columns > 0 && self.width < columns + ROOM_MIN;
        let margin = " ".repeat(if is_below {
            BELOW.min(columns)
        } else {
            columns
        });
        if is_below && !head.trim().is_empty() {
            self.push(head);
        }
        let rows = wrap_words(&plain(words), self.width.saturating_sub(margin.len()));
        for (at, row) in rows.iter().enumerate() {
            let head = match at {
                0 if !is_below => head,
                _ => &margin,
            };
            match row.is_empty() {
                true if is_below => {}
                true => self.push(head),
                false => self.push(&format!("{head}{style}{row}{style:#}")),
            }
        }
    }

    pub(super) fn push(&mut self, row: &str) {
        self.text.push_str(row.trim_end());
        self.text.push('\n');
    }

    pub(super) fn labelled(&mut self, label: &str, words: &str) {
        let pad = " ".repeat(LABEL.saturating_sub(2 + label.len()));
        let head = format!("  {DIM}{label}{DIM:#}{pad}");
        self.row(&head, LABEL, words, CALM);
    }

    /// A row with a short text at its right end. Text that does not fit beside it wraps.
    pub(super) fn row_with_end(&mut self, head: &str, columns: usize, words: &str, end: &str) {
        let room = self.width.saturating_sub(columns + end.width() + GAP);
        if end.is_empty() || room < ROOM_MIN {
            let words = format!("{words} {end}");
            return self.row(head, columns, words.trim_end(), CALM);
        }
        let margin = " ".repeat(columns);
        for (at, row) in wrap_words(&plain(words), room).iter().enumerate() {
            let space = " ".repeat((room + GAP).saturating_sub(row.width()));
            match at {
                0 => self.push(&format!("{head}{row}{space}{DIM}{end}{DIM:#}")),
                _ => self.push(&format!("{margin}{row}")),
            }
        }
    }
}
