//! Doubts about a coming issue. A person decides before it is published.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use crate::issue::{Issue, Period};
use crate::post::words::{counted, span};
use crate::store::issues::IssueRow;
use crate::store::turns::{self, UnreadFeed};
use crate::store::{Database, Tx};

/// Less than this since the last issue is hardly meant.
const SHORT_MAX: TimeDelta = TimeDelta::hours(12);
/// More than this is hardly meant for one issue.
const LONG_MIN: TimeDelta = TimeDelta::days(31);
/// The most feeds that are named.
const NAMED_MAX: usize = 6;

/// A reason to ask first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing happened in its time.
    Empty,
    /// Feeds were not read up to its end.
    Unread(Vec<UnreadFeed>),
    /// It would come so soon after the last one.
    Short(TimeDelta),
    /// It would cover so much time.
    Long(TimeDelta),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Nothing happened in its time: it would be empty."),
            Self::Unread(feeds) => {
                let named = feeds.iter().take(NAMED_MAX).map(|unread| {
                    let since = DateTime::from_timestamp(unread.since, 0).unwrap_or_default();
                    format!("{} since {}", unread.feed, since.format("%-d %B"))
                });
                let mut named: Vec<String> = named.collect();
                let others = feeds.len().saturating_sub(NAMED_MAX);
                if others > 0 {
                    let others = u32::try_from(others).unwrap_or(u32::MAX);
                    named.push(counted(others, "other feed"));
                }
                write!(
                    f,
                    "Part of its time was not read: {}. What came there is not in it.",
                    named.join(", ")
                )
            }
            Self::Short(time) => write!(
                f,
                "The last issue ended {} before.",
                span((*time).max(TimeDelta::minutes(1)))
            ),
            Self::Long(time) => write!(f, "It would cover {} at once.", span(*time)),
        }
    }
}

/// Whether an issue has no news. The state of the kernel cycle alone does not count.
fn is_empty(issue: &Issue) -> bool {
    issue.sections.is_empty() && issue.patches.is_empty() && issue.cycle.pulls.is_empty()
}

/// The feeds that were not read up to the end of a coming issue, of which nobody knows yet.
pub(super) async fn unread(
    from: Database<'_>,
    to: DateTime<Utc>,
    last: Option<&IssueRow>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<UnreadFeed>> {
    turns::unread(from, to.timestamp(), last.map(|last| last.to_at), now).await
}

/// The doubts about a coming issue. If the caller chose the period, its length raises no doubt.
pub(super) async fn doubts(
    tx: &mut Tx,
    issue: &Issue,
    last: Option<&IssueRow>,
    asked: Option<Period>,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<Doubt>> {
    let mut doubts = Vec::new();
    let period = issue.period;
    if asked.is_none() && last.is_some() {
        let time = period.to - period.from;
        match time {
            time if time < SHORT_MAX => doubts.push(Doubt::Short(time)),
            time if time > LONG_MIN => doubts.push(Doubt::Long(time)),
            _ => {}
        }
    }
    if is_empty(issue) {
        doubts.push(Doubt::Empty);
    }
    let feeds = unread(tx.into(), period.to, last, now).await?;
    if !feeds.is_empty() {
        doubts.push(Doubt::Unread(feeds));
    }
    Ok(doubts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubts_are_sentences() {
        let unread = |number: i64| UnreadFeed {
            feed: format!("list-{number}"),
            since: 86_400 * number,
        };
        #[rustfmt::skip]
        let table = [
            (Doubt::Empty, "Nothing happened in its time: it would be empty."),
            (Doubt::Short(TimeDelta::seconds(2)), "The last issue ended 1 minute before."),
            (Doubt::Long(TimeDelta::days(430)), "It would cover 14 months at once."),
            (Doubt::Unread(vec![unread(0)]), "Part of its time was not read: list-0 since 1 January. What came there is not in it."),
            (
                Doubt::Unread((0..8).map(unread).collect()),
                "Part of its time was not read: list-0 since 1 January, list-1 since 2 January, list-2 since 3 January, \
                 list-3 since 4 January, list-4 since 5 January, list-5 since 6 January, 2 other feeds. What came there is \
                 not in it.",
            ),
        ];
        for (doubt, right) in table {
            assert_eq!(doubt.to_string(), right);
        }
    }
}
