//! Values on the command line.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::item::ItemKind;

/// Reads a kind of item.
pub(super) fn kind(word: &str) -> Result<ItemKind, String> {
    ItemKind::ALL
        .into_iter()
        .find(|kind| kind.word() == word)
        .ok_or_else(|| {
            let words: Vec<&str> = ItemKind::ALL.into_iter().map(ItemKind::word).collect();
            format!("the kinds are {}", words.join(", "))
        })
}

/// Reads a day, a time, or so long ago.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let wrong = || {
        "expected a day (2025-01-31), a time (2025-01-31T12:00:00Z) or so long ago (36h, 7d, 4w)"
            .to_owned()
    };
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: i64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let ago = match unit {
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        'w' => TimeDelta::try_weeks(number),
        _ => None,
    };
    ago.and_then(|ago| Utc::now().checked_sub_signed(ago))
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_or_so_long_ago() {
        assert_eq!(
            moment("2025-01-31").map(|at| at.timestamp()),
            Ok(1_738_281_600)
        );
        assert_eq!(
            moment("2025-01-31T01:00:00+01:00").map(|at| at.timestamp()),
            Ok(1_738_281_600)
        );
        let week = moment("7d").expect("so long ago");
        assert!((Utc::now() - week - TimeDelta::days(7)).num_seconds().abs() < 5);
        for bad in ["", "d", "7", "x7d", "2025-13-01", "99999999999999d", "7é"] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }
}
