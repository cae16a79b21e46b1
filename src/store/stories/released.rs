//! Adds the first releases to stories that are in mainline or stable.

use crate::store::items::kernel_releases;
use crate::store::{Readers, Tx};
use crate::story::Story;
use crate::story::kernel::{KernelRelease, first_in_mainline, first_in_stable};

/// Names the first releases with each story, as far as they are known.
pub async fn name_releases(readers: &Readers, stories: &mut [Story]) -> anyhow::Result<()> {
    if stories.iter().any(may_be_released) {
        let releases = kernel_releases(readers.into()).await?;
        stories.iter_mut().for_each(|story| name(story, &releases));
    }
    Ok(())
}

/// Reads the releases within a transaction, once for many stories.
#[derive(Debug, Default)]
pub struct ReleaseNames(Option<Vec<KernelRelease>>);

impl ReleaseNames {
    pub async fn name(&mut self, tx: &mut Tx, story: &mut Story) -> anyhow::Result<()> {
        if !may_be_released(story) {
            return Ok(());
        }
        if self.0.is_none() {
            self.0 = Some(kernel_releases((&mut *tx).into()).await?);
        }
        name(story, self.0.as_deref().unwrap_or_default());
        Ok(())
    }
}

fn may_be_released(story: &Story) -> bool {
    story.mainline.is_some() || !story.stable.is_empty()
}

fn name(story: &mut Story, releases: &[KernelRelease]) {
    if let Some(landed) = &mut story.mainline {
        let named = landed
            .span
            .and_then(|(after, by)| first_in_mainline(releases, after, by));
        landed.release = named.map(|version| format!("v{version}"));
    }
    for backport in &mut story.stable {
        let named = first_in_stable(releases, &backport.branch, backport.at);
        backport.release = named.map(|version| version.to_string());
    }
}
