//! Routes: which stories a channel takes. Pure.

use crate::filter::{Explanation, Filter, Subsystems};
use crate::story::{State, Story, StoryKind};

/// The stories that a channel takes: those that all of its keys take. An empty list takes all.
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
    /// An expression that must take the story too.
    pub filter: Option<Filter>,
    /// The subsystems that the filter may name.
    pub subsystems: Subsystems,
}

impl Route {
    /// The whole route as one filter.
    pub fn as_filter(&self) -> Filter {
        let mut all = Vec::new();
        if !self.off_topic {
            all.push(Filter::about_bpf());
        }
        let kinds = self.kinds.iter().copied().map(Filter::kind);
        let states = self.states.iter().copied().map(Filter::state);
        let feeds = self.feeds.iter().map(|name| Filter::feed(name));
        let trees = self.trees.iter().map(|name| Filter::tree(name));
        let words = self.words.iter().map(|word| Filter::title_word(word));
        let people = self.people.iter().map(|name| Filter::person(name));
        let keys: [Vec<Filter>; 6] = [
            kinds.collect(),
            states.collect(),
            feeds.collect(),
            trees.collect(),
            words.collect(),
            people.collect(),
        ];
        all.extend(self.score_min.map(Filter::score_at_least));
        let keys = keys.into_iter().filter(|any| !any.is_empty());
        all.extend(keys.map(Filter::any_of));
        all.extend(self.filter.clone());
        Filter::all_of(all)
    }

    /// Whether it selects a feed by name.
    pub fn names_feed(&self, name: &str) -> bool {
        let mut filter = self.filter.iter().flat_map(Filter::feeds);
        self.feeds.iter().any(|feed| feed == name) || filter.any(|feed| feed == name)
    }

    /// Whether the channel takes the story.
    pub fn takes(&self, story: &Story) -> bool {
        self.as_filter().takes(story, &self.subsystems)
    }

    /// Why it does, or why not, clause by clause.
    pub fn explain(&self, story: &Story) -> Explanation {
        self.as_filter().explain(story, &self.subsystems)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::filter::{KINDS, STATES};

    /// The rules of the keys as they were before there were filters.
    fn took_before(route: &Route, story: &Story) -> bool {
        let tree_is_named = || {
            let named = story.tree.iter();
            let mut named = named.chain(story.applied.iter().map(|applied| &applied.tree));
            named.any(|tree| {
                let tree = tree.trim_end_matches(".git");
                let short = tree.rsplit('/').next().unwrap_or(tree);
                route
                    .trees
                    .iter()
                    .any(|wanted| wanted == tree || wanted == short)
            })
        };
        let title = story.title.to_lowercase();
        let has_word = |word: &String| title.contains(&word.to_lowercase());
        let is_in_it = |name: &String| {
            let is = |other: &str| other.eq_ignore_ascii_case(name);
            story.author.as_deref().is_some_and(is)
                || story.people.iter().any(|part| is(&part.name))
        };
        (route.off_topic || story.relevant)
            && (route.kinds.is_empty() || route.kinds.contains(&story.kind))
            && (route.states.is_empty() || route.states.contains(&story.state))
            && route.score_min.is_none_or(|least| story.score >= least)
            && (route.feeds.is_empty() || story.feeds.iter().any(|feed| route.feeds.contains(feed)))
            && (route.trees.is_empty() || tree_is_named())
            && (route.words.is_empty() || route.words.iter().any(has_word))
            && (route.people.is_empty() || route.people.iter().any(is_in_it))
    }

    fn few<T: Clone + std::fmt::Debug + 'static>(
        from: &[T],
    ) -> impl Strategy<Value = Vec<T>> + use<T> {
        proptest::collection::vec(proptest::sample::select(from.to_vec()), 0..3)
    }

    fn texts(from: &[&str]) -> impl Strategy<Value = Vec<String>> + use<> {
        let from: Vec<String> = from.iter().map(|text| (*text).to_owned()).collect();
        few(&from)
    }

    const FEEDS: [&str; 4] = ["bpf", "BPF", "bpf-next", "net/x"];
    const TREES: [&str; 7] = [
        "bpf",
        "BPF",
        "bpf-next",
        "bpf/bpf-next.git",
        "bpf/bpf-next",
        "net.git",
        "x/",
    ];
    const PEOPLE: [&str; 5] = ["Ann Acker", "ann acker", "Ann", "ZOË", "zoë"];
    const WORDS: [&str; 6] = ["bpf", "Paint", "ä", "Ä b", "\"", "paint or not"];

    fn any_route() -> impl Strategy<Value = Route> {
        let lists = (texts(&FEEDS), texts(&TREES), texts(&WORDS), texts(&PEOPLE));
        let rest = (
            few(&KINDS),
            few(&STATES),
            proptest::option::of(-3..4),
            any::<bool>(),
        );
        (lists, rest).prop_map(
            |((feeds, trees, words, people), (kinds, states, score_min, off_topic))| Route {
                kinds,
                feeds,
                trees,
                states,
                words,
                people,
                score_min,
                off_topic,
                ..Route::default()
            },
        )
    }

    fn any_story() -> impl Strategy<Value = Story> {
        let one = |from: &[&str]| {
            let from: Vec<String> = from.iter().map(|text| (*text).to_owned()).collect();
            proptest::option::of(proptest::sample::select(from))
        };
        let names = (
            texts(&FEEDS),
            one(&TREES),
            texts(&TREES),
            one(&PEOPLE),
            texts(&PEOPLE),
        );
        let title = proptest::collection::vec(proptest::sample::select(WORDS.to_vec()), 0..3);
        let rest = (
            proptest::sample::select(KINDS.to_vec()),
            proptest::sample::select(STATES.to_vec()),
            -3..4,
            any::<bool>(),
        );
        (names, title, rest).prop_map(
            |((feeds, tree, applied, author, people), title, (kind, state, score, relevant))| {
                let at = "2025-03-01T00:00:00Z";
                let applied: Vec<_> = applied
                    .iter()
                    .map(|tree| {
                        json!({"tree": tree, "branch": null, "by": "", "at": at, "claimed": false, "commits": []})
                    })
                    .collect();
                let people: Vec<_> = people
                    .iter()
                    .map(|name| json!({"role": "acker", "name": name}))
                    .collect();
                let story = json!({
                    "id": "a", "aliases": [], "kind": kind, "title": title.join(" "), "author": author, "url": null,
                    "tree": tree, "state": state, "score": score, "relevant": relevant, "why": [], "first_at": at,
                    "last_at": at, "feeds": feeds, "revisions": [], "follow_ups": 0, "people": people, "events": [],
                    "applied": applied, "mainline": null, "stable": [], "fixes": [], "cves": [], "messages": [],
                    "commits": [], "summary": [], "changes": {},
                });
                serde_json::from_value(story).expect("a story")
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 5_000, ..ProptestConfig::default() })]

        #[test]
        fn the_keys_keep_their_meaning(route in any_route(), story in any_story()) {
            prop_assert_eq!(route.takes(&story), took_before(&route, &story), "{}", route.as_filter());
            prop_assert_eq!(route.explain(&story).taken, route.takes(&story));
        }
    }

    #[test]
    fn keys_and_filter_must_both_take_a_story() {
        let filter = Filter::parse("paint or kind:pull").expect("a filter");
        let route = Route {
            kinds: vec![StoryKind::Series, StoryKind::Pull],
            people: vec!["Ann \"A\" Acker".to_owned()],
            filter: Some(filter),
            ..Route::default()
        };
        assert_eq!(
            route.as_filter().to_string(),
            "about:bpf and (kind:series or kind:pull) and people=\"Ann \\\"A\\\" Acker\" and (title:paint or kind:pull)"
        );
        assert_eq!(
            Route {
                off_topic: true,
                ..Route::default()
            }
            .as_filter(),
            Filter::default()
        );
    }
}
