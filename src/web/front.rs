//! The front page: the latest issue, this week so far, what waits for an answer, and where to go on.

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::answer::PageResult;
use super::layout::{PageHead, page};
use super::links::{
    SUBSYSTEMS, folders, person, story_line, story_list, subsystem_link, tree_path,
};
use super::site::{Served, Site};
use crate::filter::SubsystemTable;
use crate::issue::html::{day, long_day};
use crate::issue::{Period, markdown};
use crate::post::plain;
use crate::post::words::span;
use crate::store::{issues, stories};
use crate::story::waiting::waiting;
use crate::story::{Story, short_tree};

/// The most stories of the week.
const WEEK_MAX: i64 = 15;
/// The most series that wait.
const WAITING_MAX: usize = 6;
/// The most series that are read to find those. The latest count: an old one was given up.
const UNANSWERED_MAX: i64 = 200;
/// A series waits if nobody answered it for a day, and not for more than four weeks.
const WAITS_FROM: TimeDelta = TimeDelta::days(1);
const WAITS_TO: TimeDelta = TimeDelta::days(28);
/// The most trees, subsystems, folders and people of the week.
const TREES_MAX: usize = 8;
const AREAS_MAX: usize = 8;
const PEOPLE_MAX: usize = 12;
/// The most stories from which trees and people are taken.
const AROUND_MAX: i64 = 60;

pub(super) async fn front(State(site): State<Served>) -> PageResult {
    let readers = site.store.read();
    let (now, today) = (site.clock.now(), site.today());
    let week = Period::week_of(now).from;
    let this_week = stories::best_stories(readers, week.timestamp(), today, AROUND_MAX).await?;
    // On a Monday morning, and after a quiet week, the days before have more to read.
    let (heading, best) = match this_week.is_empty() {
        false => (
            format!("This week, since {}", long_day(week.date_naive())),
            this_week,
        ),
        true => {
            let since = (now - TimeDelta::days(7)).timestamp();
            let best = stories::best_stories(readers, since, today, AROUND_MAX).await?;
            ("The last seven days".to_owned(), best)
        }
    };
    let shown = best.len().min(usize::try_from(WEEK_MAX).unwrap_or(0));
    let content = html! {
        h1 { (site.name) }
        (latest_issue(&site).await?)
        h2 { (heading) }
        @if best.is_empty() {
            p { "No story about BPF is stored for these days yet. The first polls take a few minutes." }
        }
        (story_list(&best[..shown]))
        p { a href="/stories" { "All stories, the latest first" } }
        (waits(&site, now).await?)
        (around(&best, &site.subsystems().table()))
    };
    Ok(page(&PageHead::website(&site, "", ""), "/", &content))
}

/// The opening of the latest issue.
async fn latest_issue(site: &Site) -> anyhow::Result<Markup> {
    let readers = site.store.read();
    let issue = match issues::last_issue(readers.into()).await? {
        Some(last) => issues::issue(readers.into(), last.number).await?,
        None => None,
    };
    Ok(match issue {
        Some(issue) => html! {
            section.latest aria-labelledby="latest" {
                h2 id="latest" { a href=(format!("/{}", markdown::path(issue.number))) { (issue.title()) } }
                p.when { (day(issue.on())) }
                p { (markdown::opening(&issue)) }
            }
        },
        None => html! { p { "No issue of " (site.name) " is out yet." } },
    })
}

/// The series that wait longest for an answer, among those of the last weeks.
async fn waits(site: &Site, now: DateTime<Utc>) -> anyhow::Result<Markup> {
    let since = (now - WAITS_TO).timestamp();
    let readers = site.store.read();
    let found = stories::unanswered_stories(readers, since, site.today(), UNANSWERED_MAX).await?;
    let waits = |story: Story| Some((waiting(&story, now)?, story));
    let mut waiting: Vec<(TimeDelta, Story)> = found.into_iter().filter_map(waits).collect();
    waiting.retain(|(time, _)| (WAITS_FROM..=WAITS_TO).contains(time));
    waiting.sort_by(|a, b| (b.0, &a.1.id).cmp(&(a.0, &b.1.id)));
    Ok(html! {
        @if !waiting.is_empty() {
            h2 { "Waiting for an answer" }
            ul.stories {
                @for (time, story) in waiting.iter().take(WAITING_MAX) {
                    li { (story_line(story)) span.about { ", waits " (span(*time)) } }
                }
            }
        }
    })
}

/// The trees, subsystems, folders and authors of these stories.
fn around(best: &[Story], subsystems: &SubsystemTable) -> Markup {
    let trees = most_frequent(
        best.iter()
            .filter_map(|story| story.tree.as_deref())
            .map(short_tree),
    );
    let places = best.iter().flat_map(stories::folders_of);
    let places = most_frequent(places.filter(|folder| folder.matches('/').count() == 1));
    let areas = best.iter().flat_map(|story| subsystems.of_story(story));
    let areas = most_frequent(areas);
    let authors = most_frequent(best.iter().filter_map(|story| story.author.as_deref()));
    html! {
        @if !trees.is_empty() {
            h2 { "Trees" }
            p { @for (place, name) in trees.iter().take(TREES_MAX).enumerate() {
                @if place > 0 { " · " }
                a href=(tree_path(name)) { (plain(name)) }
            } }
        }
        @if !areas.is_empty() {
            h2 { "Subsystems" }
            p {
                @for name in areas.iter().take(AREAS_MAX) { (subsystem_link(name)) " · " }
                a href=(SUBSYSTEMS) { "all" }
            }
        }
        @if !places.is_empty() {
            h2 { "Folders" }
            p { (folders(places.into_iter().take(TREES_MAX))) }
        }
        @if !authors.is_empty() {
            h2 { "Authors" }
            p { @for (place, name) in authors.iter().take(PEOPLE_MAX).enumerate() {
                @if place > 0 { " · " }
                (person(name))
            } }
        }
    }
}

/// Words by how often they come, most often first.
fn most_frequent<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for word in words.filter(|word| !word.is_empty()) {
        *counts.entry(word).or_default() += 1;
    }
    let mut words: Vec<(&str, usize)> = counts.into_iter().collect();
    words.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
    words.into_iter().map(|(word, _)| word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_by_their_number_and_then_by_name() {
        let words = ["b", "", "c", "a", "c", "b", "c"];
        assert_eq!(most_frequent(words.into_iter()), ["c", "b", "a"]);
    }
}
