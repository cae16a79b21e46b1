//! When an issue is due by itself.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::{Rules, files, publish};
use crate::desk::Desk;
use crate::store::Store;
use crate::store::issues::{self, IssueRow};
use crate::store::turns;

/// The first issue comes out at a time that is set, and not long after one that passed while nothing was set.
const FIRST_LATE_MAX: TimeDelta = TimeDelta::days(1);
/// An issue that an editor published so shortly before the day, or the hour, is the one of that.
const WEEKLY_GAP_MIN: TimeDelta = TimeDelta::days(3);
const DAILY_GAP_MIN: TimeDelta = TimeDelta::hours(12);

/// How long feeds that wait for their turn hold up an issue, and how often that is asked.
const CATCH_UP_MAX: TimeDelta = TimeDelta::hours(1);
const CATCH_UP_GAP: TimeDelta = TimeDelta::seconds(20);

/// When the coming issue is due; `None` where editors alone publish. `began_at` is when there was anything to tell of at
/// all (unix seconds), which is asked where there was no issue yet: none is due for a time before that.
pub fn due_at(
    rules: Rules<'_>,
    last: Option<&IssueRow>,
    began_at: Option<i64>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let when = rules.issue.publish?;
    let at = |at: i64| DateTime::from_timestamp(at, 0);
    let gap = match when.day {
        Some(_) => WEEKLY_GAP_MIN,
        None => DAILY_GAP_MIN,
    };
    let since = match last.and_then(|last| at(last.published_at)) {
        // A clock that was ahead then is no reason to wait for it.
        Some(published_at) => published_at.min(now) + gap,
        None => began_at
            .and_then(at)
            .unwrap_or(now)
            .max(now - FIRST_LATE_MAX),
    };
    Some(when.next_after(since))
}

/// Publishes the coming issue if it is due, and has files written that are missing. Gives when to look again. `desks` is
/// asked for the channels of now when nobody else writes any more.
///
/// # Errors
///
/// When the database fails.
pub async fn pass(
    store: &Store,
    desks: impl Fn() -> Arc<[Desk]>,
    rules: Rules<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    if rules.issue.publish.is_none() {
        return Ok(None);
    }
    let last = issues::last_issue(store.read().into()).await?;
    let began_at = match &last {
        Some(_) => None,
        None => turns::began_at(store.read()).await?,
    };
    let due = due_at(rules, last.as_ref(), began_at, now);
    let Some(due) = due.filter(|due| *due <= now) else {
        return Ok(due);
    };
    // After a time away what came meanwhile is read first; a feed that does not get its turn is not waited for long.
    let turns = turns::turns_since(store.read(), due, now).await?;
    let began = turns
        .first_at
        .and_then(|at| DateTime::from_timestamp(at, 0));
    if turns.are_waiting && began.is_none_or(|began| now - began < CATCH_UP_MAX) {
        return Ok(Some(now + CATCH_UP_GAP));
    }
    let mut tx = store.write().await?;
    // Asked again inside: an editor may have been quicker.
    let last = issues::last_issue((&mut tx).into()).await?;
    let is_due = due_at(rules, last.as_ref(), began_at, now).is_some_and(|due| due <= now);
    if is_due {
        let number = u32::try_from(last.map_or(1, |last| last.number + 1))?;
        match publish(&mut tx, &desks(), rules, number, None, "schedule", now).await? {
            Ok(_) => tx.commit().await?,
            Err(why) => warn!("the issue that was due on {due} did not come out: {why}"),
        }
    }
    files::write(store, rules).await;
    let last = issues::last_issue(store.read().into()).await?;
    Ok(due_at(rules, last.as_ref(), began_at, now))
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Weekday};

    use super::*;
    use crate::config::{IssueConfig, When};
    use crate::story::relevance::Words;

    #[test]
    fn issues_are_due_on_their_day_and_never_soon_after_one() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
        let words = Words::default();
        let wednesday = When {
            day: Some(Weekday::Wed),
            at: NaiveTime::from_hms_opt(16, 0, 0).expect("a time"),
        };
        let issue = IssueConfig {
            publish: Some(wednesday),
            ..IssueConfig::default()
        };
        let rules = Rules {
            issue: &issue,
            words: &words,
            home: None,
        };
        // What was published last, when there was anything to tell of, now, when the next one is due.
        #[rustfmt::skip]
        let table = [
            ("a bot that was set up on a Thursday", None, "2025-01-09T10:00:00Z", "2025-01-09T12:00:00Z", "2025-01-15T16:00:00Z"),
            ("it was down on the first Wednesday", None, "2025-01-09T10:00:00Z", "2025-01-16T09:00:00Z", "2025-01-15T16:00:00Z"),
            ("an old bot that is told to publish", None, "2024-01-01T00:00:00Z", "2025-01-17T20:00:00Z", "2025-01-22T16:00:00Z"),
            ("a week after the last", Some("2025-01-15T16:00:05Z"), "2024-01-01T00:00:00Z", "2025-01-15T16:00:10Z", "2025-01-22T16:00:00Z"),
            ("an editor was a day early", Some("2025-01-14T18:00:00Z"), "2024-01-01T00:00:00Z", "2025-01-15T17:00:00Z", "2025-01-22T16:00:00Z"),
            ("it was two days late", Some("2025-01-17T16:00:00Z"), "2024-01-01T00:00:00Z", "2025-01-17T17:00:00Z", "2025-01-22T16:00:00Z"),
        ];
        for (what, published, began, now, due) in table {
            let last = published.map(|published| IssueRow {
                number: 1,
                from_at: 0,
                to_at: at(published).timestamp(),
                published_at: at(published).timestamp(),
                published_by: "x".to_owned(),
            });
            let began = Some(at(began).timestamp());
            let found = due_at(rules, last.as_ref(), began, at(now));
            assert_eq!(found, Some(at(due)), "{what}");
        }
        let by_hand = IssueConfig::default();
        let rules = Rules {
            issue: &by_hand,
            ..rules
        };
        assert_eq!(due_at(rules, None, None, at("2025-01-09T10:00:00Z")), None);
    }
}
