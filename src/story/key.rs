//! Join keys. Items without a common key never meet in one story.

use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest as _, Sha256};

use crate::item::{ItemKey, MessageId, Person};

/// A join key: the first eight bytes of a digest, as the database keeps it.
pub type JoinKey = i64;

/// The digits of a commit's hash that identify it, and that people read.
pub const HASH_DIGITS: usize = 12;

/// The first eight bytes of an item's digest, as a number.
pub fn of_digest(digest: &[u8]) -> Option<JoinKey> {
    Some(i64::from_le_bytes(digest.get(..8)?.try_into().ok()?))
}

fn hashed(space: &str, text: &str) -> JoinKey {
    let mut digest = Sha256::new();
    digest.update(space);
    digest.update(":");
    digest.update(text);
    of_digest(&digest.finalize()).expect("a digest has 32 bytes")
}

/// The key of a mail. It equals the beginning of the digest of its item.
pub fn mail(id: &MessageId) -> JoinKey {
    of_item(&ItemKey::message(id))
}

/// The key of an item.
pub fn of_item(key: &ItemKey) -> JoinKey {
    of_digest(&key.digest()).expect("a digest has 16 bytes")
}

/// The key of a commit, by its first twelve digits; `None` for fewer.
pub fn commit(hash: &str) -> Option<JoinKey> {
    let short = hash.get(..HASH_DIGITS)?;
    Some(hashed("commit12", &short.to_ascii_lowercase()))
}

/// The key of b4's change-id.
pub fn change(id: &str) -> JoinKey {
    hashed("change", id)
}

/// The key of somebody's title.
pub fn titled(author: &str, title: &str) -> JoinKey {
    hashed("title", &format!("{author}\n{}", normal(title)))
}

/// The key of a run of `git send-email`.
pub fn run(run: &str) -> JoinKey {
    hashed("run", run)
}

/// The key of a line that somebody's patch changes, known by its hash.
pub fn line(author: &str, line: u32) -> JoinKey {
    hashed("line", &format!("{author}\n{line:06x}"))
}

/// The key of a branch that a series was merged from, or a tag that is to be pulled.
pub fn branch(name: &str) -> JoinKey {
    hashed("branch", &name.to_ascii_lowercase())
}

/// The keys by which a retitled series meets its predecessor: its author with each pair of the three longest words.
pub fn retitled(author: &str, title: &str) -> Vec<JoinKey> {
    let title = title.split_once(": ").map_or(title, |(_, rest)| rest);
    let normal = normal(title);
    let mut words: Vec<&str> = normal.split(' ').filter(|word| word.len() > 3).collect();
    words.sort_by_key(|word| (std::cmp::Reverse(word.len()), *word));
    words.dedup();
    words.truncate(3);
    words.sort_unstable();
    let mut keys = Vec::new();
    for (at, first) in words.iter().enumerate() {
        for second in &words[at + 1..] {
            keys.push(hashed("words", &format!("{author}\n{first} {second}")));
        }
    }
    keys
}

/// A title as it is compared: its words in lower case, without punctuation around them.
pub fn normal(title: &str) -> String {
    let mut normal = String::with_capacity(title.len());
    let mut is_between = false;
    for c in title.chars() {
        if !(c.is_alphanumeric() || c == '_') {
            is_between = true;
            continue;
        }
        if std::mem::take(&mut is_between) && !normal.is_empty() {
            normal.push(' ');
        }
        if c.is_ascii() {
            normal.push(c.to_ascii_lowercase())
        } else {
            normal.extend(c.to_lowercase())
        }
    }
    normal
}

/// The spellings of a person: the name and the address, in lower case. One that identifies nobody is left out.
pub fn identities(person: &Person) -> Vec<String> {
    let name = clean_name(&person.name).to_lowercase();
    let email = person.email.to_lowercase();
    // b4's relay sends for others, from an address that spells theirs; a list that rewrites senders, from its own.
    let is_relay = email.starts_with("devnull+") || person.name.contains(" via ");
    let mut known = Vec::new();
    if name.contains(' ') || email.is_empty() {
        known.push(name);
    }
    if !email.is_empty() && !is_relay {
        known.push(email);
    }
    known.retain(|id| !id.is_empty());
    known
}

/// A name without `via B4 Relay`, quotes and bracketed remarks.
pub fn clean_name(name: &str) -> String {
    let name = name.split(" via ").next().unwrap_or(name);
    let name = name.split(" (").next().unwrap_or(name);
    name.trim().trim_matches(['"', '\'']).trim().to_owned()
}

/// A Message-ID with the number that a run of `git send-email` or b4 gave each mail taken out; `None` for another form.
pub fn run_of(id: &str) -> Option<String> {
    static RUN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:(\d{14}\.\d+)-\d{1,3}-(.+)|(\d{8}-.+-v\d+)-\d{1,3}-([0-9a-f]{12}@.+))$")
            .expect("the pattern is sound")
    });
    let found = RUN.captures(id)?;
    let half = |git: usize, b4: usize| {
        let half = found.get(git).or_else(|| found.get(b4));
        half.map_or("", |half| half.as_str())
    };
    Some(format!("{}-#-{}", half(1, 3), half(2, 4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mails_key_is_the_beginning_of_its_digest() {
        let id = MessageId::parse("a@b").expect("an id");
        assert_eq!(Some(mail(&id)), of_digest(&ItemKey::message(&id).digest()));
    }

    #[test]
    fn titles_and_people_are_known_in_all_their_spellings() {
        assert_eq!(normal("  bpf: Add `foo_bar()`, v2!"), "bpf add foo_bar v2");
        let relay = Person {
            name: "A. B. via B4 Relay".to_owned(),
            email: "devnull+a.b.c@kernel.org".to_owned(),
        };
        assert_eq!(identities(&relay), ["a. b."]);
        let remark = Person {
            name: "\"A B (Org)\"".to_owned(),
            email: "A@b.c".to_owned(),
        };
        assert_eq!(identities(&remark), ["a b", "a@b.c"]);
    }

    #[test]
    fn a_run_is_known_by_any_of_its_numbers() {
        #[rustfmt::skip]
        let table = [
            ("20240501112059.13-1-a.b@c.d", Some("20240501112059.13-#-a.b@c.d")),
            ("20240501112059.13-12-a.b@c.d", Some("20240501112059.13-#-a.b@c.d")),
            ("20240731-slug-v1-3-0123456789ab@c.d", Some("20240731-slug-v1-#-0123456789ab@c.d")),
            ("cover.1714907662.git.a@b.c", None),
            ("a@b.c", None),
        ];
        for (id, wanted) in table {
            assert_eq!(run_of(id).as_deref(), wanted, "{id}");
        }
    }

    #[test]
    fn a_retitled_series_shares_a_pair_of_words() {
        let (a, b) = (
            retitled("a", "net: Improve netns handling in rtnetlink"),
            retitled("a", "net: Improve netns handling in RTNL"),
        );
        assert!(a.iter().any(|key| b.contains(key)));
        assert!(
            retitled("b", "net: Improve netns handling")
                .iter()
                .all(|key| !a.contains(key))
        );
    }
}
