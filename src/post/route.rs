//! Routes: which stories a channel takes. Pure.

use crate::story::{State, Story, StoryKind};

/// The stories that a channel takes. An empty list takes all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Kinds of stories.
    pub kinds: Vec<StoryKind>,
    /// Feeds, one of which must carry the story.
    pub feeds: Vec<String>,
    /// Trees that it is meant for, or was applied to: `bpf-next` or `bpf/bpf-next`.
    pub trees: Vec<String>,
    pub states: Vec<State>,
    /// Words, one of which must stand in the title, in any case.
    pub words: Vec<String>,
    /// People, one of which must take part.
    pub people: Vec<String>,
    /// The least score.
    pub score_min: Option<i32>,
    /// Whether stories that are not about BPF are taken too.
    pub off_topic: bool,
}

impl Route {
    /// Whether the channel takes the story.
    ///
    /// # Errors
    ///
    /// Why not, for a maintainer.
    pub fn takes(&self, story: &Story) -> Result<(), String> {
        if !self.off_topic && !story.relevant {
            return Err("not about BPF".to_owned());
        }
        if !self.kinds.is_empty() && !self.kinds.contains(&story.kind) {
            return Err(format!("kind {}", word(&story.kind)));
        }
        if !self.states.is_empty() && !self.states.contains(&story.state) {
            return Err(format!("state {}", word(&story.state)));
        }
        if let Some(least) = self.score_min.filter(|least| story.score < *least) {
            return Err(format!("score {} is below {least}", story.score));
        }
        if !self.feeds.is_empty() && !story.feeds.iter().any(|feed| self.feeds.contains(feed)) {
            return Err(format!("carried by {}", story.feeds.join(", ")));
        }
        if !self.trees.is_empty() && !self.takes_tree(story) {
            let tree = story.tree.as_deref().unwrap_or("none");
            return Err(format!("tree {tree}"));
        }
        let title = story.title.to_lowercase();
        let has_word = |word: &String| title.contains(&word.to_lowercase());
        if !self.words.is_empty() && !self.words.iter().any(has_word) {
            return Err("none of the words".to_owned());
        }
        let is_in_it = |name: &String| {
            let is = |other: &str| other.eq_ignore_ascii_case(name);
            story.author.as_deref().is_some_and(is)
                || story.people.iter().any(|part| is(&part.name))
        };
        if !self.people.is_empty() && !self.people.iter().any(is_in_it) {
            return Err("none of the people".to_owned());
        }
        Ok(())
    }

    fn takes_tree(&self, story: &Story) -> bool {
        let named = story.tree.iter();
        let mut named = named.chain(story.applied.iter().map(|applied| &applied.tree));
        named.any(|tree| {
            let tree = tree.trim_end_matches(".git");
            let short = tree.rsplit('/').next().unwrap_or(tree);
            let is = |wanted: &String| wanted == tree || wanted == short;
            self.trees.iter().any(is)
        })
    }
}

/// A kind or a state as the configuration writes it.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
