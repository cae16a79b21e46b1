//! The table of all commands.

use super::spec::{
    Arg, ArgKind, Audience, CommandId as Id, CommandSpec, Completes, Disclosure, Pace,
};

const fn arg(name: &'static str, about: &'static str, kind: ArgKind, is_required: bool) -> Arg {
    Arg {
        name,
        about,
        kind,
        is_required,
    }
}

const fn spec(
    id: Id,
    audience: Audience,
    path: &'static str,
    about: &'static str,
    args: &'static [Arg],
) -> CommandSpec {
    CommandSpec {
        id,
        audience,
        path,
        about,
        args,
        pace: Pace::Database,
        disclosure: match audience {
            Audience::Readers => Disclosure::Everybody,
            Audience::Editors | Audience::Maintainers => Disclosure::Requester,
        },
    }
}

const fn reader(
    id: Id,
    path: &'static str,
    about: &'static str,
    args: &'static [Arg],
) -> CommandSpec {
    spec(id, Audience::Readers, path, about, args)
}

const fn editor(
    id: Id,
    path: &'static str,
    about: &'static str,
    args: &'static [Arg],
) -> CommandSpec {
    spec(id, Audience::Editors, path, about, args)
}

const fn maintainer(
    id: Id,
    path: &'static str,
    about: &'static str,
    args: &'static [Arg],
) -> CommandSpec {
    spec(id, Audience::Maintainers, path, about, args)
}

impl CommandSpec {
    const fn on_network(mut self) -> Self {
        self.pace = Pace::Network;
        self
    }

    const fn to_requester(mut self) -> Self {
        self.disclosure = Disclosure::Requester;
        self
    }

    const fn to_maintainers(mut self) -> Self {
        self.disclosure = Disclosure::Maintainers;
        self
    }
}

/// The highest page number.
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

/// The words of [`crate::issue::SectionKind`], as a test checks.
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

#[rustfmt::skip]
pub const COMMANDS: &[CommandSpec] = &[
    reader(Id::Latest, "latest", "The latest issue; until there is one, the best of the week so far", &[PAGE]),
    reader(Id::Issue, "issue", "An issue by its number", &[
        arg("number", "its number", ArgKind::Number(1, 100_000), true),
        PAGE,
    ]),
    reader(Id::Story, "story", "One story: what it is, where it stands, what changed", &[STORY]),
    reader(Id::Search, "search", "Search the stories: words, \"a phrase\", word*", &[
        arg("words", "what to look for", ArgKind::Text, true),
        PAGE,
    ]),
    reader(Id::Open, "open", "Series that wait for an answer, those that wait longest first", &[PAGE]),
    reader(Id::Status, "status", "How the feeds fare, and what is told here", &[]),
    reader(Id::Suggest, "suggest", "Suggest a link for the next issue", &[
        arg("url", "its address, http or https", ArgKind::Text, true),
        arg("note", "why it is worth reading", ArgKind::Text, false),
    ]).to_requester(),
    reader(Id::Help, "help", "What can be asked", &[arg("command", "which", ArgKind::Known(Completes::Command), false)]).to_requester(),
    editor(Id::Draft, "draft", "The coming issue as it stands: what each section holds", &[PAGE]),
    editor(Id::Pin, "pin", "Have a story in the issue, at the top of its section", &[
        STORY,
        arg("section", "where; the highlights where it is left out and nothing moved", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor(Id::Drop, "drop", "Leave a story out of the issue", &[STORY]),
    editor(Id::Move, "move", "Move a story to another section", &[
        STORY,
        arg("section", "where to", ArgKind::OneOf(SECTIONS), true),
    ]),
    editor(Id::Note, "note", "Put a remark under a story", &[
        STORY,
        arg("text", "the remark; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor(Id::Intro, "intro", "Say what the issue begins with", &[
        arg("text", "the introduction; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor(Id::Undo, "undo", "Take back the last decision of a story, or the last introduction where none is named", &[
        Arg { is_required: false, ..STORY },
    ]),
    editor(Id::Suggestions, "suggestions", "What readers suggested and nobody has decided", &[PAGE]),
    editor(Id::Accept, "accept", "Take a suggestion into the issue", &[
        NUMBER,
        arg("title", "what it is called; its address where it is left out", ArgKind::Text, false),
        arg("section", "where it stands", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor(Id::Decline, "decline", "Do not take a suggestion", &[NUMBER]),
    editor(Id::Publish, "publish", "Publish the coming issue now; nothing of it changes after that", &[
        ISSUE,
        arg("sure", "yes, where something speaks against it and it is to come out all the same", ArgKind::OneOf(&["yes"]), false),
    ]),
    editor(Id::Withdraw, "withdraw", "Take the newest issue back: its posts are removed, its number is free again", &[ISSUE]),
    editor(Id::Correct, "correct", "Add a marked correction to an issue that is out", &[
        ISSUE,
        arg("text", "what is right; Markdown", ArgKind::Text, true),
    ]),
    editor(Id::Help, "help", "What editors can do", &[
        arg("command", "which", ArgKind::Known(Completes::Command), false),
    ]),
    maintainer(Id::FeedsList, "feeds list", "The feeds: how they fare, when they are polled next", &[PAGE]).to_maintainers(),
    maintainer(Id::FeedsAdd, "feeds add", "Add a feed, after it was fetched once", &[
        arg("name", "what it is to be called: letters, digits and -", ArgKind::Text, true),
        arg("url", "its address", ArgKind::Text, true),
        arg("kind", "what it is; guessed where it is left out", ArgKind::OneOf(&["tree", "archive", "lwn", "feed"]), false),
        arg("branch", "the branch, of a tree", ArgKind::Text, false),
        arg("role", "the role, of a tree", ArgKind::OneOf(&["fixes", "next", "mainline", "stable", "topic"]), false),
        arg("query", "only what this search finds, of an archive", ArgKind::Text, false),
        arg("gives", "what it brings, of a feed", ArgKind::OneOf(&["articles", "releases", "videos"]), false),
    ]).on_network(),
    maintainer(Id::FeedsRemove, "feeds remove", "Remove a feed that was added here", &[FEED]),
    maintainer(Id::FeedsPause, "feeds pause", "Poll a feed no more until it is resumed", &[FEED]),
    maintainer(Id::FeedsResume, "feeds resume", "Poll a feed again", &[FEED]),
    maintainer(Id::FeedsTest, "feeds test", "Fetch a feed once, keeping nothing, and say what it gave", &[FEED]).on_network().to_maintainers(),
    maintainer(Id::RouteList, "route list", "The channels that are told, and what each takes", &[PAGE]).to_maintainers(),
    maintainer(Id::RouteAdd, "route add", "Tell a channel what is new, after a test message was posted there", &[
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
    ]).on_network(),
    maintainer(Id::RouteRemove, "route remove", "Tell a channel nothing any more that was added here", &[CHANNEL]),
    maintainer(Id::MuteStory, "mute story", "Tell nothing more of a story", &[STORY]),
    maintainer(Id::MuteAuthor, "mute author", "Tell nothing more of an author", &[
        arg("name", "the author's name", ArgKind::Text, true),
    ]),
    maintainer(Id::MuteWords, "mute words", "Tell no story whose title has these words", &[
        arg("words", "the words", ArgKind::Text, true),
    ]),
    maintainer(Id::MuteList, "mute list", "What is muted", &[PAGE]).to_maintainers(),
    maintainer(Id::MuteLift, "mute lift", "Tell again what was muted", &[
        arg("number", "its number in the list", ArgKind::Number(1, i64::MAX), true),
    ]),
    maintainer(Id::Retract, "retract", "Take a story back everywhere", &[STORY]),
    maintainer(Id::SuggestList, "suggest list", "What readers suggested", &[PAGE]).to_maintainers(),
    maintainer(Id::SuggestBan, "suggest ban", "Take no more suggestions of a person", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer(Id::SuggestLift, "suggest lift", "Take a person's suggestions again", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer(Id::Audit, "audit", "Who changed what", &[PAGE]).to_maintainers(),
    maintainer(Id::LettersList, "letters list", "Messages that could not be delivered", &[PAGE]).to_maintainers(),
    maintainer(Id::LettersRetry, "letters retry", "Try again what could not be delivered", &[LETTER]),
    maintainer(Id::LettersDrop, "letters drop", "Give up what could not be delivered", &[LETTER]),
    maintainer(Id::Help, "help", "What maintainers can do", &[
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
