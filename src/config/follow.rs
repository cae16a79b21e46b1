//! The `[follow]` table: limits of follows.

use super::reader::Table;

/// The most follows of one person.
const EACH_MAX: u64 = 1000;
const EACH_DEFAULT: u32 = 50;
/// A quarter of an hour lies between two messages.
const HOURLY_MAX: u64 = 4;
const HOURLY_DEFAULT: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowConfig {
    /// The most follows of one person; 0: nobody can follow anything.
    pub each_max: u32,
    /// The most messages to one person in an hour. Further news become one list.
    pub hourly_max: u32,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self {
            each_max: EACH_DEFAULT,
            hourly_max: HOURLY_DEFAULT,
        }
    }
}

/// Reads `[follow]`.
pub(super) fn read_follow(mut table: Table<'_, '_>) -> FollowConfig {
    let default = FollowConfig::default();
    let mut whole = |key: &str, unit: &str, range: std::ops::RangeInclusive<u64>, default: u32| {
        let number = table.take(key).and_then(|field| field.whole(unit, range));
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default)
    };
    let each_max = whole("each_max", "follows", 0..=EACH_MAX, default.each_max);
    let hourly_max = whole("hourly_max", "messages", 1..=HOURLY_MAX, default.hourly_max);
    table.finish();
    FollowConfig {
        each_max,
        hourly_max,
    }
}
