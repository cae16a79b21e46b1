//! The plots of numbers about series, and their tables.

use maud::{Markup, html};

use super::plot::{Plot, PlotShape, table};
use crate::post::numbers::{group_row, number, posted_and_applied, waits};
use crate::post::plain;
use crate::story::numbers::{GroupNumbers, MonthNumbers, Quartiles, SeriesNumbers};

/// Three plots for an issue.
pub(super) fn figures_of_issue(numbers: &SeriesNumbers) -> Markup {
    let mut plots = vec![series(numbers), days(numbers)];
    if !numbers.reviewers.is_empty() {
        plots.push(reviewers(numbers));
    }
    // A picture that cannot be drawn is no reason to show no issue.
    let figures = plots.iter().filter_map(|plot| plot.figure().ok());
    html! { @for figure in figures { (figure) } }
}

fn label(month: &MonthNumbers) -> String {
    month.month.format("%b").to_string()
}

fn long_month(month: &MonthNumbers) -> String {
    month.month.format("%B %Y").to_string()
}

pub(super) fn series(numbers: &SeriesNumbers) -> Plot {
    let months = numbers.months.iter();
    let bars = months.map(|month| (label(month), [month.posted.into(), month.applied.into()]));
    Plot {
        id: "plot-series",
        title: "Series by month.".to_owned(),
        about: format!("{}, {}.", posted_and_applied(numbers), time(numbers)),
        shape: PlotShape::Pairs {
            names: ["posted", "applied"],
            bars: bars.collect(),
        },
        heads: vec!["Month", "Posted", "Applied"],
        rows: numbers
            .months
            .iter()
            .map(|month| {
                vec![
                    long_month(month),
                    month.posted.to_string(),
                    month.applied.to_string(),
                ]
            })
            .collect(),
    }
}

/// `from January 2025 to December 2025`
fn time(numbers: &SeriesNumbers) -> String {
    let ends = numbers.months.first().zip(numbers.months.last());
    ends.map_or_else(String::new, |(first, last)| {
        format!("from {} to {}", long_month(first), long_month(last))
    })
}

pub(super) fn days(numbers: &SeriesNumbers) -> Plot {
    by_month(
        numbers,
        "plot-days",
        "Days until applied, by the month of the application.",
        [
            "day from the first revision",
            "days from the first revision",
        ],
        numbers.days,
        |month| month.days,
    )
}

pub(super) fn revisions(numbers: &SeriesNumbers) -> Plot {
    by_month(
        numbers,
        "plot-revisions",
        "Revisions until applied, by the month of the application.",
        ["revision", "revisions"],
        numbers.revisions,
        |month| month.revisions,
    )
}

fn by_month(
    numbers: &SeriesNumbers,
    id: &'static str,
    title: &str,
    [one, many]: [&str; 2],
    all: Option<Quartiles>,
    of: fn(&MonthNumbers) -> Option<Quartiles>,
) -> Plot {
    let months = numbers.months.iter();
    Plot {
        id,
        title: title.to_owned(),
        about: match all {
            Some(all) => format!(
                "The median of {} series is {} {}, and half of them lie between {} and {}.",
                all.of,
                number(all.median),
                if number(all.median) == "1" { one } else { many },
                number(all.lower),
                number(all.upper)
            ),
            None => "No series was applied whose beginning is known.".to_owned(),
        },
        shape: PlotShape::Bands(
            months
                .clone()
                .map(|month| (label(month), of(month)))
                .collect(),
        ),
        heads: vec![
            "Month",
            "Series",
            "Lower quartile",
            "Median",
            "Upper quartile",
        ],
        rows: months
            .map(|month| [vec![long_month(month)], quartile_cells(of(month))].concat())
            .collect(),
    }
}

/// How many, lower quartile, median, upper quartile.
fn quartile_cells(of: Option<Quartiles>) -> Vec<String> {
    match of {
        Some(of) => vec![
            of.of.to_string(),
            number(of.lower),
            number(of.median),
            number(of.upper),
        ],
        None => vec![
            "0".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
            "–".to_owned(),
        ],
    }
}

pub(super) fn reviewers(numbers: &SeriesNumbers) -> Plot {
    let people = numbers.reviewers.iter();
    let rows: Vec<(String, f64)> = people
        .map(|person| (plain(&person.name), f64::from(person.series)))
        .collect();
    let first = numbers.reviewers.first();
    Plot {
        id: "plot-reviewers",
        title: "Who reviews.".to_owned(),
        about: first.map_or_else(String::new, |first| {
            format!(
                "Series that a person reviewed, acked or tested, of those posted in twelve months; the most by {}, {}.",
                plain(&first.name),
                first.series
            )
        }),
        heads: vec!["Person", "Series"],
        rows: rows
            .iter()
            .map(|(name, series)| vec![name.clone(), number(*series)])
            .collect(),
        shape: PlotShape::Rows(rows),
    }
}

pub(super) fn waiting(numbers: &SeriesNumbers) -> Option<Plot> {
    let waiting = numbers.waiting?;
    let trees = numbers.trees.iter().filter(|tree| tree.waiting > 0);
    let rows: Vec<(String, f64)> = trees
        .map(|tree| (plain(&tree.name), f64::from(tree.waiting)))
        .collect();
    Some(Plot {
        id: "plot-waiting",
        title: "What waits.".to_owned(),
        about: format!(
            "{} for an answer, half of them between {} and {} days.",
            waits(waiting.of),
            number(waiting.lower),
            number(waiting.upper)
        ),
        heads: vec!["Tree", "Series"],
        rows: rows
            .iter()
            .map(|(name, many)| vec![name.clone(), number(*many)])
            .collect(),
        shape: PlotShape::Rows(rows),
    })
    .filter(|plot| !plot.rows.is_empty())
}

pub(super) fn groups(head: &'static str, groups: &[GroupNumbers]) -> Markup {
    let rows: Vec<Vec<String>> = groups.iter().map(group_row).collect();
    let heads = [
        head,
        "Posted",
        "Applied",
        "Median days",
        "Median revisions",
        "Waiting",
    ];
    table(&heads, &rows)
}
