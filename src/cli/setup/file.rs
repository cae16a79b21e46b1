//! Writes the answers as a configuration file for people.

use std::fmt::Write as _;
use std::path::Path;

use super::topics::{FeedTopic, feeds};
use crate::config::Config;

/// The answers that the file needs.
#[derive(Debug, Clone)]
pub(super) struct SetupAnswers {
    pub(super) contact: Option<String>,
    pub(super) posts: PostTarget,
    /// The chosen topics, in the order of the example.
    pub(super) topics: Vec<FeedTopic>,
}

/// The place of the posts. Files are named as in the configuration: a relative path starts at its folder.
#[derive(Debug, Clone)]
pub(super) enum PostTarget {
    Terminal,
    Discord {
        token_file: String,
        /// The channel's id.
        channel: String,
        /// The address of a compatible server.
        api: Option<String>,
    },
    Matrix {
        homeserver: String,
        user: String,
        password_file: String,
        /// The room's id.
        room: String,
    },
}

/// The name of the channel in the file.
pub(super) const CHANNEL: &str = "bpf-news";

const HEAD: &str = "\
# The configuration of bpfnews, written by `bpfnews setup`.
#
# `bpfnews check` lists all problems of this file. `bpfnews check --online` also tries each feed and channel.
# `bpfnews init --config all.toml` writes a file with every key and every feed, each explained. Copy from it what you
# need. Never put secrets into this file.

# The SQLite file. A relative path starts at the folder of this file.
database = \"bpfnews.sqlite\"
";

const CHANNEL_NOTES: &str = "\
# The newsletter, too, when there is an issue
issues = true
# For the more important stories only, one in eight, remove the # here:
# score_min = 3
# For at most six posts an hour (further stories wait, and come as a list):
# hourly_max = 6
";

/// The text of the configuration.
pub(super) fn compose(answers: &SetupAnswers) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n[network]\n");
    match &answers.contact {
        Some(contact) => {
            text.push_str("# How the operator of a site can reach you. Every request contains it, in the User-Agent.\n");
            put(&mut text, "contact", contact);
        }
        None => text.push_str(
            "# How the operator of a site can reach you: an address or a page. Please set it.\n# contact = \"bpfnews@example.org\"\n",
        ),
    }
    text.push_str(&target_tables(&answers.posts));
    let mut left: Vec<_> = feeds().into_iter().map(Some).collect();
    for topic in &answers.topics {
        let _ = write!(
            text,
            "\n# {}\n# Topic {}: {}\n# {}\n",
            "-".repeat(117),
            topic.word,
            topic.about,
            "-".repeat(117)
        );
        for feed in &mut left {
            if let Some(feed) = feed.take_if(|feed| feed.topics.contains(&topic.word)) {
                let _ = write!(text, "\n{}{}\n", feed.comment, feed.table);
            }
        }
    }
    text
}

/// The tables for the place of the posts.
pub(super) fn target_tables(posts: &PostTarget) -> String {
    let mut text = String::new();
    let (platform, id) = match posts {
        PostTarget::Terminal => {
            text.push_str(
                "\n# There is no [[channel]], so `bpfnews run` shows the posts on its terminal. To post to Discord or Matrix, see\n\
                 # docs/set-up.md, or run `bpfnews setup --force` again.\n",
            );
            return text;
        }
        PostTarget::Discord {
            token_file,
            channel,
            api,
        } => {
            text.push_str("\n[discord]\n# The file with the bot's token. Only its owner should be able to read it.\n");
            put(&mut text, "token_file", token_file);
            if let Some(api) = api {
                text.push_str("# The address of a server that is compatible with Discord\n");
                put(&mut text, "api", api);
            }
            ("discord", channel)
        }
        PostTarget::Matrix {
            homeserver,
            user,
            password_file,
            room,
        } => {
            text.push_str("\n[matrix]\n");
            put(&mut text, "homeserver", homeserver);
            text.push_str("# The bot's own account. No person and no other program may use it.\n");
            put(&mut text, "user", user);
            text.push_str(
                "# The file with its password, which only the first login needs. Only its owner should be able to read it.\n",
            );
            put(&mut text, "password_file", password_file);
            ("matrix", room)
        }
    };
    text.push_str("\n# The channel for the posts: it gets every story about BPF from the feeds below.\n[[channel]]\n");
    put(&mut text, "name", CHANNEL);
    put(&mut text, "platform", platform);
    put(&mut text, "id", id);
    text.push_str(CHANNEL_NOTES);
    text
}

/// Writes a key with a text, quoted as TOML needs it.
fn put(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = {}", toml::Value::from(value));
}

/// Checks tables by the rules of the whole configuration.
///
/// # Errors
///
/// Returns the messages of all problems.
pub(super) fn check_tables(tables: &str) -> Result<(), String> {
    const FEED: &str =
        "\n[[feed]]\nname = \"a\"\nkind = \"lwn\"\nurl = \"https://lwn.net/headlines/rss\"\n";
    let read = Config::parse(&format!("{tables}{FEED}"), Path::new("config.toml"));
    let messages = |problem: crate::config::ConfigErrors| {
        let messages = problem.problems.into_iter().map(|problem| problem.message);
        messages.collect::<Vec<_>>().join("; ")
    };
    read.map(drop).map_err(messages)
}

/// A table with one key.
pub(super) fn one_key(table: &str, key: &str, value: &str) -> String {
    let mut text = format!("{table}\n");
    put(&mut text, key, value);
    text
}

#[cfg(test)]
mod tests {
    use super::super::topics::topics;
    use super::*;

    fn discord(channel: &str) -> PostTarget {
        PostTarget::Discord {
            token_file: "my \"token\"".to_owned(),
            channel: channel.to_owned(),
            api: None,
        }
    }

    #[test]
    fn every_choice_of_topics_is_a_good_configuration_without_repetition() {
        let all = topics();
        for chosen in 1..1_u32 << all.len() {
            let topics = all.iter().enumerate();
            let topics = topics.filter(|(place, _)| chosen >> place & 1 == 1);
            let answers = SetupAnswers {
                contact: Some("me@example.org".to_owned()),
                posts: discord("123456789012345678"),
                topics: topics.map(|(_, topic)| *topic).collect(),
            };
            let text = compose(&answers);
            let config = Config::parse(&text, Path::new("config.toml"));
            let config = config.unwrap_or_else(|errors| panic!("{errors}\n{text}"));
            let wanted = |feed: &super::super::topics::ExampleFeed| {
                answers
                    .topics
                    .iter()
                    .any(|topic| feed.topics.contains(&topic.word))
            };
            assert_eq!(
                config.feeds.len(),
                feeds().iter().filter(|feed| wanted(feed)).count()
            );
            assert_eq!(config.network.contact.as_deref(), Some("me@example.org"));
            assert_eq!(config.channels.len(), 1);
            assert!(
                text.lines().all(|line| line.chars().count() <= 120),
                "{text}"
            );
        }
    }

    #[test]
    fn answers_are_checked_by_the_rules_of_the_file() {
        assert_eq!(
            check_tables(&target_tables(&discord("123456789012345678"))),
            Ok(())
        );
        let wrong = check_tables(&target_tables(&discord("general"))).expect_err("it is no number");
        assert!(wrong.contains("the channel's id, a number"), "{wrong}");
        assert_eq!(
            check_tables(&one_key("[network]", "contact", "me@example.org")),
            Ok(())
        );
        let wrong =
            check_tables(&one_key("[network]", "contact", "me (there)")).expect_err("parentheses");
        assert!(wrong.contains("without parentheses"), "{wrong}");
        // Quotes and line breaks of an answer cannot end its line.
        let hostile = check_tables(&one_key(
            "[network]",
            "contact",
            "a\"\n[web]\nlisten = \"0.0.0.0:1",
        ));
        assert!(hostile.is_err());
    }

    #[test]
    fn a_terminal_needs_no_platform() {
        let answers = SetupAnswers {
            contact: None,
            posts: PostTarget::Terminal,
            topics: topics(),
        };
        let config =
            Config::parse(&compose(&answers), Path::new("config.toml")).expect("it is good");
        assert!(config.channels.is_empty() && config.discord.is_none() && config.matrix.is_none());
        assert!(config.network.contact.is_none());
        assert_eq!(config.feeds.len(), feeds().len());
    }
}
