//! Reads the answers of `fetch/git`: a line of JSON, then commits or mails.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::item::{CommitHash, Detail, Item, ItemData, Person, prose};
use crate::source::question::GitHead;
use crate::source::{Answer, Body, FetchError, broken, wire};

/// The fields of a record before its diffstat: hash, author, address, author date, commit date, subject, body.
const FIELDS: usize = 7;
/// The most files of one commit that are listed.
const FILES_MAX: usize = 300;

/// The JSON at the beginning of an answer, and the bytes behind it.
///
/// # Errors
///
/// If there is none, which is a mistake of ours.
pub(super) fn head<T: DeserializeOwned>(answer: &Answer) -> Result<(T, &[u8]), FetchError> {
    let bytes: &[u8] = match &answer.body {
        Body::Bytes { bytes, .. } => bytes,
        Body::Unchanged => &[],
    };
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    let head = serde_json::from_slice(&bytes[..end])
        .map_err(|error| broken(&answer.url, format!("git's answer has no head: {error}")))?;
    Ok((head, bytes.get(end + 1..).unwrap_or_default()))
}

/// The hash in the answer to a question for a tip; `None` if there is no such branch.
pub(super) fn tip(answer: &Answer) -> Option<CommitHash> {
    match &answer.body {
        Body::Bytes { bytes, .. } => CommitHash::parse(std::str::from_utf8(bytes).ok()?.trim()),
        Body::Unchanged => None,
    }
}

/// The commits of a page, and a message for each that cannot be read.
pub(super) fn commits(head: &GitHead, bytes: &[u8]) -> (Vec<(CommitHash, Item)>, Vec<String>) {
    let (mut commits, mut faults) = (Vec::new(), Vec::new());
    let mark = head.mark.as_bytes();
    if mark.is_empty() {
        return (commits, faults);
    }
    let starts: Vec<usize> = memchr::memmem::find_iter(bytes, mark).collect();
    for (place, start) in starts.iter().enumerate() {
        let end = starts.get(place + 1).copied().unwrap_or(bytes.len());
        match commit(&bytes[start + mark.len()..end], head.has_names_only) {
            Some(commit) => commits.push(commit),
            None => faults.push("git listed a commit that cannot be read".to_owned()),
        }
    }
    (commits, faults)
}

/// A record: the mark is cut off, and each field ends with a NUL.
fn commit(record: &[u8], has_names_only: bool) -> Option<(CommitHash, Item)> {
    let mut parts = record.splitn(FIELDS + 1, |&byte| byte == 0);
    let mut field = || Some(wire::decode(parts.next()?, None));
    let hash = CommitHash::parse(&field()?)?;
    let author = Person {
        name: wire::one_line(&field()?),
        email: wire::one_line(&field()?),
    };
    let (written_at, at) = (date(&field()?), date(&field()?));
    let title = wire::one_line(&field()?);
    let body = field()?;
    let rest = field().unwrap_or_default();
    let changes = if has_names_only {
        names(&rest)
    } else {
        rest.trim_matches('\n').to_owned()
    };
    // As git writes a patch, so that a commit reads the same by mail and by git.
    let text = match changes.is_empty() {
        true => body,
        false => format!("{}\n---\n{changes}\n", body.trim_end()),
    };
    let item = Item {
        what: ItemData::Commit { hash: hash.clone() },
        title,
        author,
        url: None,
        at,
        written_at,
        text: prose::without_diffs(&text),
        headers: Vec::new(),
        detail: Detail::Whole,
    };
    Some((hash, item))
}

/// The changed files as lines of a diffstat without figures.
fn names(rest: &str) -> String {
    let names = rest.split('\0').map(|name| name.trim_matches('\n'));
    let names = names.filter(|name| !name.is_empty() && !name.contains('\n'));
    let lines = names.take(FILES_MAX).map(|name| format!(" {name} | 0"));
    lines.collect::<Vec<_>>().join("\n")
}

fn date(seconds: &str) -> Option<DateTime<Utc>> {
    let seconds: i64 = seconds.trim().parse().ok()?;
    DateTime::from_timestamp(seconds, 0).filter(|_| seconds > 0)
}

/// The mails of a page, one after another, by their lengths.
pub(super) fn mails<'a>(lengths: &[usize], bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let mut rest = bytes;
    let mut mails = Vec::with_capacity(lengths.len());
    for &length in lengths {
        let Some((mail, behind)) = rest.split_at_checked(length) else {
            break;
        };
        mails.push(mail);
        rest = behind;
    }
    mails
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(subject: &str, body: &str, rest: &str) -> String {
        let hash = "ab".repeat(20);
        format!(
            "MARK{hash}\0Zoë\0z@x.invalid\x001700000000\x001700000600\0{subject}\0{body}\0{rest}"
        )
    }

    #[test]
    fn a_record_is_a_whole_commit() {
        let stat =
            "\n\n kernel/bpf/core.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n";
        let text = [
            record("bpf: one", "It was wrong.\n\nFixes: x\n", stat),
            record("Merge branch 'x'", "", "\n"),
        ]
        .concat();
        let head = GitHead {
            mark: "MARK".to_owned(),
            ..GitHead::default()
        };
        let (commits, faults) = commits(&head, text.as_bytes());
        assert_eq!((commits.len(), faults.len()), (2, 0));
        let item = &commits[0].1;
        assert_eq!(
            (&*item.title, &*item.author.email),
            ("bpf: one", "z@x.invalid")
        );
        assert_eq!(
            item.written_at.map(|at| at.timestamp()),
            Some(1_700_000_000)
        );
        assert_eq!(item.at.map(|at| at.timestamp()), Some(1_700_000_600));
        assert_eq!(
            item.text,
            "It was wrong.\n\nFixes: x\n---\n kernel/bpf/core.c | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)"
        );
        assert_eq!(commits[1].1.text, "");
    }

    #[test]
    fn names_stand_in_for_a_diffstat() {
        let head = GitHead {
            mark: "MARK".to_owned(),
            has_names_only: true,
            ..GitHead::default()
        };
        let text = record("one", "Text.", "\n\nnet/a.c\0net/b.c\0");
        let (commits, _) = commits(&head, text.as_bytes());
        assert_eq!(commits[0].1.text, "Text.\n---\n net/a.c | 0\n net/b.c | 0");
    }

    #[test]
    fn odd_bytes_and_cut_records_are_bounded() {
        let head = GitHead {
            mark: "MARK".to_owned(),
            ..GitHead::default()
        };
        let odd = b"MARKno hash\0x\0MARK\xff\xfe\0\0\0\0MARK";
        let (read, faults) = commits(&head, odd);
        assert_eq!((read.len(), faults.len()), (0, 3));
        assert_eq!(mails(&[2, 9], b"abc"), [b"ab"]);
    }
}
