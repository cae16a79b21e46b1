//! The prose of a mail or a commit message: the text that people wrote, without diffs.

/// The most text kept of one item, in bytes. Long review threads quote much; beyond this nobody reads.
pub const TEXT_BYTES_MAX: usize = 64 * 1024;

/// The lines of a text, as [`str::lines`] gives them, only sooner: all that is read goes through here many times.
pub fn lines(text: &str) -> ProseLines<'_> {
    ProseLines { rest: text }
}

/// See [`lines`].
#[derive(Debug, Clone)]
pub struct ProseLines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for ProseLines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(end) = memchr::memchr(b'\n', self.rest.as_bytes()) else {
            return Some(std::mem::take(&mut self.rest));
        };
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// Where `wanted` begins in a text, as [`str::find`] gives it, only sooner.
pub fn find(text: &str, wanted: &str) -> Option<usize> {
    memchr::memmem::find(text.as_bytes(), wanted.as_bytes())
}

/// Leaves out unquoted diffs, carriage returns, NULs and trailing white space, and cuts at [`TEXT_BYTES_MAX`]. A diffstat stays,
/// because it lists the changed paths.
pub fn without_diffs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(TEXT_BYTES_MAX));
    let mut in_diff = false;
    let mut lines = lines(text).peekable();
    while let Some(line) = lines.next() {
        let line = line.trim_end_matches(['\r', ' ', '\t']);
        let opens = line.starts_with("diff --git ")
            || line.starts_with("Index: ")
            || (line.starts_with("--- ")
                && lines.peek().is_some_and(|next| next.starts_with("+++ ")));
        if opens {
            in_diff = true;
        } else if in_diff && !continues_diff(line) {
            in_diff = false;
        }
        if in_diff {
            continue;
        }
        if kept.len() + line.len() + 1 > TEXT_BYTES_MAX {
            break;
        }
        for part in line.split('\0') {
            kept.push_str(part);
        }
        kept.push('\n');
    }
    let end = kept.trim_end().len();
    kept.truncate(end);
    let start = kept.len() - kept.trim_start_matches('\n').len();
    kept.drain(..start);
    kept
}

/// Whether a line that follows a diff's line still belongs to it.
fn continues_diff(line: &str) -> bool {
    const HEADS: [&str; 16] = [
        "@@",
        "diff ",
        "index ",
        "new file",
        "deleted file",
        "old mode",
        "new mode",
        "similarity ",
        "dissimilarity ",
        "rename ",
        "copy ",
        "Binary ",
        "GIT binary",
        "literal ",
        "delta ",
        "\\ No newline",
    ];
    // Mail programs strip the one space of an empty context line.
    line.is_empty()
        || line.starts_with([' ', '+'])
        || (line.starts_with('-') && line != "--")
        || HEADS.iter().any(|head| line.starts_with(head))
}

/// The first sentence or two of `text` that a reader would want under a title, on one line of at most
/// `chars_max` characters; empty where there is none. Quotes, greetings and trailers are passed over.
pub fn opening(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for paragraph in text.split("\n\n") {
        let joined = paragraph
            .lines()
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ");
        let joined = joined.trim();
        if joined.is_empty() || !is_prose(joined) {
            continue;
        }
        joined.clone_into(&mut line);
        break;
    }
    shorten(&line, chars_max)
}

/// Whether a paragraph is prose: not a quotation, a greeting, a trailer block, a diffstat or a signature.
fn is_prose(paragraph: &str) -> bool {
    let first = paragraph.split_whitespace().next().unwrap_or_default();
    let greeting = ["Hi", "Hello", "Hey", "Dear"]
        .contains(&first.trim_end_matches([',', '!', '.']))
        && paragraph.len() < 40;
    let trailer = first.ends_with(':')
        && first.len() > 3
        && (first.contains("-by") || first == "Link:" || first == "Fixes:");
    let quote = paragraph.starts_with('>') || paragraph.ends_with("wrote:");
    !(greeting
        || trailer
        || quote
        || paragraph.starts_with("---")
        || paragraph.starts_with("From:"))
}

/// Characters that show nothing themselves and hide, reorder or join the text around them.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Cuts `text` at a word's end so that it has at most `chars_max` characters, `…` included.
pub fn shorten(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let cut: String = text.chars().take(chars_max.saturating_sub(1)).collect();
    let end = cut
        .rfind(' ')
        .filter(|&at| at > cut.len() / 2)
        .unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_ever() {
        for text in [
            "",
            "\n",
            "\r\n",
            "\r",
            "a",
            "a\n",
            "a\r",
            "a\r\n",
            "a\n\nb",
            "\na\r\r\nb\r",
            "ä\r\nö\n\n",
        ] {
            let as_ever: Vec<&str> = text.lines().collect();
            assert_eq!(lines(text).collect::<Vec<_>>(), as_ever, "{text:?}");
        }
    }

    #[test]
    fn diffs_go_and_prose_stays() {
        #[rustfmt::skip]
        let table = [
            ("plain text stays", "Hello.\n\nBye.", "Hello.\n\nBye."),
            ("a git diff goes up to the signature",
             "Fix it.\n---\n a.c | 2 +-\n\ndiff --git a/a.c b/a.c\nindex 1..2 100644\n--- a/a.c\n+++ b/a.c\n@@ -1 +1 @@\n-x\n+y\n\n-- \n2.39",
             "Fix it.\n---\n a.c | 2 +-\n\n--\n2.39"),
            ("a plain diff goes", "See:\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\nThat is all.", "See:\nThat is all."),
            ("carriage returns and NULs go", "a\r\nb\0c\r\n", "a\nbc"),
            ("a list with dashes is no diff", "- one\n- two", "- one\n- two"),
            ("a rule is no diff", "a\n--- \nb", "a\n---\nb"),
        ];
        for (name, text, wanted) in table {
            assert_eq!(without_diffs(text), wanted, "{name}");
        }
    }

    #[test]
    fn endless_text_is_cut_at_a_line() {
        let text = "0123456789\n".repeat(TEXT_BYTES_MAX);
        let kept = without_diffs(&text);
        assert!(kept.len() <= TEXT_BYTES_MAX && kept.ends_with("0123456789"));
    }

    #[test]
    fn an_opening_is_the_first_prose() {
        #[rustfmt::skip]
        let table = [
            ("Hi,\n\nThis adds\na map.\n\nMore.", "This adds a map."),
            ("On Monday A wrote:\n\n> quoted\n\nI agree.", "I agree."),
            ("Signed-off-by: A <a@b.c>", ""),
            ("", ""),
        ];
        for (text, wanted) in table {
            assert_eq!(opening(text, 80), wanted, "{text}");
        }
        assert_eq!(opening("one two three four", 10), "one two…");
        assert_eq!(shorten("ééééééé", 4), "ééé…");
    }
}
