//! Words in titles, texts and paths.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// The first of `words` that is in `text`, in any case. Names that mean something else do not count.
pub(super) fn found<'a>(text: &str, words: &'a [String]) -> Option<&'a str> {
    let text = text.to_lowercase();
    let text = without_namesakes(&text);
    words
        .iter()
        .map(String::as_str)
        .find(|word| text.contains(*word))
}

/// A text in lower case without names that contain a BPF word but mean something else: the conference of storage, file systems,
/// memory and BPF, and seccomp's tests and samples, whose filters are classic BPF.
pub(super) fn without_namesakes(text: &str) -> Cow<'_, str> {
    static NAMESAKE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"lsf(?:\W{0,3}|\W+and\W+)mm(?:\W{0,3}|\W+and\W+)bpf|seccomp[-_/]bpf(?:[-_]\w+)*(?:\.[cho]\b)?")
            .expect("the pattern is sound")
    });
    // Few texts have one, and most are long.
    if text.contains("lsf") || text.contains("seccomp") {
        NAMESAKE.replace_all(text, " ")
    } else {
        text.into()
    }
}

/// Whether a title in lower case is a test's or a sample's: `selftests/bpf: …`, `bpf, selftests: …`, `samples/bpf: …`.
pub(super) fn is_test_title(title: &str) -> bool {
    let heads = ["bpf: ", "bpf, ", "bpf/"];
    let rest = heads.iter().find_map(|head| title.strip_prefix(head));
    let rest = rest.unwrap_or(title);
    rest.starts_with("selftest") || rest.starts_with("samples")
}

/// Whether `text`, which is in lower case, has the word or words, not as a part of others.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = memchr::memmem::find_iter(text.as_bytes(), word);
    found.any(|at| {
        !text[..at].chars().next_back().is_some_and(is_part)
            && !text[at + word.len()..].chars().next().is_some_and(is_part)
    })
}
