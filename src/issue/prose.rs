//! The text of editors: a little Markdown. Paragraphs with their line breaks, nested lists, quotations, code, emphasis and web
//! links are kept; raw HTML, images and everything else become text. The result can be written as Markdown, as plain text, or
//! by a page.

mod reader;

use self::reader::ProseReader;
use super::escape::{code, escape, link_to};
use crate::post::{plain, plain_lines};

/// The most characters of a remark, of an introduction, and of the text of a free entry.
pub const NOTE_CHARS_MAX: usize = 600;
pub const INTRO_CHARS_MAX: usize = 3_000;
pub const ENTRY_CHARS_MAX: usize = 2_000;
/// The most characters of a title.
pub const TITLE_CHARS_MAX: usize = 200;

/// Lists inside lists inside lists: deeper items stand at this depth.
const DEPTH_MAX: usize = 3;
/// The indentation of a list inside a list, in Markdown.
const INDENT: usize = 4;

/// A block of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its kind.
    pub kind: BlockKind,
    /// Whether it is in a quotation.
    pub is_quoted: bool,
    /// Its text.
    pub spans: Vec<Span>,
}

/// The kind of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// A paragraph.
    Paragraph,
    /// An item of a list.
    Item {
        /// In how many other lists its list is. At most one more than that of the item before.
        depth: usize,
        /// Its number, in a list that counts.
        number: Option<u64>,
    },
    /// Lines of code, in one span.
    Code,
}

/// A piece of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Text.
    Text(String),
    /// Emphasised text.
    Strong(String),
    /// Code.
    Code(String),
    /// A link to the web.
    Link {
        /// Its name.
        text: String,
        /// Where it leads.
        link: String,
    },
    /// The end of a line.
    Break,
}

/// Reads Markdown.
pub fn read(markdown: &str) -> Vec<Block> {
    ProseReader::read(&plain_lines(markdown))
}

impl Block {
    fn is_item(&self) -> bool {
        matches!(self.kind, BlockKind::Item { .. })
    }
}

/// Whether a label can stand before the text in the same line.
pub fn begins_in_line(blocks: &[Block]) -> bool {
    let first = blocks.first();
    first.is_some_and(|block| block.kind == BlockKind::Paragraph && !block.is_quoted)
}

/// Blocks as Markdown after a label.
pub fn labelled(label: &str, blocks: &[Block]) -> String {
    let gap = if begins_in_line(blocks) { " " } else { "\n\n" };
    format!("**{}**{gap}{}", escape(label), to_markdown(blocks))
}

/// Blocks as Markdown that says this and nothing more.
pub fn to_markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    for (at, block) in blocks.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| blocks.get(at));
        out.push_str(match before {
            None => "",
            Some(before) if before.is_quoted != block.is_quoted => "\n\n",
            Some(before) if before.is_item() && block.is_item() => "\n",
            Some(_) if block.is_quoted => "\n>\n",
            Some(_) => "\n\n",
        });
        let (first, next) = match block.kind {
            BlockKind::Paragraph | BlockKind::Code => (String::new(), String::new()),
            BlockKind::Item { depth, number } => {
                let sign = number.map_or("- ".to_owned(), |number| format!("{number}. "));
                let indent = " ".repeat(depth * INDENT);
                let next = " ".repeat(indent.len() + sign.len());
                (format!("{indent}{sign}"), next)
            }
        };
        let text = match block.kind {
            BlockKind::Code => fenced(&block.spans),
            BlockKind::Paragraph | BlockKind::Item { .. } => spans_to_markdown(&block.spans),
        };
        let quote = if block.is_quoted { "> " } else { "" };
        for (place, line) in text.split('\n').enumerate() {
            if place > 0 {
                out.push('\n');
            }
            let indent = if place == 0 { &first } else { &next };
            match line {
                "" => out.push_str(quote.trim_end()),
                line => out.push_str(&format!("{quote}{indent}{line}")),
            }
        }
    }
    out
}

fn spans_to_markdown(spans: &[Span]) -> String {
    let mut out = String::new();
    for (at, span) in spans.iter().enumerate() {
        let text = match span {
            Span::Text(text) => escape(text),
            Span::Strong(text) => {
                let next = spans.get(at + 1);
                let after = next.and_then(|next| next.text().chars().next());
                strong(text, out.chars().next_back(), after)
            }
            Span::Code(text) => code(text),
            Span::Link { text, link } => {
                // It would make a picture of the link.
                if out.ends_with('!') {
                    out.truncate(out.len() - 1);
                    out.push_str("\\!");
                }
                link_to(text, Some(link))
            }
            Span::Break => "\\\n".to_owned(),
        };
        out.push_str(&text);
    }
    out
}

/// Emphasised text. Without emphasis where its signs would be text: beside a letter, if it begins or ends with punctuation.
fn strong(text: &str, before: Option<char>, after: Option<char>) -> String {
    let inner = text.trim();
    if inner.is_empty() {
        return text.to_owned();
    }
    let (left, right) = (
        &text[..text.len() - text.trim_start().len()],
        &text[text.trim_end().len()..],
    );
    let is_letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let inner = escape(inner);
    let opens = !left.is_empty() || !is_letter(before) || is_letter(inner.chars().next());
    let closes = !right.is_empty() || !is_letter(after) || is_letter(inner.chars().next_back());
    match opens && closes {
        true => format!("{left}**{inner}**{right}"),
        false => format!("{left}{inner}{right}"),
    }
}

/// Lines of code between fences that are longer than any run of backticks in them.
fn fenced(spans: &[Span]) -> String {
    let text: String = spans.iter().map(Span::text).collect();
    let runs = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(runs.max(2) + 1);
    format!("{fence}\n{}\n{fence}", plain_lines(&text))
}

impl Span {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Strong(text) | Self::Code(text) | Self::Link { text, .. } => {
                text
            }
            Self::Break => "",
        }
    }
}

/// Blocks as plain text with their lines; links behind their text.
pub fn to_text(blocks: &[Block]) -> String {
    let text = |block: &Block| {
        let (first, next) = match block.kind {
            BlockKind::Paragraph | BlockKind::Code => (String::new(), String::new()),
            BlockKind::Item { depth, number } => {
                let sign = number.map_or("- ".to_owned(), |number| format!("{number}. "));
                let indent = "  ".repeat(depth);
                let next = " ".repeat(indent.len() + sign.len());
                (format!("{indent}{sign}"), next)
            }
        };
        let spans = block.spans.iter().map(|span| match span {
            Span::Code(text) if block.kind == BlockKind::Code => plain_lines(text),
            Span::Text(text) | Span::Strong(text) | Span::Code(text) => plain(text),
            Span::Link { text, link } if text == link => link.clone(),
            Span::Link { text, link } => format!("{} ({link})", plain(text)),
            Span::Break => "\n".to_owned(),
        });
        let quote = if block.is_quoted { "> " } else { "" };
        let spans = spans.collect::<String>();
        let lines = spans.split('\n').enumerate().map(|(place, line)| {
            let indent = if place == 0 { &first } else { &next };
            format!("{quote}{indent}{line}")
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    blocks.iter().map(text).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
