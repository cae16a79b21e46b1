//! The chat systems.

/// A chat system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PlatformKind {
    Discord,
    Matrix,
    /// The terminal that the program runs in.
    Terminal,
    /// An address that gets events as JSON.
    Webhook,
}

impl PlatformKind {
    pub const ALL: [PlatformKind; 4] = [
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
        }
    }

    /// The platform with this name.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
