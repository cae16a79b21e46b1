//! The forum tags of a story's post. Pure.

use crate::post::story::{Content, Post, Tone};

/// Discord's limit for the tags of a post.
pub(super) const TAGS_MAX: usize = 5;
/// All tag names that the bot uses. Tags with other names belong to people and stay.
const OURS: [&str; 28] = [
    "digest",
    "notice",
    "posted",
    "new",
    "discussed",
    "applied",
    "partly applied",
    "pulled",
    "mainline",
    "stable",
    "superseded",
    "withdrawn",
    "rejected",
    "refused",
    "ended",
    "open",
    "paid",
    "for subscribers",
    "free",
    "published",
    "series",
    "patch",
    "pull request",
    "thread",
    "commit",
    "article",
    "release",
    "video",
];

/// The tags that a forum should have if it requires one on every post; each post gets one of them.
pub(super) const TAGS_WANTED: &str = "posted, discussed, applied, mainline, ended, published";

/// A tag of a forum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub id: String,
    pub name: String,
}

/// The matching tags: the most exact one for the story's state, and one for its kind.
pub(super) fn fitting(tags: &[Tag], content: &Content) -> Vec<String> {
    let (states, kind) = names(content);
    let by_name = |name: &&str| tags.iter().find(|tag| is_called(tag, name));
    let state = states.iter().find_map(by_name);
    let kind = kind.as_ref().and_then(by_name);
    let mut ids: Vec<String> = Vec::new();
    for tag in state.into_iter().chain(kind) {
        if !ids.contains(&tag.id) {
            ids.push(tag.id.clone());
        }
    }
    ids
}

/// The new tags of a thread: the matching ones, and those that people added to `present`.
pub(super) fn renewed(tags: &[Tag], present: &[String], content: &Content) -> Vec<String> {
    let mut ids = fitting(tags, content);
    let is_ours = |id: &String| {
        let mut of = tags.iter().filter(|tag| tag.id == *id);
        of.any(|tag| OURS.iter().any(|name| is_called(tag, name)))
    };
    for id in present.iter().filter(|id| !is_ours(id)) {
        if ids.len() < TAGS_MAX && !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    ids
}

fn is_called(tag: &Tag, name: &str) -> bool {
    let plain = tag.name.trim().to_lowercase().replace(['-', '_'], " ");
    plain == name
}

/// The tag names for a story's state, the most exact first, and the one for its kind.
fn names(content: &Content) -> (Vec<&'static str>, Option<&'static str>) {
    match content {
        Content::Story(post) => (states(post), Some(post.about.word())),
        Content::Line(line) => (of_tone(line.tone).to_vec(), None),
        // Forums that require a tag require it on these too.
        Content::Digest(_) => (vec!["digest", "published", "posted"], None),
        Content::Issue(_) => (vec!["issue", "published", "posted"], None),
        Content::Suggestion(_) | Content::Notice { .. } => {
            (vec!["notice", "published", "posted"], None)
        }
    }
}

fn states(post: &Post) -> Vec<&'static str> {
    let state = post.state.trim_start_matches("said to be ");
    let exact: &[&str] = match state {
        state if state.starts_with("partly applied") => &["partly applied"],
        "in a pull request" => &["pulled"],
        "in stable" => &["stable"],
        "superseded" => &["superseded"],
        "withdrawn" => &["withdrawn"],
        "refused" => &["refused", "rejected"],
        "open" => &["open"],
        "for subscribers" => &["for subscribers", "paid"],
        "free to read" => &["free"],
        _ => &[],
    };
    [exact, of_tone(post.tone)].concat()
}

fn of_tone(tone: Tone) -> &'static [&'static str] {
    match tone {
        Tone::New => &["posted", "new"],
        Tone::Discussed => &["discussed"],
        Tone::Applied => &["applied"],
        Tone::Mainline => &["mainline"],
        Tone::Ended => &["ended"],
        Tone::Reading => &["published"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::post::About;

    fn tags(names: &[&str]) -> Vec<Tag> {
        let tag = |name: &&str| Tag {
            id: format!("id-{}", name.to_lowercase()),
            name: (*name).to_owned(),
        };
        names.iter().map(tag).collect()
    }

    fn post(state: &str, tone: Tone, about: About) -> Content {
        Content::Story(Box::new(Post {
            mark: "m".to_owned(),
            about,
            state: state.to_owned(),
            tone,
            tree: String::new(),
            title: "t".to_owned(),
            author: String::new(),
            at: chrono::DateTime::UNIX_EPOCH,
            feeds: Vec::new(),
            notes: Vec::new(),
            parts: Vec::new(),
            parts_left_out: 0,
            summary: String::new(),
            change: String::new(),
            checks: String::new(),
            reviews: String::new(),
            steps: Vec::new(),
            link: None,
            commit: None,
            page: None,
        }))
    }

    type Case<'t> = (&'t [Tag], &'t str, Tone, About, &'t [&'t str]);

    #[test]
    fn a_post_gets_the_tags_of_its_state_and_kind() {
        let all = tags(&[
            "Posted",
            "Discussed",
            "Applied",
            "Mainline",
            "Stable",
            "Article",
            "Release",
            "Series",
            "Fun",
        ]);
        let few = tags(&["applied", "mainline", "Partly-Applied"]);
        #[rustfmt::skip]
        let table: [Case<'_>; 10] = [
            (&all, "posted", Tone::New, About::Series, &["id-posted", "id-series"]),
            (&all, "v3", Tone::New, About::Patch, &["id-posted"]),
            (&all, "v3", Tone::Discussed, About::Series, &["id-discussed", "id-series"]),
            (&all, "applied to bpf-next", Tone::Applied, About::Commit, &["id-applied"]),
            (&all, "in mainline", Tone::Mainline, About::Commit, &["id-mainline"]),
            (&all, "in stable", Tone::Mainline, About::Commit, &["id-stable"]),
            (&all, "free to read", Tone::Reading, About::Article, &["id-article"]),
            (&few, "in stable", Tone::Mainline, About::Commit, &["id-mainline"]),
            (&few, "partly applied to bpf", Tone::Applied, About::Series, &["id-partly-applied"]),
            (&few, "posted", Tone::New, About::Series, &[]),
        ];
        for (tags, state, tone, about, right) in table {
            assert_eq!(fitting(tags, &post(state, tone, about)), right, "{state}");
        }
    }

    #[test]
    fn the_tags_that_a_forum_should_have_are_enough_for_everything() {
        let names: Vec<&str> = TAGS_WANTED.split(", ").collect();
        let tags = tags(&names);
        let tones = [
            Tone::New,
            Tone::Discussed,
            Tone::Applied,
            Tone::Mainline,
            Tone::Ended,
            Tone::Reading,
        ];
        for tone in tones {
            let post = post("v7", tone, About::Thread);
            assert_eq!(fitting(&tags, &post).len(), 1, "{tone:?}");
        }
        let digest = Content::Digest(crate::post::story::Digest {
            title: "Week".to_owned(),
            lines: Vec::new(),
            mark: "m".to_owned(),
        });
        let notice = Content::Notice {
            title: "A test".to_owned(),
            text: String::new(),
            mark: "m".to_owned(),
        };
        for content in [digest, notice] {
            assert_eq!(fitting(&tags, &content), ["id-published"]);
        }
    }

    #[test]
    fn tags_that_people_gave_stay() {
        let all = tags(&["posted", "applied", "fun", "b", "c", "d", "e"]);
        let applied = post("applied", Tone::Applied, About::Series);
        let present = |names: &[&str]| {
            names
                .iter()
                .map(|name| format!("id-{name}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            renewed(&all, &present(&["posted", "fun"]), &applied),
            present(&["applied", "fun"])
        );
        assert_eq!(
            renewed(&all, &present(&["fun", "b", "c", "d", "e"]), &applied),
            present(&["applied", "fun", "b", "c", "d"])
        );
    }

    #[test]
    fn every_name_is_known_as_ours() {
        let tones = [
            Tone::New,
            Tone::Discussed,
            Tone::Applied,
            Tone::Mainline,
            Tone::Ended,
            Tone::Reading,
        ];
        let abouts = [
            About::Series,
            About::Patch,
            About::Pull,
            About::Thread,
            About::Commit,
            About::Article,
            About::Release,
            About::Video,
        ];
        let states = [
            "partly applied",
            "in a pull request",
            "in stable",
            "superseded",
            "withdrawn",
            "refused",
            "open",
            "for subscribers",
            "free to read",
        ];
        for tone in tones {
            for about in abouts {
                for state in states {
                    let (states, kind) = names(&post(state, tone, about));
                    for name in states.into_iter().chain(kind) {
                        assert!(OURS.contains(&name), "{name}");
                    }
                }
            }
        }
    }
}
