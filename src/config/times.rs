//! Times of a day or a week, UTC.

use chrono::{DateTime, Datelike as _, Days, NaiveTime, TimeDelta, Timelike as _, Utc, Weekday};

/// A time of day, or of the week, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// `None`: every day.
    pub day: Option<Weekday>,
    pub at: NaiveTime,
}

impl Schedule {
    /// The first time after `since`.
    pub fn next_after(self, since: DateTime<Utc>) -> DateTime<Utc> {
        let mut day = since.date_naive();
        loop {
            let at = day.and_time(self.at).and_utc();
            if at > since && self.day.is_none_or(|weekday| weekday == day.weekday()) {
                return at;
            }
            let Some(next) = day.checked_add_days(Days::new(1)) else {
                return since;
            };
            day = next;
        }
    }
}

/// Hours of a day without new posts, UTC; they may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    pub from: NaiveTime,
    pub to: NaiveTime,
}

impl QuietHours {
    /// `at`, or the end of the quiet hours that contain it.
    pub fn end_after(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let seconds = |time: NaiveTime| i64::from(time.num_seconds_from_midnight());
        let day = seconds(NaiveTime::MIN) + 86_400;
        let since = (seconds(at.time()) - seconds(self.from)).rem_euclid(day);
        let length = (seconds(self.to) - seconds(self.from)).rem_euclid(day);
        if since < length {
            at + TimeDelta::seconds(length - since)
        } else {
            at
        }
    }
}

pub(super) fn time_of_day(text: &str) -> Option<NaiveTime> {
    NaiveTime::parse_from_str(text, "%H:%M").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn of_day(text: &str) -> NaiveTime {
        time_of_day(text).expect("a time of day")
    }

    #[test]
    fn quiet_hours_end() {
        #[rustfmt::skip]
        let table = [
            ("22:00", "06:30", "2025-01-01T21:59:59Z", "2025-01-01T21:59:59Z"),
            ("22:00", "06:30", "2025-01-01T22:00:00Z", "2025-01-02T06:30:00Z"),
            ("22:00", "06:30", "2025-01-02T06:29:59Z", "2025-01-02T06:30:00Z"),
            ("22:00", "06:30", "2025-01-02T06:30:00Z", "2025-01-02T06:30:00Z"),
            ("01:00", "02:00", "2025-01-02T01:30:00Z", "2025-01-02T02:00:00Z"),
            ("01:00", "02:00", "2025-01-02T00:30:00Z", "2025-01-02T00:30:00Z"),
        ];
        for (from, to, at, wanted) in table {
            let quiet = QuietHours {
                from: of_day(from),
                to: of_day(to),
            };
            assert_eq!(quiet.end_after(time(at)), time(wanted), "{from}-{to} {at}");
        }
    }

    #[test]
    fn digests_have_their_time() {
        #[rustfmt::skip]
        let table = [
            (None, "2025-01-01T07:59:00Z", "2025-01-01T08:00:00Z"),
            (None, "2025-01-01T08:00:00Z", "2025-01-02T08:00:00Z"),
            // The first day of 2025 was a Wednesday.
            (Some(Weekday::Mon), "2025-01-01T07:59:00Z", "2025-01-06T08:00:00Z"),
        ];
        for (day, since, wanted) in table {
            let when = Schedule {
                day,
                at: of_day("08:00"),
            };
            assert_eq!(
                when.next_after(time(since)),
                time(wanted),
                "{day:?} {since}"
            );
        }
    }
}
