//! Times and numbers in words.

use chrono::{DateTime, TimeDelta, Utc};

/// `1 patch`, `2 patches`, `3 replies`.
pub fn counted(number: u32, what: &str) -> String {
    match (number, what) {
        (1, _) => format!("1 {what}"),
        (_, "reply") => format!("{number} replies"),
        (_, "patch") => format!("{number} patches"),
        (_, _) => format!("{number} {what}s"),
    }
}

/// A time in words, by its largest unit.
pub fn span(time: TimeDelta) -> String {
    let (number, unit) = match time.num_seconds() {
        seconds @ ..7_200 => (seconds / 60, "minute"),
        seconds @ ..172_800 => (seconds / 3_600, "hour"),
        seconds if seconds < 60 * 86_400 => (seconds / 86_400, "day"),
        seconds if seconds < 730 * 86_400 => (seconds / (30 * 86_400), "month"),
        seconds => (seconds / (365 * 86_400), "year"),
    };
    counted(u32::try_from(number).unwrap_or(0), unit)
}

/// How long ago something was.
pub fn ago(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if now - at < TimeDelta::minutes(1) {
        return "just now".to_owned();
    }
    format!("{} ago", span(now - at))
}
