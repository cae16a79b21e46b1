//! StoryChoice stories a command is to list.

use chrono::{DateTime, Utc};

use crate::cli::{Format, moment};
use crate::filter::{Filter, Subsystems};
use crate::store::stories::{self, StoryFilter};
use crate::story::Story;

/// StoryChoice stories are listed, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StoryChoice {
    /// Only stories of this kind: series, commit, pull, thread, article, release, video.
    #[arg(long, value_parser = story_kind, value_name = "KIND")]
    kind: Option<String>,
    /// Only stories in this state: posted, discussed, applied, `partly_applied`, pulled, mainline, stable, superseded, withdrawn,
    /// rejected, open, paid, free, published.
    #[arg(long, value_parser = story_state, value_name = "STATE")]
    state: Option<String>,
    /// Only stories whose author's name contains NAME.
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Only stories for a tree whose name contains TREE.
    #[arg(long, value_name = "TREE")]
    tree: Option<String>,
    /// Only stories of which this feed carries something.
    #[arg(long, value_name = "NAME")]
    feed: Option<String>,
    /// Only stories that moved since: a day (2025-01-31, UTC), a time (RFC 3339), or so long ago (36h, 7d, 4w).
    #[arg(long, value_parser = moment, value_name = "WHEN")]
    since: Option<DateTime<Utc>>,
    /// Only stories that began before; the same forms.
    #[arg(long, value_parser = moment, value_name = "WHEN")]
    until: Option<DateTime<Utc>>,
    /// Only stories that this filter takes, such as "path:kernel/bpf/ and parts>5"; docs/filters.md has the language.
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Option<Filter>,
    /// Only stories that score at least so much.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    score: Option<i64>,
    /// Also stories that are not about BPF; json prints them anyway.
    #[arg(long, conflicts_with = "relevant")]
    pub(super) all: bool,
    /// Only stories that are about BPF; text prints no others unless --all asks for them.
    #[arg(long)]
    relevant: bool,
    /// At most so many; 0 means all [default: 30 as text, all as json].
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u32>,
    /// How to print them; json is one object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

impl StoryChoice {
    /// Checks the names in the filter.
    pub(super) fn check(&self, subsystems: &Subsystems) -> anyhow::Result<()> {
        match &self.filter {
            Some(filter) => Ok(filter.check(subsystems)?),
            None => Ok(()),
        }
    }

    /// Whether the filter takes a story.
    pub(super) fn takes(&self, story: &Story, subsystems: &Subsystems) -> bool {
        let filter = self.filter.as_ref();
        filter.is_none_or(|filter| filter.takes(story, subsystems))
    }

    pub(super) fn wanted(&self, words: Option<&str>) -> StoryFilter {
        StoryFilter {
            words: words.map(stories::match_words),
            author: self.author.clone(),
            tree: self.tree.clone(),
            kind: self.kind.clone(),
            state: self.state.clone(),
            feed: self.feed.clone(),
            since: self.since.map(|at| at.timestamp()),
            until: self.until.map(|at| at.timestamp()),
            only_relevant: self.relevant || (!self.all && matches!(self.format, Format::Text)),
            score: self.score,
        }
    }
}

/// Checks a word against the variants that serde knows.
fn known_word<T: serde::de::DeserializeOwned>(word: &str) -> Result<String, String> {
    match serde_json::from_value::<T>(serde_json::Value::String(word.to_owned())) {
        Ok(_) => Ok(word.to_owned()),
        // serde lists the possible values.
        Err(error) => Err(error.to_string()),
    }
}

fn story_kind(word: &str) -> Result<String, String> {
    known_word::<crate::story::StoryKind>(word)
}

fn story_state(word: &str) -> Result<String, String> {
    known_word::<crate::story::State>(word)
}
