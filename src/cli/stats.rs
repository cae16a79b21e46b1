//! The command `stats`: numbers about series.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use chrono::Utc;
use unicode_width::UnicodeWidthStr as _;

use super::Format;
use super::opening::open;
use crate::post::numbers::{group_row, median, number, sentence};
use crate::post::plain;
use crate::store::numbers::series_numbers;
use crate::story::numbers::{Quartiles, SeriesNumbers};

/// Columns between two others.
const GAP: &str = "  ";

pub(super) async fn stats(path: &Path, format: Format) -> anyhow::Result<ExitCode> {
    let (_, ingest) = open(path).await?;
    let numbers = series_numbers(ingest.store.read().into(), Utc::now()).await?;
    let mut out = anstream::stdout().lock();
    match format {
        Format::Json => writeln!(out, "{}", serde_json::to_string(&numbers)?)?,
        Format::Text => write!(out, "{}", text(&numbers))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers as tables, for people.
fn text(numbers: &SeriesNumbers) -> String {
    if numbers.is_empty() {
        return "No series about BPF is stored for the last twelve months.\n".to_owned();
    }
    let mut text = format!("{}\n", sentence(numbers));
    let months = numbers.months.iter().map(|month| {
        vec![
            month.month.format("%Y-%m").to_string(),
            month.posted.to_string(),
            month.applied.to_string(),
            half(month.days),
            half(month.revisions),
        ]
    });
    let heads = ["MONTH", "POSTED", "APPLIED", "DAYS", "REVISIONS"];
    push_table(&mut text, &heads, months.collect());
    text.push_str(
        "\nDays and revisions: the median of the series that were applied in that month, and the middle half of them.\n",
    );
    for (head, groups) in [("TREE", &numbers.trees), ("SUBSYSTEM", &numbers.areas)] {
        let heads = [head, "POSTED", "APPLIED", "DAYS", "REVISIONS", "WAITING"];
        push_table(&mut text, &heads, groups.iter().map(group_row).collect());
    }
    let reviewers = numbers.reviewers.iter();
    let reviewers = reviewers.map(|person| vec![plain(&person.name), person.series.to_string()]);
    push_table(&mut text, &["REVIEWER", "SERIES"], reviewers.collect());
    text
}

/// `3.5 (1-8)`
fn half(of: Option<Quartiles>) -> String {
    match of {
        Some(of) => format!(
            "{} ({}-{})",
            number(of.median),
            number(of.lower),
            number(of.upper)
        ),
        None => median(None),
    }
}

/// Adds a table with its first column to the left and the others to the right; nothing without rows.
fn push_table(text: &mut String, heads: &[&str], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.width()).max().unwrap_or(0);
        widest.max(heads[column].width())
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    text.push('\n');
    for row in std::iter::once(heads).chain(rows.iter().cloned()) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let space = " ".repeat(width.saturating_sub(cell.width()));
                match column {
                    0 => format!("{cell}{space}"),
                    _ => format!("{space}{cell}"),
                }
            })
            .collect();
        let _ = writeln!(text, "{}", cells.join(GAP).trim_end());
    }
}
