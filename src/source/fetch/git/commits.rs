//! Answers a question for commits: lists the range, and describes a page of it, with diffstats where they cost little.

use std::collections::HashSet;
use std::path::Path;

use super::child::ChildFailure;
use super::failure::GitFailure;
use super::history::{self, History, HistoryRange};
use super::repository::{Copy, CopyKind, GitRun};
use crate::source::question::{CommitRange, GitHead};

/// The most commits of a range that get diffstats; a diffstat needs the files before and after.
const STAT_COMMITS_MAX: usize = 500;
/// The most files of a page that are fetched for diffstats.
const STAT_BLOBS_MAX: usize = 3_000;
/// A larger commit object is left out: its message is no message.
const COMMIT_BYTES_MAX: u64 = 1 << 20;

/// Git's columns for the diffstat of a patch.
const STAT: &str = "--stat=72";

/// Fetches what a range lacks, and describes its page.
pub(super) fn answer(
    run: GitRun<'_>,
    folder: &Path,
    range: &CommitRange,
) -> Result<Vec<u8>, GitFailure> {
    let mut copy = Copy::open(run, folder, CopyKind::WithoutFiles, &range.to)?;
    let wanted = HistoryRange {
        to: &range.to,
        from: range.from.as_ref(),
        from_at: range.from_at,
        since: range.since,
        is_line: false,
    };
    let history = history::bring(&mut copy, &wanted)?;
    let listed = list(&copy, &history, &range.paths)?;
    let page: Vec<String> = listed
        .iter()
        .skip(range.skip)
        .take(range.count)
        .cloned()
        .collect();
    let mut head = GitHead {
        mark: format!("{:032x}", fastrand::u128(..)),
        last: history.last,
        to_at: copy.date(&range.to)?,
        listed: page.len(),
        has_more: listed.len() > range.skip + page.len(),
        since: history.since,
        is_whole: history.is_whole,
        has_names_only: false,
        faults: Vec::new(),
    };
    let page = without_large(&copy, page, &mut head.faults)?;
    head.has_names_only =
        listed.len() > STAT_COMMITS_MAX || !fetch_files(&mut copy, &page, &range.paths)?;
    let records = describe(&copy, &page, &range.paths, &head)?;
    let mut bytes = serde_json::to_vec(&head).expect("a head is plain data");
    bytes.push(b'\n');
    bytes.extend(records);
    Ok(bytes)
}

/// The commits of the range, newest first.
fn list(copy: &Copy<'_>, history: &History, paths: &[String]) -> Result<Vec<String>, GitFailure> {
    let mut args = vec!["rev-list".to_owned()];
    args.extend(history.options());
    args.push("--stdin".to_owned());
    with_paths(&mut args, paths);
    copy.lines(&borrowed(&args), &history.revisions)
}

fn with_paths(args: &mut Vec<String>, paths: &[String]) {
    args.push("--".to_owned());
    args.extend(paths.iter().cloned());
}

fn borrowed(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

/// The lines that git reads: one hash in each.
fn input(hashes: &[String]) -> String {
    hashes.iter().map(|hash| format!("{hash}\n")).collect()
}

/// Leaves out commits whose message is far too long.
fn without_large(
    copy: &Copy<'_>,
    page: Vec<String>,
    faults: &mut Vec<String>,
) -> Result<Vec<String>, GitFailure> {
    let args = ["cat-file", "--batch-check=%(objectname) %(objectsize)"];
    let sizes = copy.lines(&args, &input(&page))?;
    let large: HashSet<&str> = sizes
        .iter()
        .filter_map(|line| line.split_once(' '))
        .filter(|(_, size)| size.parse().is_ok_and(|size: u64| size > COMMIT_BYTES_MAX))
        .map(|(hash, _)| hash)
        .collect();
    for hash in &large {
        faults.push(format!(
            "the commit {hash} was left out: it has more than {COMMIT_BYTES_MAX} bytes"
        ));
    }
    let mut page = page;
    page.retain(|hash| !large.contains(hash.as_str()));
    Ok(page)
}

/// Fetches the files that the commits changed, before and after; returns whether all are there.
fn fetch_files(copy: &mut Copy<'_>, page: &[String], paths: &[String]) -> Result<bool, GitFailure> {
    if copy.has_files() {
        return Ok(true);
    }
    let mut args: Vec<String> = ["diff-tree", "--stdin", "-r", "--root", "-z", "--raw"]
        .map(str::to_owned)
        .to_vec();
    args.extend(["--no-renames", "--no-abbrev", "--no-commit-id"].map(str::to_owned));
    with_paths(&mut args, paths);
    let raw = copy.local(&borrowed(&args), &input(page))?;
    let blobs = blobs(&raw);
    if blobs.is_empty() {
        return Ok(true);
    }
    if blobs.len() > STAT_BLOBS_MAX {
        return Ok(false);
    }
    match copy.fetch_blobs(&blobs) {
        Ok(()) => Ok(true),
        // Diffstats are an extra: the names of the files do without.
        Err(GitFailure::Child(ChildFailure::Cancelled)) => {
            Err(GitFailure::Child(ChildFailure::Cancelled))
        }
        Err(_) => Ok(false),
    }
}

/// The blobs in the output of `diff-tree --raw -z`: `:MODE MODE BLOB BLOB STATUS`, NUL, path, NUL.
fn blobs(raw: &[u8]) -> HashSet<String> {
    let mut blobs = HashSet::new();
    let mut fields = raw.split(|&byte| byte == 0);
    while let Some(field) = fields.next() {
        let Some(change) = field.strip_prefix(b":") else {
            continue;
        };
        // A path may begin with a colon too.
        fields.next();
        let change = String::from_utf8_lossy(change);
        let mut words = change.split(' ');
        let modes = [words.next(), words.next()];
        for mode in modes {
            let blob = words.next().unwrap_or_default();
            let is_file = mode.is_some_and(|mode| mode.starts_with('1') && mode != "160000");
            if is_file && !blob.is_empty() && blob.bytes().any(|digit| digit != b'0') {
                blobs.insert(blob.to_owned());
            }
        }
    }
    blobs
}

/// A record for each commit of the page.
fn describe(
    copy: &Copy<'_>,
    page: &[String],
    paths: &[String],
    head: &GitHead,
) -> Result<Vec<u8>, GitFailure> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let format = format!(
        "--format={}%H%x00%an%x00%ae%x00%at%x00%ct%x00%s%x00%b%x00",
        head.mark
    );
    let mut args: Vec<String> = ["diff-tree", "--stdin", "-r", "--root", "--always"]
        .map(str::to_owned)
        .to_vec();
    args.extend(["--no-commit-id", "--encoding=UTF-8", "--no-ext-diff"].map(str::to_owned));
    args.extend(["--no-textconv".to_owned(), format]);
    let changes: &[&str] = match head.has_names_only {
        true => &["--name-only", "-z", "--no-renames"],
        false => &["-M", STAT, "--summary"],
    };
    args.extend(changes.iter().map(|&option| option.to_owned()));
    with_paths(&mut args, paths);
    copy.local(&borrowed(&args), &input(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_files_only() {
        let (a, b, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let raw = format!(
            ":100644 100644 {a} {b} M\0:x/y.c\0\0:000000 100755 {zero} {a} A\0z\0:160000 160000 {a} {b} M\0sub\0\
             :120000 000000 {b} {zero} D\0link\0"
        );
        let mut found: Vec<String> = blobs(raw.as_bytes()).into_iter().collect();
        found.sort();
        assert_eq!(found, [a, b]);
        assert!(blobs(b":").is_empty());
    }
}
