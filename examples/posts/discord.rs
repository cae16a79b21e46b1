//! A message's body as Discord's client shows it in its dark theme: the embed, and the markdown that Discord knows there.

use std::fmt::Write as _;

use serde_json::Value;

/// The HTML of a message with this body.
pub(crate) fn message(body: &Value) -> String {
    let mut html = "<div class=\"d-message\"><div class=\"d-face\">b</div><div class=\"d-right\">\
        <div class=\"d-name\">bpfnews <span class=\"d-app\">APP</span> <span class=\"d-time\">Today at 09:12</span></div>"
        .to_owned();
    if let Some(content) = body["content"].as_str() {
        let _ = write!(html, "<div class=\"d-text\">{}</div>", markdown(content));
    }
    for embed in body["embeds"].as_array().into_iter().flatten() {
        html.push_str(&self::embed(embed));
    }
    html.push_str("</div></div>");
    html
}

fn embed(embed: &Value) -> String {
    let colour = embed["color"].as_u64().unwrap_or(0x1e_1f_22);
    let mut html = format!("<div class=\"d-embed\" style=\"border-left-color:#{colour:06x}\">");
    if let Some(author) = embed["author"]["name"].as_str() {
        let _ = write!(html, "<div class=\"d-author\">{}</div>", escape(author));
    }
    if let Some(title) = embed["title"].as_str() {
        let title = markdown(title);
        let _ = match embed["url"].as_str() {
            Some(url) => write!(
                html,
                "<div class=\"d-title\"><a href=\"{}\">{title}</a></div>",
                escape(url)
            ),
            None => write!(html, "<div class=\"d-title\">{title}</div>"),
        };
    }
    if let Some(text) = embed["description"].as_str() {
        let _ = write!(html, "<div class=\"d-text\">{}</div>", markdown(text));
    }
    for field in embed["fields"].as_array().into_iter().flatten() {
        let part = |name: &str| markdown(field[name].as_str().unwrap_or_default());
        let _ = write!(
            html,
            "<div class=\"d-field\"><b>{}</b><br>{}</div>",
            part("name"),
            part("value")
        );
    }
    let footer = embed["footer"]["text"].as_str().map(escape);
    let day = embed["timestamp"]
        .as_str()
        .map(|at| at.chars().take(10).collect::<String>());
    let below: Vec<String> = [footer, day].into_iter().flatten().collect();
    if !below.is_empty() {
        let _ = write!(html, "<div class=\"d-footer\">{}</div>", below.join(" • "));
    }
    html.push_str("</div>");
    html
}

/// Discord's markdown, as far as embeds use it: bold, emphasis, code, spoilers, links, lists, quotes, headings, subtext, and a
/// backslash before literal characters.
fn markdown(text: &str) -> String {
    let mut html = String::new();
    for line in text.split('\n') {
        let heads = [
            ("-# ", "small"),
            ("### ", "h3"),
            ("## ", "h2"),
            ("# ", "h1"),
            ("> ", "blockquote"),
            ("- ", "li"),
            ("* ", "li"),
        ];
        let head = heads
            .iter()
            .find_map(|(head, tag)| Some((line.strip_prefix(head)?, *tag)));
        let _ = match head {
            Some((rest, tag)) => write!(html, "<{tag}>{}</{tag}>", inline(rest)),
            None if line.is_empty() => write!(html, "<div class=\"d-gap\"></div>"),
            None => write!(html, "<div>{}</div>", inline(line)),
        };
    }
    html
}

fn inline(text: &str) -> String {
    let mut html = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c == '\\'
            && let Some(meant) = after.chars().next().filter(char::is_ascii_punctuation)
        {
            html.push_str(&escape(&meant.to_string()));
            rest = &after[meant.len_utf8()..];
            continue;
        }
        let spans = [
            ("**", "b"),
            ("__", "u"),
            ("~~", "s"),
            ("||", "mark"),
            ("`", "code"),
            ("*", "i"),
            ("_", "i"),
        ];
        let span = spans.iter().find_map(|(mark, tag)| {
            let inside = rest.strip_prefix(mark)?;
            let end = closing(inside, mark)?;
            Some((*tag, &inside[..end], &inside[end + mark.len()..]))
        });
        if let Some((tag, inside, after)) = span {
            let _ = write!(html, "<{tag}>{}</{tag}>", inline(inside));
            rest = after;
            continue;
        }
        if let Some((label, link, after)) = masked(rest) {
            let _ = write!(html, "<a href=\"{}\">{}</a>", escape(link), inline(label));
            rest = after;
            continue;
        }
        if rest.starts_with("https://") || rest.starts_with("http://") {
            let end = rest.find([' ', '<', ')']).unwrap_or(rest.len());
            let link = escape(&rest[..end]);
            let _ = write!(html, "<a href=\"{link}\">{link}</a>");
            rest = &rest[end..];
            continue;
        }
        if let Some(name) = ["@everyone", "@here"]
            .iter()
            .find(|name| rest.starts_with(**name))
        {
            let _ = write!(html, "<span class=\"d-mention\">{name}</span>");
            rest = &rest[name.len()..];
            continue;
        }
        html.push_str(&escape(&c.to_string()));
        rest = after;
    }
    html
}

/// Where a span ends: at its mark, not behind a backslash.
fn closing(inside: &str, mark: &str) -> Option<usize> {
    let ends = inside.match_indices(mark).map(|(at, _)| at);
    let mut ends = ends.filter(|at| *at > 0 && !inside[..*at].ends_with('\\'));
    ends.next()
}

/// `[label](link)` at the beginning of a text.
fn masked(text: &str) -> Option<(&str, &str, &str)> {
    let inside = text.strip_prefix('[')?;
    let end = closing(inside, "](")?;
    let (label, rest) = (&inside[..end], &inside[end + 2..]);
    let (link, after) = rest.split_once(')')?;
    link.starts_with("http").then_some((label, link, after))
}

/// Text as HTML takes it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
