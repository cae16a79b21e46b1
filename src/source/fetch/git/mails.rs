//! Answers a question for the mails of an epoch. Each commit adds one mail, as the file `m`; with `d` it removes one.

use std::collections::HashSet;
use std::path::Path;

use super::failure::GitFailure;
use super::history::{self, HistoryRange};
use super::repository::{Copy, CopyKind, GitRun};
use crate::item::CommitHash;
use crate::source::mbox::MAIL_BYTES_MAX;
use crate::source::question::{MailHead, MailRange};

/// The most bytes of the mails of one page; the next page goes on.
const PAGE_BYTES_MAX: usize = 24 << 20;

/// Fetches what a range lacks, and reads its page.
pub(super) fn answer(
    run: GitRun<'_>,
    folder: &Path,
    range: &MailRange,
) -> Result<Vec<u8>, GitFailure> {
    let mut copy = Copy::open(run, folder, CopyKind::Whole, &range.to)?;
    let since = range.since.filter(|_| range.from.is_none());
    if let Some(newest) = range.newest {
        bring_newest(&mut copy, &range.to, newest)?;
    }
    let wanted = HistoryRange {
        to: &range.to,
        from: range.from.as_ref(),
        from_at: range.since.unwrap_or_default(),
        since,
        is_line: true,
    };
    let history = history::bring(&mut copy, &wanted)?;
    let mut args: Vec<String> = vec!["rev-list".to_owned()];
    args.extend(history.options());
    args.extend(range.newest.map(|newest| format!("--max-count={newest}")));
    args.extend(["--reverse", "--stdin"].map(str::to_owned));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let listed = copy.lines(&args, &history.revisions)?;
    let mut head = MailHead {
        last: history.last,
        is_from_start: !copy.is_cut_off(&range.to)?,
        ..MailHead::default()
    };
    let page = take_page(&copy, &listed, range.count, &mut head)?;
    let mails = read(&copy, &page, &mut head)?;
    let mut bytes = serde_json::to_vec(&head).expect("a head is plain data");
    bytes.push(b'\n');
    bytes.extend(mails);
    Ok(bytes)
}

/// The first fetch of an epoch: its newest commits, however old they are.
fn bring_newest(copy: &mut Copy<'_>, to: &CommitHash, newest: usize) -> Result<(), GitFailure> {
    if copy.since().is_some() && copy.has(to) {
        return Ok(());
    }
    copy.fetch(to, "tip", &format!("--depth={}", newest + 1))?;
    let dates = copy.lines(
        &[
            "rev-list",
            "--no-commit-header",
            "--format=%ct",
            to.as_str(),
        ],
        "",
    )?;
    let dates = dates
        .iter()
        .filter_map(|date| date.trim().parse::<i64>().ok());
    copy.set_since(dates.min().unwrap_or(1))
}

/// The mails of the first commits of a list, as git names them.
fn take_page(
    copy: &Copy<'_>,
    listed: &[String],
    count: usize,
    head: &mut MailHead,
) -> Result<Vec<String>, GitFailure> {
    let some: Vec<String> = listed
        .iter()
        .take(count)
        .map(|hash| format!("{hash}:m\n"))
        .collect();
    let args = ["cat-file", "--batch-check=%(objecttype) %(objectsize)"];
    let found = copy.lines(&args, &some.concat())?;
    let (mut page, mut bytes, mut read) = (Vec::new(), 0, 0);
    for (hash, found) in listed.iter().zip(&found) {
        read += 1;
        let size = found
            .strip_prefix("blob ")
            .and_then(|size| size.parse::<usize>().ok());
        match size {
            // A purge leaves an empty file.
            Some(0) => {}
            Some(size) if size <= MAIL_BYTES_MAX => {
                bytes += size;
                page.push(format!("{hash}:m"));
            }
            Some(size) => head.faults.push(format!(
                "skipped a mail of {size} bytes in the commit {hash}: larger than {MAIL_BYTES_MAX}"
            )),
            // It removes a mail.
            None if found.ends_with("missing") => {}
            None => head.faults.push(format!("the commit {hash} has no mail")),
        }
        if bytes > PAGE_BYTES_MAX {
            break;
        }
    }
    head.has_more = read < listed.len();
    if let Some(last) = read.checked_sub(1).and_then(|last| listed.get(last)) {
        let hash = CommitHash::parse(last);
        let hash = hash.ok_or_else(|| GitFailure::Odd("git listed no hash".to_owned()))?;
        let date = copy.date(&hash)?;
        head.at = Some((hash, date));
    }
    Ok(page)
}

/// Reads mails, and their lengths into the head.
fn read(copy: &Copy<'_>, page: &[String], head: &mut MailHead) -> Result<Vec<u8>, GitFailure> {
    if page.is_empty() {
        return Ok(Vec::new());
    }
    let output = copy.local(&["cat-file", "--batch"], &(page.join("\n") + "\n"))?;
    let mut mails = Vec::with_capacity(output.len());
    let mut rest = &output[..];
    // Each blob: `HASH blob LENGTH`, a line end, its bytes, a line end.
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let length = line
            .rsplit(' ')
            .next()
            .and_then(|length| length.parse().ok());
        let mail = length.and_then(|length: usize| rest.get(end + 1..end + 1 + length));
        let Some(mail) = mail else {
            return Err(GitFailure::Odd(format!("git gave no mail: {line}")));
        };
        head.lengths.push(mail.len());
        mails.extend_from_slice(mail);
        rest = rest.get(end + 2 + mail.len()..).unwrap_or_default();
    }
    Ok(mails)
}

impl Copy<'_> {
    /// Whether the history of a commit ends at the horizon.
    fn is_cut_off(&self, to: &CommitHash) -> Result<bool, GitFailure> {
        let boundary: HashSet<String> = self.boundary();
        let roots = self.lines(&["rev-list", "--max-parents=0", to.as_str()], "")?;
        Ok(roots.iter().any(|root| boundary.contains(root)))
    }
}
