//! Makes the commits of a range available. A copy has no commits beyond its horizon; if a merge brought older ones, the
//! horizon moves back.
//!
//! Every fetch names the horizon. Without it, a server would send all ancestors of a merged branch that began before it.

use super::child::ChildFailure;
use super::failure::GitFailure;
use super::repository::Copy;
use crate::item::CommitHash;
use crate::source::question::LastTip;

/// The horizon lies so long before the last tip: topic branches begin up to two releases before they are merged.
const HORIZON_S: i64 = 120 * 86_400;
/// It moves back so many times as far, and so often: to 1.3, 5 and 21 years.
const DEEPER: i64 = 4;
const DEEPER_MAX: u32 = 3;
/// Commit dates are not in order: a server stops at the first older commits that it meets.
const DATE_MARGIN_S: i64 = 7 * 86_400;
/// Without a beginning, so many of the newest commits are of interest.
const NEWEST: usize = 25;
/// In place of a last tip that is gone: the commits since so long before it.
const GONE_S: i64 = 30 * 86_400;

/// The same for archives, where each commit has one parent.
const LINE_HORIZON_S: i64 = 86_400;
const LINE_GONE_S: i64 = 2 * 86_400;
/// After a purge, at least so many of the newest commits are read.
const LINE_NEWEST: usize = 2_000;

/// A range of commits.
#[derive(Debug, Clone)]
pub(super) struct HistoryRange<'a> {
    pub(super) to: &'a CommitHash,
    pub(super) from: Option<&'a CommitHash>,
    /// The commit date of `from`; 0 if it is not known.
    pub(super) from_at: i64,
    pub(super) since: Option<i64>,
    /// Whether each commit has one parent and a later date, as in archives. Then a rewritten history is read by date.
    pub(super) is_line: bool,
}

/// The commits of a range that are available now.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    /// What `git rev-list` reads to list the range.
    pub(super) revisions: String,
    /// The beginning of the range, if a date limits it.
    pub(super) since: Option<i64>,
    /// Only so many of the newest commits.
    pub(super) newest: Option<usize>,
    pub(super) last: LastTip,
    pub(super) is_whole: bool,
}

impl History {
    /// The options that go with the revisions.
    pub(super) fn options(&self) -> Vec<String> {
        let since = self
            .since
            .map(|since| format!("--since-as-filter=@{since}"));
        // The horizon may name commits that are not there.
        let missing = Some("--ignore-missing".to_owned());
        let newest = self.newest.map(|newest| format!("--max-count={newest}"));
        missing.into_iter().chain(since).chain(newest).collect()
    }
}

/// Fetches what the range lacks.
pub(super) fn bring(copy: &mut Copy<'_>, range: &HistoryRange<'_>) -> Result<History, GitFailure> {
    let (horizon_s, gone_s) = match range.is_line {
        true => (LINE_HORIZON_S, LINE_GONE_S),
        false => (HORIZON_S, GONE_S),
    };
    let gone = (LastTip::Gone, Some((range.from_at - gone_s).max(1)));
    let begins = [range.since, Some(range.from_at).filter(|at| *at > 0)];
    let oldest = begins.into_iter().flatten().min();
    bring_commit(copy, range.to, "tip", oldest, horizon_s)?;
    let (last, since) = match range.from {
        None => (LastTip::None, range.since),
        Some(from) => match bring_commit(copy, from, "last", oldest, horizon_s) {
            Ok(()) => match relation(copy, from, range.to)? {
                LastTip::Aside if range.is_line => {
                    return rewritten_line(copy, range.to, from, range.from_at - gone_s);
                }
                last => (last, None),
            },
            Err(GitFailure::NoSuchCommit(_)) => gone,
            Err(failure) => return Err(failure),
        },
    };
    let from = range.from.filter(|_| last != LastTip::Gone);
    let is_whole = reach(copy, range, from, since)?;
    Ok(History {
        revisions: revisions(copy, range.to, from),
        since,
        newest: None,
        last,
        is_whole,
    })
}

/// What `git rev-list` reads to list a range.
fn revisions(copy: &Copy<'_>, to: &CommitHash, from: Option<&CommitHash>) -> String {
    let mut revisions = format!("{to}\n");
    if let Some(from) = from {
        revisions.push_str(&format!("^{from}\n"));
    }
    // A commit at the horizon looks as if it had added all files.
    for edge in copy.boundary() {
        revisions.push_str(&format!("^{edge}\n"));
    }
    revisions
}

/// An archive that a purge rewrote: all commits after the purged one are others. The new ones are the newest of them, so those
/// since `since` are read, and some thousand at least, whatever their dates are.
fn rewritten_line(
    copy: &Copy<'_>,
    to: &CommitHash,
    from: &CommitHash,
    since: i64,
) -> Result<History, GitFailure> {
    let mut history = History {
        revisions: revisions(copy, to, Some(from)),
        since: Some(since),
        newest: None,
        last: LastTip::Gone,
        is_whole: true,
    };
    let options = history.options();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let args = [&["rev-list", "--count"], &options[..], &["--stdin"]].concat();
    let counted = copy.lines(&args, &history.revisions)?;
    let counted = counted.first().and_then(|count| count.trim().parse().ok());
    history.newest = Some(counted.unwrap_or(0).max(LINE_NEWEST));
    history.since = None;
    Ok(history)
}

/// Fetches the tip of a branch, if it is not there.
pub(super) fn bring_tip(copy: &mut Copy<'_>, tip: &CommitHash) -> Result<(), GitFailure> {
    bring_commit(copy, tip, "tip", None, HORIZON_S)
}

/// Fetches a commit, if it is not there, with the history since the horizon.
fn bring_commit(
    copy: &mut Copy<'_>,
    hash: &CommitHash,
    name: &str,
    oldest: Option<i64>,
    horizon_s: i64,
) -> Result<(), GitFailure> {
    if copy.since().is_some() && copy.has(hash) {
        return Ok(());
    }
    if let Some(since) = copy.since() {
        match copy.fetch(hash, name, &since_option(since)) {
            // It may be older than the horizon.
            Err(failure) if failure.is_perhaps_too_young() => {}
            fetched => return fetched,
        }
    }
    copy.fetch(hash, name, "--depth=1")?;
    let date = copy.date(hash)?;
    let known = copy.since().unwrap_or(i64::MAX);
    let since = known
        .min(date - horizon_s)
        .min(oldest.unwrap_or(i64::MAX).saturating_sub(horizon_s));
    let since = since.max(1);
    copy.fetch(hash, name, &since_option(since))?;
    copy.set_since(since)
}

fn since_option(since: i64) -> String {
    format!("--shallow-since=@{since}")
}

fn relation(copy: &Copy<'_>, from: &CommitHash, to: &CommitHash) -> Result<LastTip, GitFailure> {
    let counts = format!("{from}...{to}");
    let lines = copy.lines(&["rev-list", "--left-right", "--count", &counts], "")?;
    let line = lines.first().map(String::as_str).unwrap_or_default();
    let counts = line.split_once('\t');
    Ok(match counts {
        Some(("0", _)) => LastTip::Ancestor,
        Some((_, "0")) => LastTip::Ahead,
        Some(_) => LastTip::Aside,
        None => return Err(GitFailure::Odd("git counted no commits".to_owned())),
    })
}

/// Makes sure that the range does not touch the horizon; returns whether it does not.
fn reach(
    copy: &mut Copy<'_>,
    range: &HistoryRange<'_>,
    from: Option<&CommitHash>,
    since: Option<i64>,
) -> Result<bool, GitFailure> {
    let made = match (from, since) {
        (Some(_), _) => move_horizon(copy, range.to, from),
        (None, _) => reach_by_date(copy, range.to, since, range.is_line),
    };
    match made {
        // The disk or the time does not suffice: the rest is a gap.
        Err(GitFailure::Child(ChildFailure::TooMuchDisk(_) | ChildFailure::TookTooLong(_))) => {
            Ok(false)
        }
        made => made,
    }
}

/// A commit of the range whose parents are missing may have brought more: moves the horizon back.
fn move_horizon(
    copy: &mut Copy<'_>,
    to: &CommitHash,
    from: Option<&CommitHash>,
) -> Result<bool, GitFailure> {
    for _ in 0..DEEPER_MAX {
        if !touches(copy, to, from, &[])? {
            return Ok(true);
        }
        let date = copy.date(to)?;
        let horizon = copy.since().unwrap_or(date);
        let wanted = date - (date - horizon).max(HORIZON_S) * DEEPER;
        set_horizon(copy, to, wanted)?;
    }
    Ok(!touches(copy, to, from, &[])?)
}

/// The commits since a date, or the newest ones, must have their parents: otherwise they seem to add all files.
fn reach_by_date(
    copy: &mut Copy<'_>,
    to: &CommitHash,
    since: Option<i64>,
    is_line: bool,
) -> Result<bool, GitFailure> {
    let limit = match since {
        Some(since) => {
            let wanted = match is_line {
                true => since,
                false => since - DATE_MARGIN_S,
            };
            if copy.since().is_none_or(|horizon| horizon > wanted) {
                set_horizon(copy, to, wanted)?;
            }
            format!("--since-as-filter=@{since}")
        }
        None => format!("--max-count={NEWEST}"),
    };
    for deeper in ["--deepen=1", "--deepen=10", "--deepen=100"] {
        if !touches(copy, to, None, &[&limit])? {
            return Ok(true);
        }
        copy.fetch(to, "tip", deeper)?;
    }
    Ok(!touches(copy, to, None, &[&limit])?)
}

fn set_horizon(copy: &mut Copy<'_>, to: &CommitHash, since: i64) -> Result<(), GitFailure> {
    let since = since.max(1);
    copy.fetch(to, "tip", &since_option(since))?;
    copy.set_since(since)
}

/// Whether the range has a commit whose parents are beyond the horizon.
fn touches(
    copy: &Copy<'_>,
    to: &CommitHash,
    from: Option<&CommitHash>,
    limits: &[&str],
) -> Result<bool, GitFailure> {
    let boundary = copy.boundary();
    if boundary.is_empty() {
        return Ok(false);
    }
    let mut revisions = format!("{to}\n");
    if let Some(from) = from {
        revisions.push_str(&format!("^{from}\n"));
    }
    let args = [&["rev-list"], limits, &["--stdin"]].concat();
    let range = copy.lines(&args, &revisions)?;
    Ok(range.iter().any(|hash| boundary.contains(hash)))
}
