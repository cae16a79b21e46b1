//! When an issue is due by itself.

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use super::{Rules, files, publish};
use crate::desk::Desk;
use crate::store::Store;
use crate::store::issues::{self, IssueRow};

/// The first issue comes out at a time that is set, and not long after one that passed while nothing was set.
const FIRST_LATE_MAX: TimeDelta = TimeDelta::days(1);

/// When the coming issue is due; `None` where editors alone publish.
pub fn due_at(
    rules: Rules<'_>,
    last: Option<&IssueRow>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let when = rules.issue.publish?;
    let published_at = last.and_then(|last| DateTime::from_timestamp(last.published_at, 0));
    let since = published_at.unwrap_or(now - FIRST_LATE_MAX);
    Some(when.next_after(since))
}

/// Publishes the coming issue if it is due, and has files written that are missing. Gives when to look again.
///
/// # Errors
///
/// When the database fails.
pub async fn pass(
    store: &Store,
    desks: &[Desk],
    rules: Rules<'_>,
    now: DateTime<Utc>,
) -> anyhow::Result<Option<DateTime<Utc>>> {
    let last = issues::last_issue(store.read()).await?;
    let due = due_at(rules, last.as_ref(), now);
    let Some(due) = due.filter(|due| *due <= now) else {
        return Ok(due);
    };
    let mut tx = store.write().await?;
    // Asked again inside: an editor may have been quicker.
    let last = issues::last_issue(&mut *tx).await?;
    let is_due = due_at(rules, last.as_ref(), now).is_some_and(|due| due <= now);
    if is_due {
        let number = u32::try_from(last.map_or(1, |last| last.number + 1))?;
        match publish(&mut tx, desks, rules, number, None, "schedule", now).await? {
            Ok(_) => tx.commit().await?,
            Err(why) => warn!("the issue that was due on {due} did not come out: {why}"),
        }
    }
    files::write(store, rules).await;
    let last = issues::last_issue(store.read()).await?;
    Ok(due_at(rules, last.as_ref(), now))
}
