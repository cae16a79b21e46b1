//! The size of a patch, as the diffstat in its mail or commit gives it.

use std::sync::LazyLock;

use regex::Regex;

use super::diff::FILES;
use super::prose::lines;

/// The most files that are listed of one diffstat.
const FILES_MAX: usize = 200;
/// Git puts this before the end of a path for which a row has no room.
const SHORTENED: &str = ".../";

/// A row of a diffstat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedPath {
    /// Its path; git shortens a long one to `.../END`.
    pub path: String,
    /// How many lines change; `None` if that is unknown, as for a binary file.
    pub lines: Option<u32>,
}

/// A diffstat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diffstat {
    /// How many files change.
    pub many: u32,
    pub added: u32,
    pub removed: u32,
    /// The files; at most 200.
    pub files: Vec<ChangedPath>,
}

/// The rows of the diffstats in a text: `path | 12 ++--`. Quoted rows do not count.
pub fn rows(text: &str) -> impl Iterator<Item = ChangedPath> {
    static ROW: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^ (\S[^|]*?)\s+\|\s+(?:(\d+)|Bin)\b").expect("the pattern is sound")
    });
    let rows = lines(text).filter(|line| line.starts_with(' ') && line.contains('|'));
    rows.filter_map(|row| {
        let found = ROW.captures(row)?;
        Some(ChangedPath {
            path: found[1].to_owned(),
            lines: found.get(2).and_then(|many| many.as_str().parse().ok()),
        })
    })
}

impl Diffstat {
    /// Reads the last sum in a text (`3 files changed, 10 insertions(+), 2 deletions(-)`) with the rows of the diffstat.
    /// `headers` has the whole paths of a patch. `None` if the text has no sum.
    pub fn read(headers: &[(String, String)], text: &str) -> Option<Self> {
        static SUM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"^ (\d+) files? changed(?:, (\d+) insertions?\(\+\))?(?:, (\d+) deletions?\(-\))?\s*$",
            )
            .expect("the pattern is sound")
        });
        let sums = lines(text).filter(|line| line.starts_with(' ') && line.contains(" changed"));
        let found = sums.filter_map(|line| SUM.captures(line)).last()?;
        let number = |group| {
            let digits = found.get(group).map(|digits| digits.as_str());
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        let rows: Vec<ChangedPath> = rows(text).take(FILES_MAX).collect();
        Some(Self {
            many: number(1),
            added: number(2),
            removed: number(3),
            files: with_whole_paths(headers, rows),
        })
    }
}

/// Replaces shortened paths by those that the diff had.
fn with_whole_paths(headers: &[(String, String)], mut rows: Vec<ChangedPath>) -> Vec<ChangedPath> {
    let whole = headers.iter().find(|(name, _)| name == FILES);
    let whole: Vec<&str> = whole.map_or("", |(_, paths)| paths).split(' ').collect();
    for row in &mut rows {
        let Some(end) = row.path.strip_prefix(SHORTENED) else {
            continue;
        };
        let mut fitting = whole.iter().filter(|path| path.ends_with(end));
        if let (Some(path), None) = (fitting.next(), fitting.next()) {
            row.path = (*path).to_owned();
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "Words | with a bar\n> a/quoted.c | 9 +++\n---\n .../selftests/bpf/prog_tests/x.c | 12 ++++++++----\n kernel/bpf/verifier.c            |  3 +--\n \
        doc/logo.png | Bin 0 -> 12 bytes\n 3 files changed, 9 insertions(+), 6 deletions(-)\n";

    fn read(text: &str) -> Option<(u32, u32, u32, usize)> {
        let stat = Diffstat::read(&[], text)?;
        Some((stat.many, stat.added, stat.removed, stat.files.len()))
    }

    #[test]
    fn a_sum_may_lack_either_half_and_the_last_one_counts() {
        assert_eq!(read(PATCH), Some((3, 9, 6, 3)));
        let only_added = " x.c | 1 +\n 1 file changed, 1 insertion(+)\n";
        assert_eq!(read(only_added), Some((1, 1, 0, 1)));
        let only_removed = " 2 files changed, 40 deletions(-)\n";
        assert_eq!(read(only_removed), Some((2, 0, 40, 0)));
        assert_eq!(
            read(&format!("{only_added}{only_removed}")),
            Some((2, 0, 40, 1))
        );
        for no_sum in [
            "",
            "3 files changed\n",
            "> 1 file changed, 1 insertion(+)",
            " 9 files changed by me\n",
        ] {
            assert_eq!(read(no_sum), None, "{no_sum}");
        }
        let huge = " 99999999999 files changed, 4 insertions(+)\n";
        assert_eq!(
            read(huge),
            Some((0, 4, 0, 0)),
            "no number is no reason to fail"
        );
    }

    #[test]
    fn a_shortened_path_is_completed_if_one_file_fits() {
        let files = |paths: &str| {
            let headers = [(FILES.to_owned(), paths.to_owned())];
            let stat = Diffstat::read(&headers, PATCH).expect("a sum");
            stat.files[0].path.clone()
        };
        let whole = "tools/testing/selftests/bpf/prog_tests/x.c";
        assert_eq!(files(&format!("kernel/bpf/verifier.c {whole}")), whole);
        let short = ".../selftests/bpf/prog_tests/x.c";
        assert_eq!(files(&format!("{whole} other/{whole}")), short);
        assert_eq!(files(""), short);
        let stat = Diffstat::read(&[], PATCH).expect("a sum");
        assert_eq!((stat.files[1].lines, stat.files[2].lines), (Some(3), None));
    }
}
