//! Brings the posts of stories that are in mainline or stable up to date when a kernel release comes: it may be the first with them.

use chrono::TimeDelta;

use super::Occasion;
use super::announce::{announce, reached_keys};
use super::content::{set_content, story_content};
use crate::destination::Destination;
use crate::fold::ChangedStory;
use crate::store::Tx;
use crate::store::outbox;
use crate::store::stories::{self, ReleaseNames};
use crate::story::StoryKind;
use crate::story::kernel::read_title;

/// A story that did not move for so long is in no new release.
const AGE_MAX: TimeDelta = TimeDelta::days(120);

/// Changes the posts whose story a new release may be the first to have.
pub(super) async fn update(
    tx: &mut Tx,
    destinations: &[Destination],
    changed: &[ChangedStory],
    names: &mut ReleaseNames,
    on: Occasion,
) -> anyhow::Result<()> {
    if !on.is_live || !changed.iter().any(is_kernel_release) {
        return Ok(());
    }
    let since = on.now - AGE_MAX;
    for (post, told) in outbox::posts_of_landed(tx, since).await? {
        let mut post = outbox::post(tx, post).await?;
        let Some(destination) = destinations
            .iter()
            .find(|destination| destination.row.id == post.channel_id)
        else {
            continue;
        };
        let mut story = stories::unpack_story(&told)?;
        names.name(tx, &mut story).await?;
        let content = story_content(destination, &story);
        let noted = post.reached.take();
        post.reached = Some(reached_keys(&story, noted.as_deref()));
        if post.content == content {
            continue;
        }
        set_content(tx, &mut post, content, None, on.now).await?;
        announce(tx, destination, &post, &story, noted.as_deref(), None, on).await?;
    }
    Ok(())
}

fn is_kernel_release(changed: &ChangedStory) -> bool {
    let story = &changed.story;
    story.kind == StoryKind::Release && read_title(&story.title).is_some()
}
