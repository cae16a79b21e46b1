//! Every key of the configuration, and the table that it stands in.

/// The tables a key can stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Within {
    Top,
    Network,
    Relevance,
    Weights,
    Feed,
    Discord,
    Channel,
}

impl Within {
    /// Where that is, for a person.
    pub(super) fn place(self) -> &'static str {
        match self {
            Within::Top => "above the first [table]",
            Within::Network => "in [network]",
            Within::Relevance => "in [relevance]",
            Within::Weights => "in [relevance.weights]",
            Within::Feed => "in a [[feed]]",
            Within::Discord => "in [discord]",
            Within::Channel => "in a [[channel]]",
        }
    }
}

/// Every key there is, and the table it stands in: what a slip of the pen is compared with, and what the example must
/// explain.
pub(super) const KEYS: &[(Within, &str)] = &[
    (Within::Top, "database"),
    (Within::Top, "network"),
    (Within::Top, "feed"),
    (Within::Network, "allow_private_hosts"),
    (Within::Network, "contact"),
    (Within::Network, "page"),
    (Within::Network, "host_gap_ms"),
    (Within::Network, "request_timeout_s"),
    (Within::Top, "relevance"),
    (Within::Relevance, "title_words"),
    (Within::Relevance, "path_words"),
    (Within::Relevance, "weights"),
    (Within::Weights, "kfunc"),
    (Within::Weights, "helper"),
    (Within::Weights, "program_type"),
    (Within::Weights, "map_type"),
    (Within::Weights, "uapi"),
    (Within::Weights, "jit"),
    (Within::Weights, "verifier"),
    (Within::Weights, "arena"),
    (Within::Weights, "sched_ext"),
    (Within::Weights, "security"),
    (Within::Weights, "revert"),
    (Within::Weights, "breakage"),
    (Within::Weights, "nack"),
    (Within::Weights, "review"),
    (Within::Weights, "applied"),
    (Within::Weights, "lwn"),
    (Within::Weights, "selftests_only"),
    (Within::Weights, "trivial"),
    (Within::Weights, "driver"),
    (Within::Weights, "backport"),
    (Within::Feed, "name"),
    (Within::Feed, "kind"),
    (Within::Feed, "url"),
    (Within::Feed, "poll_gap_s"),
    (Within::Feed, "bpf_only"),
    (Within::Feed, "branch"),
    (Within::Feed, "paths"),
    (Within::Feed, "role"),
    (Within::Feed, "query"),
    (Within::Feed, "gives"),
    (Within::Top, "discord"),
    (Within::Discord, "token_file"),
    (Within::Discord, "api"),
    (Within::Top, "channel"),
    (Within::Channel, "name"),
    (Within::Channel, "platform"),
    (Within::Channel, "id"),
    (Within::Channel, "mode"),
    (Within::Channel, "digest_at"),
    (Within::Channel, "hourly_max"),
    (Within::Channel, "quiet"),
    (Within::Channel, "milestones"),
    (Within::Channel, "maintainers"),
    (Within::Channel, "kinds"),
    (Within::Channel, "feeds"),
    (Within::Channel, "trees"),
    (Within::Channel, "states"),
    (Within::Channel, "words"),
    (Within::Channel, "people"),
    (Within::Channel, "score_min"),
    (Within::Channel, "off_topic"),
];
