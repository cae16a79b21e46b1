//! The part of a story that only filters compare: the files that it changes, and the addresses in its mails.

use serde::{Deserialize, Serialize};

/// The most files of a story, and the most bytes of their names together.
const FILES_MAX: usize = 128;
const FILES_BYTES_MAX: usize = 6 * 1024;
/// The most addresses of each kind, and the most bytes of one.
const ADDRESSES_MAX: usize = 200;
const ADDRESS_BYTES_MAX: usize = 254;

/// The files and addresses of a story, within bounds. Addresses are in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoryExtent {
    /// The files that the newest revision or the commits change, in the order of their names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// How many files are not stored.
    #[serde(skip_serializing_if = "is_zero")]
    pub files_left_out: u32,
    /// The addresses of the authors.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// The addresses of others who took part.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// The addresses in `To:` and `Cc:` of the newest revision, the request, or the first mail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// The lists that carry it: their names, and their List-Ids.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists: Vec<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl StoryExtent {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Sets the files, each once and in order.
    pub(super) fn set_files(&mut self, files: std::collections::BTreeSet<&str>) {
        let mut bytes = 0;
        let many = files.len();
        let kept = files.into_iter().take(FILES_MAX).take_while(|file| {
            bytes += file.len();
            bytes <= FILES_BYTES_MAX
        });
        self.files = kept.map(str::to_owned).collect();
        self.files_left_out = u32::try_from(many - self.files.len()).unwrap_or(u32::MAX);
    }
}

/// Adds an address, unless it is there already or the list is full.
pub(super) fn add_address(addresses: &mut Vec<String>, address: &str) {
    if addresses.len() < ADDRESSES_MAX && address.len() <= ADDRESS_BYTES_MAX {
        let is_it = |known: &String| known.eq_ignore_ascii_case(address);
        if !address.is_empty() && !addresses.iter().any(is_it) {
            addresses.push(address.to_ascii_lowercase());
        }
    }
}

/// The addresses of a header such as `To:`, as it was sent. Quoted names are skipped, so an address in a name is none.
pub(super) fn addresses(header: &str) -> impl Iterator<Item = &str> {
    let mut rest = header;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (entry, after) = next_entry(rest);
            rest = after;
            let inner = match (entry.rfind('<'), entry.rfind('>')) {
                (Some(open), Some(close)) if open < close => &entry[open + 1..close],
                _ => outside_comment(entry),
            };
            let inner = inner.rsplit(':').next().unwrap_or(inner).trim();
            let is_plain = !inner.contains(|c: char| c.is_whitespace() || c.is_control());
            if is_plain && inner.contains('@') {
                return Some(inner);
            }
        }
        None
    })
}

/// An entry without its comment: `a@b.example (open list:NETWORKING)`.
fn outside_comment(entry: &str) -> &str {
    let (before, comment) = entry.split_once('(').unwrap_or((entry, ""));
    match before.trim() {
        "" => comment.rsplit(')').next().unwrap_or_default(),
        before => before,
    }
}

/// The text up to the next comma or semicolon outside of quotation marks and comments, and the rest.
fn next_entry(text: &str) -> (&str, &str) {
    let (mut quoted, mut escaped, mut comments) = (false, false, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' if comments == 0 => quoted = !quoted,
            '(' if !quoted => comments += 1,
            ')' if !quoted => comments = comments.saturating_sub(1),
            ',' | ';' if !quoted && comments == 0 => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
    }
    (text, "")
}

/// A file of a diffstat or a diff: of a renamed one the new name, `None` for one whose path is cut.
pub(super) fn whole_path(name: &str) -> Option<String> {
    if name.starts_with("...") {
        return None;
    }
    let Some((before, after)) = name.split_once(" => ") else {
        return Some(name.to_owned());
    };
    match (before.rsplit_once('{'), after.split_once('}')) {
        (Some((head, _)), Some((middle, tail))) => {
            let path = format!("{head}{middle}{tail}");
            Some(path.replace("//", "/"))
        }
        _ => Some(after.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_from_headers_as_they_were_sent() {
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 11] = [
            ("bpf@v.example", &["bpf@v.example"]),
            ("Zoë <z@a.example>, <b@c.example>", &["z@a.example", "b@c.example"]),
            ("\"Last, First; x@y\" <f@a.example>, g@a.example", &["f@a.example", "g@a.example"]),
            ("=?utf-8?q?A=2C_B?= <ab@c.example>", &["ab@c.example"]),
            ("undisclosed-recipients:;", &[]),
            ("group: a@b.example, c@d.example;", &["a@b.example", "c@d.example"]),
            ("A (a, b@c) <d@e.example>", &["d@e.example"]),
            ("n@v.example (open list:NETWORKING, x), c@d.example (moderated list:A)", &["n@v.example", "c@d.example"]),
            ("(the list) n@v.example, (only a comment)", &["n@v.example"]),
            ("a b@c d, <<x@y.example>, ,", &["x@y.example"]),
            ("\"open <a@b.example>, c@d.example", &["a@b.example"]),
        ];
        for (header, wanted) in table {
            let found: Vec<&str> = addresses(header).collect();
            assert_eq!(found, wanted, "{header}");
        }
    }

    #[test]
    fn an_address_counts_once_in_any_case() {
        let mut known = Vec::new();
        for address in ["A@b.example", "a@B.example", "", &"x".repeat(300)] {
            add_address(&mut known, address);
        }
        assert_eq!(known, ["a@b.example"]);
        for number in 0..300 {
            add_address(&mut known, &format!("{number}@b.example"));
        }
        assert_eq!(known.len(), ADDRESSES_MAX);
    }

    #[test]
    fn files_are_whole_and_bounded() {
        #[rustfmt::skip]
        let table = [
            ("kernel/bpf/core.c", Some("kernel/bpf/core.c")),
            (".../bpf/core.c", None),
            ("a/{b => c}/d.c", Some("a/c/d.c")),
            ("a/{b => }/d.c", Some("a/d.c")),
            ("a/b.c => c/d.c", Some("c/d.c")),
        ];
        for (name, wanted) in table {
            assert_eq!(whole_path(name).as_deref(), wanted, "{name}");
        }
        let names: Vec<String> = (0..500).map(|number| format!("a/{number:03}.c")).collect();
        let mut scope = StoryExtent::default();
        scope.set_files(names.iter().map(String::as_str).collect());
        assert_eq!((scope.files.len(), scope.files_left_out), (128, 372));
        assert!(!scope.is_empty());
    }
}
