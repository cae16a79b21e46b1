//! HTML as a stream of tags and text, and its plain text. No tree is built: by a browser's rules a few kilobytes can grow to
//! gigabytes, and the text between the tags is enough here.

use std::cell::{Cell, RefCell};

use html5ever::Attribute;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// The most HTML that is read as text, in bytes: more than an item keeps.
const TEXT_BYTES_MAX: usize = 128 * 1024;
/// The tokenizer is fed with pieces of so many bytes.
const FEED_BYTES: usize = 2 * 1024;
/// The longest tag or comment that is read, in bytes; the rest of a longer one is skipped. The tokenizer compares each
/// attribute with all before it.
const TAG_BYTES_MAX: usize = 4 * 1024;
/// Elements whose text is not for readers.
const HIDING: [&str; 3] = ["script", "style", "title"];

/// Receives tags and text, in document order.
pub(super) trait HtmlHandler {
    /// An opening tag; the element may be empty.
    fn open(&mut self, name: &str, attributes: &[Attribute]);
    /// A closing tag.
    fn close(&mut self, name: &str);
    /// Text between tags, with references resolved; it may come in pieces.
    fn text(&mut self, text: &str);
}

/// An attribute's value.
pub(super) fn value<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    let found = attributes.iter().find(|a| &*a.name.local == name);
    found.map(|a| &*a.value)
}

struct Sink<'a, H> {
    handler: RefCell<&'a mut H>,
    tokens: &'a Cell<u64>,
}

impl<H: HtmlHandler> TokenSink for Sink<'_, H> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        self.tokens.set(self.tokens.get() + 1);
        let mut handler = self.handler.borrow_mut();
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                handler.open(&tag.name, &tag.attrs);
                return raw(&tag);
            }
            Token::TagToken(tag) => handler.close(&tag.name),
            Token::CharacterTokens(text) => handler.text(&text),
            Token::DoctypeToken(_)
            | Token::CommentToken(_)
            | Token::NullCharacterToken
            | Token::EOFToken
            | Token::ParseError(_) => {}
        }
        TokenSinkResult::Continue
    }
}

/// The tokenizer's next state: in some elements tags are text.
fn raw(tag: &Tag) -> TokenSinkResult<()> {
    match &*tag.name {
        "script" => TokenSinkResult::RawData(RawKind::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => {
            TokenSinkResult::RawData(RawKind::Rawtext)
        }
        "title" | "textarea" => TokenSinkResult::RawData(RawKind::Rcdata),
        "plaintext" => TokenSinkResult::Plaintext,
        _ => TokenSinkResult::Continue,
    }
}

/// Reads HTML; time and memory are linear in its length.
pub(super) fn read(html: &str, handler: &mut impl HtmlHandler) {
    let mut rest = html;
    while !rest.is_empty() {
        rest = read_on(rest, handler);
    }
}

/// Reads up to the end, or up to a tag that is too long; returns the rest behind that tag.
fn read_on<'a>(html: &'a str, handler: &mut impl HtmlHandler) -> &'a str {
    let tokens = Cell::new(0);
    let sink = Sink {
        handler: RefCell::new(handler),
        tokens: &tokens,
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let queue = BufferQueue::default();
    let (mut at, mut last_token_by) = (0, 0);
    while at < html.len() {
        let end = html.ceil_char_boundary((at + FEED_BYTES).min(html.len()));
        let before = tokens.get();
        queue.push_back(StrTendril::from_slice(&html[at..end]));
        // No handler blocks the tokenizer, so it always reads the whole piece.
        let _ = tokenizer.feed(&queue);
        at = end;
        if tokens.get() != before {
            last_token_by = end;
        } else if end - last_token_by > TAG_BYTES_MAX {
            return behind(html, last_token_by.saturating_sub(FEED_BYTES), end);
        }
    }
    tokenizer.end();
    ""
}

/// The rest of the HTML behind a tag or comment that began after `from` and is still open at `at`.
fn behind(html: &str, from: usize, at: usize) -> &str {
    let from = html.floor_char_boundary(from);
    let is_comment = match html[from..at].rfind("<!--") {
        Some(opened) => !html[from + opened..at].contains("-->"),
        None => false,
    };
    let end = if is_comment { "-->" } else { ">" };
    let found = memchr::memmem::find(&html.as_bytes()[at..], end.as_bytes());
    found.map_or("", |found| &html[at + found + end.len()..])
}

/// The text of HTML, with line breaks as in a browser.
pub(crate) fn html_text(html: &str) -> String {
    let html = &html[..html.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut plain = Plain {
        text: String::with_capacity(html.len()),
        ..Plain::default()
    };
    read(html, &mut plain);
    plain.text.trim().to_owned()
}

#[derive(Default)]
struct Plain {
    text: String,
    hidden: bool,
    /// A paragraph is open; a block closes it even without a tag.
    in_paragraph: bool,
    /// A line break directly behind `<pre>` is not part of the text.
    skips_line_break: bool,
}

impl Plain {
    fn break_line(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }
}

/// Whether an element with line breaks before and behind it is empty; `None` for other elements.
fn breaks(name: &str) -> Option<bool> {
    match name {
        "br" | "hr" => Some(true),
        "p" | "div" | "li" | "ul" | "ol" | "h1" | "h2" | "h3" | "h4" | "tr" | "pre"
        | "blockquote" => Some(false),
        _ => None,
    }
}

impl HtmlHandler for Plain {
    fn open(&mut self, name: &str, _attributes: &[Attribute]) {
        self.skips_line_break = name == "pre";
        self.hidden |= HIDING.contains(&name);
        let Some(is_empty) = breaks(name) else {
            return;
        };
        if name != "br" && std::mem::replace(&mut self.in_paragraph, name == "p") {
            self.break_line();
        }
        self.break_line();
        if is_empty {
            self.break_line();
        }
    }

    fn close(&mut self, name: &str) {
        self.skips_line_break = false;
        if HIDING.contains(&name) {
            self.hidden = false;
        }
        if name == "p" {
            self.in_paragraph = false;
        }
        if breaks(name) == Some(false) {
            self.break_line();
        }
    }

    fn text(&mut self, text: &str) {
        let skips = std::mem::replace(&mut self.skips_line_break, false);
        if !self.hidden {
            let text = text.strip_prefix('\n').filter(|_| skips).unwrap_or(text);
            self.text.push_str(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn text_stands_on_the_lines_where_a_browser_puts_it() {
        #[rustfmt::skip]
        let table = [
            ("a <b>b</b>&amp;c", "a b&c"),
            ("<p>a</p><p>b</p>", "a\n\nb"),
            ("<p>a<p>b", "a\n\nb"),
            ("<p>a<div>b</div>", "a\n\nb"),
            ("a<br>b", "a\n\nb"),
            ("<pre>\n  a\n  b</pre>", "a\n  b"),
            ("a<script>x < 'y'</script><style>z</style>b", "ab"),
            ("<head><title>t</title></head>a", "a"),
            ("<textarea>a <b></textarea>c", "a <b>c"),
            ("a <!-- <b> --> c", "a  c"),
            ("<ul><li>a</li><li>b</li></ul>", "a\n\nb"),
            ("x &lt;y&gt; &#8212; &nosuch;", "x <y> — &nosuch;"),
            ("a < b", "a < b"),
        ];
        for (html, wanted) in table {
            assert_eq!(html_text(html), wanted, "{html}");
        }
    }

    #[test]
    fn text_after_a_tag_that_is_too_long_is_read() {
        let image = format!("a<img src='data:{}'>b", "A".repeat(50_000));
        assert_eq!(html_text(&image), "ab");
        let comment = format!("a<!-- {} -->b", "<i> ".repeat(20_000));
        assert_eq!(html_text(&comment), "ab");
        let never_ends = format!("a<img {}", "x ".repeat(50_000));
        assert_eq!(html_text(&never_ends), "a");
        let plain = "word ".repeat(20_000);
        assert_eq!(html_text(&plain), plain.trim());
    }

    /// Each of these once took time or memory that grew with the square of its length.
    #[test]
    fn time_and_memory_grow_with_the_length_alone() {
        let many = |piece: &str| piece.repeat(TEXT_BYTES_MAX / piece.len());
        let bold: String = (0..4_000).map(|n| format!("<b id={n}>")).collect();
        let attributes: String = (0..20_000).map(|n| format!(" a{n}")).collect();
        let hostile = [
            format!("<p>{bold}{}", many("<p>x")),
            format!("{}{}", many("<x>"), many("</y>")),
            format!("<a{attributes}>x"),
            many("<table><td>"),
            many("<!--"),
            many("<svg><title>"),
            many("&"),
            many("<a b=\">\" "),
            many("<select><option>"),
        ];
        for html in hostile {
            let started = Instant::now();
            let text = html_text(&html);
            let shown = &html[..20];
            assert!(text.len() <= TEXT_BYTES_MAX + 2, "{shown}");
            assert!(started.elapsed() < Duration::from_secs(2), "{shown}");
        }
    }
}
