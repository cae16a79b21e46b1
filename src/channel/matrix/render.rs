//! Content as the content of a Matrix event: a notice with a plain body and the little HTML that every client shows.
//! Pure. It mentions nobody, and its size is bounded: an edit holds every text twice, and encryption adds a third.

use std::fmt::Write as _;

use serde_json::{Value, json};
use url::Url;

use crate::item::prose::shorten;
use crate::post::story::{Content, Digest, Line, Post};

/// The field of an event's content by which a message is found again.
pub(super) const MARK: &str = "bpfnews.mark";

/// The most bytes of a body and its HTML together; a server takes 65,536 for an event, which an edit fills twice.
const TEXT_BYTES_MAX: usize = 12_000;
/// The most characters of one text.
const TITLE_CHARS_MAX: usize = 300;
const TEXT_CHARS_MAX: usize = 1_000;
const SHORT_CHARS_MAX: usize = 120;
const LINK_BYTES_MAX: usize = 1_000;
/// The most patches that are listed.
const PARTS_MAX: usize = 20;
/// The most lines of a digest.
const LINES_MAX: usize = 25;
/// The most characters of a line's title in a digest.
const LINE_CHARS_MAX: usize = 160;

const DOT: &str = " · ";

/// A text in both of its forms.
#[derive(Debug, Default)]
struct Text {
    plain: String,
    html: String,
}

impl Text {
    /// A paragraph of its own; nothing for nothing.
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

    /// A list; items that would make the whole too long are counted instead.
    fn list(&mut self, items: Vec<(String, String)>, left_out: usize) {
        let (mut plain, mut html) = (String::new(), String::new());
        let mut left_out = left_out;
        let mut is_full = false;
        for (text, marked) in items {
            let taken = self.plain.len() + self.html.len() + plain.len() + html.len();
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

/// What an event says that tells `content`.
pub(super) fn event(content: &Content) -> Value {
    let mut event = notice(&text(content));
    event[MARK] = content.mark().into();
    event
}

/// What an event says that makes `message` tell `content` from now on. Clients that do not know edits show its body.
pub(super) fn edit(content: &Content, message: &str) -> Value {
    let text = text(content);
    let mut event = notice(&text);
    event["body"] = format!("* {}", text.plain).into();
    event["m.new_content"] = self::event(content);
    event["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": message});
    event
}

/// Puts an event below another one, in its thread; clients that know no threads show an answer.
pub(super) fn below(event: &mut Value, root: &str) {
    event["m.relates_to"] = json!({
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": true,
        "m.in_reply_to": {"event_id": root},
    });
}

fn notice(text: &Text) -> Value {
    json!({
        "msgtype": "m.notice",
        "body": text.plain,
        "format": "org.matrix.custom.html",
        "formatted_body": text.html,
        "m.mentions": {},
    })
}

fn text(content: &Content) -> Text {
    let mut text = Text::default();
    match content {
        Content::Story(post) => story(&mut text, post),
        Content::Line(line) => {
            let (plain, html) = one_line(line, TITLE_CHARS_MAX);
            text.paragraph(&plain, &html);
        }
        Content::Digest(digest) => several(&mut text, digest),
        Content::Notice {
            title, text: more, ..
        } => {
            let title = shorten(title, TITLE_CHARS_MAX);
            text.paragraph(&title, &format!("<strong>{}</strong>", escape(&title)));
            for line in shorten(more, TEXT_CHARS_MAX).lines() {
                text.says(line);
            }
        }
    }
    text
}

fn story(text: &mut Text, post: &Post) {
    let link = web_link(post.link.as_deref());
    let title = match post.title.trim() {
        "" => post.about.word().to_owned(),
        title => shorten(title, TITLE_CHARS_MAX),
    };
    let mut html = format!("<strong>{}</strong>", escape(&title));
    let mut plain = title;
    if let Some(link) = &link {
        html = format!("<a href=\"{}\">{html}</a>", escape(link));
    }
    let author = shorten(post.author.trim(), SHORT_CHARS_MAX);
    if !author.is_empty() {
        let _ = write!(plain, " by {author}");
        let _ = write!(html, "<br>by {}", escape(&author));
    }
    text.paragraph(&plain, &html);

    let state = shorten(&post.state, SHORT_CHARS_MAX);
    let mut notes = vec![post.about.word().to_owned()];
    let tells_tree = post.tree.is_empty() || state.ends_with(&format!(" {}", post.tree));
    notes.extend((!tells_tree).then(|| shorten(&post.tree, SHORT_CHARS_MAX)));
    notes.extend(post.notes.iter().map(|note| shorten(note, SHORT_CHARS_MAX)));
    let notes = notes.join(DOT);
    match state.is_empty() {
        true => text.says(&notes),
        false => text.paragraph(
            &format!("{state}{DOT}{notes}"),
            &format!("<strong>{}</strong>{DOT}{}", escape(&state), escape(&notes)),
        ),
    }
    text.says(&shorten(&post.summary, TEXT_CHARS_MAX));
    let change = shorten(&post.change, TEXT_CHARS_MAX);
    if !change.is_empty() {
        text.paragraph(
            &format!("What changed: {change}"),
            &format!("<strong>What changed:</strong> {}", escape(&change)),
        );
    }
    let parts = post.parts.iter().take(PARTS_MAX).map(|(number, title)| {
        let title = shorten(title, LINE_CHARS_MAX);
        let number = shorten(number, SHORT_CHARS_MAX);
        let html = format!("{} {}", escape(&number), escape(&title));
        (format!("{number} {title}"), html)
    });
    let over = post.parts.len().saturating_sub(PARTS_MAX);
    text.list(parts.collect(), post.parts_left_out + over);
    text.says(&shorten(&post.steps.join(" → "), TEXT_CHARS_MAX));
    let feeds = post.feeds.join(", ");
    let about: Vec<String> = post
        .refs
        .iter()
        .cloned()
        .chain([feeds, post.mark.clone()])
        .collect();
    let about: Vec<String> = about.into_iter().filter(|part| !part.is_empty()).collect();
    let about = shorten(&about.join(DOT), TITLE_CHARS_MAX);
    text.paragraph(&about, &format!("<em>{}</em>", escape(&about)));
    // The HTML has it behind the title.
    if let Some(link) = link {
        text.plain.push('\n');
        text.plain.push_str(&link);
    }
}

fn several(text: &mut Text, digest: &Digest) {
    let title = shorten(&digest.title, TITLE_CHARS_MAX);
    text.paragraph(&title, &format!("<strong>{}</strong>", escape(&title)));
    let lines = digest.lines.iter().take(LINES_MAX);
    let lines = lines.map(|line| one_line(line, LINE_CHARS_MAX)).collect();
    text.list(lines, digest.lines.len().saturating_sub(LINES_MAX));
}

/// A line in both forms.
fn one_line(line: &Line, chars_max: usize) -> (String, String) {
    let title = match line.title.trim() {
        "" => "untitled".to_owned(),
        title => shorten(title, chars_max),
    };
    let what = shorten(&line.what, SHORT_CHARS_MAX);
    let what = match what.is_empty() {
        true => what,
        false => format!("{what}: "),
    };
    match web_link(line.link.as_deref()) {
        Some(link) => (
            format!("{what}{title} {link}"),
            format!(
                "{}<a href=\"{}\">{}</a>",
                escape(&what),
                escape(&link),
                escape(&title)
            ),
        ),
        None => (format!("{what}{title}"), escape(&format!("{what}{title}"))),
    }
}

/// An address of the web. One that would show as a mention of a person or a room is left out.
fn web_link(link: Option<&str>) -> Option<String> {
    let link = Url::parse(link?).ok()?;
    let is_pill = link.host_str() == Some("matrix.to");
    let is_web = matches!(link.scheme(), "http" | "https");
    (is_web && !is_pill && link.as_str().len() <= LINK_BYTES_MAX).then(|| link.into())
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::*;
    use crate::post::About;
    use crate::post::story::Tone;

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
            steps: vec!["v1 1 Jan".to_owned()],
            link: Some("https://lore.example/bpf/1@example.org/".to_owned()),
            refs: vec!["0123456789ab".to_owned()],
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
    fn an_edit_reads_well_alone_and_keeps_the_mark() {
        let content = Content::Line(Line {
            what: "Applied".to_owned(),
            title: "bpf: Take <b> @room".to_owned(),
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
        assert_eq!(html, Some("<p>Applied: bpf: Take &lt;b&gt; @room</p>"));
    }

    #[test]
    fn whatever_is_said_stays_far_below_the_servers_limit() {
        let long = "&\"<'>\u{1f980}".repeat(20_000);
        let mut story = post(&long);
        story.parts = vec![(long.clone(), long.clone()); 500];
        let line = Line {
            what: long.clone(),
            title: long.clone(),
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
            // Encryption and base64 add some 35 %.
            assert!(
                bytes * 135 / 100 < 65_536,
                "{bytes} bytes: {:.60}",
                format!("{content:?}")
            );
        }
    }
}
