//! Thirty stories that a channel took and thirty that it left out, with the reasons, for a person to read.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Context as _;
use bpfnews::config::ChannelConfig;
use bpfnews::post::story::standing;
use bpfnews::story::Story;

use crate::Played;
use crate::archive::Letter;
use crate::classes::classes;
use crate::count::taken;

const REVIEW: &str = "target/review/replay.md";
/// How many of each.
const MANY: usize = 30;
/// The seed of the draw.
const SEED: u64 = 4;

/// Writes the review of the first channel.
pub(crate) fn write(played: &Played) -> anyhow::Result<()> {
    let Some(channel) = played.config.channels.first() else {
        return Ok(());
    };
    let taken = taken(played, &channel.name);
    let mut text = format!("# #{}\n", channel.name);
    for (what, is_taken) in [("taken", true), ("left out", false)] {
        let mut stories: Vec<&Story> = played
            .stories
            .iter()
            .filter(|story| taken.contains(story.id.as_str()) == is_taken)
            .collect();
        stories.sort_by_key(|story| &story.id);
        fastrand::Rng::with_seed(SEED).shuffle(&mut stories);
        let many = stories.len();
        writeln!(text, "\n## {} of {many} {what}\n", MANY.min(many))?;
        for story in stories.into_iter().take(MANY) {
            report(&mut text, played, channel, story, is_taken)?;
        }
    }
    std::fs::create_dir_all("target/review")?;
    std::fs::write(REVIEW, text).with_context(|| format!("writing {REVIEW}"))?;
    writeln!(anstream::stdout(), "to be read: {REVIEW}")?;
    Ok(())
}

fn report(
    text: &mut String,
    played: &Played,
    channel: &ChannelConfig,
    story: &Story,
    is_taken: bool,
) -> anyhow::Result<()> {
    let mails: HashMap<&str, &Letter> = played
        .letters
        .iter()
        .map(|letter| (letter.id.as_str(), letter))
        .collect();
    let patches = story.revisions.last().map_or(0, |newest| newest.total);
    writeln!(
        text,
        "- **{}** ({}; {}, {}, {patches} patches, {} answers, {})",
        story.title,
        story.author.as_deref().unwrap_or("nobody"),
        story.tree.as_deref().unwrap_or("no tree"),
        standing(story),
        story.follow_ups,
        story.first_at.format("%-d %b %Y"),
    )?;
    let newest = story.revisions.last();
    let subjects = newest.into_iter().flat_map(|newest| &newest.patches);
    let subjects: Vec<&str> = subjects.map(|patch| patch.subject.as_str()).collect();
    if subjects.len() > 1 {
        writeln!(text, "  - patches: {}", subjects.join(" | "))?;
    }
    writeln!(text, "  - score {}: {}", story.score, story.why.join("; "))?;
    if !is_taken {
        writeln!(text, "  - left out: {}", channel.explain(story).reasons())?;
    }
    let classes: BTreeSet<_> = classes(story, &mails);
    let classes: Vec<&str> = classes.into_iter().map(|class| class.words()).collect();
    if !classes.is_empty() {
        writeln!(text, "  - classes: {}", classes.join(", "))?;
    }
    if !story.summary.is_empty() {
        writeln!(text, "  - says: {}", story.summary.join(" "))?;
    }
    Ok(())
}
