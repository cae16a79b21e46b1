//! The text of editors: a little Markdown. Paragraphs, lists, quotations, emphasis, code and web links are kept; raw HTML,
//! images and everything else become text. The result can be written as Markdown, as plain text, or by a page.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::escape::{code, escape, link_to};
use crate::post::{is_for_readers, plain, plain_lines};

/// The most characters of a remark, and of an introduction.
pub const NOTE_CHARS_MAX: usize = 600;
pub const INTRO_CHARS_MAX: usize = 3_000;

/// A block of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// An item of a list.
    Item(Vec<Span>),
    /// A quotation.
    Quote(Vec<Span>),
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
}

/// Reads Markdown.
pub fn read(markdown: &str) -> Vec<Block> {
    let markdown = plain_lines(markdown);
    let mut reader = Reader::default();
    for event in Parser::new_ext(&markdown, Options::empty()) {
        reader.take(event);
    }
    reader.end();
    reader.blocks
}

/// The state of the reader.
#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    spans: Vec<Span>,
    quotes: u32,
    items: u32,
    strong: u32,
    /// The link that is open, and its text so far.
    link: Option<(String, String)>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::BlockQuote(_)) => {
                self.end();
                self.quotes += 1;
            }
            Event::End(TagEnd::BlockQuote(_)) => {
                self.end();
                self.quotes = self.quotes.saturating_sub(1);
            }
            Event::Start(Tag::Item) => {
                self.end();
                self.items += 1;
            }
            Event::End(TagEnd::Item) => {
                self.end();
                self.items = self.items.saturating_sub(1);
            }
            Event::Start(Tag::Strong | Tag::Emphasis | Tag::Heading { .. }) => self.strong += 1,
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => {
                self.strong = self.strong.saturating_sub(1);
            }
            Event::End(TagEnd::Heading(_)) => {
                self.strong = self.strong.saturating_sub(1);
                self.end();
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.link = Some((dest_url.into_string(), String::new()));
            }
            Event::End(TagEnd::Link) => {
                if let Some((link, text)) = self.link.take() {
                    match is_for_readers(&link) {
                        true => self.spans.push(Span::Link { text, link }),
                        false => self.say(&text),
                    }
                }
            }
            Event::End(TagEnd::Paragraph | TagEnd::CodeBlock | TagEnd::HtmlBlock) => self.end(),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.say(&text),
            Event::Code(text) => match &mut self.link {
                Some((_, said)) => said.push_str(&text),
                None => self.spans.push(Span::Code(text.into_string())),
            },
            Event::SoftBreak | Event::HardBreak => self.say(" "),
            Event::Rule => self.end(),
            Event::Start(_) | Event::End(_) => {}
            Event::InlineMath(text) | Event::DisplayMath(text) => self.say(&text),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn say(&mut self, text: &str) {
        let text = text.replace('\n', " ");
        if let Some((_, said)) = &mut self.link {
            said.push_str(&text);
            return;
        }
        match (self.spans.last_mut(), self.strong > 0) {
            (Some(Span::Text(said)), false) | (Some(Span::Strong(said)), true) => {
                said.push_str(&text);
            }
            (_, false) => self.spans.push(Span::Text(text)),
            (_, true) => self.spans.push(Span::Strong(text)),
        }
    }

    fn end(&mut self) {
        if let Some(Span::Text(text) | Span::Strong(text)) = self.spans.last_mut() {
            text.truncate(text.trim_end().len());
        }
        let spans = std::mem::take(&mut self.spans);
        if spans.iter().all(|span| text_of(span).trim().is_empty()) {
            return;
        }
        self.blocks.push(match (self.quotes > 0, self.items > 0) {
            (true, _) => Block::Quote(spans),
            (false, true) => Block::Item(spans),
            (false, false) => Block::Paragraph(spans),
        });
    }
}

fn text_of(span: &Span) -> &str {
    match span {
        Span::Text(text) | Span::Strong(text) | Span::Code(text) | Span::Link { text, .. } => text,
    }
}

/// Blocks as Markdown that says this and nothing more.
pub fn to_markdown(blocks: &[Block]) -> String {
    let mut out = String::new();
    let mut was_item = false;
    for block in blocks {
        let (sign, spans, is_item) = match block {
            Block::Paragraph(spans) => ("", spans, false),
            Block::Item(spans) => ("- ", spans, true),
            Block::Quote(spans) => ("> ", spans, false),
        };
        if !out.is_empty() {
            out.push_str(match was_item && is_item {
                true => "\n",
                false => "\n\n",
            });
        }
        was_item = is_item;
        let spans = spans.iter().map(|span| match span {
            Span::Text(text) => escape(text),
            Span::Strong(text) => {
                let inner = text.trim();
                let (before, after) = (
                    &text[..text.len() - text.trim_start().len()],
                    &text[text.trim_end().len()..],
                );
                match inner.is_empty() {
                    true => " ".to_owned(),
                    false => format!("{before}**{}**{after}", escape(inner)),
                }
            }
            Span::Code(text) => code(text),
            Span::Link { text, link } => link_to(text, Some(link)),
        });
        out.push_str(sign);
        out.push_str(&spans.collect::<String>());
    }
    out
}

/// Blocks as plain text, a line each; links behind their text.
pub fn to_text(blocks: &[Block]) -> String {
    let line = |block: &Block| {
        let (sign, spans) = match block {
            Block::Paragraph(spans) => ("", spans),
            Block::Item(spans) => ("- ", spans),
            Block::Quote(spans) => ("> ", spans),
        };
        let spans = spans.iter().map(|span| match span {
            Span::Text(text) | Span::Strong(text) | Span::Code(text) => plain(text),
            Span::Link { text, link } if text == link => link.clone(),
            Span::Link { text, link } => format!("{} ({link})", plain(text)),
        });
        format!("{sign}{}", spans.collect::<String>())
    };
    blocks.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_markdown_is_kept_and_the_rest_is_text() {
        #[rustfmt::skip]
        let table = [
            ("Hello `bpf_foo()`, *see* [it](https://a.example/x_y).", "Hello `bpf_foo()`, **see** [it](https://a.example/x_y)."),
            ("one\n\ntwo\nthree", "one\n\ntwo three"),
            ("- a\n- b\n\n> quoted", "- a\n- b\n\n> quoted"),
            ("# Title\ntext", "**Title**\n\ntext"),
            ("<script>alert(1)</script>", "\\<script>alert(1)\\</script>"),
            ("a <b onclick=x>bold</b>", "a \\<b onclick=x>bold\\</b>"),
            ("[x](javascript:alert(1))", "x"),
            ("![alt](https://a.example/i.png)", "alt"),
            ("<https://a.example/>", "[https://a.example/](https://a.example/)"),
            ("", ""),
            ("\u{202e}left", "left"),
        ];
        for (written, right) in table {
            let out = to_markdown(&read(written));
            assert_eq!(out, right, "{written}");
            assert_eq!(to_markdown(&read(&out)), out, "{written}: a second time");
        }
    }

    #[test]
    fn plain_text_shows_where_links_lead() {
        let blocks = read("See [this](https://a.example/).\n\n- `x`");
        assert_eq!(to_text(&blocks), "See this (https://a.example/).\n- x");
    }
}
