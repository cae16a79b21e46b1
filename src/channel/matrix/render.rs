//! Content as a Matrix event: a notice with a plain body and simple HTML that every client shows. Pure. It mentions
//! nobody. Its size is limited: an edit contains every text twice, and encryption adds a third.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::decision::{ACCEPT, DECLINE};
use super::escape::{LINK_BYTES_MAX, entities, escape, shown, web_link};
use crate::post::story::{Content, Digest, IssuePost, Line, Post, Suggestion};

/// The field of an event with its mark.
pub(super) const MARK: &str = "bpfnews.mark";
/// The field with a list's title and its stories' marks.
pub(super) const LIST: &str = "bpfnews.list";

/// The most bytes of body and HTML together. A server takes events of 65,536 bytes, and an edit contains both twice.
const TEXT_BYTES_MAX: usize = 12_000;
const TITLE_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 1_000;
const SHORT_CHARS_MAX: usize = 120;
/// The most patches listed.
const PARTS_MAX: usize = 20;
const LINES_MAX: usize = 25;
/// Characters of a line's title in a digest.
const LINE_CHARS_MAX: usize = 160;

const DOT: &str = " · ";

/// A text in both formats.
#[derive(Debug, Default)]
struct RenderedText {
    plain: String,
    html: String,
}

impl RenderedText {
    /// Adds a paragraph, unless it is empty.
    fn paragraph(&mut self, plain: &str, html: &str) {
        if plain.trim().is_empty() {
            return;
        }
        if !self.plain.is_empty() {
            self.plain.push('\n');
        }
        self.plain.push_str(plain);
        let _ = write!(self.html, "<p>{html}</p>");
    }

    fn says(&mut self, text: &str) {
        self.paragraph(text, &escape(text));
    }

    fn heading(&mut self, title: &str) {
        let title = shown(title, TITLE_CHARS_MAX);
        self.paragraph(&title, &format!("<strong>{}</strong>", escape(&title)));
    }

    /// Adds paragraphs with the line breaks and empty lines of the writer. Leaves out what exceeds the size limit.
    fn prose(&mut self, text: &str) {
        let (mut plain, mut html) = (String::new(), String::new());
        for line in text.lines() {
            let line = shown(line, TEXT_CHARS_MAX);
            let marked = escape(&line);
            let is_full = self.bytes() + plain.len() + html.len() + line.len() + marked.len()
                > TEXT_BYTES_MAX;
            let (line, marked) = match is_full {
                true => ("…".to_owned(), "…".to_owned()),
                false => (line, marked),
            };
            if line.is_empty() {
                self.paragraph(&plain, &html);
                (plain, html) = Default::default();
                continue;
            }
            if !plain.is_empty() {
                plain.push('\n');
                html.push_str("<br>");
            }
            plain.push_str(&line);
            html.push_str(&marked);
            if is_full {
                break;
            }
        }
        self.paragraph(&plain, &html);
    }

    fn bytes(&self) -> usize {
        self.plain.len() + self.html.len()
    }

    /// Adds a list. Items that exceed the size limit are only counted.
    fn list(&mut self, items: Vec<(String, String)>, left_out: usize) {
        let (mut plain, mut html) = (String::new(), String::new());
        let mut left_out = left_out;
        let mut is_full = false;
        for (text, marked) in items {
            let taken = self.bytes() + plain.len() + html.len();
            is_full |= taken + text.len() + marked.len() > TEXT_BYTES_MAX;
            if is_full {
                left_out += 1;
                continue;
            }
            let _ = write!(plain, "\n- {text}");
            let _ = write!(html, "<li>{marked}</li>");
        }
        if left_out > 0 {
            let _ = write!(plain, "\n- and {left_out} more");
            let _ = write!(html, "<li>and {left_out} more</li>");
        }
        if !html.is_empty() {
            self.plain
                .push_str(plain.trim_start_matches(match self.plain.is_empty() {
                    true => "\n",
                    false => "",
                }));
            let _ = write!(self.html, "<ul>{html}</ul>");
        }
    }
}

/// The content of an event for `content`.
pub fn event(content: &Content) -> Value {
    let mut event = notice(&text(content));
    // An answer has no mark.
    if content.mark().is_empty() {
        return event;
    }
    event[MARK] = content.mark().into();
    if let Content::Digest(digest) = content {
        let stories: Vec<&str> = digest.lines.iter().map(|line| line.mark.as_str()).collect();
        event[LIST] = json!({"title": shown(&digest.title, TITLE_CHARS_MAX), "stories": stories});
    }
    event
}

/// The content of an event that edits `message`. Clients without edits show its body.
pub(super) fn edit(content: &Content, message: &str) -> Value {
    let text = text(content);
    let mut event = notice(&text);
    event["body"] = format!("* {}", text.plain).into();
    event["m.new_content"] = self::event(content);
    event["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": message});
    event
}

/// Puts an event into the thread of another one. Clients without threads show it as a reply.
pub(super) fn below(event: &mut Value, root: &str) {
    event["m.relates_to"] = json!({
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": true,
        "m.in_reply_to": {"event_id": root},
    });
}

fn notice(text: &RenderedText) -> Value {
    json!({
        "msgtype": "m.notice",
        "body": text.plain,
        "format": "org.matrix.custom.html",
        "formatted_body": text.html,
        "m.mentions": {},
    })
}

fn text(content: &Content) -> RenderedText {
    let mut text = RenderedText::default();
    match content {
        Content::Story(post) => story(&mut text, post),
        Content::Line(line) => {
            let (plain, html) = one_line(line, TITLE_CHARS_MAX);
            text.paragraph(&plain, &html);
        }
        Content::Digest(digest) => several(&mut text, digest),
        Content::Issue(post) => issue(&mut text, post),
        Content::Suggestion(suggested) => suggestion(&mut text, suggested),
        Content::Notice {
            title, text: more, ..
        } => {
            text.heading(title);
            text.prose(more);
        }
    }
    text
}

fn story(text: &mut RenderedText, post: &Post) {
    let link = web_link(post.link.as_deref());
    let title = match shown(&post.title, TITLE_CHARS_MAX) {
        title if title.is_empty() => post.about.word().to_owned(),
        title => title,
    };
    let mut html = format!("<strong>{}</strong>", escape(&title));
    if let Some(link) = &link {
        html = linked(&title, &html, link);
    }
    let (state, notes) = (shown(&post.state, SHORT_CHARS_MAX), notes(post));
    let (stands, marked) = match state.is_empty() {
        true => (notes.clone(), escape(&notes)),
        false => (
            format!("{state}{DOT}{notes}"),
            format!("<strong>{}</strong>{DOT}{}", escape(&state), escape(&notes)),
        ),
    };
    text.paragraph(
        &format!("{title}\n{stands}"),
        &format!("{html}<br>{marked}"),
    );
    text.says(&shown(&post.summary, TEXT_CHARS_MAX));
    let change = shown(&post.change, TEXT_CHARS_MAX);
    if !change.is_empty() {
        text.paragraph(
            &format!("What changed: {change}"),
            &format!("<strong>What changed:</strong> {}", escape(&change)),
        );
    }
    let parts = post.parts.iter().take(PARTS_MAX).map(|(number, title)| {
        let title = shown(title, LINE_CHARS_MAX);
        let number = shown(number, SHORT_CHARS_MAX);
        let html = format!("{} {}", escape(&number), escape(&title));
        (format!("{number} {title}"), html)
    });
    let over = post.parts.len().saturating_sub(PARTS_MAX);
    text.list(parts.collect(), post.parts_left_out + over);
    text.says(&shown(&post.reviews, TITLE_CHARS_MAX));
    text.says(&shown(&post.checks, LINE_CHARS_MAX));
    let steps = shown(&post.steps.join(" → "), TEXT_CHARS_MAX);
    let (about, about_marked) = about(post);
    let (lead, marked) = match steps.is_empty() {
        true => (String::new(), String::new()),
        false => (format!("{steps}\n"), format!("{}<br>", escape(&steps))),
    };
    let page = web_link(post.page.as_deref());
    let to_page = page.as_deref().map_or(String::new(), |page| {
        format!("{DOT}<a href=\"{}\">timeline</a>", entities(page))
    });
    text.paragraph(
        &format!("{lead}{about}"),
        &format!("{marked}<em>{about_marked}</em>{to_page}"),
    );
    // In the HTML, the title and a word are the links.
    for link in link.into_iter().chain(page) {
        text.plain.push('\n');
        text.plain.push_str(&link);
    }
}

/// The text beside the state: kind, tree, size, author.
fn notes(post: &Post) -> String {
    let names_tree = post.tree.is_empty() || post.state.ends_with(&format!(" {}", post.tree));
    let author = shown(&post.author, SHORT_CHARS_MAX);
    let mut notes = vec![post.about.word().to_owned()];
    notes.extend((!names_tree).then(|| shown(&post.tree, SHORT_CHARS_MAX)));
    notes.extend(post.notes.iter().map(|note| shown(note, SHORT_CHARS_MAX)));
    notes.extend((!author.is_empty()).then(|| format!("by {author}")));
    notes.join(DOT)
}

/// References in both formats: a commit, feeds, and the id that commands take.
fn about(post: &Post) -> (String, String) {
    let rest = [post.feeds.join(", "), post.mark.clone()];
    let rest = rest.into_iter().filter(|part| !part.is_empty());
    let rest = shown(&rest.collect::<Vec<_>>().join(DOT), TITLE_CHARS_MAX);
    let mut parts = vec![(rest.clone(), escape(&rest))];
    if let Some(commit) = &post.commit {
        let words = shown(&commit.words, SHORT_CHARS_MAX);
        let html = match web_link(commit.link.as_deref()) {
            Some(link) => linked(&words, &escape(&words), &link),
            None => escape(&words),
        };
        parts.insert(0, (words, html));
    }
    parts.retain(|(plain, _)| !plain.is_empty());
    let (plain, html): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
    (plain.join(DOT), html.join(DOT))
}

fn several(text: &mut RenderedText, digest: &Digest) {
    text.heading(&digest.title);
    let lines = digest.lines.iter().take(LINES_MAX);
    let lines = lines.map(listed).collect();
    text.list(lines, digest.lines.len().saturating_sub(LINES_MAX));
}

/// A newsletter: the introduction, lists under headings, and a hint to the rest.
fn issue(text: &mut RenderedText, post: &IssuePost) {
    let title = shown(&post.title, TITLE_CHARS_MAX);
    let page = web_link(post.link.as_deref());
    let html = format!("<strong>{}</strong>", escape(&title));
    match &page {
        Some(page) => text.paragraph(&format!("{title}\n{page}"), &linked(&title, &html, page)),
        None => text.paragraph(&title, &html),
    }
    text.prose(&post.lead);
    for part in &post.parts {
        text.heading(&part.heading);
        let lines = part.lines.iter();
        text.list(lines.map(listed).collect(), 0);
    }
    let picture = post.picture.as_ref();
    if let Some((picture, link)) =
        picture.and_then(|picture| Some((picture, web_link(Some(&picture.link))?)))
    {
        let called = format!("Picture: {}", shown(&picture.alt, TITLE_CHARS_MAX));
        let html = linked(&called, &escape(&called), &link);
        text.paragraph(&format!("{called}\n{link}"), &html);
    }
    if post.left_out > 0 {
        text.says(&match &page {
            Some(_) => format!("The page has {} more.", post.left_out),
            None => format!(
                "!bpfnews issue {} shows {} more.",
                post.number, post.left_out
            ),
        });
    }
}

fn suggestion(text: &mut RenderedText, suggested: &Suggestion) {
    text.heading(&format!("Suggestion {}", suggested.number));
    text.says(&shown(&suggested.link, LINK_BYTES_MAX));
    text.says(&shown(&suggested.note, TEXT_CHARS_MAX));
    text.says(&shown(&suggested.known, TEXT_CHARS_MAX));
    match suggested.decided.is_empty() {
        true => text.says(&format!(
            "React with {ACCEPT} to accept it or {DECLINE} to decline it, or say: !bpfnews-edit accept {}",
            suggested.number
        )),
        false => text.says(&shown(&suggested.decided, SHORT_CHARS_MAX)),
    }
}

/// A link. If the title looks like an address, the real one is shown too.
fn linked(title: &str, html: &str, link: &str) -> String {
    let lower = title.to_ascii_lowercase();
    let link = entities(link);
    match lower.contains("://") || lower.contains("www.") {
        true => format!("{html}<br><a href=\"{link}\">{link}</a>"),
        false => format!("<a href=\"{link}\">{html}</a>"),
    }
}

/// A line of a list in both formats: with its author and summary.
fn listed(line: &Line) -> (String, String) {
    let (mut plain, mut html) = one_line(line, LINE_CHARS_MAX);
    let author = shown(&line.author, SHORT_CHARS_MAX);
    if !author.is_empty() {
        let _ = write!(plain, "{DOT}{author}");
        let _ = write!(html, "{DOT}{}", escape(&author));
    }
    let summary = shown(&line.summary, LINE_CHARS_MAX);
    if !summary.is_empty() {
        let _ = write!(plain, "\n  {summary}");
        let _ = write!(html, "<br>{}", escape(&summary));
    }
    (plain, html)
}

/// A line in both formats.
fn one_line(line: &Line, chars_max: usize) -> (String, String) {
    let title = match shown(&line.title, chars_max) {
        title if title.is_empty() => "untitled".to_owned(),
        title => title,
    };
    let what = shown(&line.what, SHORT_CHARS_MAX);
    let what = match what.is_empty() {
        true => what,
        false => format!("{what}: "),
    };
    let html = escape(&title);
    match web_link(line.link.as_deref()) {
        Some(link) => (
            format!("{what}{title} {link}"),
            format!("{}{}", escape(&what), linked(&title, &html, &link)),
        ),
        None => (format!("{what}{title}"), format!("{}{html}", escape(&what))),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};
    use scraper::Html;

    use super::*;
    use crate::post::About;
    use crate::post::story::{CommitRef, Tone};

    fn post(words: &str) -> Post {
        Post {
            mark: "abc".to_owned(),
            about: About::Series,
            state: format!("applied to {words}"),
            tone: Tone::Applied,
            tree: "bpf-next".to_owned(),
            title: format!("bpf: Take {words}"),
            author: words.to_owned(),
            at: Utc
                .with_ymd_and_hms(2025, 1, 3, 9, 0, 0)
                .single()
                .expect("a time"),
            feeds: vec!["bpf".to_owned()],
            notes: vec!["v2".to_owned()],
            parts: vec![("1/1".to_owned(), words.to_owned())],
            parts_left_out: 1,
            summary: words.to_owned(),
            change: words.to_owned(),
            checks: String::new(),
            reviews: String::new(),
            steps: vec!["v1 1 Jan".to_owned()],
            link: Some("https://lore.example/bpf/1@example.org/".to_owned()),
            commit: Some(CommitRef {
                words: "0123456789ab".to_owned(),
                link: None,
            }),
            page: Some("https://news.example/story/abc?a=1&b=2".to_owned()),
        }
    }

    #[test]
    fn a_story_is_a_notice_that_mentions_nobody() {
        let event = event(&Content::Story(Box::new(post("__sk_buff & <linux/bpf.h>"))));
        assert_eq!(
            (&event["msgtype"], &event["m.mentions"]),
            (&json!("m.notice"), &json!({}))
        );
        assert_eq!(event[MARK], "abc");
        insta::assert_snapshot!("story_plain", event["body"].as_str().expect("a body"));
        insta::assert_snapshot!(
            "story_html",
            event["formatted_body"].as_str().expect("HTML")
        );
    }

    #[test]
    fn reports_of_machines_are_a_separate_paragraph() {
        let mut post = post("x");
        post.checks = "AI review: 1 finding <b> · CI failed".to_owned();
        let (plain, shown) = read(&event(&Content::Story(Box::new(post))));
        let line = "AI review: 1 finding <b> · CI failed";
        assert!(plain.lines().any(|said| said == line), "{plain}");
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn an_edit_reads_well_alone_and_keeps_the_mark() {
        let content = Content::Line(Line {
            what: "Applied".to_owned(),
            title: "bpf: Take <b> @room".to_owned(),
            author: String::new(),
            summary: String::new(),
            link: Some("https://matrix.to/#/@alice:example.org".to_owned()),
            tone: Tone::Applied,
            mark: "m".to_owned(),
        });
        let event = edit(&content, "$1");
        assert_eq!(event["body"], "* Applied: bpf: Take <b> @room");
        assert_eq!(
            event["m.new_content"]["body"],
            "Applied: bpf: Take <b> @room"
        );
        assert_eq!(event["m.new_content"][MARK], "m");
        assert_eq!(event["m.new_content"]["m.mentions"], json!({}));
        let html = event["m.new_content"]["formatted_body"].as_str();
        assert_eq!(
            html,
            Some("<p>Applied: bpf: Take &lt;b&gt; <code>@room</code></p>")
        );
    }

    /// The texts of an event, after parsing its HTML like a client. Only elements that every client shows are allowed.
    fn read(event: &Value) -> (String, String) {
        assert_eq!(event["m.mentions"], json!({}));
        let html = event["formatted_body"].as_str().expect("HTML");
        let page = Html::parse_fragment(html);
        let mut tags = 0;
        for node in page.tree.nodes() {
            let Some(element) = node.value().as_element() else {
                continue;
            };
            let name = element.name();
            let known = [
                "html", "body", "p", "br", "strong", "em", "code", "ul", "li", "a",
            ];
            assert!(known.contains(&name), "<{name}> in {html}");
            tags += match name {
                "html" | "body" => 0,
                "br" => 1,
                _ => 2,
            };
            for (attribute, value) in element.attrs() {
                assert_eq!((name, attribute), ("a", "href"), "{html}");
                let is_web = value.starts_with("https://") || value.starts_with("http://");
                assert!(is_web && !value.contains("matrix.to"), "{html}");
            }
        }
        assert_eq!(
            html.matches('<').count(),
            tags,
            "each is opened and closed: {html}"
        );
        let text = page.root_element().text().collect();
        (event["body"].as_str().expect("a body").to_owned(), text)
    }

    #[test]
    fn text_of_strangers_is_never_active() {
        // The written text, and the text shown if it differs.
        #[rustfmt::skip]
        let table = [
            ("@room", ""),
            ("hi @room: all", ""),
            ("@alice:example.org and #bpf:example.org", ""),
            ("https://matrix.to/#/@alice:example.org", ""),
            ("matrix:u/alice:example.org", ""),
            ("<script>alert(1)</script>", ""),
            ("<img src=x onerror=alert(1)>", ""),
            ("</strong></a><h1>big</h1>", ""),
            ("<mx-reply>no</mx-reply>", ""),
            ("&lt;b&gt; &amp; &#60;", ""),
            ("[x](javascript:alert(1))", ""),
            ("[x](https://evil.example)", ""),
            ("`code` ```more``` ||spoiler|| # heading", ""),
            ("__sk_buff, *ptr and <linux/bpf.h>", ""),
            ("a \u{202e}gnp.exe", "a gnp.exe"),
            ("zero\u{200b}width \u{2066}isolated\u{2069}", "zerowidth isolated"),
            ("tag\u{e0041}ged \u{feff}bom", "tagged bom"),
            ("\u{7}bell \u{1b}[31mred", "bell  [31mred"),
            ("\"quoted\" and 'so'", ""),
        ];
        for (written, shown) in table {
            let shown = if shown.is_empty() { written } else { shown };
            for content in everywhere(written) {
                let (plain, html) = read(&event(&content));
                assert!(plain.contains(shown), "{written:?} in {plain:?}");
                assert!(html.contains(shown), "{written:?} in {html:?}");
            }
        }
    }

    /// Each kind of content, with these words in every field that a stranger may fill.
    fn everywhere(words: &str) -> [Content; 4] {
        let line = Line {
            what: words.to_owned(),
            title: words.to_owned(),
            author: words.to_owned(),
            summary: words.to_owned(),
            link: Some("https://lore.example/bpf/1/".to_owned()),
            tone: Tone::New,
            mark: "m".to_owned(),
        };
        [
            Content::Story(Box::new(post(words))),
            Content::Line(line.clone()),
            Content::Digest(Digest {
                title: words.to_owned(),
                lines: vec![line; 3],
                mark: "m".to_owned(),
            }),
            Content::Notice {
                title: words.to_owned(),
                text: format!("{words}\n\n{words}"),
                mark: "m".to_owned(),
            },
        ]
    }

    #[test]
    fn text_that_clients_would_show_as_a_pill_is_code() {
        for word in [
            "@room",
            "(@room)",
            "@alice:example.org",
            "#bpf:example.org",
            "!x:example.org",
            "https://matrix.to/#/@a:b",
            "matrix:r/x",
        ] {
            assert_eq!(escape(word), format!("<code>{word}</code>"));
        }
        for word in [
            "a@example.org",
            "#define",
            "bpf:",
            "!x:",
            "u64:",
            "@a",
            "map#3",
        ] {
            assert_eq!(escape(word), word);
        }
        assert_eq!(escape("a @room  b\n"), "a <code>@room</code>  b\n");
    }

    #[test]
    fn a_title_does_not_hide_where_its_link_leads() {
        let mut content = post("words");
        content.title = "https://good.example/login".to_owned();
        let event = event(&Content::Story(Box::new(content)));
        let html = event["formatted_body"].as_str().expect("HTML");
        assert!(
            html.starts_with(
                "<p><strong>https://good.example/login</strong><br>\
                 <a href=\"https://lore.example/bpf/1@example.org/\">https://lore.example/bpf/1@example.org/</a><br>"
            ),
            "{html}"
        );
    }

    #[test]
    fn long_text_is_cut_between_words_and_never_in_an_address() {
        let address = format!("https://example.org/{}", "x".repeat(60));
        let endless = [
            format!("{} {address} ", "word".repeat(3)).repeat(500),
            "\u{1f468}\u{200d}\u{1f469}e\u{301}".repeat(3_000),
            "&<>\"".repeat(3_000),
        ];
        for words in endless {
            for content in everywhere(&words) {
                let event = event(&content);
                let (plain, html) = read(&event);
                let counted = plain.chars().count();
                assert!(counted < 8_000, "{counted}: {plain:.80}");
                for text in [&plain, &html] {
                    assert!(text.contains('…'), "it says that it was cut: {text:.80}");
                    for start in text
                        .match_indices("https://example.org/x")
                        .map(|(at, _)| at)
                    {
                        assert!(text[start..].starts_with(&address), "{}", &text[start..]);
                    }
                    assert!(
                        !text.contains("e…") && !text.contains("\u{fffd}"),
                        "{text:.80}"
                    );
                }
            }
        }
    }

    #[test]
    fn any_text_stays_far_below_the_servers_limit() {
        let long = "&\"<'>\u{1f980}".repeat(20_000);
        let mut story = post(&long);
        story.parts = vec![(long.clone(), long.clone()); 500];
        let line = Line {
            what: long.clone(),
            title: long.clone(),
            author: long.clone(),
            summary: long.clone(),
            link: Some(format!("https://example.org/{}", "x".repeat(900))),
            tone: Tone::New,
            mark: "m".to_owned(),
        };
        let digest = Digest {
            title: long.clone(),
            lines: vec![line.clone(); 500],
            mark: "m".to_owned(),
        };
        let notice = Content::Notice {
            title: long.clone(),
            text: long,
            mark: "m".to_owned(),
        };
        for content in [
            Content::Story(Box::new(story)),
            Content::Line(line),
            Content::Digest(digest),
            notice,
        ] {
            let bytes = edit(&content, "$1").to_string().len();
            // Encryption and base64 add about 35 %.
            assert!(
                bytes * 135 / 100 < 65_536,
                "{bytes} bytes: {:.60}",
                format!("{content:?}")
            );
        }
    }
}
