//! The changes of a diff in small: its files, and a sample of its changed lines. They connect two versions of a patch whose
//! titles differ. Diffs themselves are not stored.

use std::collections::BTreeSet;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::prose::lines;

/// The name under which the files of a diff stand among an item's headers: paths, one a word.
pub const FILES: &str = "Changed-Files";
/// The name under which a sample of its changed lines stands there: how many there are, then the sample.
pub const LINES: &str = "Changed-Lines";

/// The most changed lines in a sample.
pub const SAMPLE_MAX: usize = 48;
/// The most files that are kept of one mail.
const FILES_MAX: usize = 64;
/// The most bytes of their names together.
const FILES_BYTES_MAX: usize = 2_048;
/// Lines with fewer letters and digits are too common: a brace, `return 0;`.
const LETTERS_MIN: usize = 8;
/// How many bits of a line's hash are kept, and in how many hexadecimal digits.
const LINE_HASH_BITS: u32 = 24;
const LINE_HASH_DIGITS: usize = 6;

/// A sample of changed lines: those with the smallest hashes, so that samples of two patches can be compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many different lines were changed in all.
    pub total: usize,
    /// The smallest hashes of them, at most [`SAMPLE_MAX`].
    pub hashes: BTreeSet<u32>,
}

impl Sample {
    /// Reads a sample as [`headers`] wrote it; `None` for anything else.
    pub fn parse(value: &str) -> Option<Self> {
        let (total, digits) = value.split_once(' ')?;
        let digits = digits.as_bytes().chunks_exact(LINE_HASH_DIGITS);
        let hashes: BTreeSet<u32> = digits
            .map_while(|digits| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())
            .take(SAMPLE_MAX)
            .collect();
        let total = total.parse().ok()?;
        (total >= hashes.len()).then_some(Self { total, hashes })
    }

    /// The largest hash up to which the sample is whole; `None` where it holds every line.
    pub fn complete_up_to(&self) -> Option<u32> {
        (self.hashes.len() < self.total)
            .then(|| self.hashes.last().copied())
            .flatten()
    }
}

/// The headers that list the changes of the diffs in `text`; none if there is no diff. Quoted diffs do not count.
pub fn headers(text: &str) -> Vec<(String, String)> {
    let (files, changed) = read(text);
    if files.is_empty() {
        return Vec::new();
    }
    let mut headers = vec![(FILES.to_owned(), joined(&files))];
    if !changed.is_empty() {
        let mut value = format!("{} ", changed.len());
        for hash in changed.iter().take(SAMPLE_MAX) {
            value.push_str(&format!("{hash:06x}"));
        }
        headers.push((LINES.to_owned(), value));
    }
    headers
}

fn joined(files: &BTreeSet<String>) -> String {
    let mut value = String::new();
    for file in files.iter().take(FILES_MAX) {
        if value.len() + file.len() > FILES_BYTES_MAX {
            break;
        }
        if !value.is_empty() {
            value.push(' ');
        }
        value.push_str(file);
    }
    value
}

/// The files of all diffs in a text, and the hashes of the lines that these add and take away.
fn read(text: &str) -> (BTreeSet<String>, BTreeSet<u32>) {
    let (mut files, mut changed) = (BTreeSet::new(), BTreeSet::new());
    let mut in_hunk = false;
    for line in lines(text) {
        if let Some(names) = line.strip_prefix("diff --git ") {
            in_hunk = false;
            files.extend(file_of(names));
        } else if line.starts_with("@@ ") {
            in_hunk = !files.is_empty();
        } else if in_hunk && line.starts_with(['+', '-']) {
            changed.extend(hash_of(line));
        } else if in_hunk && !(line.is_empty() || line.starts_with([' ', '\\'])) {
            in_hunk = false;
        }
    }
    (files, changed)
}

/// The file of `a/PATH b/PATH`; names with white space are left out.
fn file_of(names: &str) -> Option<String> {
    let (_, file) = names.trim().split_once(" b/")?;
    let is_plain = !file.is_empty() && !file.contains(char::is_whitespace);
    is_plain.then(|| file.to_owned())
}

/// The hash of a changed line, without its white space; `None` if the line is too common.
fn hash_of(line: &str) -> Option<u32> {
    let (sign, code) = line.split_at(1);
    let letters = code.bytes().filter(u8::is_ascii_alphanumeric);
    if letters.take(LETTERS_MIN).count() < LETTERS_MIN || code.trim_start().starts_with("#include")
    {
        return None;
    }
    // Keyed by nothing and fixed for good: the hashes are stored.
    let mut hasher = SipHasher13::new();
    hasher.write(sign.as_bytes());
    for word in code.split_whitespace() {
        hasher.write(word.as_bytes());
        hasher.write(b" ");
    }
    u32::try_from(hasher.finish() >> (64 - LINE_HASH_BITS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "Prose.\n\n--- \n a/x.c | 2 +-\n\ndiff --git a/net/x.c b/net/x.c\nindex 1..2 100644\n--- a/net/x.c\n\
        +++ b/net/x.c\n@@ -1,3 +1,3 @@ void f(void)\n \tkept_line(one);\n-\told_call(first, second);\n\
        +\tnew_call(first,  second);\n+}\n-- \n2.51.0\n";

    fn sample(text: &str) -> Sample {
        let headers = headers(text);
        let lines = headers.iter().find(|(name, _)| name == LINES);
        lines
            .and_then(|(_, value)| Sample::parse(value))
            .expect("a sample")
    }

    #[test]
    fn a_diff_is_known_by_its_files_and_changed_lines() {
        let found = headers(DIFF);
        assert_eq!(found[0], (FILES.to_owned(), "net/x.c".to_owned()));
        let one = sample(DIFF);
        assert_eq!(
            (one.total, one.hashes.len(), one.complete_up_to()),
            (2, 2, None)
        );
        let reindented = DIFF.replace(
            "\tnew_call(first,  second)",
            "        new_call(first, second)",
        );
        assert_eq!(sample(&reindented), one);
        assert_ne!(sample(&DIFF.replace("new_call", "other_call")), one);
    }

    #[test]
    fn prose_and_quoted_diffs_change_nothing() {
        assert_eq!(headers("Prose\n+ not a diff, only a list\n"), []);
        let quoted: String = DIFF.lines().map(|line| format!("> {line}\n")).collect();
        assert_eq!(headers(&quoted), []);
    }

    #[test]
    fn a_sample_of_a_large_diff_is_bounded() {
        let mut large = "diff --git a/x.c b/x.c\n@@ -0,0 +1,900 @@\n".to_owned();
        for line in 0..900 {
            large.push_str(&format!("+\tset_value_number({line});\n"));
        }
        let sample = sample(&large);
        assert_eq!((sample.total, sample.hashes.len()), (900, SAMPLE_MAX));
        assert_eq!(sample.complete_up_to(), sample.hashes.last().copied());
        assert_eq!(
            Sample::parse("1 zz"),
            Some(Sample {
                total: 1,
                ..Sample::default()
            })
        );
        assert_eq!(Sample::parse("0 0000010000020000"), None);
    }
}
