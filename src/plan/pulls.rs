//! Warns channels of pull requests that nobody took for some days, once for each.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::announce::{announce_one, reached_keys};
use crate::destination::Destination;
use crate::post::milestone::{Milestone, MilestoneKind, MilestoneWay};
use crate::post::words::span;
use crate::store::outbox;
use crate::store::stories;
use crate::store::{Store, Tx};
use crate::story::waiting::waiting_pulls;

/// A warning that comes later than this is none: the pull request was old when the channel began to ask for warnings.
const LATE_MAX: TimeDelta = TimeDelta::days(7);

/// Queues the warnings that are due.
pub(crate) async fn warn(
    store: &Store,
    destinations: &[Destination],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    for destination in destinations {
        let way = destination.config.milestones.way(MilestoneKind::PullWaits);
        if way == MilestoneWay::Edit {
            continue;
        }
        let (from, to) = asked_span(destination, now);
        let waiting =
            outbox::posts_of_pulls(store.read().into(), destination.row.id, from, to).await?;
        if !waiting.is_empty() {
            let mut tx = store.write().await?;
            warn_channel(&mut tx, destination, way, now).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// The times between which a pull request was sent if a warning is due now.
fn asked_span(destination: &Destination, now: DateTime<Utc>) -> (DateTime<Utc>, DateTime<Utc>) {
    let to = now - destination.config.pull_waits;
    (to - LATE_MAX, to)
}

async fn warn_channel(
    tx: &mut Tx,
    destination: &Destination,
    way: MilestoneWay,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let (from, to) = asked_span(destination, now);
    let pulls = stories::pulls_since((&mut *tx).into(), from).await?;
    let waiting: HashMap<&str, TimeDelta> = waiting_pulls(&pulls, now)
        .into_iter()
        .map(|(waits, pull)| (pull.id.as_str(), waits))
        .collect();
    for (post, told) in
        outbox::posts_of_pulls((&mut *tx).into(), destination.row.id, from, to).await?
    {
        let story = stories::unpack_story(&told)?;
        let mut post = outbox::post(tx, post).await?;
        let kind = MilestoneKind::PullWaits;
        if let Some(waits) = waiting.get(story.id.as_str()) {
            let milestone = Milestone {
                kind,
                key: kind.word(),
                what: format!("not pulled for {}", span(*waits)),
                link: None,
                at: None,
                is_current: true,
            };
            announce_one(tx, destination, &post, &story, milestone, way, now).await?;
        }
        // One that was answered is not looked at again.
        let noted = post.reached.unwrap_or_default();
        post.reached = Some(reached_keys(
            &story,
            Some(&format!("{noted} {}", kind.word())),
        ));
        outbox::save_post(tx, &post).await?;
    }
    Ok(())
}
