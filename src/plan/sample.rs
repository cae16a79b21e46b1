//! Samples: a new feed or channel posts one story that is not news, so that people see its content.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use super::NewsItem;
use super::content::SAMPLE_NOTE;
use super::open::open_post;
use crate::destination::Destination;
use crate::fold::ChangedStory;
use crate::post::story::{self, Content};
use crate::store::{Tx, mutes, outbox, stories};
use crate::story::Story;

/// The newest stories among which a new channel looks for one that its route takes.
const SAMPLE_FROM_MAX: i64 = 500;

/// The stories of which a new feed posts one in each channel, by the page that brought them and the channel's place.
#[derive(Default)]
pub(super) struct Samples(BTreeMap<(usize, usize), Vec<OfferedStory>>);

/// The time of a story's news, and the story's place among the changed ones.
type OfferedStory = (DateTime<Utc>, usize);

impl Samples {
    /// The story at `place` may be posted in the channel at `destination`.
    pub(super) fn offer(&mut self, item: &NewsItem, destination: usize, place: usize) {
        let offered = self.0.entry((item.page, destination)).or_default();
        offered.push((item.at, place));
    }

    /// Posts the newest story of each feed; returns the number of samples of each page. Feeds do not share a sample.
    pub(super) async fn post(
        self,
        tx: &mut Tx,
        destinations: &[Destination],
        changed: &[ChangedStory],
        now: DateTime<Utc>,
    ) -> anyhow::Result<BTreeMap<usize, usize>> {
        let (mut posted, mut taken) = (BTreeMap::new(), HashSet::new());
        for ((page, destination), mut offered) in self.0 {
            offered.sort_unstable();
            let mut newest = offered.into_iter().rev().map(|(_, place)| place);
            let Some(place) = newest.find(|place| taken.insert((destination, *place))) else {
                continue;
            };
            let changed = &changed[place];
            post_sample(
                tx,
                &destinations[destination],
                &changed.story,
                changed.items[0],
                now,
            )
            .await?;
            *posted.entry(page).or_default() += 1;
        }
        Ok(posted)
    }
}

async fn post_sample(
    tx: &mut Tx,
    destination: &Destination,
    story: &Story,
    item: i64,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut post = story::compose(story);
    post.notes.push(SAMPLE_NOTE.to_owned());
    let content = Content::Story(Box::new(post));
    open_post(tx, destination, story, item, content, now, now).await
}

/// Posts one story in each channel that is new, if the database has stories.
pub(crate) async fn sample_new_channels(
    tx: &mut Tx,
    destinations: &[Destination],
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let is_new = |destination: &&Destination| {
        destination.row.added_at == now.timestamp() && !destination.config.maintainers
    };
    let new: Vec<&Destination> = destinations.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(());
    }
    let mutes = mutes::mutes(tx).await?;
    let latest = stories::latest_stories(tx, SAMPLE_FROM_MAX).await?;
    for destination in new {
        let taken = latest
            .iter()
            .find(|(_, story)| destination.config.route.takes(story) && !mutes.bars(story));
        if let Some((item, story)) = taken
            && outbox::posts_of_items(tx, &[*item])
                .await?
                .iter()
                .all(|post| post.channel_id != destination.row.id)
        {
            post_sample(tx, destination, story, *item, now).await?;
        }
    }
    Ok(())
}
