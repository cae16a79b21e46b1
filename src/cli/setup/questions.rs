//! The questions of `setup`, one function for each.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use secrecy::SecretString;

use super::file::{PostTarget, check_tables, one_key, target_tables};
use super::flags::{SetupFlags, platform, yes_or_no};
use super::prompt::{SetupQuestion, TerminalPrompt};
use super::topics::{FeedTopic, topics};
use crate::cli::secrets;
use crate::config::PlatformKind;

/// A secret that was given, and the file to write it to.
pub(super) struct NewSecret {
    pub(super) file: PathBuf,
    pub(super) secret: SecretString,
}

pub(super) fn ask_contact(
    prompt: &TerminalPrompt,
    flags: &SetupFlags,
) -> anyhow::Result<Option<String>> {
    let question = SetupQuestion {
        text: "How can the operator of a site reach you? An address or a page; every request contains it. Leave it empty for \
               none.",
        label: "Contact",
        default: None,
        flag: "--contact",
    };
    prompt.ask(&question, flags.contact.as_deref(), |typed| {
        let typed = typed.trim();
        if typed.is_empty() {
            return Ok(None);
        }
        check_tables(&one_key("[network]", "contact", typed))?;
        Ok(Some(typed.to_owned()))
    })
}

pub(super) fn ask_target(
    prompt: &TerminalPrompt,
    flags: &SetupFlags,
) -> anyhow::Result<PostTarget> {
    let post = match flags.post {
        Some(post) => post,
        None => {
            let question = SetupQuestion {
                text: "Where shall bpfnews post? The answers are discord, matrix, or terminal, on which `bpfnews run` shows the \
                       posts.",
                label: "Place",
                default: Some("terminal"),
                flag: "--post",
            };
            prompt.ask(&question, None, platform)?
        }
    };
    match post {
        PlatformKind::Terminal | PlatformKind::Mail => Ok(PostTarget::Terminal),
        PlatformKind::Discord => ask_discord(prompt, flags),
        PlatformKind::Matrix => ask_matrix(prompt, flags),
        PlatformKind::Webhook => {
            anyhow::bail!("setup makes no webhooks; docs/webhooks.md shows how to write one")
        }
    }
}

fn ask_discord(prompt: &TerminalPrompt, flags: &SetupFlags) -> anyhow::Result<PostTarget> {
    let target = |token_file: &str, channel: &str| PostTarget::Discord {
        token_file: token_file.trim().to_owned(),
        channel: channel.trim().to_owned(),
        api: flags.api.clone(),
    };
    let sample = ("discord-token", "123456789012345678");
    if flags.api.is_some() {
        let checked = check_tables(&target_tables(&target(sample.0, sample.1)));
        checked.map_err(|why| anyhow::anyhow!("--api: {why}"))?;
    }
    let question = SetupQuestion {
        text: "Which channel? In Discord, turn on Developer Mode (Settings, Advanced), and choose Copy Channel ID in the \
               channel's menu. docs/set-up.md explains how to make the bot and invite it.",
        label: "Channel id",
        default: None,
        flag: "--channel",
    };
    let channel = prompt.ask(&question, flags.channel.as_deref(), |typed| {
        check_tables(&target_tables(&target(sample.0, typed))).map(|()| typed.to_owned())
    })?;
    let question = SetupQuestion {
        text: "In which file is the bot's token, or shall it be kept? A relative path starts at the folder of the \
               configuration.",
        label: "Token file",
        default: Some(sample.0),
        flag: "--token-file",
    };
    prompt.ask(&question, flags.token_file.as_deref(), |typed| {
        let target = target(typed, &channel);
        check_tables(&target_tables(&target)).map(|()| target)
    })
}

fn ask_matrix(prompt: &TerminalPrompt, flags: &SetupFlags) -> anyhow::Result<PostTarget> {
    let target = |[homeserver, user, room, password_file]: [&str; 4]| PostTarget::Matrix {
        homeserver: homeserver.trim().to_owned(),
        user: user.trim().to_owned(),
        password_file: password_file.trim().to_owned(),
        room: room.trim().to_owned(),
    };
    let questions = [
        (
            SetupQuestion {
                text: "At which homeserver is the bot's account? docs/set-up-matrix.md explains how to make it.",
                label: "Homeserver, such as https://matrix.example.org",
                default: None,
                flag: "--homeserver",
            },
            &flags.homeserver,
        ),
        (
            SetupQuestion {
                text: "",
                label: "Account, such as @bpfnews:example.org",
                default: None,
                flag: "--user",
            },
            &flags.user,
        ),
        (
            SetupQuestion {
                text: "Which room? Its id is in the room's settings (in Element: Advanced). Invite the bot there.",
                label: "Room id, such as !abcdef:example.org",
                default: None,
                flag: "--channel",
            },
            &flags.channel,
        ),
        (
            SetupQuestion {
                text: "In which file is the account's password, or shall it be kept? Only the first login needs it. A relative \
                       path starts at the folder of the configuration.",
                label: "Password file",
                default: Some("matrix-password"),
                flag: "--password-file",
            },
            &flags.password_file,
        ),
    ];
    // Good answers stand for those that are still missing.
    let mut answers = ["https://localhost", "@a:b", "!a:b", "matrix-password"].map(str::to_owned);
    for (place, (question, given)) in questions.iter().enumerate() {
        answers[place] = prompt.ask(question, given.as_deref(), |typed| {
            let mut with = answers.each_ref().map(String::as_str);
            with[place] = typed;
            check_tables(&target_tables(&target(with))).map(|()| typed.to_owned())
        })?;
    }
    Ok(target(answers.each_ref().map(String::as_str)))
}

/// Asks for the secret of a platform, unless its file is there.
pub(super) fn ask_secret(path: &Path, posts: &PostTarget) -> anyhow::Result<Option<NewSecret>> {
    let (name, label, flag) = match posts {
        PostTarget::Terminal => return Ok(None),
        PostTarget::Discord { token_file, .. } => (token_file, "Token", "--token-file"),
        PostTarget::Matrix { password_file, .. } => (password_file, "Password", "--password-file"),
    };
    let file = path.parent().unwrap_or(Path::new("")).join(name);
    if file.exists() {
        return Ok(None);
    }
    let asked = secrets::ask(&format!("{label} (it is not shown): "));
    let secret = asked.with_context(|| {
        format!(
            "{flag} names {}, which is not there; write the secret to it, or pass the secret on standard input",
            file.display()
        )
    })?;
    Ok(Some(NewSecret { file, secret }))
}

pub(super) fn ask_test(prompt: &TerminalPrompt, flags: &SetupFlags) -> anyhow::Result<bool> {
    if let Some(is_wanted) = flags.test_message {
        return Ok(is_wanted);
    }
    let question = SetupQuestion {
        text: "Shall bpfnews post a test message there now?",
        label: "yes or no",
        default: Some("yes"),
        flag: "--test-message",
    };
    prompt.ask(&question, None, yes_or_no)
}

pub(super) fn ask_topics(
    prompt: &TerminalPrompt,
    flags: &SetupFlags,
) -> anyhow::Result<Vec<FeedTopic>> {
    let all = topics();
    let mut text = "Which topics shall it follow? Give their names with commas, or all.".to_owned();
    for topic in &all {
        text.push_str(&format!("\n  {:<10} {}", topic.word, topic.about));
    }
    let question = SetupQuestion {
        text: &text,
        label: "Topics",
        default: Some("all"),
        flag: "--topics",
    };
    prompt.ask(&question, flags.topics.as_deref(), |typed| {
        choose_topics(&all, typed)
    })
}

/// The topics that these words name, in the order of the example.
fn choose_topics(all: &[FeedTopic], typed: &str) -> Result<Vec<FeedTopic>, String> {
    let words = typed.split([',', ' ']).map(str::trim);
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let known = || {
        all.iter()
            .map(|topic| topic.word)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let is_known = |word: &str| word == "all" || all.iter().any(|topic| topic.word == word);
    if let Some(strange) = words.iter().find(|word| !is_known(word)) {
        return Err(format!(
            "there is no topic {strange:?}; the topics are {}, or all",
            known()
        ));
    }
    if words.is_empty() {
        return Err(format!("give at least one of {}, or all", known()));
    }
    let is_chosen =
        |topic: &&FeedTopic| words.iter().any(|word| word == "all" || word == topic.word);
    Ok(all.iter().filter(is_chosen).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_chosen_by_name_in_any_order() {
        let all = topics();
        let words = |typed: &str| {
            let chosen = choose_topics(&all, typed)?;
            Ok::<_, String>(chosen.iter().map(|topic| topic.word).collect::<Vec<_>>())
        };
        assert_eq!(words("reading, CORE"), Ok(vec!["core", "reading"]));
        assert_eq!(words("core core"), Ok(vec!["core"]));
        assert_eq!(words("all").map(|all| all.len()), Ok(all.len()));
        let wrong = words("core, wifi").expect_err("there is none");
        assert!(
            wrong.contains("\"wifi\"") && wrong.contains("sched_ext"),
            "{wrong}"
        );
        assert!(words(" , ").is_err());
    }
}
