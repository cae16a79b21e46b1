//! Numbers about series in words.

use super::plain;
use crate::story::numbers::{GroupNumbers, Quartiles, SeriesNumbers};

/// A number with at most one digit behind the point.
pub fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// The median, or a dash.
pub fn median(of: Option<Quartiles>) -> String {
    of.map_or_else(|| "–".to_owned(), |of| number(of.median))
}

/// A tree or a subsystem as a row of a table: its name, and the numbers of posted and applied series, days, revisions, and
/// waiting series.
pub fn group_row(group: &GroupNumbers) -> Vec<String> {
    vec![
        plain(&group.name),
        group.posted.to_string(),
        group.applied.to_string(),
        median(group.days),
        median(group.revisions),
        group.waiting.to_string(),
    ]
}

/// `1 series waits`, `2 series wait`.
pub fn waits(many: u32) -> String {
    match many {
        1 => "1 series waits".to_owned(),
        many => format!("{many} series wait"),
    }
}

/// `12 series were posted and 7 were applied`
pub fn posted_and_applied(numbers: &SeriesNumbers) -> String {
    let verb = |many: u32| if many == 1 { "was" } else { "were" };
    let (posted, applied) = (numbers.posted(), numbers.applied());
    format!(
        "{posted} series {} posted and {applied} {} applied",
        verb(posted),
        verb(applied)
    )
}

/// `In twelve months, 12 series were posted and 7 were applied. …`
pub fn sentence(numbers: &SeriesNumbers) -> String {
    let mut text = format!("In twelve months, {}.", posted_and_applied(numbers));
    if let Some(days) = numbers.days {
        text.push_str(&format!(
            " Half of those were applied within {} days of their first revision.",
            number(days.median)
        ));
    }
    if let Some(waiting) = numbers.waiting {
        text.push_str(&format!(
            " {} for an answer, half of them for {} days or more.",
            waits(waiting.of),
            number(waiting.median)
        ));
    }
    text
}
