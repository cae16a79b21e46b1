//! The page of numbers, and the numbers in an issue.

use std::sync::Arc;

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use tracing::warn;

use super::answer::PageResult;
use super::figures::{days, groups, reviewers, revisions, series, waiting};
use super::layout::{PageHead, page};
use super::site::Served;
use crate::issue::html::long_day;
use crate::post::numbers::sentence;
use crate::store::numbers::series_numbers;
use crate::story::numbers::SeriesNumbers;

/// How long counted numbers are shown as they are; the page states when they were counted.
const COUNTED_FOR: TimeDelta = TimeDelta::minutes(10);
/// How long they are shown while they are counted again: a reader does not wait for that.
const SHOWN_FOR: TimeDelta = TimeDelta::hours(1);

/// The numbers, at most as old as [`SHOWN_FOR`].
async fn counted_numbers(site: &Served) -> anyhow::Result<Arc<SeriesNumbers>> {
    let now = site.clock.now();
    let kept = site.numbers.shown();
    match kept.filter(|numbers| is_within(numbers, now, SHOWN_FOR)) {
        Some(numbers) if is_within(&numbers, now, COUNTED_FOR) => Ok(numbers),
        Some(numbers) => {
            let site = site.clone();
            tokio::spawn(async move {
                let Ok(_turn) = site.numbers.turn.try_lock() else {
                    return;
                };
                if let Err(fault) = count(&site).await {
                    warn!("the numbers could not be counted again: {fault:#}");
                }
            });
            Ok(numbers)
        }
        None => count_again(site, now).await,
    }
}

fn is_within(numbers: &SeriesNumbers, now: DateTime<Utc>, time: TimeDelta) -> bool {
    numbers.at <= now && now - numbers.at < time
}

/// Counts, unless another caller did so meanwhile. Only one caller counts at a time.
async fn count_again(site: &Served, now: DateTime<Utc>) -> anyhow::Result<Arc<SeriesNumbers>> {
    let _turn = site.numbers.turn.lock().await;
    let kept = site.numbers.shown();
    if let Some(numbers) = kept.filter(|numbers| is_within(numbers, now, COUNTED_FOR)) {
        return Ok(numbers);
    }
    count(site).await
}

async fn count(site: &Served) -> anyhow::Result<Arc<SeriesNumbers>> {
    let numbers = series_numbers(site.store.read().into(), site.clock.now()).await?;
    let numbers = Arc::new(numbers);
    site.numbers.show(Arc::clone(&numbers));
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
            (COUNTED_FOR.num_minutes()) " minutes, from the lists and trees that bpfnews reads. "
            a href="/stories" { "All stories" }
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
