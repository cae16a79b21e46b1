//! A poll or backfill of a tree: it chooses the next page, and moves the cursor after each.

mod by_hash;
mod log;
mod merges;
mod newest;
mod unread;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Tree;
use super::page::commit;
use crate::item::{CommitHash, Item, ItemKey};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, KnownVersion, Method, Page, Request, Validators, broken,
    wire,
};

use self::log::LogEnd;
use self::unread::UnreadLog;

/// The most requests of one poll, not counting one for each path; the next poll goes on. 40 pages of cgit's log are 2,000
/// commits.
const REQUESTS_PER_POLL_MAX: u32 = 40;

/// A merge brings commits that were made up to so long before.
const SIDE_AGE_S: i64 = 30 * 86_400;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct TreeCursor {
    paths: BTreeMap<String, PathCursor>,
    /// A backfill: its beginning (unix seconds), and the paths that are done.
    since: Option<i64>,
    done: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct PathCursor {
    /// This commit and all its ancestors are stored, or older than the first poll.
    tip: Option<CommitHash>,
    /// Its commit date, in unix seconds; 0 if it is not known.
    tip_at: i64,
    /// A log that is not read to its end.
    pending: Option<PendingLog>,
    /// A walk by hash that has not met a known commit.
    by_hash: Option<HashWalk>,
    newest: KnownVersion,
    /// Logs that did not answer, across merges; they are asked for again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unread: Vec<UnreadLog>,
    /// Whether merges came after the tip.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    met_merge: bool,
    /// On GitHub: merges whose commits are still to be read, and the commits of the first of them.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    merges: VecDeque<CommitHash>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sides: Vec<CommitHash>,
}

/// The log of `from..to`, or of all ancestors of `to`; its first `offset` commits are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingLog {
    pub(super) from: Option<CommitHash>,
    pub(super) to: CommitHash,
    pub(super) offset: usize,
    /// When it was first asked for, or last answered, by our clock.
    #[serde(default)]
    pub(super) begun_at: i64,
    /// The oldest commit that was read; `None` if the feed shows all commits down to `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bottom: Option<CommitHash>,
}

/// A walk by hash from `to` back; it has reached `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct HashWalk {
    at: CommitHash,
    to: CommitHash,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TreeStage {
    /// The branch's feed.
    Newest,
    /// The log in the other direction, before the log itself: if it has no commits, the last tip is an ancestor of the new one.
    Ancestor(PendingLog),
    /// A page of the log.
    Log(PendingLog),
    /// The patches of a range, as one mbox.
    Patches {
        from: CommitHash,
        to: CommitHash,
    },
    /// The feed as of this commit.
    ByHash {
        at: CommitHash,
        pages: u32,
    },
    /// On GitHub: the patches of a merge, and the feed as of one of its commits.
    Merge(CommitHash),
    Side {
        at: CommitHash,
        pages: u32,
    },
}

/// No page says how many parents a commit has; git's own subject of a merge does.
fn is_merge(item: &Item) -> bool {
    item.title.starts_with("Merge ")
}

/// The commits of a page and their commit dates, in page order.
type PageCommits = [(CommitHash, Option<DateTime<Utc>>)];

/// A poll or backfill of a tree in progress.
#[derive(Debug, Clone)]
pub struct TreeWalk {
    tree: Tree,
    cursor: TreeCursor,
    goal: Goal,
    now: i64,
    /// The index of the path that is being read, and the next step for it.
    path: usize,
    stage: TreeStage,
    requests_left: u32,
    /// The newest commit of the range that is being read.
    tip: Option<CommitHash>,
    /// The newest commit that the branch's feed showed, and the oldest.
    shown_tip: Option<CommitHash>,
    bottom: Option<CommitHash>,
    /// Whether the branch's feed showed the last tip, and whether it showed commits that are new here.
    overlaps: bool,
    has_news: bool,
    /// Whether the last tip is an ancestor of the new one, or does not exist any more.
    is_ancestor: bool,
    /// PageCommits that only the log has shown; their patches add detail.
    brief: HashMap<CommitHash, Item>,
    /// All commits of the log's pages so far.
    in_log: HashSet<CommitHash>,
    log_end: LogEnd,
    /// The index of the unread log that is asked for again.
    retried: Option<usize>,
    /// The last page's commits, and the merges among them.
    page: Vec<(CommitHash, Option<DateTime<Utc>>)>,
    page_merges: Vec<CommitHash>,
    /// The commits of a merge, as its patches name them; `None`: they could not be read.
    side_commits: Option<Vec<CommitHash>>,
    /// The pages of the merge's commits that were read, and whether the rest is left for the next poll.
    side_pages: u32,
    merges_wait: bool,
    /// Whether any page had a merge.
    met_merge: bool,
    /// The newest and the oldest commit date of this path, in unix seconds.
    span: Option<(i64, i64)>,
    gaps: Vec<Gap>,
}

impl Tree {
    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> TreeWalk {
        let mut cursor: TreeCursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        if let Goal::Backfill { since } = goal
            && cursor.since != Some(since.timestamp())
        {
            cursor = TreeCursor {
                since: Some(since.timestamp()),
                ..TreeCursor::default()
            };
        }
        let requests_left = if goal == Goal::Poll {
            // Every poll asks for each path.
            let paths = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
            REQUESTS_PER_POLL_MAX.saturating_add(paths)
        } else {
            u32::MAX
        };
        let mut walk = TreeWalk {
            tree: self.clone(),
            cursor,
            goal,
            now: now.timestamp(),
            path: 0,
            stage: TreeStage::Newest,
            requests_left,
            tip: None,
            shown_tip: None,
            bottom: None,
            overlaps: false,
            has_news: false,
            is_ancestor: false,
            brief: HashMap::new(),
            in_log: HashSet::new(),
            log_end: LogEnd::default(),
            retried: None,
            page: Vec::new(),
            page_merges: Vec::new(),
            side_commits: None,
            side_pages: 0,
            merges_wait: false,
            met_merge: false,
            span: None,
            gaps: Vec::new(),
        };
        walk.pass_over_done();
        walk
    }
}

impl TreeWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        let path = self.tree.paths.get(self.path)?;
        if self.requests_left == 0 {
            return None;
        }
        self.requests_left -= 1;
        Some(match &self.stage {
            TreeStage::Newest => {
                let url = self.tree.feed_url(path, &self.tree.branch);
                let kept = self.cursor.paths.get(path);
                let kept = kept.filter(|kept| kept.pending.is_none());
                let validators = kept
                    .map(|kept| kept.newest.for_url(&url))
                    .unwrap_or_default();
                Request::feed(url, validators)
            }
            TreeStage::Ancestor(log) => {
                Request::page(self.tree.log_url(path, &log.reversed(), false))
            }
            TreeStage::Log(log) => {
                Request::page(self.tree.log_url(path, log, !log.is_slow(self.now)))
            }
            TreeStage::Patches { from, to } => {
                Request::bulk(self.tree.patches_url(path, from, to), Method::Get)
            }
            TreeStage::ByHash { at, .. } | TreeStage::Side { at, .. } => {
                Request::feed(self.tree.feed_url(path, at.as_str()), Validators::default())
            }
            TreeStage::Merge(merge) => Request::bulk(self.tree.merge_url(merge), Method::Get),
        })
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        self.page.clear();
        self.page_merges.clear();
        match self.stage.clone() {
            TreeStage::Newest => self.read_newest(answer),
            TreeStage::ByHash { .. } => self.read_feed(answer?),
            TreeStage::Ancestor(_) => {
                self.is_ancestor = log::is_empty_log(answer);
                Ok(Page::default())
            }
            TreeStage::Log(log) => self.read_log(answer, log),
            TreeStage::Patches { .. } => Ok(self.read_patches(answer)),
            TreeStage::Merge(merge) => {
                self.read_merge(answer, &merge);
                Ok(Page::default())
            }
            TreeStage::Side { .. } => Ok(self.read_side(answer)),
        }
    }

    pub(in crate::source) fn learn(
        &mut self,
        fresh: &HashSet<ItemKey>,
        new_here: &HashSet<ItemKey>,
    ) -> Vec<Gap> {
        for at in self.page.iter().filter_map(|(_, date)| *date) {
            let at = at.timestamp();
            let (newest, oldest) = self.span.unwrap_or((at, at));
            self.span = Some((newest.max(at), oldest.min(at)));
        }
        let is_new = |hash: &CommitHash| new_here.contains(&ItemKey::commit(hash));
        let page = std::mem::take(&mut self.page);
        self.queue_merges(&is_new);
        match self.stage.clone() {
            TreeStage::Newest => {
                self.has_news = page.iter().any(|(hash, _)| is_new(hash));
                self.after_newest(&page);
            }
            TreeStage::ByHash { at, pages } => {
                let last = self.path_cursor().tip.clone();
                let met_last = page.iter().any(|(hash, _)| Some(hash) == last.as_ref());
                // If the last tip is gone, a page of commits that this feed has shown before ends the walk. That another
                // tree has the same commits proves nothing.
                let nothing_new = page.iter().all(|(hash, _)| *hash == at || !is_new(hash));
                let met_seen = met_last || (nothing_new && page.len() > 1);
                self.after_by_hash(&page, &at, pages, met_seen);
            }
            TreeStage::Ancestor(log) => self.stage = TreeStage::Log(log),
            TreeStage::Log(log) => {
                let is_fresh = |hash: &CommitHash| fresh.contains(&ItemKey::commit(hash));
                self.brief.retain(|hash, _| {
                    page.iter().all(|(other, _)| other != hash) || is_fresh(hash)
                });
                self.after_log(&page, log);
            }
            TreeStage::Patches { .. } => self.go_on(),
            TreeStage::Merge(_) => self.after_merge(),
            TreeStage::Side { at, pages } => {
                let nothing_new = page.iter().all(|(hash, _)| !is_new(hash));
                self.after_side(&page, &at, pages, nothing_new);
            }
        }
        std::mem::take(&mut self.gaps)
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.path < self.tree.paths.len()
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        let share = match (self.goal, self.span) {
            (Goal::Backfill { since }, Some((newest, oldest))) => {
                (newest - oldest) as f64 / (newest - since.timestamp()).max(1) as f64
            }
            (Goal::Backfill { .. } | Goal::Poll, _) => 0.0,
        };
        (self.path as f64 + share.clamp(0.0, 1.0)) / self.tree.paths.len() as f64
    }

    fn path_cursor(&mut self) -> &mut PathCursor {
        let path = self.tree.paths[self.path].clone();
        self.cursor.paths.entry(path).or_default()
    }

    fn pass_over_done(&mut self) {
        while self
            .tree
            .paths
            .get(self.path)
            .is_some_and(|path| self.cursor.done.contains(path))
        {
            self.path += 1;
        }
    }

    /// After the news of a path: asks for logs and merges that are left over, then goes to the next path.
    fn go_on(&mut self) {
        if self.goal == Goal::Poll && (self.retry_log() || self.follow_merge()) {
            return;
        }
        self.finish_path();
    }

    fn finish_path(&mut self) {
        if let Goal::Backfill { .. } = self.goal {
            let path = self.tree.paths[self.path].clone();
            self.cursor.done.push(path);
        }
        self.path += 1;
        self.pass_over_done();
        if let Goal::Backfill { since } = self.goal
            && self.path >= self.tree.paths.len()
            && !(self.tree.is_github() && self.met_merge)
        {
            self.gaps.push(Gap::healed(since.timestamp(), self.now));
        }
        self.stage = TreeStage::Newest;
        self.tip = None;
        self.brief.clear();
        self.in_log.clear();
        self.retried = None;
        self.merges_wait = false;
        self.span = None;
    }

    /// Reads a page of the feed.
    fn read_feed(&mut self, answer: Answer) -> Result<Page, FetchError> {
        let mut page = Page::default();
        let Body::Bytes { bytes, charset } = &answer.body else {
            return Ok(page);
        };
        let entries = wire::atom_entries(&wire::decode(bytes, charset.as_deref()));
        for entry in entries.map_err(|e| broken(&answer.url, e))? {
            match commit(entry) {
                Ok((hash, item)) => {
                    if is_merge(&item) {
                        self.page_merges.push(hash.clone());
                    }
                    self.brief.remove(&hash);
                    self.page.push((hash, item.at));
                    page.items.push(item);
                }
                Err(fault) => page.faults.push(fault),
            }
        }
        Ok(page)
    }
}
