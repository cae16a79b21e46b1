//! Where the kernel is: a page, and a calendar of its releases (RFC 5545).

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use icalendar::{Calendar, Component as _, Event, EventLike as _, EventStatus, Property};
use maud::html;

use super::answer::{PageError, PageResult};
use super::layout::{PageHead, page};
use super::site::{Served, Site};
use crate::issue::html::linked;
use crate::issue::{CYCLE_NOTE, ExpectedRelease, KernelCycle, NO_RELEASE, kernel_cycle};
use crate::store::issues;
use crate::store::items::kernel_releases;
use crate::story::kernel::KernelRelease;

/// The path of the page.
pub(super) const CYCLE: &str = "/cycle";
/// How far back the calendar goes.
const PAST: TimeDelta = TimeDelta::days(120);

async fn now_of(site: &Site) -> anyhow::Result<Option<KernelCycle>> {
    let now = site.clock.now();
    let readers = site.store.read();
    let release = issues::release_before(readers.into(), now.timestamp() + 1).await?;
    Ok(release.map(|release| kernel_cycle(&release, now)))
}

pub(super) async fn cycle(State(site): State<Served>) -> PageResult {
    let cycle = now_of(&site).await?;
    let content = html! {
        h1 { "The kernel cycle" }
        @match &cycle {
            None => { p { (NO_RELEASE) } p { a href="/stories" { "All stories" } } }
            Some(cycle) => {
                p { (linked(&cycle.stands, cycle.link.as_deref())) }
                @if !cycle.expected.is_empty() {
                    h2 { "Expected" }
                    ul { @for next in &cycle.expected { li { (next.words()) } } }
                    p.about { (CYCLE_NOTE) }
                }
                p { a href="/cycle.ics" type="text/calendar" { "As a calendar" } ", to subscribe to" }
            }
        }
    };
    Ok(page(
        &PageHead::website(&site, "The kernel cycle", "cycle"),
        CYCLE,
        &content,
    ))
}

pub(super) async fn calendar(State(site): State<Served>) -> Result<Response, PageError> {
    let since = site.clock.now() - PAST;
    let releases = kernel_releases(site.store.read().into()).await?;
    let past = releases
        .iter()
        .filter(|release| release.version.is_mainline() && release.at >= since);
    let cycle = now_of(&site).await?;
    let mut calendar = Calendar::new();
    calendar
        .name("Linux releases")
        .append_property(Property::new("PRODID", "-//bpfnews//kernel cycle//EN"));
    calendar.extend(past.map(|release| fact(release, &site)));
    if let Some(cycle) = &cycle {
        // A calendar wants a time of change. That of the last release says when the expectations were made.
        let at = releases
            .iter()
            .filter(|release| release.version.is_mainline());
        let at = at.map(|release| release.at).max().unwrap_or(since);
        calendar.extend(
            cycle
                .expected
                .iter()
                .map(|next| expectation(next, at, &site)),
        );
    }
    let kind = (header::CONTENT_TYPE, "text/calendar; charset=utf-8");
    Ok(([kind], calendar.to_string()).into_response())
}

fn fact(release: &KernelRelease, site: &Site) -> Event {
    let name = release.version.to_string();
    let day = release.at.date_naive();
    event(&name, &format!("Linux {name}"), day, release.at, site)
        .status(EventStatus::Confirmed)
        .done()
}

/// It has the id of the release, so that calendars replace it when that comes.
fn expectation(next: &ExpectedRelease, at: DateTime<Utc>, site: &Site) -> Event {
    let name = &next.name;
    let (id, title) = match next.ends_window {
        true => (
            name.replace(' ', "-"),
            format!("Linux merge window {name} closes (expected)"),
        ),
        false => (name.clone(), format!("Linux {name} (expected)")),
    };
    event(&id, &title, next.on, at, site)
        .description(CYCLE_NOTE)
        .status(EventStatus::Tentative)
        .done()
}

/// A whole day that takes nobody's time.
fn event(id: &str, title: &str, on: NaiveDate, at: DateTime<Utc>, site: &Site) -> Event {
    Event::new()
        .uid(&format!("linux-{id}@bpfnews"))
        .timestamp(at)
        .summary(title)
        .starts(on)
        .url(&format!("{}cycle", site.home))
        .add_property("TRANSP", "TRANSPARENT")
        .done()
}
