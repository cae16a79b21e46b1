//! An item with its role and its join keys. It depends on the item alone.

use std::collections::BTreeSet;
use std::sync::{LazyLock, OnceLock};

use chrono::{DateTime, Utc};
use regex::Regex;

mod cached;
mod early;
mod role;
mod statements;
mod text;

pub use self::early::{EarlyReading, EarlyReadings, read_early};
pub use self::role::Role;
pub use self::statements::Signed;
pub use self::text::{Earlier, first_line_author, mended, paths, slug, upstream};

use self::role::{is_for_person, is_for_stable, role};
use self::statements::Statements;
use self::text::{KEYS_MAX, bracketed, earlier, merged, pulled_tag};
use super::key::{self, JoinKey};
use super::machine::{Machine, MachineKind, Machines, is_ai_made};
use super::{StoredItem, bot};
use crate::item::diff::{self, Sample};
use crate::item::subject::Subject;
use crate::item::trailer::{linked_mails, trailers};
use crate::item::{ItemKind, MessageId};

/// See [`Reading::posting_keys`].
const HALF_DAY_S: i64 = 43_200;
/// How many of its changed lines may tie a patch to other versions of it.
const LINE_KEYS: usize = 4;

/// An item, read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub item: StoredItem,
    /// Its title, read; of a mail, else only the title.
    pub subject: Subject,
    /// Its part.
    pub role: Role,
    /// The machine that sent it; where the part is not a machine's, it sent the mail for a person.
    pub machine: Option<Machine>,
    /// Whether it is an AI's review that a person passes on.
    pub ai_made: bool,
    /// Its own key.
    pub own: JoinKey,
    /// The mails above it, nearest first.
    pub above: Vec<JoinKey>,
    /// The author in all known spellings: the sender, and the person on a first line `From:`.
    pub authors: Vec<String>,
    /// Earlier revisions that a patch names.
    pub earlier: Vec<Earlier>,
    /// Whether its tags say that it is for a stable tree.
    pub is_backport: bool,
    /// b4's change-ids.
    pub changes: Vec<String>,
    /// The commits that it stands for: itself, those that a notice lists, those that it is a copy of.
    pub commits: Vec<JoinKey>,
    /// The mails that the `Link:` trailers of a commit or a patch name.
    pub links: Vec<JoinKey>,
    /// The branch that a series became, or the tag that is to be pulled.
    pub branch: Option<JoinKey>,
    /// The run of `git send-email` that sent it.
    pub run: Option<JoinKey>,
    /// The paths in its diffstat.
    pub paths: BTreeSet<String>,
    /// The lines that its diff changes, as far as they are kept.
    pub lines: Sample,
    /// See [`Reading::keys`].
    keys: OnceLock<BTreeSet<JoinKey>>,
    /// The statements in its text.
    statements: Statements,
}

impl Reading {
    /// Reads an item; `machines` is the configuration of machine senders.
    pub fn of(item: StoredItem, machines: &Machines) -> Self {
        let subject = match item.kind {
            ItemKind::Message if item.header(diff::FILES).is_some() => {
                Subject::parse_with_diff(&item.title)
            }
            ItemKind::Message => Subject::parse(&item.title),
            ItemKind::Commit | ItemKind::Article | ItemKind::Release | ItemKind::Video => Subject {
                title: item.title.clone(),
                version: 1,
                ..Subject::default()
            },
        };
        let machine = match item.kind {
            ItemKind::Message => machines.sender(&item),
            ItemKind::Commit | ItemKind::Article | ItemKind::Release | ItemKind::Video => None,
        };
        let is_machines = machine.is_some() && !is_for_person(&item, &subject, machines);
        let role = role(&item, &subject, is_machines);
        let mut reading = Self {
            own: own_key(&item),
            above: above(&item),
            authors: authors(&item, role, machine.is_some()),
            earlier: Vec::new(),
            is_backport: is_for_stable(&subject),
            changes: Vec::new(),
            commits: Vec::new(),
            links: Vec::new(),
            branch: None,
            run: None,
            paths: BTreeSet::new(),
            lines: Sample::default(),
            keys: OnceLock::new(),
            statements: Statements::default(),
            subject,
            role,
            machine,
            ai_made: role == Role::Talk && is_ai_made(&item.text),
            item,
        };
        match role {
            Role::Patch => reading.read_patch(),
            Role::Backport => {
                reading.commits = upstream(&reading.item.text).into_iter().collect();
                reading.above.clear();
            }
            Role::Pull => {
                reading.branch = pulled_tag(&reading.item.text).map(|tag| key::branch(&tag))
            }
            Role::Commit => reading.read_commit(),
            Role::Machine => reading.read_notice(),
            Role::Talk => {
                if let Some(thanks) = reading.thanks() {
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
    pub fn keys(&self) -> &BTreeSet<JoinKey> {
        self.keys.get_or_init(|| self.all_keys())
    }

    fn all_keys(&self) -> BTreeSet<JoinKey> {
        let mut keys: BTreeSet<JoinKey> = BTreeSet::from([self.own]);
        let many = [&self.above, &self.links, &self.commits];
        keys.extend(many.into_iter().flat_map(|keys| keys.iter().take(KEYS_MAX)));
        keys.extend(self.earlier.iter().map(|earlier| earlier.key));
        keys.extend(self.changes.iter().map(|id| key::change(id)));
        keys.extend(self.branch);
        keys.extend(self.run);
        let is_part = self.subject.part.is_some_and(|(number, _)| number > 1);
        match self.role {
            Role::Patch | Role::Commit if !self.is_merge() => {
                keys.extend(self.titled());
                for author in &self.authors {
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
            keys.extend(self.content_keys());
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
        self.item.written_at.unwrap_or(self.item.at)
    }

    /// Keys that all mails of a posting share, by half days: runs that follow each other within hours share one.
    fn posting_keys(&self) -> Vec<JoinKey> {
        let Some((_, total)) = self.subject.part.filter(|(_, total)| *total > 1) else {
            return Vec::new();
        };
        let half_day = self.sent_at().timestamp().div_euclid(HALF_DAY_S);
        let posting = |half_day: i64| {
            let author = self.item.author.email.to_lowercase();
            let version = self.subject.version;
            key::run(&format!("{author} v{version} {total} {half_day}"))
        };
        vec![posting(half_day), posting(half_day + 1)]
    }

    /// Keys by which versions of a patch with different titles meet: the author, with some of the changed lines.
    fn content_keys(&self) -> impl Iterator<Item = JoinKey> {
        let author = self.best_known_as();
        let lines = self.lines.hashes.iter().take(LINE_KEYS);
        lines.map(move |line| key::line(author, *line))
    }

    /// The spelling by which its author is best known over the years: a whole name, which stays when addresses change.
    fn best_known_as(&self) -> &str {
        let name = self.authors.iter().find(|author| author.contains(' '));
        name.or(self.authors.first()).map_or("", String::as_str)
    }

    /// Whether both were written by one person.
    pub fn same_author(&self, other: &Self) -> bool {
        self.authors
            .iter()
            .any(|author| other.authors.contains(author))
    }

    fn read_patch(&mut self) {
        let text = &self.item.text;
        self.changes = trailers(text)
            .filter(|trailer| trailer.is("change-id"))
            .map(|trailer| trailer.value.to_owned())
            .collect();
        self.changes.extend(change_in_id(&self.item.reference));
        self.changes.sort();
        self.changes.dedup();
        self.earlier = earlier(text);
        self.links = linked(text).collect();
        self.run = key::run_of(&self.item.reference).map(|run| key::run(&run));
        // A diffstat shortens long paths; a cover letter has nothing else.
        let files = self.item.header(diff::FILES).unwrap_or_default();
        self.paths = files.split_whitespace().map(str::to_owned).collect();
        if self.paths.is_empty() {
            self.paths = paths(text);
        }
        let lines = self.item.header(diff::LINES).and_then(Sample::parse);
        self.lines = lines.unwrap_or_default();
    }

    fn read_commit(&mut self) {
        let text = &self.item.text;
        self.commits.extend(key::commit(&self.item.reference));
        self.commits.extend(upstream(text));
        let bracketed = bracketed(text);
        self.links = linked(text)
            .chain(bracketed.iter().map(key::mail))
            .collect();
        self.paths = paths(text);
        self.branch = merged(&self.subject.title).map(|name| key::branch(&name));
    }

    /// Whether it comes from a machine of that kind.
    pub fn is_from(&self, kind: MachineKind) -> bool {
        self.role == Role::Machine
            && self
                .machine
                .as_ref()
                .is_some_and(|machine| machine.kind == kind)
    }

    /// Whether it is a machine's mail that only says something of others: no notice that moves a story.
    pub fn is_quiet(&self) -> bool {
        self.role == Role::Machine
            && !self.is_from(MachineKind::Notices)
            && !self.is_from(MachineKind::Tracker)
    }

    fn read_notice(&mut self) {
        if self.is_from(MachineKind::Notices)
            && let Some(notice) = bot::applied(&self.item)
        {
            self.commits = notice
                .commits
                .iter()
                .filter_map(|c| key::commit(&c.hash))
                .collect();
        }
        if let Some(merge) = bot::pull_merged(&self.item) {
            self.commits.extend(key::commit(&merge.hash));
            self.above.extend(merge.request.as_ref().map(key::mail));
        }
    }
}

/// The mails that `Link:` trailers name.
fn linked(text: &str) -> impl Iterator<Item = JoinKey> {
    trailers(text)
        .filter(|trailer| trailer.is("Link"))
        .flat_map(|trailer| linked_mails(trailer.value))
        .map(|id| key::mail(&id))
}

fn own_key(item: &StoredItem) -> JoinKey {
    use crate::item::{CommitHash, ItemKey};
    match item.kind {
        ItemKind::Message => MessageId::parse(&item.reference).map(|id| key::mail(&id)),
        ItemKind::Commit => {
            CommitHash::parse(&item.reference).map(|hash| key::of_item(&ItemKey::commit(&hash)))
        }
        ItemKind::Article | ItemKind::Release | ItemKind::Video => None,
    }
    .unwrap_or_else(|| key::of_item(&ItemKey::content(&item.reference)))
}

/// The mails above: its parent, then its references from the nearest up.
fn above(item: &StoredItem) -> Vec<JoinKey> {
    let mut above: Vec<JoinKey> = item.parent.into_iter().collect();
    let references = item.header("References").unwrap_or_default();
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

fn authors(item: &StoredItem, role: Role, is_from_machine: bool) -> Vec<String> {
    // One account that sends for many is nobody's name.
    let mut authors = if is_from_machine && role != Role::Machine {
        Vec::new()
    } else {
        key::identities(&item.author)
    };
    if role == Role::Patch {
        authors.extend(
            first_line_author(&item.text)
                .iter()
                .flat_map(key::identities),
        );
    }
    authors.sort();
    authors.dedup();
    authors
}

/// b4 writes a change-id into the Message-ID: `20240731-SLUG-v2-3-HASH@…` belongs to `20240731-SLUG-…`. The Message-ID lacks the
/// change-id's own hash, so date and slug must do.
fn change_in_id(id: &str) -> Option<String> {
    static B4: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(\d{8}-[^@]+)-v\d+-\d+-[0-9a-f]{12}@").expect("the pattern is sound")
    });
    Some(B4.captures(id)?[1].to_owned())
}
