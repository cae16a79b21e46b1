//! The configuration. Parses TOML into checked values, and reports all problems at once.
//!
//! The program does not start with a bad configuration. A configuration contains no secrets. This room uses neither
//! the network nor the store.

mod channel;
mod commands;
mod effective;
mod feed;
mod file;
mod follow;
mod git_address;
mod issue;
mod keys;
mod machines;
mod mail;
mod mail_address;
mod network;
mod place;
mod platform;
mod problem;
mod reader;
mod relevance;
mod subsystems;
#[cfg(test)]
mod tests;
mod times;
mod upstream;

pub use crate::chat::PlatformKind;
pub use channel::{ChannelConfig, ChannelMode, Milestones};
pub use commands::CommandsConfig;
pub use effective::{Addition, EffectiveConfig, Origin, TableKind};
pub use file::Config;
pub use follow::FollowConfig;
pub use git_address::{as_http, is_git, protocol};
pub use issue::{IssueConfig, WebConfig};
pub use mail::{MailConfig, MailTls};
pub use mail_address::MailAddress;
pub use network::NetworkConfig;
pub use place::host_and_port;
pub use platform::{DiscordConfig, MatrixConfig};
pub use problem::{ConfigErrors, ConfigProblem};
pub use times::{QuietHours, Schedule};
pub use upstream::{
    FeedAddresses, FeedConfig, FeedKind, Gives, Identity, NewsLogin, TreeRole, UpstreamKind,
};
