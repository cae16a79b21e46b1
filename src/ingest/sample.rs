//! Samples: a story that is not news and shows people the content of a new feed or channel.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::fold::Moved;
use super::plan::{Fresh, put};
use crate::desk::Desk;
use crate::post::story::{self, Content};
use crate::store::{Tx, mutes, outbox, stories};
use crate::story::Story;

/// The label of a sample.
pub(super) const SAMPLE_NOTE: &str = "sample of a new feed";
/// The stories that are looked through for one that a new channel's route takes.
const SAMPLE_FROM_MAX: i64 = 500;

/// The stories of which new feeds may show one in each channel: by the page that brought them and the channel, with the
/// times of their news.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<(usize, usize), Vec<Offered>>);

/// When the news of a story is from, and its place among those that moved.
type Offered = (DateTime<Utc>, usize);

impl Samples {
    /// The story at `place` may be shown in the channel at `desk`.
    pub(super) fn offer(&mut self, fresh: &Fresh, desk: usize, place: usize) {
        let offered = self.0.entry((fresh.page, desk)).or_default();
        offered.push((fresh.at, place));
    }

    /// Shows the newest item of each feed; returns the number of samples of each page. Feeds do not share a sample.
    pub(super) async fn show(
        self,
        tx: &mut Tx,
        desks: &[Desk],
        moved: &[Moved],
        now: DateTime<Utc>,
    ) -> anyhow::Result<BTreeMap<usize, usize>> {
        let (mut shown, mut taken) = (BTreeMap::new(), HashSet::new());
        for ((page, desk), mut offered) in self.0 {
            offered.sort_unstable();
            let mut newest = offered.into_iter().rev().map(|(_, place)| place);
            let Some(place) = newest.find(|place| taken.insert((desk, *place))) else {
                continue;
            };
            let moved = &moved[place];
            sample(tx, &desks[desk], &moved.story, moved.items[0], now).await?;
            *shown.entry(page).or_default() += 1;
        }
        Ok(shown)
    }
}

/// Shows a story as a sample.
async fn sample(
    tx: &mut Tx,
    desk: &Desk,
    story: &Story,
    item: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = story::compose(story);
    post.notes.push(SAMPLE_NOTE.to_owned());
    put(
        tx,
        desk,
        story,
        item,
        Content::Story(Box::new(post)),
        now,
        now,
    )
    .await
}

/// Shows one story in each channel that is new to a database that has stories.
pub(super) async fn sample_new_channels(
    tx: &mut Tx,
    desks: &[Desk],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let is_new = |desk: &&Desk| desk.row.added_at == now.timestamp() && !desk.config.maintainers;
    let new: Vec<&Desk> = desks.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let mutes = mutes::mutes(tx).await?;
    let latest = stories::latest_stories(tx, SAMPLE_FROM_MAX).await?;
    for desk in new {
        let taken = latest
            .iter()
            .find(|(_, story)| desk.config.route.takes(story).is_ok() && !mutes.bars(story));
        if let Some((item, story)) = taken
            && outbox::posts_of_items(tx, &[*item])
                .await?
                .iter()
                .all(|post| post.channel_id != desk.row.id)
        {
            sample(tx, desk, story, *item, now).await?;
        }
    }
    Ok(())
}
