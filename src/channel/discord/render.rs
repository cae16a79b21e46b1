//! Content as the body of a Discord message, within Discord's limits. Pure.

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use url::Url;

use super::escape::{escape, escape_label};
use crate::channel::text::{count, cut};
use crate::post::is_story_id;
use crate::post::story::{Content, Digest, IssuePost, Line, Post, Suggestion, Tone};

/// Discord's limits, in code points.
pub(super) const TITLE_MAX: usize = 256;
pub(super) const DESCRIPTION_MAX: usize = 4096;
pub(super) const AUTHOR_MAX: usize = 256;
/// Discord allows 2048; less is used, so that the sum always fits.
pub(super) const FOOTER_MAX: usize = 512;
/// Discord's limit for all texts of a message's embeds together.
pub(super) const TOTAL_MAX: usize = 6000;
const _: () = assert!(TITLE_MAX + DESCRIPTION_MAX + AUTHOR_MAX + FOOTER_MAX <= TOTAL_MAX);
/// Discord's limit for the address behind a title.
pub(super) const LINK_MAX: usize = 2048;
/// Discord's limit for a forum post's name.
pub(super) const THREAD_NAME_MAX: usize = 100;

/// The shares of a story's description. The rest is for its patches, in whole lines.
const STATE_MAX: usize = 300;
const REFS_MAX: usize = 200;
const REVIEWS_MAX: usize = 200;
/// A commit that a post links: its words and its page.
const COMMIT_MAX: usize = 40;
const COMMIT_LINK_MAX: usize = 200;
const SUMMARY_MAX: usize = 1200;
const CHANGE_MAX: usize = 1200;
const STEPS_MAX: usize = 400;
/// The address of a story's own page.
const PAGE_MAX: usize = 256;
/// The headings and empty lines between the shares.
const LAYOUT_MAX: usize = 64;
const _: () = assert!(
    STATE_MAX
        + REFS_MAX
        + REVIEWS_MAX
        + SUMMARY_MAX
        + CHANGE_MAX
        + STEPS_MAX
        + COMMIT_MAX
        + COMMIT_LINK_MAX
        + PAGE_MAX
        + LAYOUT_MAX
        < DESCRIPTION_MAX
);
/// The parts of a digest's line. A longer link is left out.
const WHAT_MAX: usize = 120;
const LABEL_MAX: usize = 200;
const LINE_LINK_MAX: usize = 512;
/// The introduction of an issue.
const LEAD_MAX: usize = 1500;
const _: () = assert!(LINK_MAX + SUMMARY_MAX + STEPS_MAX + WHAT_MAX + LAYOUT_MAX < DESCRIPTION_MAX);
/// Room for `… and 4294967295 more` and the line break before it.
const MORE_MAX: usize = 40;

/// Precedes the ids of the stories of a list in its footer. No other footer starts with it.
const STORIES: &str = "stories ";
/// Separates the parts of a footer.
const DOT: &str = " · ";

/// The body of a message with `content`; it mentions nobody.
pub fn body(content: &Content) -> Value {
    let embed = match content {
        Content::Story(post) => story(post),
        Content::Line(line) => one_line(line),
        Content::Digest(digest) => several(digest),
        Content::Issue(post) => issue(post),
        Content::Suggestion(suggested) => suggestion(suggested),
        Content::Notice { title, text, mark } => {
            let mut embed = Map::new();
            put(&mut embed, "title", cut(&escape(title), TITLE_MAX));
            put(
                &mut embed,
                "description",
                cut(&escape(text), DESCRIPTION_MAX),
            );
            put_footer(&mut embed, "", mark);
            embed
        }
    };
    let mut body = json!({"embeds": [embed], "allowed_mentions": {"parse": []}});
    match content {
        Content::Suggestion(suggested) => body["components"] = super::pages::choices(suggested),
        Content::Story(post) if is_story_id(&post.mark) => {
            body["components"] = super::pages::follow(post);
        }
        _ => {}
    }
    body
}

/// The name of a forum post; Discord shows no markdown there.
pub fn thread_name(content: &Content) -> String {
    let title = match content {
        Content::Story(post) => &post.title,
        Content::Line(line) => &line.title,
        Content::Digest(digest) => &digest.title,
        Content::Issue(issue) => &issue.title,
        Content::Suggestion(suggested) => &suggested.link,
        Content::Notice { title, .. } => title,
    };
    match cut(title.trim(), THREAD_NAME_MAX) {
        name if name.is_empty() => "News".to_owned(),
        name => name,
    }
}

/// Whether an embed's footer ends with the mark.
pub fn carries(footer: &str, mark: &str) -> bool {
    match footer.strip_suffix(mark) {
        Some(before) => !mark.is_empty() && (before.is_empty() || before.ends_with(DOT)),
        None => false,
    }
}

/// The mark in a footer of ours, and the marks of the stories that it lists.
pub(super) fn marks(footer: &str) -> Option<(String, Vec<String>)> {
    let mut parts = footer.rsplit(DOT);
    let mark = parts.next().filter(|mark| !mark.trim().is_empty())?;
    let about = footer
        .strip_prefix(STORIES)
        .filter(|_| parts.next().is_some());
    let ids = about.and_then(|about| about.split(DOT).next());
    let ids = ids.into_iter().flat_map(str::split_whitespace);
    Some((mark.to_owned(), ids.map(str::to_owned).collect()))
}

fn story(post: &Post) -> Map<String, Value> {
    let mut embed = Map::new();
    let author = cut(post.author.trim(), AUTHOR_MAX);
    if !author.is_empty() {
        embed.insert("author".to_owned(), json!({"name": author}));
    }
    let title = match post.title.trim() {
        "" => post.about.word(),
        title => title,
    };
    put(&mut embed, "title", cut(&escape(title), TITLE_MAX));
    if let Some(link) = web_link(post.link.as_deref(), LINK_MAX) {
        put(&mut embed, "url", link);
    }
    put(&mut embed, "description", description(post));
    embed.insert("color".to_owned(), colour(post.tone).into());
    let about = match post.feeds.join(", ") {
        feeds if feeds.is_empty() => post.about.word().to_owned(),
        feeds => format!("{}{DOT}{feeds}", post.about.word()),
    };
    put_footer(&mut embed, &about, &post.mark);
    let at = post.at.to_rfc3339_opts(SecondsFormat::Secs, true);
    put(&mut embed, "timestamp", at);
    embed
}

fn description(post: &Post) -> String {
    let mut states = vec![format!("**{}**", cut(&escape(&post.state), WHAT_MAX))];
    if post.state.trim().is_empty() {
        states.clear();
    }
    if !post.tree.is_empty() && !post.state.contains(&post.tree) {
        states.push(cut(&escape(&post.tree), WHAT_MAX));
    }
    let notes = escape(&post.notes.join(DOT));
    let taken = count(&states.join(DOT)) + DOT.len();
    if !notes.is_empty() {
        states.push(cut(&notes, STATE_MAX.saturating_sub(taken)));
    }
    let change = match cut(&escape(&post.change), CHANGE_MAX) {
        change if change.is_empty() => change,
        change => format!("**What changed:** {change}"),
    };
    let before = [
        states.join(DOT),
        cut(&escape(&post.summary), SUMMARY_MAX),
        change,
    ];
    let after = [
        cut(&escape(&post.reviews), REVIEWS_MAX),
        cut(&escape(&post.checks), REFS_MAX),
        cut(&escape(&post.steps.join(" → ")), STEPS_MAX),
        commit_and_page(post),
    ];
    let taken: usize = before
        .iter()
        .chain(&after)
        .map(|part| count(part) + 2)
        .sum();
    let parts = post
        .parts
        .iter()
        .map(|(number, title)| match number.is_empty() {
            true => format!("- {}", escape(title)),
            false => format!("- **{}** {}", escape(number), escape(title)),
        });
    let room = DESCRIPTION_MAX.saturating_sub(taken + 2);
    let parts = whole_lines(parts.collect(), post.parts_left_out, room);
    before
        .into_iter()
        .chain([parts])
        .chain(after)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The commit of a post, as a link if its page is known, and a short link to the story's page.
fn commit_and_page(post: &Post) -> String {
    let commit = post.commit.as_ref().map(|commit| {
        match web_link(commit.link.as_deref(), COMMIT_LINK_MAX) {
            Some(link) => format!(
                "[{}]({link})",
                cut(&escape_label(&commit.words), COMMIT_MAX)
            ),
            None => cut(&escape(&commit.words), COMMIT_MAX),
        }
    });
    let page = web_link(post.page.as_deref(), PAGE_MAX);
    let page = page.map(|page| format!("[timeline]({page})"));
    let parts = [commit, page].into_iter().flatten();
    let parts: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    parts.join(DOT)
}

fn one_line(line: &Line) -> Map<String, Value> {
    let mut embed = Map::new();
    put(&mut embed, "title", cut(&escape(&line.title), TITLE_MAX));
    if let Some(link) = web_link(line.link.as_deref(), LINK_MAX) {
        put(&mut embed, "url", link);
    }
    let what = cut(&escape(&line.what), STATE_MAX);
    put(&mut embed, "description", what);
    embed.insert("color".to_owned(), colour(line.tone).into());
    put_footer(&mut embed, "", &line.mark);
    embed
}

fn several(digest: &Digest) -> Map<String, Value> {
    let mut embed = Map::new();
    put(&mut embed, "title", cut(&escape(&digest.title), TITLE_MAX));
    let lines = digest.lines.iter().map(listed);
    let lines = whole_lines(lines.collect(), 0, DESCRIPTION_MAX);
    put(&mut embed, "description", lines);
    embed.insert("color".to_owned(), colour(Tone::Reading).into());
    if !digest.mark.is_empty() {
        let ids: Vec<&str> = digest.lines.iter().map(|line| line.mark.as_str()).collect();
        let about = format!("{STORIES}{}", ids.join(" "));
        put_footer(&mut embed, &about, &digest.mark);
    }
    embed
}

/// A line of a list.
fn listed(line: &Line) -> String {
    let what = match cut(&escape(&line.what), WHAT_MAX) {
        what if what.is_empty() => what,
        what => format!("{what}: "),
    };
    let label = match line.title.trim() {
        "" => "untitled",
        title => title,
    };
    let first = match web_link(line.link.as_deref(), LINE_LINK_MAX) {
        Some(link) => {
            let label = cut(&escape_label(label), LABEL_MAX);
            format!("- {what}[{label}]({link})")
        }
        None => format!("- {what}{}", cut(&escape(label), LABEL_MAX)),
    };
    let author = match cut(&escape(line.author.trim()), WHAT_MAX) {
        author if author.is_empty() => author,
        author => format!("{DOT}{author}"),
    };
    let summary = match cut(&escape(line.summary.trim()), LABEL_MAX) {
        summary if summary.is_empty() => summary,
        // Two spaces keep the row inside its list item.
        summary => format!("\n  {summary}"),
    };
    format!("{first}{author}{summary}")
}

/// A newsletter: the introduction, lines under headings, and a link to the rest.
fn issue(post: &IssuePost) -> Map<String, Value> {
    let mut embed = Map::new();
    put(&mut embed, "title", cut(&escape(&post.title), TITLE_MAX));
    let page = web_link(post.link.as_deref(), LINK_MAX);
    if let Some(page) = &page {
        put(&mut embed, "url", page.clone());
    }
    let lead = cut(&escape(&post.lead), LEAD_MAX);
    let more = match (post.left_out, web_link(post.link.as_deref(), LINE_LINK_MAX)) {
        (0, _) => String::new(),
        (many, Some(page)) => format!("[The whole issue]({page}), with {many} more"),
        (many, None) => format!("`/bpfnews issue {}` shows {many} more", post.number),
    };
    let mut lines = Vec::new();
    for part in &post.parts {
        let heading = cut(&escape(&part.heading), WHAT_MAX);
        let gap = if lines.is_empty() { "" } else { "\n" };
        for (place, line) in part.lines.iter().enumerate() {
            // A heading is never the last line.
            lines.push(match place {
                0 => format!("{gap}**{heading}**\n{}", listed(line)),
                _ => listed(line),
            });
        }
    }
    let room = DESCRIPTION_MAX.saturating_sub(count(&lead) + count(&more) + LAYOUT_MAX);
    let parts = [lead, whole_lines(lines, 0, room), more];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    put(
        &mut embed,
        "description",
        parts.collect::<Vec<_>>().join("\n\n"),
    );
    let picture = post.picture.as_ref();
    if let Some(link) = picture.and_then(|picture| web_link(Some(&picture.link), LINK_MAX)) {
        embed.insert("image".to_owned(), json!({ "url": link }));
    }
    embed.insert("color".to_owned(), colour(Tone::Reading).into());
    put_footer(&mut embed, "", &post.mark);
    embed
}

fn suggestion(suggested: &Suggestion) -> Map<String, Value> {
    let mut embed = Map::new();
    let title = format!("Suggestion {}", suggested.number);
    put(&mut embed, "title", title);
    let said = [
        cut(&escape(&suggested.link), LINK_MAX),
        cut(&escape(&suggested.note), SUMMARY_MAX),
        cut(&escape(&suggested.known), STEPS_MAX),
        match cut(&escape(&suggested.decided), WHAT_MAX) {
            decided if decided.is_empty() => decided,
            decided => format!("**{decided}**"),
        },
    ];
    let said = said.into_iter().filter(|part| !part.is_empty());
    put(
        &mut embed,
        "description",
        said.collect::<Vec<_>>().join("\n\n"),
    );
    let tone = match suggested.decided.is_empty() {
        true => Tone::New,
        false => Tone::Ended,
    };
    embed.insert("color".to_owned(), colour(tone).into());
    put_footer(&mut embed, "", &suggested.mark);
    embed
}

/// As many whole lines as fit in `room`, with the number of the others.
fn whole_lines(lines: Vec<String>, left_out: usize, room: usize) -> String {
    let all: usize = lines.iter().map(|line| count(line) + 1).sum();
    let room = match left_out == 0 && all <= room {
        true => room,
        false => room.saturating_sub(MORE_MAX),
    };
    let (mut kept, mut taken) = (Vec::new(), 0);
    let total = lines.len();
    for line in lines {
        taken += count(&line) + 1;
        if taken > room {
            break;
        }
        kept.push(line);
    }
    let left_out = left_out + total - kept.len();
    if left_out > 0 {
        kept.push(format!("… and {left_out} more"));
    }
    kept.join("\n")
}

/// Adds a footer, without markdown, that ends with the whole mark of the message. An answer has no mark.
fn put_footer(embed: &mut Map<String, Value>, about: &str, mark: &str) {
    let room = FOOTER_MAX.saturating_sub(count(mark) + count(DOT));
    let parts = [cut(about, room), mark.to_owned()];
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let text = parts.collect::<Vec<_>>().join(DOT);
    if !text.is_empty() {
        embed.insert("footer".to_owned(), json!({"text": text}));
    }
}

/// A web address, escaped so that it cannot end a markdown link. `None` for other addresses and for long ones.
fn web_link(link: Option<&str>, max: usize) -> Option<String> {
    let link = Url::parse(link?).ok()?;
    if !matches!(link.scheme(), "http" | "https") {
        return None;
    }
    let link = String::from(link)
        .replace('(', "%28")
        .replace(')', "%29")
        .replace('\\', "%5C");
    (count(&link) <= max).then_some(link)
}

fn put(embed: &mut Map<String, Value>, name: &str, text: String) {
    if !text.trim().is_empty() {
        embed.insert(name.to_owned(), text.into());
    }
}

fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::New => 0x3B_82_F6,
        Tone::Discussed => 0xF5_9E_0B,
        Tone::Applied => 0x22_C5_5E,
        Tone::Mainline => 0x15_80_3D,
        Tone::Ended => 0x6B_72_80,
        Tone::Reading => 0x8B_5C_F6,
    }
}
