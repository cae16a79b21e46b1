//! Reads Markdown into blocks.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{Block, BlockKind, DEPTH_MAX, Span};
use crate::post::is_for_readers;

/// The highest number of an item; Markdown reads nine digits.
const NUMBER_MAX: u64 = 999_999_999;

/// The state of the reader.
#[derive(Default)]
pub(super) struct ProseReader {
    blocks: Vec<Block>,
    spans: Vec<Span>,
    quotes: u32,
    /// The lists that are open, each with its next number if it counts.
    lists: Vec<Option<u64>>,
    /// Whether the next block is the first of its item, and the item's number.
    item: Option<Option<u64>>,
    strong: u32,
    is_code: bool,
    /// The link that is open, and its text so far.
    link: Option<(String, String)>,
}

impl ProseReader {
    pub(super) fn read(markdown: &str) -> Vec<Block> {
        let mut reader = Self::default();
        for event in Parser::new_ext(markdown, Options::empty()) {
            reader.take(event);
        }
        reader.end();
        reader.blocks
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.open(tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.say(&text),
            Event::Code(text) => match &mut self.link {
                Some((_, said)) => said.push_str(&text),
                None => self.spans.push(Span::Code(text.into_string())),
            },
            Event::SoftBreak | Event::HardBreak => self.say("\n"),
            Event::Rule => self.end(),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.say(&text),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::BlockQuote(_) => {
                self.end();
                self.quotes += 1;
            }
            Tag::List(first) => {
                self.end();
                self.lists.push(first);
            }
            Tag::Item => {
                self.end();
                let next = self.lists.last_mut();
                let number = next.and_then(|next| {
                    let number = *next;
                    *next = number.map(|number| number.saturating_add(1));
                    number
                });
                self.item = Some(number);
            }
            Tag::CodeBlock(_) => {
                self.end();
                self.is_code = true;
            }
            Tag::Strong | Tag::Emphasis | Tag::Heading { .. } => self.strong += 1,
            Tag::Link { dest_url, .. } => self.link = Some((dest_url.into_string(), String::new())),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::BlockQuote(_) => {
                self.end();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::List(_) => {
                self.end();
                self.lists.pop();
            }
            TagEnd::Item => {
                self.end();
                self.item = None;
            }
            TagEnd::CodeBlock => {
                self.end_code();
                self.is_code = false;
            }
            TagEnd::Strong | TagEnd::Emphasis => self.strong = self.strong.saturating_sub(1),
            TagEnd::Heading(_) => {
                self.strong = self.strong.saturating_sub(1);
                self.end();
            }
            TagEnd::Link => {
                if let Some((link, text)) = self.link.take() {
                    match is_for_readers(&link) {
                        true => self.spans.push(Span::Link { text, link }),
                        false => self.say(&text),
                    }
                }
            }
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.end(),
            _ => {}
        }
    }

    fn say(&mut self, text: &str) {
        if let Some((_, said)) = &mut self.link {
            said.push_str(&text.replace('\n', " "));
            return;
        }
        if self.is_code {
            match self.spans.last_mut() {
                Some(Span::Code(said)) => said.push_str(text),
                _ => self.spans.push(Span::Code(text.to_owned())),
            }
            return;
        }
        for (place, line) in text.split('\n').enumerate() {
            if place > 0 {
                self.end_line();
            }
            self.say_line(line);
        }
    }

    fn say_line(&mut self, line: &str) {
        // The beginning of a line must not be read as its indentation.
        let line = match self.spans.last() {
            None | Some(Span::Break) => line.trim_start(),
            Some(_) => line,
        };
        if line.is_empty() {
            return;
        }
        match (self.spans.last_mut(), self.strong > 0) {
            (Some(Span::Text(said)), false) | (Some(Span::Strong(said)), true) => {
                said.push_str(line);
            }
            (_, false) => self.spans.push(Span::Text(line.to_owned())),
            (_, true) => self.spans.push(Span::Strong(line.to_owned())),
        }
    }

    fn end_line(&mut self) {
        self.trim_end();
        if !matches!(self.spans.last(), None | Some(Span::Break)) {
            self.spans.push(Span::Break);
        }
    }

    fn trim_end(&mut self) {
        while let Some(Span::Text(text) | Span::Strong(text)) = self.spans.last_mut() {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                return;
            }
            self.spans.pop();
        }
    }

    fn end(&mut self) {
        self.trim_end();
        while self.spans.last() == Some(&Span::Break) {
            self.spans.pop();
        }
        let spans = std::mem::take(&mut self.spans);
        if spans.iter().all(|span| span.text().trim().is_empty()) {
            return;
        }
        let is_quoted = self.quotes > 0;
        if self.lists.is_empty() {
            self.push(BlockKind::Paragraph, spans);
            return;
        }
        let depth = (self.lists.len() - 1).min(DEPTH_MAX);
        let last = self.blocks.last_mut();
        let last = last.filter(|last| last.is_item() && last.is_quoted == is_quoted);
        match (self.item.take(), last) {
            // A further paragraph of an item.
            (None, Some(last)) => {
                last.spans.push(Span::Break);
                last.spans.extend(spans);
            }
            (number, last) => {
                let deepest = last.map_or(0, |last| match last.kind {
                    BlockKind::Item { depth, .. } => depth + 1,
                    BlockKind::Paragraph | BlockKind::Code => 0,
                });
                let depth = depth.min(deepest);
                let number = number.flatten();
                let number = number.map(|own| self.number(depth, own.min(NUMBER_MAX)));
                self.push(BlockKind::Item { depth, number }, spans);
            }
        }
    }

    /// The number of the next item. Two lists that follow each other are one, so the second one counts on.
    fn number(&self, at: usize, own: u64) -> u64 {
        let is_quoted = self.quotes > 0;
        for block in self.blocks.iter().rev() {
            match block.kind {
                BlockKind::Item { depth, .. } if block.is_quoted == is_quoted && depth > at => {}
                BlockKind::Item {
                    depth,
                    number: Some(last),
                } if block.is_quoted == is_quoted && depth == at => {
                    return (last + 1).min(NUMBER_MAX);
                }
                _ => return own,
            }
        }
        own
    }

    fn end_code(&mut self) {
        let mut spans = std::mem::take(&mut self.spans);
        if let Some(Span::Code(text)) = spans.last_mut() {
            text.truncate(text.trim_end().len());
        }
        if spans.iter().any(|span| !span.text().is_empty()) {
            self.push(BlockKind::Code, spans);
        }
    }

    fn push(&mut self, kind: BlockKind, spans: Vec<Span>) {
        self.blocks.push(Block {
            kind,
            is_quoted: self.quotes > 0,
            spans,
        });
    }
}
