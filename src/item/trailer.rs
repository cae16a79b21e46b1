//! Trailers, on lines of their own below a message: `Fixes:`, `Link:`, `Acked-by:`, `change-id:`; and the mails that links lead
//! to.

use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::Regex;

use super::prose::lines;
use super::{MessageId, Person};

/// A line `Name: value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer<'a> {
    /// The text before the colon.
    pub name: &'a str,
    /// The text after the colon, trimmed.
    pub value: &'a str,
}

impl Trailer<'_> {
    /// Whether it has that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The name of its person: the text before the address, without quotes.
    pub fn person(&self) -> &str {
        let name = self.value.split('<').next().unwrap_or_default();
        name.trim().trim_matches('"')
    }
}

impl Trailer<'_> {
    /// Its person; of `a@b.c` alone only the address.
    pub fn identity(&self) -> Person {
        let (name, email) = match self.value.split_once('<') {
            Some((name, email)) => (name, email.split('>').next().unwrap_or_default()),
            None => match self.value.split_whitespace().next() {
                Some(word) if word.contains('@') => ("", word),
                Some(_) | None => (self.value, ""),
            },
        };
        Person {
            name: name.trim().trim_matches('"').to_owned(),
            email: email.trim().to_owned(),
        }
    }
}

/// Lines that begin so look like trailers and are none.
const NO_TRAILERS: [&str; 4] = ["http", "https", "note", "from"];

/// The trailers of a text, wherever they stand, unless they are quoted.
pub fn trailers(text: &str) -> impl Iterator<Item = Trailer<'_>> {
    lines(text).filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_name = !name.is_empty()
            && name.len() <= 40
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !NO_TRAILERS.iter().any(|no| no.eq_ignore_ascii_case(name));
        let value = value.trim();
        (is_name && !value.is_empty()).then_some(Trailer { name, value })
    })
}

/// The forms in which lore is linked: `https://lore.kernel.org/LIST/ID`, `…/r/ID`, `lkml.kernel.org/r/ID`,
/// `patch.msgid.link/ID`, `msgid.link/ID`.
static MAIL_LINK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"https?://(?:(?:www\.)?lore\.kernel\.org/[\w.-]+|lkml\.kernel\.org/r|(?:patch\.)?msgid\.link)/([^\s/<>()\[\]"]+@[^\s/<>()\[\]",;#?]+)"#,
    )
    .expect("the pattern is sound")
});

/// The mails that the links in `text` lead to, in their order.
pub fn linked_mails(text: &str) -> Vec<MessageId> {
    MAIL_LINK
        .captures_iter(text)
        .filter_map(|found| {
            let id = percent_decode_str(found.get(1)?.as_str())
                .decode_utf8()
                .ok()?;
            MessageId::parse(id.trim_end_matches(['.', ',', ':']))
        })
        .collect()
}

/// Hexadecimal hashes named by URLs of commits: cgit's `/c/HASH`, `?id=HASH`, GitHub's `/commit/HASH`.
pub fn commit_in_link(url: &str) -> Option<&str> {
    static COMMIT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?:/c/|[?&;]id=|/commit/)([0-9a-f]{8,64})\b").expect("the pattern is sound")
    });
    COMMIT
        .captures(url)
        .and_then(|found| found.get(1))
        .map(|hash| hash.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_are_read_and_look_alikes_are_not() {
        let text = "Text: with a colon in prose\n> Acked-by: Q <q@x>\nhttps://x.y/z\n\nFixes: 123456789abc (\"x\")\n\
                    Acked-by: \"A. B\" <a@b>\nchange-id: 20240101-x-0123456789ab\nNote: no";
        let found: Vec<_> = trailers(text).collect();
        let names: Vec<_> = found.iter().map(|t| t.name).collect();
        assert_eq!(names, ["Text", "Fixes", "Acked-by", "change-id"]);
        assert_eq!(found[2].person(), "A. B");
        assert!(found[3].is("Change-Id"));
        for (line, name, email) in [
            ("Acked-by: \"A. B\" <a@b>", "A. B", "a@b"),
            ("Acked-by: a@b # by mail", "", "a@b"),
            ("Acked-by: A. B", "A. B", ""),
        ] {
            let identity = trailers(line).next().expect("a trailer").identity();
            assert_eq!(
                (identity.name.as_str(), identity.email.as_str()),
                (name, email)
            );
        }
    }

    #[test]
    fn every_form_of_a_link_leads_to_its_mail() {
        #[rustfmt::skip]
        let table = [
            ("https://lore.kernel.org/bpf/1.2-3-a@b.c", Some("1.2-3-a@b.c")),
            ("https://lore.kernel.org/r/a%2Fb@c.d/T/#u", Some("a/b@c.d")),
            ("<https://lkml.kernel.org/r/a@b.c>.", Some("a@b.c")),
            ("[0] https://patch.msgid.link/a@b.c", Some("a@b.c")),
            ("https://msgid.link/a@b.c,", Some("a@b.c")),
            ("https://lore.kernel.org/bpf/", None),
            ("https://example.org/r/a@b.c", None),
        ];
        for (text, wanted) in table {
            let got: Vec<String> = linked_mails(text).iter().map(ToString::to_string).collect();
            assert_eq!(
                got,
                wanted.map(str::to_owned).into_iter().collect::<Vec<_>>(),
                "{text}"
            );
        }
        assert_eq!(
            commit_in_link("https://git.kernel.org/bpf/bpf-next/c/95b88500b97c"),
            Some("95b88500b97c")
        );
        assert_eq!(
            commit_in_link("https://git.kernel.org/x/commit/?id=95b88500b97c"),
            Some("95b88500b97c")
        );
    }
}
