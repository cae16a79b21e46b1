//! What of a page is news, and which posts it opens.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Mode;
use crate::item::{Item, ItemKey, What};
use crate::post;
use crate::store::feeds::FeedRow;
use crate::store::items::{self, Stored};
use crate::store::{Tx, posts};

/// How long a series waits for its parts before it is shown as it is.
const SERIES_HOLD: TimeDelta = TimeDelta::minutes(10);

/// A commit that was made so long before the previous poll came by a merge from elsewhere and is no news here.
const MERGED_AGE_S: i64 = 7 * 86_400;

/// Opens posts for what is news; gives how many posts it touched.
pub(super) async fn tell(
    tx: &mut Tx,
    row: &FeedRow,
    mode: Mode,
    page: &[Item],
    stored: &Stored,
    now: DateTime<Utc>,
) -> anyhow::Result<usize> {
    let news: Vec<(usize, i64)> = match mode {
        Mode::History => return Ok(0),
        Mode::Seed | Mode::Live => stored
            .fresh
            .iter()
            .copied()
            .filter(|(position, _)| mode == Mode::Seed || is_news(row, page, stored, *position))
            .collect(),
    };
    let above = mails_above(tx, news.iter().map(|(position, _)| &page[*position])).await?;
    let mut rooted: Vec<(usize, i64, post::Root)> = Vec::new();
    for (position, id) in news {
        let item = &page[position];
        let digest = item.key().digest();
        let root = match &item.what {
            What::Message { in_reply_to, .. } => {
                let parent = in_reply_to
                    .as_ref()
                    .map(|parent| ItemKey::message(parent).digest().to_vec());
                post::root(&item.title, digest, parent, &above)
            }
            What::Commit { .. }
            | What::Article { .. }
            | What::Release { .. }
            | What::Video { .. } => Some(post::Root {
                digest: digest.to_vec(),
                is_ghost: false,
            }),
        };
        rooted.extend(root.map(|root| (position, id, root)));
    }
    if mode == Mode::Seed {
        let newest = rooted
            .iter()
            .max_by_key(|(position, _, _)| (page[*position].at, std::cmp::Reverse(*position)));
        let sample = newest.map(|(_, _, root)| root.digest.clone());
        rooted.retain(|(_, _, root)| Some(&root.digest) == sample.as_ref());
    }
    // Oldest first: that is the order in which they are read.
    rooted.sort_by_key(|(position, _, _)| (page[*position].at, std::cmp::Reverse(*position)));
    let mut touched = Vec::new();
    for (_, id, root) in &rooted {
        let is_sample = mode == Mode::Seed;
        let hold_to = now + SERIES_HOLD;
        let post = posts::put_in_post(tx, &root.digest, *id, is_sample, now, hold_to).await?;
        let touch = (post, root.is_ghost);
        if !touched.contains(&touch) {
            touched.push(touch);
        }
    }
    for (post, lacks_cover) in &touched {
        let titles = posts::titles_in_post(tx, *post).await?;
        let is_complete = !lacks_cover && post::is_complete(titles.iter().map(String::as_str));
        if mode == Mode::Seed || is_complete {
            posts::hasten_post(tx, *post, now).await?;
        }
    }
    Ok(touched.len())
}

/// Whether a new item is news, or only new to us: what is older than the feed's first poll slid back into its window,
/// what was committed long before it got here came by a merge, what resembles a commit that was here was rebased.
pub(super) fn is_news(row: &FeedRow, page: &[Item], stored: &Stored, position: usize) -> bool {
    let item = &page[position];
    let at = item.at.map(|at| at.timestamp());
    match (&item.what, at) {
        (What::Commit { .. }, at) => {
            let merged = at
                .zip(row.last_ok_at)
                .is_some_and(|(at, last_ok_at)| at < last_ok_at - MERGED_AGE_S);
            !merged && !stored.twins.contains(&position)
        }
        (_, Some(at)) => row.floor_at.is_none_or(|floor_at| at >= floor_at),
        // Without dates a feed is taken to be newest first: what stands below all that is known is older than it.
        (_, None) => {
            let is_fresh = |other: usize| stored.fresh.iter().any(|(fresh, _)| *fresh == other);
            let below_the_known = (0..position).any(|other| !is_fresh(other));
            let above_some_known = (position + 1..page.len()).any(|other| !is_fresh(other));
            !below_the_known || above_some_known
        }
    }
}

/// The mails that these answer, and those above them, as far as they are here.
pub(super) async fn mails_above<'a>(
    tx: &mut Tx,
    mails: impl Iterator<Item = &'a Item>,
) -> anyhow::Result<HashMap<Vec<u8>, post::Above>> {
    let mut above: HashMap<Vec<u8>, post::Above> = HashMap::new();
    let mut wanted: Vec<Vec<u8>> = mails
        .filter_map(|item| match &item.what {
            What::Message {
                in_reply_to: Some(parent),
                ..
            } => Some(ItemKey::message(parent).digest().to_vec()),
            _ => None,
        })
        .collect();
    for _ in 0..post::CLIMB_MAX {
        wanted.retain(|digest| !above.contains_key(digest));
        wanted.sort();
        wanted.dedup();
        if wanted.is_empty() {
            break;
        }
        let found = items::parents(tx, &wanted).await?;
        wanted = found
            .iter()
            .filter_map(|mail| mail.parent.clone())
            .collect();
        above.extend(found.into_iter().map(|mail| {
            (
                mail.digest,
                post::Above {
                    title: mail.title,
                    parent: mail.parent,
                },
            )
        }));
    }
    Ok(above)
}
