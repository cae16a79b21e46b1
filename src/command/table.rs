//! The table of all commands.

use super::grammar::{Arg, ArgKind, Audience, Completes, Spec};

const fn arg(name: &'static str, about: &'static str, kind: ArgKind, is_required: bool) -> Arg {
    Arg {
        name,
        about,
        kind,
        is_required,
    }
}

const fn reader(path: &'static str, about: &'static str, args: &'static [Arg]) -> Spec {
    Spec {
        audience: Audience::Readers,
        path,
        about,
        args,
    }
}

const fn editor(path: &'static str, about: &'static str, args: &'static [Arg]) -> Spec {
    Spec {
        audience: Audience::Editors,
        path,
        about,
        args,
    }
}

const fn maintainer(path: &'static str, about: &'static str, args: &'static [Arg]) -> Spec {
    Spec {
        audience: Audience::Maintainers,
        path,
        about,
        args,
    }
}

/// The most pages that are turned.
pub const PAGES_MAX: i64 = 1000;

pub(super) const PAGE: Arg = arg("page", "which page", ArgKind::Number(1, PAGES_MAX), false);
const STORY: Arg = arg(
    "story",
    "words of its title, its id, a Message-ID or a link",
    ArgKind::Known(Completes::Story),
    true,
);
const FEED: Arg = arg("feed", "its name", ArgKind::Known(Completes::Feed), true);
const CHANNEL: Arg = arg(
    "channel",
    "its name",
    ArgKind::Known(Completes::Channel),
    true,
);

/// The sections, by the words that [`SectionKind::word`] has for them; a test holds that.
const SECTIONS: &[&str] = &[
    "lwn",
    "highlights",
    "developments",
    "new-series",
    "new-versions",
    "applied",
    "mainline",
    "videos",
    "slides",
    "missed",
    "projects",
    "note",
];
const NUMBER: Arg = arg(
    "number",
    "its number in the list of suggestions",
    ArgKind::Number(1, i64::MAX),
    true,
);
const ISSUE: Arg = arg(
    "number",
    "the issue's number",
    ArgKind::Number(1, 100_000),
    true,
);

const LETTER: Arg = arg(
    "number",
    "its number in the list, or all",
    ArgKind::Text,
    true,
);

/// Every command.
#[rustfmt::skip]
pub const COMMANDS: &[Spec] = &[
    reader("latest", "The latest issue; until there is one, the best of the week so far", &[PAGE]),
    reader("issue", "An issue by its number", &[
        arg("number", "its number", ArgKind::Number(1, 100_000), true),
        PAGE,
    ]),
    reader("story", "One story: what it is, where it stands, what changed", &[STORY]),
    reader("search", "Search the stories: words, \"a phrase\", word*", &[
        arg("words", "what to look for", ArgKind::Text, true),
        PAGE,
    ]),
    reader("open", "Series that wait for an answer, those that wait longest first", &[PAGE]),
    reader("status", "How the feeds fare, and what is told here", &[]),
    reader("suggest", "Suggest a link for the next issue", &[
        arg("url", "its address, http or https", ArgKind::Text, true),
        arg("note", "why it is worth reading", ArgKind::Text, false),
    ]),
    reader("help", "What can be asked", &[arg("command", "which", ArgKind::Known(Completes::Command), false)]),
    editor("draft", "The coming issue as it stands: what each section holds", &[PAGE]),
    editor("pin", "Have a story in the issue, at the top of its section", &[
        STORY,
        arg("section", "where; the highlights where it is left out and nothing moved", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor("drop", "Leave a story out of the issue", &[STORY]),
    editor("move", "Move a story to another section", &[
        STORY,
        arg("section", "where to", ArgKind::OneOf(SECTIONS), true),
    ]),
    editor("note", "Put a remark under a story", &[
        STORY,
        arg("text", "the remark; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor("intro", "Say what the issue begins with", &[
        arg("text", "the introduction; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor("undo", "Take back the last decision of a story, or the last introduction where none is named", &[
        Arg { is_required: false, ..STORY },
    ]),
    editor("suggestions", "What readers suggested and nobody has decided", &[PAGE]),
    editor("accept", "Take a suggestion into the issue", &[
        NUMBER,
        arg("title", "what it is called; its address where it is left out", ArgKind::Text, false),
        arg("section", "where it stands", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor("decline", "Do not take a suggestion", &[NUMBER]),
    editor("publish", "Publish the coming issue now; nothing of it changes after that", &[
        ISSUE,
        arg("sure", "yes, where something speaks against it and it is to come out all the same", ArgKind::OneOf(&["yes"]), false),
    ]),
    editor("withdraw", "Take the newest issue back: its posts are removed, its number is free again", &[ISSUE]),
    editor("correct", "Add a marked correction to an issue that is out", &[
        ISSUE,
        arg("text", "what is right; Markdown", ArgKind::Text, true),
    ]),
    editor("help", "What editors can do", &[
        arg("command", "which", ArgKind::Known(Completes::Command), false),
    ]),
    maintainer("feeds list", "The feeds: how they fare, when they are polled next", &[PAGE]),
    maintainer("feeds add", "Add a feed, after it was fetched once", &[
        arg("name", "what it is to be called: letters, digits and -", ArgKind::Text, true),
        arg("url", "its address", ArgKind::Text, true),
        arg("kind", "what it is; guessed where it is left out", ArgKind::OneOf(&["tree", "archive", "lwn", "feed"]), false),
        arg("branch", "the branch, of a tree", ArgKind::Text, false),
        arg("role", "the role, of a tree", ArgKind::OneOf(&["fixes", "next", "mainline", "stable", "topic"]), false),
        arg("query", "only what this search finds, of an archive", ArgKind::Text, false),
        arg("gives", "what it brings, of a feed", ArgKind::OneOf(&["articles", "releases", "videos"]), false),
    ]),
    maintainer("feeds remove", "Remove a feed that was added here", &[FEED]),
    maintainer("feeds pause", "Poll a feed no more until it is resumed", &[FEED]),
    maintainer("feeds resume", "Poll a feed again", &[FEED]),
    maintainer("feeds test", "Fetch a feed once, keeping nothing, and say what it gave", &[FEED]),
    maintainer("route list", "The channels that are told, and what each takes", &[PAGE]),
    maintainer("route add", "Tell a channel what is new, after a test message was posted there", &[
        arg("name", "what it is to be called: letters, digits and -", ArgKind::Text, true),
        arg("room", "the channel; this one where it is left out", ArgKind::Room, false),
        arg("kinds", "kinds of stories, with commas: series, commit, pull, thread, article, release, video", ArgKind::Text, false),
        arg("feeds", "feeds, with commas", ArgKind::Text, false),
        arg("trees", "trees, with commas", ArgKind::Text, false),
        arg("states", "states, with commas: posted, applied, mainline …", ArgKind::Text, false),
        arg("words", "words of the title, with commas", ArgKind::Text, false),
        arg("people", "people, with commas", ArgKind::Text, false),
        arg("score_min", "the least score; 3 is what matters", ArgKind::Number(-1000, 1000), false),
        arg("mode", "a post for each story, or a list now and then", ArgKind::OneOf(&["stories", "digest"]), false),
        arg("digest_at", "when the list comes, UTC: 08:00, or mon 08:00", ArgKind::Text, false),
        arg("hourly_max", "posts an hour; what is over that is told as a list", ArgKind::Number(1, 1000), false),
        arg("quiet", "hours without posts, UTC: 22:00-06:00", ArgKind::Text, false),
        arg("issues", "whether it is told of each issue", ArgKind::OneOf(&["true", "false"]), false),
        arg("milestones", "how a step is told: by the edit alone, or by an answer too, or in its thread", ArgKind::OneOf(&["edit", "reply", "thread"]), false),
    ]),
    maintainer("route remove", "Tell a channel nothing any more that was added here", &[CHANNEL]),
    maintainer("mute story", "Tell nothing more of a story", &[STORY]),
    maintainer("mute author", "Tell nothing more of an author", &[
        arg("name", "the author's name", ArgKind::Text, true),
    ]),
    maintainer("mute words", "Tell no story whose title has these words", &[
        arg("words", "the words", ArgKind::Text, true),
    ]),
    maintainer("mute list", "What is muted", &[PAGE]),
    maintainer("mute lift", "Tell again what was muted", &[
        arg("number", "its number in the list", ArgKind::Number(1, i64::MAX), true),
    ]),
    maintainer("retract", "Take a story back everywhere", &[STORY]),
    maintainer("suggest list", "What readers suggested", &[PAGE]),
    maintainer("suggest ban", "Take no more suggestions of a person", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer("suggest lift", "Take a person's suggestions again", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer("audit", "Who changed what", &[PAGE]),
    maintainer("letters list", "Messages that could not be delivered", &[PAGE]),
    maintainer("letters retry", "Try again what could not be delivered", &[LETTER]),
    maintainer("letters drop", "Give up what could not be delivered", &[LETTER]),
    maintainer("help", "What maintainers can do", &[
        arg("command", "which", ArgKind::Known(Completes::Command), false),
    ]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue::SectionKind;

    #[test]
    fn sections_are_called_by_their_words() {
        let words: Vec<&str> = SectionKind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(SECTIONS, words);
    }
}
