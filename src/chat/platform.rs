//! The chat systems.

/// A chat system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlatformKind {
    Discord,
    Matrix,
    /// The terminal that the program runs in.
    Terminal,
    /// Mail to its subscribers. It has no rooms and no commands.
    Mail,
    /// An address that gets events as JSON.
    Webhook,
}

impl PlatformKind {
    pub const ALL: [PlatformKind; 5] = [
        PlatformKind::Discord,
        PlatformKind::Matrix,
        PlatformKind::Terminal,
        PlatformKind::Webhook,
        PlatformKind::Mail,
    ];

    /// Those to which a channel can post.
    pub const OF_CHANNELS: [PlatformKind; 4] = [
        PlatformKind::Discord,
        PlatformKind::Matrix,
        PlatformKind::Terminal,
        PlatformKind::Webhook,
    ];

    /// The name in the configuration and in the database.
    pub fn word(self) -> &'static str {
        match self {
            PlatformKind::Discord => "discord",
            PlatformKind::Matrix => "matrix",
            PlatformKind::Terminal => "terminal",
            PlatformKind::Webhook => "webhook",
            PlatformKind::Mail => "mail",
        }
    }

    /// Whether it sends messages to single people.
    pub fn has_people(self) -> bool {
        match self {
            PlatformKind::Discord | PlatformKind::Matrix | PlatformKind::Mail => true,
            PlatformKind::Terminal | PlatformKind::Webhook => false,
        }
    }

    /// The platform with this name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
