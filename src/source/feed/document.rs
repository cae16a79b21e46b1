//! Helpers for one document: its version, its pause, and the dates, texts and links of its entries.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use feed_rs::model;
use url::Url;

use crate::item::Linked;
use crate::item::link::canonical_link;
use crate::item::prose::{self, find};
use crate::source::html::html_text;
use crate::source::wire;

/// The root element is within so many bytes.
const HEAD_BYTES: usize = 4 * 1024;

/// The longest pause that a document may ask for.
const LEAVE_ALONE_MAX: Duration = Duration::from_secs(86_400);

/// Changes a document of an RSS version that feed-rs does not know to one that it knows: 0.90 has the elements of 1.0 in an
/// older namespace, and the other `<rss>` versions can be read as 2.0.
pub(super) fn familiar(document: &str) -> Cow<'_, str> {
    const RSS_0_90: [&str; 2] = [
        "http://my.netscape.com/rdf/simple/0.9/",
        "http://channel.netscape.com/rdf/simple/0.9/",
    ];
    if !document.trim_start().starts_with('<') {
        return document.into();
    }
    let head = &document[..document.floor_char_boundary(HEAD_BYTES)];
    if let Some(space) = RSS_0_90.iter().find(|space| head.contains(**space)) {
        return document
            .replacen(space, "http://purl.org/rss/1.0/", 1)
            .into();
    }
    let Some(start) = head.find("<rss").map(|at| at + "<rss".len()) else {
        return document.into();
    };
    let Some(tag) = head[start..].split('>').next() else {
        return document.into();
    };
    let is_known = ["2.0", "0.91", "0.92"].iter().any(|version| {
        ['"', '\'']
            .iter()
            .any(|quote| tag.contains(&format!("version={quote}{version}{quote}")))
    });
    if is_known {
        return document.into();
    }
    let (before, after) = (&document[..start], &document[start..]);
    let after = match tag.find("version=") {
        // The old attribute gets a meaningless name.
        Some(at) => format!("{}was-{}", &after[..at], &after[at..]),
        None => after.to_owned(),
    };
    format!("{before} version=\"2.0\"{after}").into()
}

/// Reads a date in the forms that feeds use: RFC 2822 and 3339, without a zone, and a day alone.
pub(super) fn timestamp(raw: &str) -> Option<DateTime<Utc>> {
    let raw = raw.trim();
    let day_alone = || {
        [
            "%Y-%m-%d",
            "%d %b %Y",
            "%a, %d %b %Y",
            "%B %d, %Y",
            "%Y/%m/%d",
        ]
        .iter()
        .find_map(|form| NaiveDate::parse_from_str(raw, form).ok())
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map(|at| at.and_utc())
    };
    let without_zone = || {
        [
            "%Y-%m-%dT%H:%M:%S",
            "%Y-%m-%d %H:%M:%S",
            "%a, %d %b %Y %H:%M:%S",
        ]
        .iter()
        .find_map(|form| chrono::NaiveDateTime::parse_from_str(raw, form).ok())
        .map(|at| at.and_utc())
    };
    DateTime::parse_from_rfc2822(raw)
        .or_else(|_| DateTime::parse_from_rfc3339(raw))
        .or_else(|_| DateTime::parse_from_str(raw, "%a, %d %B %Y %H:%M:%S %z"))
        .or_else(|_| DateTime::parse_from_str(raw, "%Y-%m-%dT%H:%M%:z"))
        .ok()
        .map(|at| at.to_utc())
        .or_else(without_zone)
        .or_else(day_alone)
}

pub(super) fn is_html(text: &model::Text) -> bool {
    text.content_type.subty() == mediatype::names::HTML && text.content.contains('<')
}

pub(super) fn body_text(entry: &model::Entry) -> String {
    let media = || {
        entry
            .media
            .iter()
            .find_map(|media| media.description.as_ref())
            .map(|text| text.content.clone())
    };
    let raw = entry
        .content
        .as_ref()
        .and_then(|content| content.body.clone())
        .or_else(|| entry.summary.as_ref().map(|text| text.content.clone()))
        .or_else(media)
        .unwrap_or_default();
    let looks_like_html = raw.contains('<') || raw.contains('&');
    prose::without_diffs(&if looks_like_html {
        html_text(&raw)
    } else {
        raw
    })
}

/// The web page that an entry links to.
pub(super) fn link_of(entry: &model::Entry) -> Option<Url> {
    let is_page = |link: &&model::Link| link.rel.as_deref().is_none_or(|rel| rel == "alternate");
    let link = entry.links.iter().find(is_page).or(entry.links.first())?;
    let url = Url::parse(link.href.trim()).ok()?;
    (["http", "https"].contains(&url.scheme()) && url.username().is_empty()).then_some(url)
}

/// The canonical links that identify no entry: several entries have them, or they lead to a site's front page. Two entries with
/// one guid count as one.
pub(super) fn shared_links(feed: &model::Feed) -> HashMap<String, Linked> {
    let mut entries: HashSet<(String, String)> = HashSet::new();
    let mut shared = HashMap::new();
    for (place, entry) in feed.entries.iter().enumerate() {
        let Some(link) = link_of(entry) else {
            continue;
        };
        let canonical = canonical_link(&link);
        if link.path() == "/" && link.query().is_none() {
            shared.insert(canonical.clone(), Linked::Nothing);
        }
        let id = match entry.id.trim() {
            "" => format!("{place}"),
            id => format!("id {id}"),
        };
        entries.insert((canonical, id));
    }
    let mut many: HashMap<&str, usize> = HashMap::new();
    for (link, _) in &entries {
        *many.entry(link).or_default() += 1;
    }
    for (link, many) in many {
        if many > 1 {
            let linked = if many == entries.len() {
                Linked::Nothing
            } else {
                Linked::Several
            };
            shared.entry(link.to_owned()).or_insert(linked);
        }
    }
    shared
}

/// The name of the released project, for titles like `v1.2`.
pub(super) fn project(url: &Url, feed: &model::Feed) -> String {
    let mut segments = url.path_segments().into_iter().flatten();
    match (url.host_str(), segments.next(), segments.next()) {
        (Some("github.com"), Some(_), Some(repository)) => repository.to_owned(),
        (Some("www.kernel.org"), ..) => "Linux".to_owned(),
        _ => feed
            .title
            .as_ref()
            .map(|title| wire::title_text(&title.content, false))
            .unwrap_or_default(),
    }
}

/// The pause that the document asks for: RSS's `ttl`, or the syndication module's period and frequency.
pub(super) fn leave_alone_for(feed: &model::Feed, document: &str) -> Option<Duration> {
    if let Some(minutes) = feed.ttl {
        return Some(Duration::from_secs(u64::from(minutes) * 60).min(LEAVE_ALONE_MAX));
    }
    let head = document.get(..find(document, "<item").unwrap_or(document.len()))?;
    let element = |name: &str| -> Option<&str> {
        let tag = format!(":{name}>");
        let rest = &head[find(head, &tag)? + tag.len()..];
        Some(rest.split_once('<')?.0.trim())
    };
    let period = match element("updatePeriod")? {
        "hourly" => 3_600,
        "daily" | "weekly" | "monthly" | "yearly" => 86_400,
        _ => return None,
    };
    let frequency = element("updateFrequency")
        .and_then(|times| times.parse::<u64>().ok())
        .unwrap_or(1);
    Some(Duration::from_secs(period / frequency.max(1)).min(LEAVE_ALONE_MAX))
}
