//! Checks whether git is installed, if a feed needs it.

use super::style::{BAD, GOOD};
use crate::config::Config;
use crate::source::fetch::git_version;
use crate::source::git::is_git;

/// Looks for git, if a feed needs it, and reports the version; returns whether all is well.
pub(super) fn check_git(out: &mut impl std::io::Write, config: &Config) -> anyhow::Result<bool> {
    let mut by_git = config.feeds.iter().filter(|feed| is_git(&feed.url));
    let Some(first) = by_git.next() else {
        return Ok(true);
    };
    let found = git_version();
    match &found {
        Ok(version) => writeln!(
            out,
            "{GOOD}ok{GOOD:#}  git {version}, for {} of the feeds",
            1 + by_git.count()
        )?,
        Err(why) => writeln!(out, "{BAD}failed{BAD:#}  {}: {why}", first.name)?,
    }
    Ok(found.is_ok())
}

/// Warns if a feed needs git and there is none; the other feeds are polled.
pub(super) fn warn_without_git(config: &Config) {
    if config.feeds.iter().any(|feed| is_git(&feed.url))
        && let Err(why) = git_version()
    {
        tracing::warn!("feeds with addresses for git cannot be read: {why}");
    }
}
