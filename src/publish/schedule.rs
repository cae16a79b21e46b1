//! When an issue is due by itself.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::{Doubt, Rules, doubt, files, prepare};
use crate::destination::{self, Destination, Problem};
use crate::issue::title;
use crate::store::issues::{self, IssueRow};
use crate::store::{Store, Tx, troubles, turns, withdrawn};

/// The first issue comes out at a time that is set, and not long after one that passed while nothing was set.
const FIRST_LATE_MAX: TimeDelta = TimeDelta::days(1);
/// An issue that an editor published so shortly before the day, or the hour, is the one of that.
const WEEKLY_GAP_MIN: TimeDelta = TimeDelta::days(3);
const DAILY_GAP_MIN: TimeDelta = TimeDelta::hours(12);

/// The subject of the notice about an issue on hold; its number is the kind.
pub(super) const HELD: &str = "issue";
/// How often an issue that is held back is looked at again.
const HELD_GAP: TimeDelta = TimeDelta::minutes(1);

/// How long feeds that wait for their turn hold up an issue, and how often that is asked.
const CATCH_UP_MAX: TimeDelta = TimeDelta::hours(1);
const CATCH_UP_GAP: TimeDelta = TimeDelta::seconds(20);

/// The values beside the configuration that decide when the coming issue is due.
#[derive(Debug, Clone, Default)]
pub struct IssueHistory {
    /// The last issue.
    pub last: Option<IssueRow>,
    /// When the first news was stored, unix seconds. Before the first issue, none is due for an earlier time.
    pub began_at: Option<i64>,
    /// When an issue was taken back last, unix seconds: the next one is not due for a time before, but editors may publish.
    pub withdrawn_at: Option<i64>,
}

impl IssueHistory {
    /// As it is stored.
    pub async fn of(store: &Store) -> anyhow::Result<Self> {
        let last = issues::last_issue(store.read().into()).await?;
        let began_at = match &last {
            Some(_) => None,
            None => turns::began_at(store.read()).await?,
        };
        let withdrawn_at = withdrawn::withdrawn_at(store.read().into()).await?;
        Ok(Self {
            last,
            began_at,
            withdrawn_at,
        })
    }

    /// The number of the coming issue.
    fn coming(&self) -> anyhow::Result<u32> {
        let number = self.last.as_ref().map_or(1, |last| last.number + 1);
        Ok(u32::try_from(number)?)
    }
}

/// When the coming issue is due; `None` where editors alone publish.
pub fn due_at(
    rules: Rules<'_>,
    history: &IssueHistory,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let when = rules.issue.publish?;
    let at = |at: i64| DateTime::from_timestamp(at, 0);
    let gap = match when.day {
        Some(_) => WEEKLY_GAP_MIN,
        None => DAILY_GAP_MIN,
    };
    let last = history.last.as_ref();
    let since = match last.and_then(|last| at(last.published_at)) {
        // A clock that was ahead then is no reason to wait for it.
        Some(published_at) => published_at.min(now) + gap,
        None => history
            .began_at
            .and_then(at)
            .unwrap_or(now)
            .max(now - FIRST_LATE_MAX),
    };
    let withdrawn_at = history.withdrawn_at.and_then(at).map(|at| at.min(now));
    Some(when.next_after(withdrawn_at.map_or(since, |withdrawn_at| since.max(withdrawn_at))))
}

/// Publishes the coming issue if it is due, unless there are doubts, and writes missing files. Returns when to look again.
/// `destinations` is called for the current destinations once this task holds the write lock.
pub async fn pass(
    store: &Store,
    destinations: impl Fn() -> Arc<[Destination]>,
    rules: Rules<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    if rules.issue.publish.is_none() {
        return Ok(None);
    }
    let history = IssueHistory::of(store).await?;
    let due = due_at(rules, &history, now);
    let Some(due) = due.filter(|due| *due <= now) else {
        return Ok(due);
    };
    // After a downtime the feeds are read first. A feed that does not get its turn holds the issue up only briefly.
    let turns = turns::turns_since(store.read(), due, now).await?;
    let began = turns
        .first_at
        .and_then(|at| DateTime::from_timestamp(at, 0));
    if turns.are_waiting && began.is_none_or(|began| now - began < CATCH_UP_MAX) {
        return Ok(Some(now + CATCH_UP_GAP));
    }
    let unread = doubt::unread(store.read().into(), now, history.last.as_ref(), now).await?;
    if !unread.is_empty() {
        hold(
            store,
            &destinations(),
            rules,
            &history,
            &Doubt::Unread(unread),
            now,
        )
        .await?;
        return Ok(Some(now + HELD_GAP));
    }
    let mut tx = store.write().await?;
    // Asked again inside: an editor may have been quicker.
    let last = issues::last_issue((&mut tx).into()).await?;
    if last != history.last {
        return Ok(Some(now));
    }
    match prepare(&mut tx, rules, history.coming()?, None, now).await? {
        Ok(prepared) if prepared.doubts.contains(&Doubt::Empty) => {
            tx.rollback().await;
            hold(store, &destinations(), rules, &history, &Doubt::Empty, now).await?;
            return Ok(Some(now + HELD_GAP));
        }
        Ok(prepared) => {
            let by = "schedule";
            prepared
                .publish(&mut tx, &destinations(), rules, by, now)
                .await?;
            tx.commit().await?;
        }
        Err(why) => {
            tx.rollback().await;
            warn!("the issue that was due on {due} was not published: {why}");
            return Ok(Some(now + HELD_GAP));
        }
    }
    write_files(store, &destinations(), rules, now).await?;
    Ok(due_at(rules, &IssueHistory::of(store).await?, now))
}

/// Holds the coming issue back, and asks maintainers once for a decision.
async fn hold(
    store: &Store,
    destinations: &[Destination],
    rules: Rules<'_>,
    history: &IssueHistory,
    why: &Doubt,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let number = history.coming()?;
    let kind = number.to_string();
    if troubles::kind_of_trouble(store.read(), HELD).await? == Some(kind.clone()) {
        return Ok(());
    }
    let by_itself = match why {
        Doubt::Empty => "bpfnews publishes it with the first story.",
        Doubt::Unread(_) | Doubt::Short(_) | Doubt::Long(_) => {
            "bpfnews publishes it when everything is read; it does not wait for a paused feed."
        }
    };
    let problem = Problem {
        subject: HELD,
        kind: &kind,
        title: format!("{} is held back", title(&rules.issue.name, number)),
        text: format!(
            "{why}\n{by_itself} An editor can publish it as it is: bpfnews-edit publish {number} sure=yes."
        ),
    };
    let mut tx = store.write().await?;
    destination::warn_of_problem(&mut tx, destinations, &problem, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Writes the files, and notifies maintainers of edited ones.
async fn write_files(
    store: &Store,
    destinations: &[Destination],
    rules: Rules<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let edited = files::write(store, rules).await;
    if edited.is_empty() {
        return Ok(());
    }
    let mut tx: Tx = store.write().await?;
    destination::notify_maintainers(
        &mut tx,
        destinations,
        files::FILE_EDITED,
        &edited.join("\n"),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Weekday};

    use super::*;
    use crate::config::{IssueConfig, Schedule};
    use crate::story::relevance::FoldRules;

    #[test]
    fn issues_are_due_on_their_day_and_never_soon_after_one() {
        let at = |text: &str| -> DateTime<Utc> { text.parse().expect("a time") };
        let words = FoldRules::default();
        let wednesday = Schedule {
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
        // The last issue, the first news, now, and the time at which the next issue is due.
        #[rustfmt::skip]
        let table = [
            ("a bot that was set up on a Thursday", None, "2025-01-09T10:00:00Z", "2025-01-09T12:00:00Z", "2025-01-15T16:00:00Z"),
            ("it was down on the first Wednesday", None, "2025-01-09T10:00:00Z", "2025-01-16T09:00:00Z", "2025-01-15T16:00:00Z"),
            ("an old bot that begins to publish", None, "2024-01-01T00:00:00Z", "2025-01-17T20:00:00Z", "2025-01-22T16:00:00Z"),
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
            let history = IssueHistory {
                last,
                began_at: Some(at(began).timestamp()),
                withdrawn_at: None,
            };
            let found = due_at(rules, &history, at(now));
            assert_eq!(found, Some(at(due)), "{what}");
        }
        // One that was taken back on its day does not come out again by itself before the next one.
        let history = IssueHistory {
            last: None,
            began_at: Some(at("2024-01-01T00:00:00Z").timestamp()),
            withdrawn_at: Some(at("2025-01-15T16:05:00Z").timestamp()),
        };
        let found = due_at(rules, &history, at("2025-01-15T16:06:00Z"));
        assert_eq!(found, Some(at("2025-01-22T16:00:00Z")));
        let by_hand = IssueConfig::default();
        let rules = Rules {
            issue: &by_hand,
            ..rules
        };
        let now = at("2025-01-09T10:00:00Z");
        assert_eq!(due_at(rules, &IssueHistory::default(), now), None);
    }
}
