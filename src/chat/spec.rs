//! The description of a command: its name, its arguments, and how it runs.

/// The people a command is for. Each audience has one top-level command, and the others are its sub-commands:
/// `/bpfnews latest`, `/bpfnews-admin audit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    Readers,
    /// The people who finish the issue.
    Editors,
    /// The people who may change feeds, channels and mutes.
    Maintainers,
}

impl Audience {
    pub const ALL: [Audience; 3] = [Audience::Readers, Audience::Editors, Audience::Maintainers];

    /// The name of the top-level command.
    pub fn command(self) -> &'static str {
        match self {
            Self::Readers => "bpfnews",
            Self::Editors => "bpfnews-edit",
            Self::Maintainers => "bpfnews-admin",
        }
    }
}

/// Identifies a command. The handler matches on it, so that a command without a function does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommandId {
    Latest,
    Issue,
    Story,
    Search,
    Open,
    Status,
    Suggest,
    Follow,
    Follows,
    Unfollow,
    ForgetMe,
    MailAdd,
    /// Each audience has its own.
    Help,
    Draft,
    Pin,
    Drop,
    Move,
    Note,
    Intro,
    Undo,
    Suggestions,
    Accept,
    Decline,
    Publish,
    Withdraw,
    Correct,
    FeedsList,
    FeedsAdd,
    FeedsRemove,
    FeedsPause,
    FeedsResume,
    FeedsTest,
    RouteList,
    RouteAdd,
    RouteRemove,
    RouteExplain,
    MuteStory,
    MuteAuthor,
    MuteWords,
    MuteList,
    MuteLift,
    Retract,
    SuggestList,
    SuggestBan,
    SuggestLift,
    Audit,
    LettersList,
    LettersRetry,
    LettersDrop,
}

/// The resource that a command waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The database. Only a few of these commands run in parallel, because the loops need it too.
    Database,
    /// Somebody else's server.
    Network,
}

/// The people who may read an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disclosure {
    Everybody,
    /// The requester, on platforms with private answers.
    Requester,
    /// Maintainers. The answer contains people's ids, addresses or answers of servers.
    Maintainers,
}

/// The values that complete an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completes {
    Story,
    Feed,
    Channel,
    Command,
}

/// The type of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgKind {
    /// One or more words.
    Text,
    /// An integer in this range.
    Number(i64, i64),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A text with completion.
    Known(Completes),
    /// A room: picked on Discord, an id elsewhere. If it is missing, the room of the command.
    Room,
}

/// An argument. In a [`CommandSpec`], required arguments come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arg {
    pub name: &'static str,
    /// The description that people see; at most 100 characters.
    pub about: &'static str,
    pub kind: ArgKind,
    pub is_required: bool,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandSpec {
    pub id: CommandId,
    pub audience: Audience,
    /// One word, or a group and a word: `latest`, `feeds add`.
    pub path: &'static str,
    /// The description that people see; at most 100 characters.
    pub about: &'static str,
    pub args: &'static [Arg],
    pub pace: Pace,
    pub disclosure: Disclosure,
}
