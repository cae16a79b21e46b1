//! Posts about stories, as channels will show them: a story in, words out. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::notes::notes;
use super::reviews::reviews;
use super::steps::steps;
pub use super::steps::{event_words, standing};
use super::{About, is_for_readers, plain, story_path};
use crate::item::prose;
use crate::story::key::HASH_DIGITS;
use crate::story::{State, Story, StoryKind};

/// The most characters of a title; an author's own is rarely over 100.
const TITLE_CHARS_MAX: usize = 240;
/// The most characters of a summary, and of the changes.
const SUMMARY_CHARS_MAX: usize = 600;
/// The most patches that are listed; for a longer series a line counts the rest.
const PARTS_MAX: usize = 6;
/// The most characters of a story's summary in a list.
const LINE_SUMMARY_CHARS_MAX: usize = 140;

/// The content of a message in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Content {
    /// A story, as it stands.
    Story(Box<Post>),
    /// One line about a story: it moved, or another post covers it.
    Line(Line),
    /// Several stories, a line each.
    Digest(Digest),
    /// A weekly issue, or a page of it.
    Issue(Box<IssuePost>),
    /// A link that a reader handed in, for editors to decide.
    Suggestion(Suggestion),
    /// Words of our own: for maintainers, or to try a channel.
    Notice {
        /// Its subject.
        title: String,
        /// The rest.
        text: String,
        /// See [`Content::mark`].
        mark: String,
    },
}

impl Content {
    /// The mark that distinguishes this message in its channel and survives edits. A platform puts it where a search can find
    /// it.
    pub fn mark(&self) -> &str {
        match self {
            Self::Story(post) => &post.mark,
            Self::Line(line) => &line.mark,
            Self::Digest(digest) => &digest.mark,
            Self::Issue(issue) => &issue.mark,
            Self::Suggestion(suggestion) => &suggestion.mark,
            Self::Notice { mark, .. } => mark,
        }
    }

    /// The same without the marks of stories, digests and issues, for an answer. An answer is no post, so bpfnews need not
    /// find it again, and readers have no use for the ids.
    pub fn without_marks(mut self) -> Self {
        let clear = |lines: &mut Vec<Line>| lines.iter_mut().for_each(|line| line.mark.clear());
        match &mut self {
            Self::Story(post) => post.mark.clear(),
            Self::Line(line) => line.mark.clear(),
            Self::Digest(digest) => {
                digest.mark.clear();
                clear(&mut digest.lines);
            }
            Self::Issue(issue) => {
                issue.mark.clear();
                issue
                    .parts
                    .iter_mut()
                    .for_each(|part| clear(&mut part.lines));
            }
            Self::Notice { mark, .. } => mark.clear(),
            Self::Suggestion(_) => {}
        }
        self
    }

    /// Its title: the story's, the digest's or the issue's.
    pub fn title(&self) -> String {
        match self {
            Self::Story(post) => post.title.clone(),
            Self::Line(line) => line.title.clone(),
            Self::Digest(digest) => digest.title.clone(),
            Self::Issue(issue) => issue.title.clone(),
            Self::Suggestion(suggestion) => format!("suggestion {}", suggestion.number),
            Self::Notice { title, .. } => title.clone(),
        }
    }

    /// Where to read on, if it leads anywhere.
    pub fn link(&self) -> Option<String> {
        match self {
            Self::Story(post) => post.link.clone(),
            Self::Line(line) => line.link.clone(),
            Self::Issue(issue) => issue.link.clone(),
            Self::Suggestion(suggestion) => Some(suggestion.link.clone()),
            Self::Digest(_) | Self::Notice { .. } => None,
        }
    }
}

/// A line about a story.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The event, in our words: `Applied to bpf-next`.
    pub what: String,
    /// The story's title.
    pub title: String,
    /// The author; empty if the line does not name one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The author's first sentence, shown in lists only; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Where to read on.
    pub link: Option<String>,
    /// Where it stands, for the line's colour.
    pub tone: Tone,
    /// See [`Content::mark`].
    pub mark: String,
}

/// Several stories in one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// The stories that it covers.
    pub title: String,
    /// A line for each.
    pub lines: Vec<Line>,
    /// See [`Content::mark`].
    pub mark: String,
}

/// A weekly issue in a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuePost {
    /// Its title, with its day.
    pub title: String,
    /// The text above the lines; several paragraphs.
    pub lead: String,
    /// Lines under headings.
    pub parts: Vec<IssuePart>,
    /// Where the whole of it is read.
    pub link: Option<String>,
    /// How many lines more there are.
    pub left_out: usize,
    pub number: u32,
    /// Its first picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<PostPicture>,
    /// See [`Content::mark`].
    pub mark: String,
}

/// A picture of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostPicture {
    /// Its address.
    pub link: String,
    /// The words for those who do not see it.
    pub alt: String,
}

/// Lines under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuePart {
    pub heading: String,
    pub lines: Vec<Line>,
    /// Whether it lists all that was posted.
    #[serde(default)]
    pub is_list_of_patches: bool,
}

/// A link that a reader handed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    pub number: i64,
    pub link: String,
    /// Why it is worth reading, as its reader said; may be empty.
    pub note: String,
    /// A remark, such as that it is followed already; may be empty.
    pub known: String,
    /// The decision; empty while there is none.
    pub decided: String,
    /// See [`Content::mark`].
    pub mark: String,
}

/// A story in parts that every platform can lay out. No part contains a line break, a control character or an invisible one. All
/// parts but `link` may contain any other text of a stranger, so platforms escape them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// The story's id.
    pub mark: String,
    /// The kind of its subject: `series`, `pull request` …
    pub about: About,
    /// Where it stands, in our words: `posted`, `v3`, `applied to bpf-next`.
    pub state: String,
    /// The class of that, for a colour.
    pub tone: Tone,
    /// The tree it is meant for, or was applied to; may be empty.
    pub tree: String,
    /// The title, without tags; at most 240 characters.
    pub title: String,
    /// The author; empty if nobody is named.
    pub author: String,
    /// When it became news: of a series, its newest revision.
    pub at: DateTime<Utc>,
    /// The feeds that carry it.
    pub feeds: Vec<String>,
    /// Notes beside the title: `v3`, `first 2 Mar`, `3 of 4 patches`, `CVE-2025-1234`, `free on 2 March 2017`,
    /// `new kfunc`.
    pub notes: Vec<String>,
    /// The patches of the newest revision: number and title.
    pub parts: Vec<(String, String)>,
    /// How many more patches there are.
    pub parts_left_out: usize,
    /// The author's own words; may be empty.
    pub summary: String,
    /// The changes in the newest revision, in the author's words; may be empty.
    pub change: String,
    /// The verdicts of machines on the newest revision, in one line; may be empty.
    #[serde(default)]
    pub checks: String,
    /// The answers and reviews of people, in one line: `acked by A. Maintainer · 5 answers`; may be empty.
    #[serde(default)]
    pub reviews: String,
    /// Its life so far, a few words each: `v1 3 May`, `applied to bpf-next by A. Maintainer 7 May`.
    pub steps: Vec<String>,
    /// Where to read on.
    pub link: Option<String>,
    /// The commit that brought it, if it is the only one or in mainline.
    #[serde(default)]
    pub commit: Option<CommitRef>,
    /// The story's page on our site, if pages are public.
    #[serde(default)]
    pub page: Option<String>,
}

/// A commit that a post names.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitRef {
    /// `commit 0123456789ab`.
    pub words: String,
    /// The page of the commit, if one is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Classes of states, for colours.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// New, nothing decided.
    #[default]
    New,
    /// People talk about it.
    Discussed,
    /// In a tree.
    Applied,
    /// In mainline or stable.
    Mainline,
    /// It will not come.
    Ended,
    /// An article, a release, a video.
    Reading,
}

/// Makes the post of a story.
pub fn compose(story: &Story) -> Post {
    let newest = story.revisions.last();
    let patches: Vec<_> = newest.map_or_else(Vec::new, |newest| newest.patches.clone());
    let total = newest.map_or(0, |newest| newest.total);
    let listed = match total {
        0 | 1 => 0,
        _ => patches.len().min(PARTS_MAX),
    };
    let change = newest.and_then(|newest| story.changes.get(&format!("v{}", newest.version)));
    Post {
        mark: story.id.clone(),
        about: about(story),
        state: standing(story),
        tone: tone(story.state),
        tree: plain(story.tree.as_deref().unwrap_or_default()),
        title: prose::shorten(&plain(&story.title), TITLE_CHARS_MAX),
        author: plain(story.author.as_deref().unwrap_or_default()),
        at: newest.map_or(story.first_at, |newest| newest.posted_at),
        feeds: story.feeds.iter().map(|feed| plain(feed)).collect(),
        notes: notes(story),
        parts: patches[..listed]
            .iter()
            .map(|patch| {
                (
                    format!("{}/{total}", patch.number),
                    prose::shorten(&plain(&patch.subject), TITLE_CHARS_MAX),
                )
            })
            .collect(),
        parts_left_out: match total {
            0 | 1 => 0,
            _ => patches.len() - listed,
        },
        summary: prose::shorten(&plain(&story.summary.join(" ")), SUMMARY_CHARS_MAX),
        change: prose::shorten(&plain(change.map_or("", String::as_str)), SUMMARY_CHARS_MAX),
        checks: checks(story),
        reviews: reviews(story),
        steps: steps(story),
        link: story.url.clone().filter(|link| is_for_readers(link)),
        commit: commit(story),
        page: None,
    }
}

/// The same with a link to the story's page. `home` is the public address of our pages, with its last slash.
pub fn compose_with_page(story: &Story, home: Option<&str>) -> Post {
    Post {
        page: home.map(|home| format!("{home}{}", story_path(&story.id))),
        ..compose(story)
    }
}

/// A line about a story.
pub fn line(story: &Story, what: String, mark: String) -> Line {
    Line {
        what,
        title: prose::shorten(&plain(&story.title), TITLE_CHARS_MAX),
        author: plain(story.author.as_deref().unwrap_or_default()),
        summary: String::new(),
        link: story.url.clone().filter(|link| is_for_readers(link)),
        tone: tone(story.state),
        mark,
    }
}

/// A line of a list: the same with the first sentence of the summary.
pub fn line_of_list(story: &Story, what: String) -> Line {
    let first = story.summary.first().map_or("", String::as_str);
    Line {
        summary: prose::shorten(&plain(first), LINE_SUMMARY_CHARS_MAX),
        ..line(story, what, story.id.clone())
    }
}

/// Whether the newest revision of a series still waits for mails that it counts.
pub fn waits_for_parts(story: &Story) -> bool {
    story
        .revisions
        .last()
        .is_some_and(|newest| newest.total > 1 && newest.patches.len() < newest.total as usize)
}

fn about(story: &Story) -> About {
    match story.kind {
        StoryKind::Series if story.revisions.last().is_some_and(|r| r.total > 1) => About::Series,
        StoryKind::Series => About::Patch,
        StoryKind::Commit => About::Commit,
        StoryKind::Pull => About::Pull,
        StoryKind::Thread => About::Thread,
        StoryKind::Article => About::Article,
        StoryKind::Release => About::Release,
        StoryKind::Video => About::Video,
    }
}

/// The class of a state.
pub fn tone(state: State) -> Tone {
    match state {
        State::Posted | State::Open => Tone::New,
        State::Discussed => Tone::Discussed,
        State::Applied | State::PartlyApplied | State::Pulled => Tone::Applied,
        State::Mainline | State::Stable => Tone::Mainline,
        State::Superseded | State::Withdrawn | State::Rejected => Tone::Ended,
        State::Paid | State::Free | State::Published => Tone::Reading,
    }
}

/// The verdicts of machines on the newest revision: `AI review: 1 high · CI passed`.
fn checks(story: &Story) -> String {
    let Some(newest) = story.revisions.last() else {
        return String::new();
    };
    let of_newest = story
        .checks
        .iter()
        .filter(|check| check.root == newest.root);
    let words: Vec<String> = of_newest.map(|check| plain(&check.text)).collect();
    words.join(" · ")
}

fn commit(story: &Story) -> Option<CommitRef> {
    let commit = match (&story.mainline, story.commits.as_slice()) {
        (Some(landed), _) => Some((landed.hash.as_str(), landed.link.as_deref())),
        (None, [only]) => {
            let is_commit = story.kind == StoryKind::Commit;
            Some((only.as_str(), story.url.as_deref().filter(|_| is_commit)))
        }
        (None, _) => None,
    };
    let words = |(hash, link): (&str, Option<&str>)| {
        let digits: String = plain(hash).chars().take(HASH_DIGITS).collect();
        CommitRef {
            words: format!("commit {digits}"),
            link: link.filter(|link| is_for_readers(link)).map(str::to_owned),
        }
    };
    commit.map(words)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;
    use serde_json::json;

    use super::*;
    use crate::post::milestone;
    use crate::story::{Applied, Check, Event, Patch, Revision, Step};

    fn day(day: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2025, 3, day, 9, 0, 0)
            .single()
            .expect("a time")
    }

    fn revision(version: u32, here: u32, total: u32) -> Revision {
        Revision {
            version,
            posted_at: day(version),
            root: format!("{version}@example.org"),
            cover: true,
            total,
            patches: (1..=here)
                .map(|number| Patch {
                    number,
                    subject: format!("bpf: Part {number}"),
                    message_id: format!("{version}.{number}@example.org"),
                })
                .collect(),
        }
    }

    fn series() -> Story {
        let story = json!({
            "id": "abc123", "aliases": [], "kind": "series", "title": "Let \u{202e}maps grow", "author": "A. Author",
            "url": "https://lore.kernel.org/bpf/1@example.org/", "tree": "bpf-next", "state": "posted", "score": 40,
            "relevant": true, "why": [], "first_at": day(1), "last_at": day(1), "feeds": ["bpf"], "revisions": [],
            "follow_ups": 0, "people": [], "events": [], "applied": [], "mainline": null, "stable": [], "fixes": [],
            "cves": [], "messages": [], "commits": [], "summary": ["Maps grow now.", "They could not before."],
            "changes": {},
        });
        serde_json::from_value(story).expect("a story")
    }

    fn reached(story: &Story) -> Vec<String> {
        milestone::keys(story).collect()
    }

    #[test]
    fn a_post_shows_the_state_of_a_series() {
        let mut story = series();
        story.revisions = vec![revision(1, 2, 2)];
        let post = compose(&story);
        assert_eq!((post.about, post.tone), (About::Series, Tone::New));
        assert_eq!(post.state, "posted");
        assert_eq!(post.title, "Let maps grow");
        assert_eq!(post.notes, ["2 patches"]);
        assert_eq!(post.parts[1], ("2/2".to_owned(), "bpf: Part 2".to_owned()));
        assert_eq!(post.summary, "Maps grow now. They could not before.");
        assert!(post.steps.is_empty(), "one step is no history");

        story.revisions.push(revision(2, 3, 3));
        story
            .changes
            .insert("v2".to_owned(), "Grow faster.".to_owned());
        let post = compose(&story);
        assert_eq!(
            (post.state.as_str(), post.change.as_str()),
            ("v2", "Grow faster.")
        );
        assert_eq!(post.steps, ["v1 1 Mar", "v2 2 Mar"]);
        assert_eq!(
            (post.at, post.notes.as_slice()),
            (day(2), &["first 1 Mar", "3 patches"].map(str::to_owned)[..]),
            "the date is that of the newest revision, the first stands beside it"
        );

        story.state = State::Applied;
        story.applied.push(Applied {
            tree: "bpf/bpf-next.git".to_owned(),
            branch: None,
            by: "M. Maintainer".to_owned(),
            at: day(5),
            claimed: false,
            commits: Vec::new(),
        });
        story.events.push(Event {
            at: day(5),
            state: Step::Applied,
            by: "M. Maintainer".to_owned(),
            source: "5@example.org".to_owned(),
            ..Event::default()
        });
        let post = compose(&story);
        assert_eq!(
            (post.state.as_str(), post.tone),
            ("applied to bpf-next", Tone::Applied)
        );
        assert_eq!(post.notes, ["v2", "first 1 Mar", "3 patches"]);
        assert_eq!(
            post.steps,
            [
                "v1 1 Mar",
                "v2 2 Mar",
                "applied to bpf-next by M. Maintainer 5 Mar"
            ]
        );
        assert_eq!(reached(&story), ["v2", "applied"]);

        let mut again = story.applied[0].clone();
        (again.tree, again.at) = ("netdev/net-next.git".to_owned(), day(6));
        story.applied.push(again);
        let post = compose(&story);
        assert_eq!(post.state, "applied to net-next");
        assert_eq!(
            post.steps[2], "applied to bpf-next by M. Maintainer 5 Mar",
            "a step keeps its own tree"
        );
    }

    #[test]
    fn a_claim_in_a_mail_is_shown_as_one_and_is_no_milestone() {
        let mut story = series();
        story.revisions = vec![revision(1, 2, 2)];
        story.applied.push(Applied {
            tree: "bpf-next".to_owned(),
            branch: None,
            by: "M. Maintainer".to_owned(),
            at: day(5),
            claimed: true,
            commits: Vec::new(),
        });
        story.events.push(Event {
            at: day(5),
            state: Step::Claimed,
            by: "M. Maintainer".to_owned(),
            source: "5@example.org".to_owned(),
            ..Event::default()
        });
        for (state, said) in [
            (State::Applied, "said to be applied to bpf-next"),
            (
                State::PartlyApplied,
                "said to be partly applied to bpf-next",
            ),
        ] {
            story.state = state;
            let post = compose(&story);
            assert_eq!((post.state.as_str(), reached(&story)), (said, Vec::new()));
            assert_eq!(
                post.steps,
                [
                    "v1 1 Mar",
                    "said to be applied to bpf-next by M. Maintainer 5 Mar"
                ]
            );
        }
        story.state = State::Applied;
        story.applied[0].claimed = false;
        assert_eq!(reached(&story), ["applied"]);
        assert!(
            compose(&story).steps.is_empty(),
            "what was confirmed has a step of its own"
        );
    }

    #[test]
    fn cves_stand_at_the_top_and_half_a_series_is_not_called_applied() {
        let mut story = series();
        story.revisions = vec![revision(1, 2, 2)];
        story.cves = vec!["CVE-2025-1".to_owned()];
        story.commits = vec!["0123456789abcdef".to_owned()];
        story.state = State::PartlyApplied;
        story.events.push(Event {
            at: day(5),
            state: Step::PartlyApplied,
            by: String::new(),
            source: "5@example.org".to_owned(),
            ..Event::default()
        });
        let post = compose(&story);
        assert_eq!(post.notes, ["2 patches", "CVE-2025-1"]);
        let commit = post.commit.map(|commit| commit.words);
        assert_eq!(commit.as_deref(), Some("commit 0123456789ab"));
        assert_eq!(post.steps, ["v1 1 Mar", "partly applied 5 Mar"]);
    }

    #[test]
    fn machines_have_one_line_about_the_newest_revision() {
        let check = |root: &str, text: &str| Check {
            root: root.to_owned(),
            what: "tests".to_owned(),
            text: text.to_owned(),
            at: day(5),
            link: None,
            findings: None,
        };
        let mut story = series();
        story.checks = vec![check("1@example.org", "CI failed")];
        assert_eq!(compose(&story).checks, "", "it has no revision");
        story.revisions = vec![revision(1, 1, 1)];
        assert_eq!(compose(&story).checks, "CI failed");
        story.revisions.push(revision(2, 1, 1));
        assert_eq!(compose(&story).checks, "", "that was the one before");
        story
            .checks
            .push(check("2@example.org", "AI review: 1 \u{202e}finding"));
        story.checks.push(check("2@example.org", "CI passed"));
        assert_eq!(compose(&story).checks, "AI review: 1 finding · CI passed");
    }

    #[test]
    fn a_series_waits_for_the_parts_that_it_counts() {
        let table = [(0, 0, false), (1, 1, false), (2, 3, true), (3, 3, false)];
        for (here, total, waits) in table {
            let mut story = series();
            story.revisions = vec![revision(1, here, total)];
            assert_eq!(waits_for_parts(&story), waits, "{here} of {total}");
        }
        assert!(!waits_for_parts(&series()), "a commit has no parts");
    }

    #[test]
    fn long_texts_are_cut_and_marked() {
        let mut story = series();
        story.title = "x ".repeat(5_000);
        story.summary = vec!["word ".repeat(5_000)];
        story.revisions = vec![revision(1, 40, 40)];
        let post = compose(&story);
        assert!(post.title.chars().count() <= TITLE_CHARS_MAX);
        assert!(post.summary.chars().count() <= SUMMARY_CHARS_MAX);
        assert_eq!((post.parts.len(), post.parts_left_out), (6, 34));
    }

    #[test]
    fn a_link_that_readers_cannot_follow_is_left_out() {
        for link in [
            "javascript:alert(1)",
            "http://127.0.0.1/x",
            "http://localhost/x",
            "file:///etc/passwd",
        ] {
            let mut story = series();
            story.url = Some(link.to_owned());
            assert_eq!(compose(&story).link, None, "{link}");
        }
        assert!(compose(&series()).link.is_some());
    }

    #[test]
    fn content_survives_being_stored() {
        let content = Content::Story(Box::new(compose(&series())));
        let stored = serde_json::to_string(&content).expect("JSON");
        let back: Content = serde_json::from_str(&stored).expect("the same");
        assert_eq!((&back, back.mark()), (&content, "abc123"));
    }
}
