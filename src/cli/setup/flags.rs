//! The flags of `setup`, which answer its questions.

use crate::app::Refused;
use crate::config::PlatformKind;

/// The answers as flags: without a terminal, each question needs its flag.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct SetupFlags {
    /// How the operator of a site can reach you: an address or a page; empty for none.
    #[arg(long, value_name = "TEXT")]
    pub(super) contact: Option<String>,
    /// Where to post: discord, matrix, or terminal.
    #[arg(long, value_name = "PLACE", value_parser = platform)]
    pub(super) post: Option<PlatformKind>,
    /// The id of the channel on Discord or of the room on Matrix.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(super) channel: Option<String>,
    /// Discord: the file with the bot's token. If there is no such file, setup reads the token from the terminal or from standard
    /// input, and writes the file.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<String>,
    /// Discord: the address of a compatible server [default: Discord's].
    #[arg(long, value_name = "URL")]
    pub(super) api: Option<String>,
    /// Matrix: the address of the homeserver.
    #[arg(long, value_name = "URL")]
    pub(super) homeserver: Option<String>,
    /// Matrix: the bot's account, such as @bpfnews:example.org.
    #[arg(long, value_name = "ACCOUNT")]
    pub(super) user: Option<String>,
    /// Matrix: the file with the account's password, like --token-file.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<String>,
    /// Whether to post a test message: yes or no.
    #[arg(long, value_name = "YES", value_parser = yes_or_no)]
    pub(super) test_message: Option<bool>,
    /// The topics of the feeds, with commas, or all.
    #[arg(long, value_name = "TOPICS")]
    pub(super) topics: Option<String>,
    /// Overwrite the file if there is one. Files with secrets are never overwritten.
    #[arg(long)]
    pub(super) force: bool,
}

pub(super) fn platform(word: &str) -> Result<PlatformKind, String> {
    match word.trim().to_lowercase().as_str() {
        "none" => Ok(PlatformKind::Terminal),
        word => PlatformKind::of(word)
            .filter(|kind| PlatformKind::OF_CHANNELS.contains(kind))
            .filter(|kind| *kind != PlatformKind::Webhook)
            .ok_or_else(|| "the answers are discord, matrix and terminal".to_owned()),
    }
}

pub(super) fn yes_or_no(word: &str) -> Result<bool, String> {
    match word.trim().to_lowercase().as_str() {
        "yes" | "y" | "true" => Ok(true),
        "no" | "n" | "false" => Ok(false),
        _ => Err("the answers are yes and no".to_owned()),
    }
}

impl SetupFlags {
    /// Refuses flags that do not belong together, and, without a terminal, missing ones.
    pub(super) fn check(&self, is_terminal: bool) -> Result<(), Refused> {
        use PlatformKind::{Discord, Matrix};
        let both = &[Discord, Matrix][..];
        let flags = [
            ("--channel", both, self.channel.is_some()),
            ("--token-file", &[Discord], self.token_file.is_some()),
            ("--homeserver", &[Matrix], self.homeserver.is_some()),
            ("--user", &[Matrix], self.user.is_some()),
            ("--password-file", &[Matrix], self.password_file.is_some()),
            ("--test-message", both, self.test_message.is_some()),
        ];
        if let Some(post) = self.post {
            let strange = |(_, of, is_given): &&(&str, &[PlatformKind], bool)| {
                *is_given && !of.contains(&post)
            };
            if let Some((flag, of, _)) = flags.iter().find(strange) {
                let of: Vec<&str> = of.iter().map(|platform| platform.word()).collect();
                let (of, post) = (of.join(" or "), post.word());
                return Err(Refused(format!(
                    "{flag} belongs to --post {of}, not to --post {post}"
                )));
            }
        }
        if is_terminal {
            return Ok(());
        }
        let general = [
            ("--contact", self.contact.is_some()),
            ("--post", self.post.is_some()),
            ("--topics", self.topics.is_some()),
        ];
        let of_post = flags
            .iter()
            .filter(|(_, of, _)| self.post.is_some_and(|post| of.contains(&post)));
        let of_post = of_post.map(|(flag, _, is_given)| (*flag, *is_given));
        let missing = general.into_iter().chain(of_post);
        let missing: Vec<&str> = missing
            .filter_map(|(flag, is_given)| (!is_given).then_some(flag))
            .collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(Refused(format!(
                "there is no terminal to ask on: also give {}",
                missing.join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_the_missing_flags_are_named_and_strange_ones_always() {
        let flags = SetupFlags {
            post: Some(PlatformKind::Discord),
            contact: Some(String::new()),
            ..SetupFlags::default()
        };
        let missing = flags
            .check(false)
            .expect_err("some are missing")
            .to_string();
        for flag in ["--channel", "--token-file", "--test-message", "--topics"] {
            assert!(missing.contains(flag), "{missing}");
        }
        assert!(
            !missing.contains("--user") && !missing.contains("--contact"),
            "{missing}"
        );
        assert!(flags.check(true).is_ok());
        let strange = SetupFlags {
            user: Some("@a:b".to_owned()),
            ..flags
        };
        let said = strange.check(true).expect_err("it is Matrix's").to_string();
        assert_eq!(
            said,
            "--user belongs to --post matrix, not to --post discord"
        );
    }
}
