//! Facts in a text that folding needs: links to earlier revisions, paths, commits that it copies or fixes, tags.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use crate::item::diffstat;
use crate::item::prose::lines;
use crate::item::trailer::{commit_in_link, linked_mails, trailers};
use crate::item::{MessageId, Person};
use crate::story::key::{self, JoinKey};

/// The most keys of one kind that one item may have: a page of links must not tie the world together.
pub(super) const KEYS_MAX: usize = 64;

/// A mail that a patch names as an earlier revision of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// The mail.
    pub key: JoinKey,
    /// Which version that was, where the line says nothing else: `Link to v2: …`.
    pub version: Option<u32>,
}

/// The author on a patch's first line: `From: Name <address>`.
pub fn first_line_author(text: &str) -> Option<Person> {
    let first = lines(text).find(|line| !line.trim().is_empty())?;
    let (name, email) = first.strip_prefix("From:")?.rsplit_once('<')?;
    Some(Person {
        name: name.trim().trim_matches('"').to_owned(),
        email: email.trim().trim_end_matches('>').to_owned(),
    })
}

/// The mails that lines about revisions name: `Link to v1: URL`, `v2: URL`, `[1]` where such a line cites it, and a
/// `Link:` alone below a heading such as `v1 -> v2:`.
pub(super) fn earlier(text: &str) -> Vec<Earlier> {
    static VERSION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:v\d+|rfc(?:\s*v\d+)?|previous (?:version|revision)|prior version|earlier version)\b")
            .expect("the pattern is sound")
    });
    static CITED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[(\d{1,2})\]").expect("the pattern is sound"));
    let mut named = Vec::new();
    let mut name = |mails: Vec<MessageId>, version: Option<u32>| {
        let key = |id: &MessageId| Earlier {
            key: key::mail(id),
            version,
        };
        named.extend(mails.iter().map(key));
    };
    let mut cited = BTreeSet::new();
    let mut heading = false;
    for line in lines(text) {
        let bare = line.trim_start_matches(['>', ' ', '\t', '-', '*', '+', '#']);
        if line.starts_with('>') || bare.is_empty() {
            continue;
        }
        let is_linking = !mails_free(bare);
        let mails = if is_linking {
            linked_mails(bare)
        } else {
            Vec::new()
        };
        // The Message-ID itself may contain `v2`, so only the text around the link counts.
        let around = if is_linking {
            MAIL_URL.replace_all(bare, " ")
        } else {
            Cow::Borrowed(bare)
        };
        let is_version = may_name_version(&around) && VERSION.is_match(&around);
        let is_link_alone = heading && is_link_alone(&around);
        if !mails.is_empty() && (is_version || is_link_alone) {
            name(mails, only_version(&around));
        } else if is_version {
            cited.extend(
                CITED
                    .captures_iter(&around)
                    .map(|found| found[1].to_owned()),
            );
        }
        heading = (is_version && !is_linking) || (heading && !is_link_alone && !ends_section(line));
    }
    let marked = lines(text).filter(|line| !cited.is_empty() && line.trim_start().starts_with('['));
    for line in marked {
        let number = CITED
            .captures(line)
            .filter(|found| line.trim_start().starts_with(&found[0]));
        if number.is_some_and(|found| cited.contains(&found[1])) {
            name(linked_mails(line), None);
        }
    }
    named.truncate(KEYS_MAX);
    named
}

/// The version that a line names with a link, where it says nothing else: `Link to v2: URL`, `[v1] URL`, `v3 URL`.
fn only_version(around: &str) -> Option<u32> {
    static ONLY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:link to )?[\[(]?(?:(?:rfc|patch) )?v(\d{1,3})(?: link)?[\])]?[\s:=-]*[<>(\[\]).]*\s*$")
            .expect("the pattern is sound")
    });
    ONLY.captures(around.trim())?[1].parse().ok()
}

/// Whether a line can name a version at all: `v2`, `rfc`, `version` or `revision`, in any spelling. Most lines cannot, and
/// all of them are asked.
fn may_name_version(line: &str) -> bool {
    let is = |byte: Option<&u8>, letter: u8| {
        byte.is_some_and(|byte| byte.eq_ignore_ascii_case(&letter) || !byte.is_ascii())
    };
    let bytes = line.as_bytes();
    bytes.iter().enumerate().any(|(at, byte)| {
        let (next, third) = (bytes.get(at + 1), bytes.get(at + 2));
        match byte.to_ascii_lowercase() {
            b'v' => {
                next.is_some_and(|next| next.is_ascii_digit() || !next.is_ascii())
                    || (is(next, b'e') && is(third, b'r'))
                    || (is(next, b'i') && is(third, b's'))
            }
            b'r' => is(next, b'f') && is(third, b'c'),
            _ => false,
        }
    })
}

/// Whether a line says nothing but that a link follows.
fn is_link_alone(around: &str) -> bool {
    let said = around
        .trim()
        .trim_end_matches(':')
        .trim_matches(['(', ')', '<', '>', '[', ']', '.', ' ']);
    ["", "link", "link to", "url", "lore"]
        .iter()
        .any(|link| said.eq_ignore_ascii_case(link))
}

/// Whether a line leaves the list of changes that stands below a heading.
pub(super) fn ends_section(line: &str) -> bool {
    line == "---" || line == "--" || line.ends_with("-by:") || line.starts_with("Signed-off-by")
}

/// `[0] https://lore…` and `[1]: …` below a commit's message, where the text has no `Link:`.
pub(super) fn bracketed(text: &str) -> Vec<MessageId> {
    lines(text)
        .filter(|line| line.starts_with('['))
        .flat_map(linked_mails)
        .collect()
}

/// The commit that this one copies: `commit HASH upstream.`, `[ Upstream commit HASH ]`, `(cherry picked from …)`.
pub fn upstream(text: &str) -> Option<JoinKey> {
    static UPSTREAM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^\s*(?:commit ([0-9a-f]{12,64}) upstream|\[ ?upstream commit ([0-9a-f]{12,64}) ?\]|\(cherry picked from commit ([0-9a-f]{12,64})\))")
            .expect("the pattern is sound")
    });
    let found = UPSTREAM.captures(text)?;
    let hash = (1..=3).find_map(|group| found.get(group))?;
    key::commit(hash.as_str())
}

/// The tag that a pull request asks for: the word behind the repository's address.
pub(super) fn pulled_tag(text: &str) -> Option<String> {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(?:git|https?|ssh)://\S+?([\w.-]+?)(?:\.git)?/?\s+(?:refs/)?(?:tags/)?([\w./-]+)\s*$")
            .expect("the pattern is sound")
    });
    let found = TAG.captures(text)?;
    Some(format!("{} {}", &found[1], &found[2]))
}

/// The branch or tag that a merge names: `Merge branch 'x'`, `Merge tag 'x' of git://…/repository`.
pub(super) fn merged(title: &str) -> Option<String> {
    static MERGE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^Merge (?:branch|tag) '([^']+)'(?: of \S+?([\w.-]+?)(?:\.git)?/?)?(?:\s|$)")
            .expect("the pattern is sound")
    });
    let found = MERGE.captures(title)?;
    Some(match found.get(2) {
        Some(repository) => format!("{} {}", repository.as_str(), &found[1]),
        None => found[1].to_owned(),
    })
}

/// A title as maintainers name a branch after it: words joined by dashes.
pub fn slug(title: &str) -> String {
    key::normal(title).replace([' ', '_'], "-")
}

/// The paths in a diffstat: lines `path | 12 ++--`, also shortened ones.
pub fn paths(text: &str) -> BTreeSet<String> {
    diffstat::rows(text).map(|file| file.path).collect()
}

/// The commits that `Fixes:` trailers and `This reverts commit` name, as long as they are written.
pub fn mended(text: &str) -> Vec<String> {
    static REVERTS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\breverts commit ([0-9a-f]{8,64})").expect("the pattern is sound")
    });
    let fixes = trailers(text)
        .filter(|trailer| trailer.is("Fixes"))
        .filter_map(|trailer| {
            let first = trailer
                .value
                .split([' ', '(', '"'])
                .find(|word| !word.is_empty())?;
            let hash = commit_in_link(first).unwrap_or(first).to_ascii_lowercase();
            let is_hash = hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            is_hash.then_some(hash)
        });
    let mut all: Vec<String> = fixes.collect();
    all.extend(
        REVERTS
            .captures_iter(text)
            .map(|found| found[1].to_ascii_lowercase()),
    );
    let mut seen = BTreeSet::new();
    all.retain(|hash| seen.insert(hash.clone()));
    all
}

/// The patches that a pull request lists: `Author (2):` with a title in each indented line below.
pub(super) fn shortlog(text: &str) -> BTreeSet<JoinKey> {
    static AUTHOR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\S.*?) \(\d+\):$").expect("the pattern is sound"));
    let mut author: Option<String> = None;
    let mut keys = BTreeSet::new();
    for line in lines(text) {
        if let Some(found) = AUTHOR.captures(line) {
            author = Some(key::clean_name(&found[1]).to_lowercase());
        } else if line.starts_with("      ") {
            keys.extend(
                author
                    .as_ref()
                    .map(|author| key::titled(author, line.trim())),
            );
        } else {
            author = None;
        }
    }
    keys
}

static MAIL_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"https?://\S+").expect("the pattern is sound"));

fn mails_free(line: &str) -> bool {
    !line.contains("://")
}
