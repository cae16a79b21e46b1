//! The commands that write a configuration: `setup` asks questions, `init` writes the whole example.

mod file;
mod flags;
mod prompt;
mod questions;
mod topics;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

use self::file::{CHANNEL, PostTarget, SetupAnswers, compose};
pub(super) use self::flags::SetupFlags;
use self::prompt::TerminalPrompt;
use self::questions::NewSecret;
use self::topics::EXAMPLE;
use super::style::{BAD, GOOD};
use super::{check, secrets};
use crate::app::Refused;
use crate::app::platforms::Platforms;
use crate::config::{ChannelConfig, Config};
use crate::deliver::{NotPosted, post_once, test_message};
use crate::item::prose;
use crate::post::plain;
use crate::store::backup::beside;

/// The most characters of a platform's answer that are printed.
const ANSWER_CHARS_MAX: usize = 300;

pub(super) fn init(path: &Path) -> anyhow::Result<ExitCode> {
    write_config(path, EXAMPLE, false)?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "Wrote {}: the real feeds, each field explained.",
        path.display()
    )?;
    writeln!(
        out,
        "Next: set `contact` under [network], then  bpfnews check --online"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Asks for the answers that no flag gives, and writes the configuration and the file with its secret.
pub(super) async fn setup(path: &Path, flags: SetupFlags) -> anyhow::Result<ExitCode> {
    if path.exists() && !flags.force {
        return Err(Refused(is_there(path, "--force overwrites it, and ")).into());
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let why = format!("there is no folder {}; create it first", folder.display());
        return Err(Refused(why).into());
    }
    let prompt = TerminalPrompt::new();
    flags.check(prompt.is_terminal)?;
    let contact = questions::ask_contact(&prompt, &flags)?;
    let posts = questions::ask_target(&prompt, &flags)?;
    let secret = questions::ask_secret(path, &posts)?;
    let is_test_wanted =
        !matches!(posts, PostTarget::Terminal) && questions::ask_test(&prompt, &flags)?;
    let topics = questions::ask_topics(&prompt, &flags)?;
    let text = compose(&SetupAnswers {
        contact,
        posts,
        topics,
    });
    let config = Config::parse(&text, path)?;
    let mut out = anstream::stdout();
    writeln!(out)?;
    if let Some(NewSecret { file, secret }) = &secret {
        secrets::write_new(file, secret)?;
        writeln!(
            out,
            "{GOOD}ok{GOOD:#}  wrote {}; only you can read it",
            file.display()
        )?;
    }
    write_config(path, &text, flags.force)?;
    writeln!(
        out,
        "{GOOD}ok{GOOD:#}  wrote {}: {} feeds",
        path.display(),
        config.feeds.len()
    )?;
    for open in secrets::open_to_others(&config) {
        writeln!(out, "{BAD}warning{BAD:#}  {open}")?;
    }
    if !check::write_obstacles(&mut out, &config)? {
        return Ok(ExitCode::from(check::REFUSED));
    }
    if let Some(channel) = config.channels.first().filter(|_| is_test_wanted)
        && !post_test(&mut out, &config, channel).await?
    {
        return Ok(ExitCode::FAILURE);
    }
    writeln!(
        out,
        "Next: bpfnews check --online tries every feed; bpfnews run polls them and posts the news."
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Checks the channel and posts a test message there. Returns whether that succeeded.
async fn post_test(
    out: &mut impl std::io::Write,
    config: &Config,
    channel: &ChannelConfig,
) -> anyhow::Result<bool> {
    let platforms = Platforms::connect(config)?;
    let posted = match platforms.look(channel).await {
        Some(Err(error)) => Err(NotPosted(format!("{error:#}"))),
        seen => {
            let test = test_message(CHANNEL, "every story about BPF");
            let sent = post_once(
                &platforms.senders(None),
                channel.platform,
                &channel.address,
                test,
            )
            .await;
            sent.map(|()| seen.and_then(Result::ok).unwrap_or_default())
        }
    };
    let shown = |text: &str| prose::shorten(&plain(text), ANSWER_CHARS_MAX);
    match posted {
        Ok(place) => writeln!(
            out,
            "{GOOD}ok{GOOD:#}  posted a test message to {}",
            shown(&place)
        )?,
        Err(NotPosted(why)) => {
            writeln!(
                out,
                "{BAD}failed{BAD:#}  no test message was posted: {}",
                shown(&why)
            )?;
            writeln!(
                out,
                "The files stay. Correct this, then run bpfnews check --online."
            )?;
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_there(path: &Path, and: &str) -> String {
    format!(
        "{} is there already and is not written over; {and}--config names another file",
        path.display()
    )
}

/// Writes a configuration. Replaces a file that is there only if `may_replace` is set, and then in one step.
fn write_config(path: &Path, text: &str, may_replace: bool) -> anyhow::Result<()> {
    let what = || format!("writing {}", path.display());
    if may_replace {
        let new = beside(path, ".new");
        fs::write(&new, text).with_context(what)?;
        return fs::rename(&new, path).with_context(what);
    }
    let mut file = match File::create_new(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            anyhow::bail!(is_there(path, ""));
        }
        made => made.with_context(what)?,
    };
    file.write_all(text.as_bytes()).with_context(what)
}
