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

pub(super) const PAGE: Arg = arg(
    "page",
    "the page number",
    ArgKind::Number(1, PAGES_MAX),
    false,
);
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
    reader(Id::Latest, "latest", "The latest issue, or the best of the week before the first one", &[PAGE]),
    reader(Id::Issue, "issue", "An issue by its number", &[
        arg("number", "its number", ArgKind::Number(1, 100_000), true),
        PAGE,
    ]),
    reader(Id::Story, "story", "One story: its kind, its state and its changes", &[STORY]),
    reader(Id::Search, "search", "Search the stories: words, \"a phrase\", word*, or a filter such as path:kernel/bpf/", &[
        arg("words", "the words to search for", ArgKind::Text, true),
        PAGE,
    ]),
    reader(Id::Open, "open", "Series that wait for a review, the longest wait first", &[PAGE]),
    reader(Id::Status, "status", "The health of the feeds, and the posts that come here", &[]),
    reader(Id::Suggest, "suggest", "Suggest a link for the next issue", &[
        arg("url", "its address, http or https", ArgKind::Text, true),
        arg("note", "why it is worth reading", ArgKind::Text, false),
    ]).to_requester(),
    reader(Id::Follow, "follow", "Get a direct message when a story, an author's stories or the stories of a filter move", &[
        arg("what", "a story as for the command story, author:NAME, or a filter", ArgKind::Known(Completes::Story), true),
        arg("way", "direct: by direct message; thread: by a mention in the thread of the story's post", ArgKind::OneOf(&["direct", "thread"]), false),
    ]).to_requester(),
    reader(Id::Follows, "follows", "What you follow", &[PAGE]).to_requester(),
    reader(Id::Unfollow, "unfollow", "Stop following", &[
        arg("number", "its number in the list of follows, or all", ArgKind::Text, true),
    ]).to_requester(),
    reader(Id::ForgetMe, "forget me", "Erase everything that is stored about you, and say what it was", &[]).to_requester(),
    reader(Id::MailAdd, "mail add", "Get each issue by mail; a mail asks you to confirm", &[
        arg("address", "your address for mail", ArgKind::Text, true),
    ]).to_requester(),
    reader(Id::Help, "help", "List the commands", &[arg("command", "the command", ArgKind::Known(Completes::Command), false)]).to_requester(),
    editor(Id::Draft, "draft", "The coming issue so far, section by section", &[PAGE]),
    editor(Id::Pin, "pin", "Put a story at the top of its section in the coming issue", &[
        STORY,
        arg("section", "the section; if missing, the one it was moved to, or the highlights", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor(Id::Drop, "drop", "Leave a story out of the issue", &[STORY]),
    editor(Id::Move, "move", "Move a story to another section", &[
        STORY,
        arg("section", "the new section", ArgKind::OneOf(SECTIONS), true),
    ]),
    editor(Id::Note, "note", "Put a remark under a story", &[
        STORY,
        arg("text", "the remark; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor(Id::Intro, "intro", "Set the introduction of the coming issue", &[
        arg("text", "the introduction; Markdown, on Discord \\n for a new line", ArgKind::Text, true),
    ]),
    editor(Id::Undo, "undo", "Undo the last decision about a story, or the last introduction if no story is named", &[
        Arg { is_required: false, ..STORY },
    ]),
    editor(Id::Suggestions, "suggestions", "Suggestions of readers that wait for a decision", &[PAGE]),
    editor(Id::Accept, "accept", "Put a suggestion into the coming issue", &[
        NUMBER,
        arg("title", "its title; if missing, its address", ArgKind::Text, false),
        arg("section", "the section", ArgKind::OneOf(SECTIONS), false),
    ]),
    editor(Id::Decline, "decline", "Decline a suggestion", &[NUMBER]),
    editor(Id::Publish, "publish", "Publish the coming issue now; it cannot be changed afterwards", &[
        ISSUE,
        arg("sure", "yes, to publish even if there are doubts", ArgKind::OneOf(&["yes"]), false),
    ]),
    editor(Id::Withdraw, "withdraw", "Withdraw the newest issue: its posts are removed and its number becomes free", &[ISSUE]),
    editor(Id::Correct, "correct", "Add a marked correction to a published issue", &[
        ISSUE,
        arg("text", "the correction; Markdown", ArgKind::Text, true),
    ]),
    editor(Id::Help, "help", "List the commands of editors", &[
        arg("command", "the command", ArgKind::Known(Completes::Command), false),
    ]),
    maintainer(Id::FeedsList, "feeds list", "The feeds with their health and their next poll", &[PAGE]).to_maintainers(),
    maintainer(Id::FeedsAdd, "feeds add", "Add a feed after a test fetch", &[
        arg("name", "a name: letters, digits and -", ArgKind::Text, true),
        arg("url", "its address", ArgKind::Text, true),
        arg("kind", "its kind; if missing, guessed from the address", ArgKind::OneOf(&["tree", "archive", "lwn", "feed"]), false),
        arg("branch", "the branch of a tree", ArgKind::Text, false),
        arg("role", "the role of a tree", ArgKind::OneOf(&["fixes", "next", "mainline", "stable", "topic"]), false),
        arg("query", "for an archive: a search that limits it", ArgKind::Text, false),
        arg("gives", "for a feed: the kind of its entries", ArgKind::OneOf(&["articles", "releases", "videos"]), false),
    ]).on_network(),
    maintainer(Id::FeedsRemove, "feeds remove", "Remove a feed that was added here", &[FEED]),
    maintainer(Id::FeedsPause, "feeds pause", "Stop polling a feed until it is resumed", &[FEED]),
    maintainer(Id::FeedsResume, "feeds resume", "Resume polling a feed", &[FEED]),
    maintainer(Id::FeedsTest, "feeds test", "Fetch a feed once, store nothing, and show the result", &[FEED]).on_network().to_maintainers(),
    maintainer(Id::RouteList, "route list", "The channels and their filters", &[PAGE]).to_maintainers(),
    maintainer(Id::RouteAdd, "route add", "Post news to a channel, starting with a test message", &[
        arg("name", "a name: letters, digits and -", ArgKind::Text, true),
        arg("room", "the channel; if missing, this one", ArgKind::Room, false),
        arg("kinds", "kinds of stories, with commas: series, commit, pull, thread, article, release, video", ArgKind::Text, false),
        arg("feeds", "feeds, with commas", ArgKind::Text, false),
        arg("trees", "trees, with commas", ArgKind::Text, false),
        arg("states", "states, with commas: posted, applied, mainline …", ArgKind::Text, false),
        arg("words", "words of the title, with commas", ArgKind::Text, false),
        arg("people", "people, with commas", ArgKind::Text, false),
        arg("score_min", "the lowest score; 3 means important", ArgKind::Number(-1000, 1000), false),
        arg("filter", "a filter that takes the stories: path:kernel/bpf/ and not kind:commit", ArgKind::Text, false),
        arg("mode", "a post for each story, or a list at set times", ArgKind::OneOf(&["stories", "digest"]), false),
        arg("digest_at", "the time of the list, UTC: 08:00, or mon 08:00", ArgKind::Text, false),
        arg("hourly_max", "the most posts an hour; further ones become a list", ArgKind::Number(1, 1000), false),
        arg("quiet", "hours without posts, UTC: 22:00-06:00", ArgKind::Text, false),
        arg("issues", "whether new issues are posted", ArgKind::OneOf(&["true", "false"]), false),
        arg("milestones", "how a milestone is posted: as an edit only, also as a reply, or in the thread", ArgKind::OneOf(&["edit", "reply", "thread"]), false),
    ]).on_network(),
    maintainer(Id::RouteRemove, "route remove", "Stop posting to a channel that was added here", &[CHANNEL]),
    maintainer(Id::RouteExplain, "route explain", "Why a channel takes or refuses a story, clause by clause", &[CHANNEL, STORY]).to_maintainers(),
    maintainer(Id::MuteStory, "mute story", "Stop posting about a story", &[STORY]),
    maintainer(Id::MuteAuthor, "mute author", "Stop posting stories of an author", &[
        arg("name", "the author's name", ArgKind::Text, true),
    ]),
    maintainer(Id::MuteWords, "mute words", "Stop posting stories with these words in the title", &[
        arg("words", "the words", ArgKind::Text, true),
    ]),
    maintainer(Id::MuteList, "mute list", "List the mutes", &[PAGE]).to_maintainers(),
    maintainer(Id::MuteLift, "mute lift", "End a mute", &[
        arg("number", "its number in the list", ArgKind::Number(1, i64::MAX), true),
    ]),
    maintainer(Id::Retract, "retract", "Remove a story's posts everywhere", &[STORY]),
    maintainer(Id::SuggestList, "suggest list", "Suggestions of readers", &[PAGE]).to_maintainers(),
    maintainer(Id::SuggestBan, "suggest ban", "Ban a person from suggesting links", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer(Id::SuggestLift, "suggest lift", "Lift a person's ban", &[
        arg("person", "the person's id", ArgKind::Text, true),
    ]),
    maintainer(Id::Audit, "audit", "Changes made in chat", &[PAGE]).to_maintainers(),
    maintainer(Id::LettersList, "letters list", "Messages that could not be delivered", &[PAGE]).to_maintainers(),
    maintainer(Id::LettersRetry, "letters retry", "Retry messages that could not be delivered", &[LETTER]),
    maintainer(Id::LettersDrop, "letters drop", "Drop messages that could not be delivered", &[LETTER]),
    maintainer(Id::Help, "help", "List the commands of maintainers", &[
        arg("command", "the command", ArgKind::Known(Completes::Command), false),
    ]),
];

/// The command with this path.
pub fn find(audience: Audience, path: &str) -> Option<&'static CommandSpec> {
    COMMANDS
        .iter()
        .find(|spec| spec.audience == audience && spec.path == path)
}

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
