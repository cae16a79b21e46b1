//! Answers a question for a file at the tip of a branch.

use std::collections::HashSet;
use std::path::Path;

use super::failure::GitFailure;
use super::history;
use super::repository::{Copy, CopyKind, GitRun};
use crate::item::CommitHash;

/// Fetches the tip and the file, and reads it. A file of more bytes than the answer may have is refused.
pub(super) fn answer(
    run: GitRun<'_>,
    folder: &Path,
    branch: &str,
    path: &str,
) -> Result<Vec<u8>, GitFailure> {
    let tip = super::tip(&run, Some(branch))?;
    let tip = CommitHash::parse(tip.trim())
        .ok_or_else(|| GitFailure::Odd(format!("it has no branch {branch}")))?;
    let mut copy = Copy::open(run, folder, CopyKind::WithoutFiles, &tip)?;
    history::bring_tip(&mut copy, &tip)?;
    let listed = copy.lines(&["ls-tree", tip.as_str(), "--", path], "")?;
    let blob = blob(&listed, path)
        .ok_or_else(|| GitFailure::Odd(format!("the branch {branch} has no file {path}")))?;
    if !copy.has_files() {
        copy.fetch_blobs(&HashSet::from([blob.to_owned()]))?;
    }
    copy.local(&["cat-file", "blob", blob], "")
}

/// The blob of a file in the lines of `ls-tree`: `MODE blob HASH`, a tab, the path. A link is no file.
fn blob<'l>(listed: &'l [String], path: &str) -> Option<&'l str> {
    let (about, found) = listed.first()?.split_once('\t')?;
    let mut words = about.split(' ');
    let is_file = words.next()?.starts_with("100") && words.next()? == "blob" && found == path;
    words.next().filter(|_| is_file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_folder_and_no_link() {
        #[rustfmt::skip]
        let table = [
            ("100644 blob abc\tMAINTAINERS", Some("abc")), ("100755 blob abc\tMAINTAINERS", Some("abc")),
            ("120000 blob abc\tMAINTAINERS", None), ("040000 tree abc\tMAINTAINERS", None),
            ("160000 commit abc\tMAINTAINERS", None), ("100644 blob abc\tOTHER", None), ("", None),
        ];
        for (line, wanted) in table {
            assert_eq!(blob(&[line.to_owned()], "MAINTAINERS"), wanted, "{line}");
        }
        assert_eq!(blob(&[], "MAINTAINERS"), None);
    }
}
