//! Reports on the outcome of patches: by patchwork-bot, pr-tracker-bot, b4's thank-you mails, and sentences of people. Quoted
//! text does not count, because people quote bots.

mod claim;
mod ending;
mod sentences;
mod tree;

use std::sync::LazyLock;

use regex::Regex;

pub use self::claim::{Claim, claim, says_pulled};
pub use self::ending::{AnswerEffect, Share, answer_effect, requests_changes};
pub use self::tree::{NamedTree, is_tree, may_be_tree};
use super::machine::{self, MachineKind};
use super::{AppliedCommit, StoredItem};
use crate::item::prose::lines;
use crate::item::subject::Subject;
use crate::item::trailer::commit_in_link;
use crate::item::{DKIM_HEADER, MessageId};

/// The commits that were applied, and the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notice {
    /// The tree as it is named.
    pub tree: String,
    pub branch: Option<String>,
    /// The person who applied them; empty if nobody is named.
    pub by: String,
    pub commits: Vec<AppliedCommit>,
    /// The patches that it says have no commit.
    pub without: Vec<Option<u32>>,
    /// Whether it speaks of a pull request.
    pub is_of_pull: bool,
}

impl Notice {
    /// Whether it covers all of `total` patches. A maintainer may edit a part or squash two, and then no commit matches that
    /// part. So a gap counts only if no later part has a commit, or if gaps prevail.
    pub fn is_whole(&self, total: usize) -> bool {
        if self.commits.is_empty() || self.without.is_empty() {
            return self.without.is_empty()
                && (self.commits.is_empty() || self.commits.len() >= total);
        }
        let last = self.commits.iter().filter_map(|commit| commit.number).max();
        let gap = self.without.iter().flatten().copied().max();
        let is_complete = self.commits.len() + self.without.len() >= total;
        is_complete && gap < last && self.without.len() * 2 <= self.commits.len() + 1
    }
}

/// A pull request that was merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// The merge commit.
    pub hash: String,
    pub tree: String,
    pub request: Option<MessageId>,
}

impl StoredItem {
    /// Whether the archive's server found no valid signature of the sender's domain.
    pub fn is_sender_denied(&self) -> bool {
        self.header(DKIM_HEADER).is_some()
    }
}

/// Reads a notice of patchwork-bot or tip-bot; `None` if the mail is none. The caller has checked the address.
pub fn applied(item: &StoredItem) -> Option<Notice> {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^This (patch|series|pull request) was applied to (\S+?)(?:\s+\(([^)\n]+)\))?[ \t]*\n[ \t]*by (.+?):[ \t]*$")
            .expect("the pattern is sound")
    });
    let Some(head) = HEAD.captures(&item.text) else {
        return tip_merged(item);
    };
    let (commits, without) = listed(&item.text);
    Some(Notice {
        tree: head[2].to_owned(),
        branch: head.get(3).map(|branch| branch.as_str().to_owned()),
        by: head[4].to_owned(),
        commits,
        without,
        is_of_pull: &head[1] == "pull request",
    })
}

/// Reads a b4 thank-you mail, or one like it: `Applied to TREE, thanks!` or `Applied, thanks!` with a list of commits. The tree
/// is empty if none is named.
pub fn thanks(item: &StoredItem) -> Option<Notice> {
    let (commits, without) = listed(&item.text);
    if commits.is_empty() {
        return None;
    }
    let place = claim::heading(&item.text)?.place;
    Some(Notice {
        tree: place.tree,
        branch: place.branch,
        by: String::new(),
        commits,
        without,
        is_of_pull: false,
    })
}

/// Reads a notice of tip-bot, which sends one for each commit.
fn tip_merged(item: &StoredItem) -> Option<Notice> {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^The following commit has been merged into the (\S+) branch of (\w+):\s+Commit-ID:\s+([0-9a-f]{12,64})")
            .expect("the pattern is sound")
    });
    static COMMITTER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^Committer:\s+(.+?)\s*(?:<|$)").expect("the pattern is sound")
    });
    let head = HEAD.captures(&item.text)?;
    let title = item
        .title
        .split_once("] ")
        .map_or(item.title.as_str(), |(_, title)| title);
    Some(Notice {
        tree: format!("{0}/{0}.git", &head[2]),
        branch: Some(head[1].to_owned()),
        by: COMMITTER
            .captures(&item.text)
            .map_or_else(String::new, |found| found[1].to_owned()),
        commits: vec![AppliedCommit {
            hash: head[3].to_owned(),
            number: None,
            subject: title.to_owned(),
        }],
        without: Vec::new(),
        is_of_pull: false,
    })
}

/// The list of a notice: `- [v7,1/7] subject` or `[1/9] subject`, a link to the commit or `(no …)` in the line below.
fn listed(text: &str) -> (Vec<AppliedCommit>, Vec<Option<u32>>) {
    static LINE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\s*(?:(?:- )?(\[[^\]\n]+\])\s*|- )(\S.*)$").expect("the pattern is sound")
    });
    let (mut commits, mut without) = (Vec::new(), Vec::new());
    let mut open: Option<(Option<u32>, String)> = None;
    for line in lines(text) {
        if line.starts_with('>') {
            continue;
        }
        // Few lines begin so, and most mails have no such list.
        let found = if line.trim_start().starts_with(['[', '-']) {
            LINE.captures(line)
        } else {
            None
        };
        if let Some(found) = found {
            let tags = found.get(1).map_or("", |tags| tags.as_str());
            let title = found[2].trim().to_owned();
            if tags.is_empty() || is_tags(tags) {
                let number = Subject::parse(&format!("{tags} x"))
                    .part
                    .map_or(1, |(number, _)| number);
                open = Some((Some(number), title));
                continue;
            }
        }
        let Some((number, subject)) = open.as_mut() else {
            continue;
        };
        let line = line.trim();
        let hash = match line.strip_prefix("commit: ") {
            Some(hash) => Some(hash)
                .filter(|hash| hash.len() >= 12 && hash.bytes().all(|b| b.is_ascii_hexdigit())),
            None if line.starts_with("http") => commit_in_link(line),
            None => None,
        };
        if let Some(hash) = hash {
            commits.push(AppliedCommit {
                hash: hash.to_owned(),
                number: *number,
                subject: std::mem::take(subject),
            });
            open = None;
        } else if line.starts_with("(no ") {
            without.push(*number);
            open = None;
        } else if line.is_empty() {
            open = None;
        } else {
            // A long subject goes on in the next line.
            subject.push(' ');
            subject.push_str(line);
        }
    }
    (commits, without)
}

/// Whether a bracket counts parts or names a tree, as lists of notices do; `[...]` and `[0]` do not.
fn is_tags(bracket: &str) -> bool {
    let inner = bracket.trim_matches(['[', ']']);
    inner.bytes().any(|b| b.is_ascii_alphanumeric()) && !inner.bytes().all(|b| b.is_ascii_digit())
}

/// Reads a notice of pr-tracker-bot about a merge.
pub fn pull_merged(item: &StoredItem) -> Option<Merge> {
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^has been merged into (\S+?):?\s*\n\s*(https?://\S+)")
            .expect("the pattern is sound")
    });
    if !machine::is_known(&item.author, MachineKind::Tracker) || item.is_sender_denied() {
        return None;
    }
    let request = item
        .header("X-PR-Tracked-Message-Id")
        .and_then(MessageId::parse);
    let said = HEAD.captures(&item.text);
    let hash = item
        .header("X-PR-Merge-Commit-Id")
        .map(str::to_owned)
        .or_else(|| Some(commit_in_link(&said.as_ref()?[2])?.to_owned()))?;
    let tree = said.map_or_else(
        || "torvalds/linux.git".to_owned(),
        |said| said[1].to_owned(),
    );
    Some(Merge {
        hash,
        tree,
        request,
    })
}

/// The CVE that a mail's title names as announcements do: `CVE-2024-12345: title`. Anybody may write such a mail.
pub fn cve(item: &StoredItem) -> Option<String> {
    static CVE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(CVE-\d{4}-\d{4,})\b").expect("the pattern is sound"));
    let found = CVE.captures(item.title.trim())?;
    Some(found[1].to_owned())
}

/// The same, if an archive vouches for the mail: only those who assign CVEs may write to that list.
pub fn announced_cve(item: &StoredItem) -> Option<String> {
    let is_announcing = item.feeds.iter().any(|feed| {
        let url = feed.url.as_deref().unwrap_or_default();
        feed.kind == "archive" && url.trim_end_matches('/').ends_with("/linux-cve-announce")
    });
    cve(item).filter(|_| is_announcing)
}

/// The commits that a CVE's announcement says mend it.
pub fn cve_fixes(text: &str) -> Vec<String> {
    static FIXED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)fixed in \S+ with commit ([0-9a-f]{12,64})").expect("the pattern is sound")
    });
    let mut all: Vec<String> = FIXED
        .captures_iter(text)
        .map(|found| found[1].to_ascii_lowercase())
        .collect();
    all.extend(lines(text).filter_map(|line| commit_in_link(line.trim()).map(str::to_owned)));
    all.sort();
    all.dedup();
    all
}
