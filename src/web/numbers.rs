//! The page of numbers, and the numbers in an issue.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::answer::PageResult;
use super::figures::{days, groups, reviewers, revisions, series, waiting};
use super::layout::{PageHead, page};
use super::site::Served;
use crate::issue::html::long_day;
use crate::post::numbers::sentence;
use crate::store::numbers::series_numbers;
use crate::story::numbers::SeriesNumbers;

/// How long counted numbers are shown; the page states when they were counted.
const COUNTED_FOR: TimeDelta = TimeDelta::minutes(10);

/// The numbers, at most as old as [`COUNTED_FOR`]. Only one caller counts at a time.
async fn counted_numbers(site: &Served) -> anyhow::Result<Arc<SeriesNumbers>> {
    let now = site.clock.now();
    let mut kept = site.numbers.lock().await;
    let is_fresh = |at: DateTime<Utc>| at <= now && now - at < COUNTED_FOR;
    if let Some(numbers) = kept.as_ref().filter(|numbers| is_fresh(numbers.at)) {
        return Ok(Arc::clone(numbers));
    }
    let numbers = Arc::new(series_numbers(site.store.read().into(), now).await?);
    *kept = Some(Arc::clone(&numbers));
    Ok(numbers)
}

pub(super) async fn numbers(State(site): State<Served>) -> PageResult {
    let numbers = counted_numbers(&site).await?;
    let content = html! {
        h1 { "Numbers" }
        @if numbers.is_empty() {
            p { "No series about BPF is stored for these twelve months yet." }
        } @else {
            (content(&numbers)?)
        }
        p.about {
            "Counted on " (long_day(numbers.at.date_naive())) " at " (numbers.at.format("%H:%M")) " UTC, at most every "
            (COUNTED_FOR.num_minutes()) " minutes, from the lists and trees that bpfnews reads."
        }
    };
    let head = PageHead::website(&site, "Numbers", "stats");
    Ok(page(&head, "/stats", &content))
}

fn content(numbers: &SeriesNumbers) -> anyhow::Result<Markup> {
    Ok(html! {
        p.opening { (sentence(numbers)) }
        @for plot in [series(numbers), days(numbers), revisions(numbers)] { (plot.figure()?) }
        @if !numbers.reviewers.is_empty() { (reviewers(numbers).figure()?) }
        @if let Some(plot) = waiting(numbers) { (plot.figure()?) }
        h2 { "By tree" }
        (groups("Tree", &numbers.trees))
        h2 { "By subsystem" }
        p.about { "The subsystem is how the titles of a series' patches begin." }
        (groups("Subsystem", &numbers.areas))
    })
}
