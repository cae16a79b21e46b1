//! One item read: what part it plays, and by which keys it may be tied to others. A function of the item alone.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use regex::Regex;

use super::key::{self, Key};
use super::{Kept, bot};
use crate::item::subject::Subject;
use crate::item::trailer::{commit_in_link, linked_mails, trailers};
use crate::item::{Kind, MessageId, Person};

/// The most keys of one kind that one item may have: a page of links must not tie the world together.
const KEYS_MAX: usize = 64;
/// See [`Reading::posting_keys`].
const HALF_DAY_S: i64 = 43_200;

/// What part an item plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A cover letter or a patch, as its author posted it.
    Patch,
    /// A patch on its way to a stable tree, sent for review by a machine or its keeper.
    Backport,
    /// A request to pull.
    Pull,
    /// Any other mail of a person.
    Talk,
    /// A mail of a machine.
    Machine,
    /// A commit.
    Commit,
    /// An article, a release or a video.
    Lone,
}

/// An item, read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The item.
    pub kept: Kept,
    /// Its title, read; of a mail, else only the title.
    pub subject: Subject,
    /// Its part.
    pub role: Role,
    /// Its own key.
    pub own: Key,
    /// The mails above it, nearest first.
    pub above: Vec<Key>,
    /// Who wrote it, in all the spellings that are known: the sender, and whom a first line `From:` names.
    pub authors: Vec<String>,
    /// Earlier revisions that a patch names.
    pub earlier: Vec<Key>,
    /// b4's change-ids.
    pub changes: Vec<String>,
    /// The commits whose part this is: itself, those that a notice lists, those that it is a copy of.
    pub commits: Vec<Key>,
    /// The mails that a commit's `Link:` trailers name.
    pub links: Vec<Key>,
    /// The branch that a series became, or the tag that is to be pulled.
    pub branch: Option<Key>,
    /// The run of `git send-email` that sent it.
    pub run: Option<Key>,
    /// The paths in its diffstat.
    pub paths: BTreeSet<String>,
}

impl Reading {
    /// Reads an item.
    pub fn of(kept: Kept) -> Self {
        let subject = match kept.kind {
            Kind::Message => Subject::parse(&kept.title),
            Kind::Commit | Kind::Article | Kind::Release | Kind::Video => Subject {
                title: kept.title.clone(),
                version: 1,
                ..Subject::default()
            },
        };
        let role = role(&kept, &subject);
        let mut reading = Self {
            own: own_key(&kept),
            above: above(&kept),
            authors: authors(&kept, role),
            earlier: Vec::new(),
            changes: Vec::new(),
            commits: Vec::new(),
            links: Vec::new(),
            branch: None,
            run: None,
            paths: BTreeSet::new(),
            subject,
            role,
            kept,
        };
        match role {
            Role::Patch => reading.read_patch(),
            Role::Backport => {
                reading.commits = upstream(&reading.kept.text).into_iter().collect();
                reading.above.clear();
            }
            Role::Pull => {
                reading.branch = pulled_tag(&reading.kept.text).map(|tag| key::branch(&tag))
            }
            Role::Commit => reading.read_commit(),
            Role::Machine => reading.read_notice(),
            Role::Talk => {
                if let Some(thanks) = bot::thanks(&reading.kept) {
                    reading.commits = thanks
                        .commits
                        .iter()
                        .filter_map(|c| key::commit(&c.hash))
                        .collect();
                }
            }
            Role::Lone => {}
        }
        reading
    }

    /// Everything that may tie it to other items.
    pub fn keys(&self) -> BTreeSet<Key> {
        let mut keys: BTreeSet<Key> = BTreeSet::from([self.own]);
        let many = [&self.above, &self.earlier, &self.links, &self.commits];
        keys.extend(many.into_iter().flat_map(|keys| keys.iter().take(KEYS_MAX)));
        keys.extend(self.changes.iter().map(|id| key::change(id)));
        keys.extend(self.branch);
        keys.extend(self.run);
        let is_part = self.subject.part.is_some_and(|(number, _)| number > 1);
        match self.role {
            Role::Patch | Role::Commit if !self.is_merge() => {
                for author in &self.authors {
                    keys.insert(key::titled(author, &self.subject.title));
                    if self.role == Role::Patch && !is_part {
                        keys.extend(key::retitled(author, &self.subject.title));
                    }
                }
            }
            Role::Patch
            | Role::Commit
            | Role::Backport
            | Role::Pull
            | Role::Talk
            | Role::Machine
            | Role::Lone => {}
        }
        if self.role == Role::Patch {
            keys.extend(self.posting_keys());
        }
        if self.role == Role::Patch && self.subject.is_cover() {
            keys.insert(key::branch(&slug(&self.subject.title)));
        }
        keys
    }

    /// Whether it is a commit that joins branches.
    pub fn is_merge(&self) -> bool {
        self.role == Role::Commit && self.subject.title.starts_with("Merge ")
    }

    /// When it was sent, as its author's clock has it.
    pub fn sent_at(&self) -> DateTime<Utc> {
        self.kept.written_at.unwrap_or(self.kept.at)
    }

    /// What all mails of one posting have in common, by half days: runs that follow each other within hours share one.
    fn posting_keys(&self) -> Vec<Key> {
        let Some((_, total)) = self.subject.part.filter(|(_, total)| *total > 1) else {
            return Vec::new();
        };
        let half_day = self.sent_at().timestamp().div_euclid(HALF_DAY_S);
        let posting = |half_day: i64| {
            let author = self.kept.author.email.to_lowercase();
            let version = self.subject.version;
            key::run(&format!("{author} v{version} {total} {half_day}"))
        };
        vec![posting(half_day), posting(half_day + 1)]
    }

    /// Whether both were written by one person.
    pub fn same_author(&self, other: &Self) -> bool {
        self.authors
            .iter()
            .any(|author| other.authors.contains(author))
    }

    fn read_patch(&mut self) {
        let text = &self.kept.text;
        self.changes = trailers(text)
            .filter(|trailer| trailer.is("change-id"))
            .map(|trailer| trailer.value.to_owned())
            .collect();
        self.changes.extend(change_in_id(&self.kept.reference));
        self.changes.sort();
        self.changes.dedup();
        self.earlier = earlier(text).iter().map(key::mail).collect();
        self.run = key::run_of(&self.kept.reference).map(|run| key::run(&run));
        self.paths = paths(text);
    }

    fn read_commit(&mut self) {
        let text = &self.kept.text;
        self.commits.extend(key::commit(&self.kept.reference));
        self.commits.extend(upstream(text));
        self.links = trailers(text)
            .filter(|trailer| trailer.is("Link"))
            .flat_map(|trailer| linked_mails(trailer.value))
            .chain(bracketed(text))
            .map(|id| key::mail(&id))
            .collect();
        self.paths = paths(text);
        self.branch = merged(&self.subject.title).map(|name| key::branch(&name));
    }

    fn read_notice(&mut self) {
        if let Some(notice) = bot::applied(&self.kept) {
            self.commits = notice
                .commits
                .iter()
                .filter_map(|c| key::commit(&c.hash))
                .collect();
        }
        if let Some(merge) = bot::pull_merged(&self.kept) {
            self.commits.extend(key::commit(&merge.hash));
            self.above.extend(merge.request.as_ref().map(key::mail));
        }
    }
}

fn own_key(kept: &Kept) -> Key {
    use crate::item::{CommitHash, ItemKey};
    match kept.kind {
        Kind::Message => MessageId::parse(&kept.reference).map(|id| key::mail(&id)),
        Kind::Commit => {
            CommitHash::parse(&kept.reference).map(|hash| key::of_item(&ItemKey::commit(&hash)))
        }
        Kind::Article | Kind::Release | Kind::Video => None,
    }
    .unwrap_or_else(|| key::of_item(&ItemKey::content(&kept.reference)))
}

fn role(kept: &Kept, subject: &Subject) -> Role {
    match kept.kind {
        Kind::Commit => Role::Commit,
        Kind::Article | Kind::Release | Kind::Video => Role::Lone,
        Kind::Message if bot::is_machine(kept) => Role::Machine,
        Kind::Message if subject.reply => Role::Talk,
        Kind::Message if is_backport(kept, subject) => Role::Backport,
        Kind::Message if subject.patch => Role::Patch,
        Kind::Message if subject.pull => Role::Pull,
        Kind::Message => Role::Talk,
    }
}

/// Patches of a stable review or of AUTOSEL say so in their tags, and name the commit that they copy.
fn is_backport(kept: &Kept, subject: &Subject) -> bool {
    let is_marked = subject.trees.iter().any(|tree| {
        let tree = tree.to_ascii_lowercase();
        tree.starts_with("autosel") || tree.contains("stable") || is_release(&tree)
    });
    subject.patch
        && is_marked
        && (subject.trees.iter().any(|tree| tree.starts_with("AUTOSEL"))
            || upstream(&kept.text).is_some())
}

fn is_release(word: &str) -> bool {
    let word = word.trim_end_matches(".y");
    word.split_once('.').is_some_and(|(major, minor)| {
        !major.is_empty()
            && !minor.is_empty()
            && major
                .bytes()
                .chain(minor.bytes())
                .all(|b| b.is_ascii_digit())
    })
}

/// The mails above: what it answers, then its references from the nearest up.
fn above(kept: &Kept) -> Vec<Key> {
    let mut above: Vec<Key> = kept.parent.into_iter().collect();
    let references = kept.header("References").unwrap_or_default();
    let ids: Vec<MessageId> = references
        .split_whitespace()
        .filter_map(MessageId::parse)
        .collect();
    for id in ids.iter().rev().take(KEYS_MAX) {
        let key = key::mail(id);
        if !above.contains(&key) {
            above.push(key);
        }
    }
    above
}

fn authors(kept: &Kept, role: Role) -> Vec<String> {
    let mut authors = key::identities(&kept.author);
    if role == Role::Patch {
        authors.extend(
            first_line_author(&kept.text)
                .iter()
                .flat_map(key::identities),
        );
    }
    authors.sort();
    authors.dedup();
    authors
}

/// Whom a patch's first line names as its author: `From: Name <address>`.
pub fn first_line_author(text: &str) -> Option<Person> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let (name, email) = first.strip_prefix("From:")?.rsplit_once('<')?;
    Some(Person {
        name: name.trim().trim_matches('"').to_owned(),
        email: email.trim().trim_end_matches('>').to_owned(),
    })
}

/// b4 writes a change-id into the Message-ID: `20240731-SLUG-v2-3-HASH@…` belongs to `20240731-SLUG-…`; without its own
/// hash, which only the change-id line tells, date and slug must do.
fn change_in_id(id: &str) -> Option<String> {
    static B4: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\d{8}-[^@]+)-v\d+-\d+-[0-9a-f]{12}@").expect("the pattern is sound")
    });
    Some(B4.captures(id)?[1].to_owned())
}

/// The mails that lines about revisions name: `Link to v1: URL`, `v2: URL`, `[1]` where such a line cites it, and a
/// `Link:` alone below a heading such as `v1 -> v2:`.
fn earlier(text: &str) -> Vec<MessageId> {
    static VERSION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:v\d+|rfc(?:\s*v\d+)?|previous (?:version|revision)|prior version|earlier version)\b")
            .expect("the pattern is sound")
    });
    static CITED: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\[(\d{1,2})\]").expect("the pattern is sound"));
    let mut ids = Vec::new();
    let mut cited = BTreeSet::new();
    let mut heading = false;
    for line in text.lines() {
        let bare = line.trim_start_matches(['>', ' ', '\t', '-', '*', '+', '#']);
        if line.starts_with('>') || bare.is_empty() {
            continue;
        }
        let mails = linked_mails(bare);
        // The Message-ID itself may hold `v2`: what stands around the link counts.
        let around = MAIL_URL.replace_all(bare, " ");
        let is_version = VERSION.is_match(&around);
        let is_link_alone = around
            .trim()
            .trim_end_matches(':')
            .trim_matches(['(', ')', '<', '>', '[', ']', '.', ' '])
            .to_ascii_lowercase();
        let is_link_alone = matches!(
            is_link_alone.as_str(),
            "" | "link" | "link to" | "url" | "lore"
        );
        if !mails.is_empty() && (is_version || (heading && is_link_alone)) {
            ids.extend(mails);
        } else if is_version {
            cited.extend(
                CITED
                    .captures_iter(&around)
                    .map(|found| found[1].to_owned()),
            );
        }
        heading =
            (is_version && mails_free(bare)) || (heading && !is_link_alone && !ends_section(line));
    }
    for line in text.lines() {
        let number = CITED
            .captures(line)
            .filter(|found| line.trim_start().starts_with(&found[0]));
        if number.is_some_and(|found| cited.contains(&found[1])) {
            ids.extend(linked_mails(line));
        }
    }
    ids.truncate(KEYS_MAX);
    ids
}

static MAIL_URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"https?://\S+").expect("the pattern is sound"));

fn mails_free(line: &str) -> bool {
    !line.contains("://")
}

/// Whether a line leaves the list of changes that stands below a heading.
fn ends_section(line: &str) -> bool {
    line == "---" || line == "--" || line.ends_with("-by:") || line.starts_with("Signed-off-by")
}

/// `[0] https://lore…` and `[1]: …` below a commit's message, where the text has no `Link:`.
fn bracketed(text: &str) -> Vec<MessageId> {
    text.lines()
        .filter(|line| line.starts_with('['))
        .flat_map(linked_mails)
        .collect()
}

/// The commit that this one copies: `commit HASH upstream.`, `[ Upstream commit HASH ]`, `(cherry picked from …)`.
pub fn upstream(text: &str) -> Option<Key> {
    static UPSTREAM: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^\s*(?:commit ([0-9a-f]{12,64}) upstream|\[ ?upstream commit ([0-9a-f]{12,64}) ?\]|\(cherry picked from commit ([0-9a-f]{12,64})\))")
            .expect("the pattern is sound")
    });
    let found = UPSTREAM.captures(text)?;
    let hash = (1..=3).find_map(|group| found.get(group))?;
    key::commit(hash.as_str())
}

/// The tag that a pull request asks for: the word behind the repository's address.
fn pulled_tag(text: &str) -> Option<String> {
    static TAG: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(?:git|https?|ssh)://\S+?([\w.-]+?)(?:\.git)?/?\s+(?:refs/)?(?:tags/)?([\w./-]+)\s*$")
            .expect("the pattern is sound")
    });
    let found = TAG.captures(text)?;
    Some(format!("{} {}", &found[1], &found[2]))
}

/// The branch or tag that a merge names: `Merge branch 'x'`, `Merge tag 'x' of git://…/repository`.
fn merged(title: &str) -> Option<String> {
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
    static STAT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^ (\S[^|\n]*?)\s+\|\s+(?:\d+|Bin)\b").expect("the pattern is sound")
    });
    STAT.captures_iter(text)
        .map(|found| found[1].to_owned())
        .collect()
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

/// What an item says of things that are not its own: the commits that it mends or takes back, the patches that a pull
/// request lists, the mails that an article links.
pub fn mentions(reading: &Reading) -> BTreeSet<Key> {
    let text = &reading.kept.text;
    match reading.role {
        Role::Commit if !reading.is_merge() => mended(text)
            .iter()
            .filter_map(|hash| key::commit(hash))
            .collect(),
        Role::Pull => shortlog(text),
        Role::Lone => linked_mails(text)
            .iter()
            .map(key::mail)
            .take(KEYS_MAX)
            .collect(),
        Role::Talk if bot::cve(&reading.kept).is_some() => bot::cve_fixes(text)
            .iter()
            .filter_map(|hash| key::commit(hash))
            .collect(),
        Role::Commit | Role::Talk | Role::Machine | Role::Patch | Role::Backport => BTreeSet::new(),
    }
}

/// The patches that a pull request lists: `Author (2):` with a title in each indented line below.
fn shortlog(text: &str) -> BTreeSet<Key> {
    static AUTHOR: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\S.*?) \(\d+\):$").expect("the pattern is sound"));
    let mut author: Option<String> = None;
    let mut keys = BTreeSet::new();
    for line in text.lines() {
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
