//! The command `stats`: numbers about series, in a few lines.

use super::context::{Answer, CommandContext, CommandError};
use crate::post::numbers::{median, sentence};
use crate::post::plain;
use crate::store::numbers::series_numbers;

/// The most trees and reviewers in an answer.
const SHOWN_MAX: usize = 5;

pub(super) async fn stats(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let numbers = series_numbers(ctx.live.store.read().into(), ctx.now).await?;
    if numbers.is_empty() {
        return ctx.message(
            "Numbers",
            "No series about BPF is stored for the last twelve months yet.",
        );
    }
    let mut lines = vec![sentence(&numbers)];
    let trees = numbers.trees.iter().take(SHOWN_MAX);
    lines.extend(trees.map(|tree| {
        format!(
            "{}: {} posted, {} applied, {} days in the median, {} waiting",
            plain(&tree.name),
            tree.posted,
            tree.applied,
            median(tree.days),
            tree.waiting
        )
    }));
    let people = numbers.reviewers.iter().take(SHOWN_MAX);
    let people: Vec<String> = people
        .map(|person| format!("{} ({})", plain(&person.name), person.series))
        .collect();
    if !people.is_empty() {
        lines.push(format!("Reviewers by series: {}", people.join(", ")));
    }
    if let Some(home) = ctx.generation.effective.config.home() {
        lines.push(format!("More, with plots: {home}stats"));
    }
    ctx.message("Numbers", lines.join("\n"))
}
