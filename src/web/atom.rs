//! Atom feeds (RFC 4287): issues with their full text, and stories.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::answer::PageError;
use super::article;
use super::site::{Served, Site};
use crate::issue::markdown::{self, opening};
use crate::post::plain;
use crate::post::story::{compose, standing};
use crate::store::{issues, stories};

/// The most entries of a feed.
const ISSUES_MAX: usize = 20;
const STORIES_MAX: i64 = 50;
/// The age of the oldest story.
const SPAN: TimeDelta = TimeDelta::days(14);

struct FeedPageEntry {
    id: String,
    title: String,
    link: String,
    at: DateTime<Utc>,
    author: String,
    summary: String,
    html: Option<String>,
}

pub(super) async fn issues(State(site): State<Served>) -> Result<Response, PageError> {
    let readers = site.store.read();
    let mut entries = Vec::new();
    for row in issues::list_issues(readers.into())
        .await?
        .iter()
        .take(ISSUES_MAX)
    {
        let Some(issue) = issues::issue(readers.into(), row.number).await? else {
            continue;
        };
        let corrections = issues::corrections(readers.into(), row.number).await?;
        let published = DateTime::from_timestamp(row.published_at, 0).unwrap_or_default();
        let changed = corrections.iter().map(|correction| correction.at).max();
        let link = format!("{}{}", site.home, markdown::path(issue.number));
        entries.push(FeedPageEntry {
            id: link.clone(),
            title: issue.title(),
            link,
            at: changed.map_or(published, |at| at.max(published)),
            author: site.name.clone(),
            summary: opening(&issue),
            html: Some(article::article_for_feeds(&issue, &corrections, &site.home)),
        });
    }
    Ok(answer(feed(&site, &site.name, "issues.atom", &entries)?))
}

pub(super) async fn stories(State(site): State<Served>) -> Result<Response, PageError> {
    let now = site.clock.now();
    let today = stories::day_of(now);
    let since = (now - SPAN).timestamp();
    let mut best = stories::best_stories(site.store.read(), since, today, STORIES_MAX).await?;
    best.sort_by(|a, b| (b.last_at, &b.id).cmp(&(a.last_at, &a.id)));
    let entries: Vec<FeedPageEntry> = best
        .iter()
        .map(|story| {
            let post = compose(story);
            let page = format!("{}{}", site.home, markdown::story_path(&story.id));
            let author = if post.author.is_empty() {
                "unknown author".to_owned()
            } else {
                post.author.clone()
            };
            FeedPageEntry {
                id: page.clone(),
                title: format!("{} ({})", post.title, plain(&standing(story))),
                link: page,
                at: story.last_at,
                author,
                summary: post.summary,
                html: None,
            }
        })
        .collect();
    let title = format!("{}: stories", site.name);
    Ok(answer(feed(&site, &title, "stories.atom", &entries)?))
}

fn answer(feed: Vec<u8>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/atom+xml; charset=utf-8")];
    (kind, feed).into_response()
}

fn feed(
    site: &Site,
    title: &str,
    path: &str,
    entries: &[FeedPageEntry],
) -> anyhow::Result<Vec<u8>> {
    let here = format!("{}{path}", site.home);
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 1);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let updated = entries.iter().map(|entry| entry.at).max();
    out.create_element("feed")
        .with_attribute(("xmlns", "http://www.w3.org/2005/Atom"))
        .with_attribute(("xml:lang", "en"))
        .write_inner_content(|out| {
            text(out, "id", &here)?;
            text(out, "title", title)?;
            text(out, "updated", &time(updated.unwrap_or_default()))?;
            link(out, "self", &here)?;
            link(out, "alternate", &site.home)?;
            out.create_element("generator")
                .write_text_content(BytesText::new("bpfnews"))?;
            for told in entries {
                entry(out, told)?;
            }
            Ok(())
        })?;
    Ok(out.into_inner())
}

type Out = Writer<Vec<u8>>;

fn entry(out: &mut Out, entry: &FeedPageEntry) -> std::io::Result<()> {
    out.create_element("entry").write_inner_content(|out| {
        text(out, "id", &entry.id)?;
        text(out, "title", &entry.title)?;
        text(out, "updated", &time(entry.at))?;
        link(out, "alternate", &entry.link)?;
        out.create_element("author")
            .write_inner_content(|out| text(out, "name", &entry.author))?;
        if !entry.summary.is_empty() {
            text(out, "summary", &entry.summary)?;
        }
        if let Some(html) = &entry.html {
            out.create_element("content")
                .with_attribute(("type", "html"))
                .write_text_content(BytesText::new(&written(html)))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn text(out: &mut Out, name: &str, said: &str) -> std::io::Result<()> {
    out.create_element(name)
        .write_text_content(BytesText::new(&written(said)))?;
    Ok(())
}

/// Removes characters that XML does not allow.
fn written(said: &str) -> String {
    let is_allowed = |c: &char| match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => *c >= ' ',
    };
    said.chars().filter(is_allowed).collect()
}

fn link(out: &mut Out, rel: &str, href: &str) -> std::io::Result<()> {
    out.create_element("link")
        .with_attribute(("rel", rel))
        .with_attribute(("href", href))
        .write_empty()?;
    Ok(())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
