//! A poll or backfill of a tree: it chooses the next page, and moves the cursor after each.

mod by_hash;
mod log;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Tree;
use super::page::commit;
use crate::item::{CommitHash, Item, ItemKey};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, KnownVersion, Method, Page, Request, Validators, broken,
    wire,
};

/// The most requests of one poll, not counting one for each path; the next poll goes on. 40 pages of cgit's log are 2,000
/// commits.
const REQUESTS_PER_POLL_MAX: u32 = 40;

/// The most commits of which the patches are fetched; the diffs of more would be many megabytes.
const PATCHES_MAX: usize = 500;

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
    /// A log that is not read to its end.
    pending: Option<PendingLog>,
    /// A walk by hash that has not met a known commit.
    by_hash: Option<HashWalk>,
    newest: KnownVersion,
}

/// The log of `from..to`, or of all ancestors of `to`; its first `offset` commits are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PendingLog {
    pub(super) from: Option<CommitHash>,
    pub(super) to: CommitHash,
    pub(super) offset: usize,
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
    /// A page of the log.
    Log(PendingLog),
    /// The patches of a range, as one mbox.
    Patches { from: CommitHash, to: CommitHash },
    /// The feed as of this commit.
    ByHash { at: CommitHash, pages: u32 },
}

/// A poll or backfill of a tree in progress.
#[derive(Debug, Clone)]
pub struct TreeWalk {
    tree: Tree,
    cursor: TreeCursor,
    goal: Goal,
    /// The index of the path that is being read, and the next step for it.
    path: usize,
    stage: TreeStage,
    requests_left: u32,
    /// The newest commit that the branch's feed showed, and the oldest.
    tip: Option<CommitHash>,
    bottom: Option<CommitHash>,
    /// Whether the branch's feed showed the last tip.
    overlaps: bool,
    /// Commits that only the log has shown; their patches add detail.
    brief: HashMap<CommitHash, Item>,
    /// The last page's commits and their commit dates, in page order.
    page: Vec<(CommitHash, Option<DateTime<Utc>>)>,
    met_merge: bool,
    /// The newest and the oldest commit date of this path, in unix seconds.
    span: Option<(i64, i64)>,
    gaps: Vec<Gap>,
}

impl Tree {
    pub(in crate::source) fn begin(&self, cursor: Option<&str>, goal: Goal) -> TreeWalk {
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
            path: 0,
            stage: TreeStage::Newest,
            requests_left,
            tip: None,
            bottom: None,
            overlaps: false,
            brief: HashMap::new(),
            page: Vec::new(),
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
                let kept = self
                    .cursor
                    .paths
                    .get(path)
                    .filter(|kept| kept.pending.is_none());
                let validators = kept
                    .map(|kept| kept.newest.for_url(&url))
                    .unwrap_or_default();
                Request::feed(url, validators)
            }
            TreeStage::Log(log) => Request::page(self.tree.log_url(path, log)),
            TreeStage::Patches { from, to } => {
                Request::bulk(self.tree.patches_url(path, from, to), Method::Get)
            }
            TreeStage::ByHash { at, .. } => {
                Request::feed(self.tree.feed_url(path, at.as_str()), Validators::default())
            }
        })
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        self.page.clear();
        match self.stage.clone() {
            TreeStage::Newest => self.read_feed(answer, true),
            TreeStage::ByHash { .. } => self.read_feed(answer, false),
            TreeStage::Log(log) => self.read_log(answer, log),
            TreeStage::Patches { .. } => Ok(self.read_patches(answer)),
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
        let is_fresh = |hash: &CommitHash| fresh.contains(&ItemKey::commit(hash));
        match self.stage.clone() {
            TreeStage::Newest => {
                let page = std::mem::take(&mut self.page);
                self.after_newest(&page);
            }
            TreeStage::ByHash { at, pages } => {
                let page = std::mem::take(&mut self.page);
                let last = self.path_cursor().tip.clone();
                let met_last = page.iter().any(|(hash, _)| Some(hash) == last.as_ref());
                // If the last tip is gone, a page of commits that this feed has shown before ends the walk. That another
                // tree has the same commits proves nothing.
                let is_new = |hash: &CommitHash| new_here.contains(&ItemKey::commit(hash));
                let nothing_new = page.iter().all(|(hash, _)| *hash == at || !is_new(hash));
                self.after_by_hash(
                    &page,
                    &at,
                    pages,
                    met_last || (nothing_new && page.len() > 1),
                );
            }
            TreeStage::Log(log) => {
                let page = std::mem::take(&mut self.page);
                self.brief.retain(|hash, _| {
                    page.iter().all(|(other, _)| other != hash) || is_fresh(hash)
                });
                self.after_log(&page, log);
            }
            TreeStage::Patches { .. } => self.finish_path(),
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

    fn finish_path(&mut self) {
        if let Goal::Backfill { .. } = self.goal {
            let path = self.tree.paths[self.path].clone();
            self.cursor.done.push(path);
        }
        self.path += 1;
        self.pass_over_done();
        self.stage = TreeStage::Newest;
        self.tip = None;
        self.brief.clear();
        self.met_merge = false;
        self.span = None;
    }

    fn read_feed(
        &mut self,
        answer: Result<Answer, FetchError>,
        is_newest: bool,
    ) -> Result<Page, FetchError> {
        let answer = answer?;
        let url = answer.url.clone();
        let Body::Bytes { bytes, charset } = &answer.body else {
            self.tip = self.path_cursor().tip.clone();
            return Ok(Page::default());
        };
        let mut page = Page::default();
        for entry in wire::atom_entries(&wire::decode(bytes, charset.as_deref()))
            .map_err(|e| broken(&url, e))?
        {
            match commit(entry) {
                Ok((hash, item)) => {
                    self.met_merge |= item.title.starts_with("Merge ");
                    self.brief.remove(&hash);
                    self.page.push((hash, item.at));
                    page.items.push(item);
                }
                Err(fault) => page.faults.push(fault),
            }
        }
        if is_newest {
            self.tip = self.page.first().map(|(hash, _)| hash.clone());
            page.is_first = !self.cursor.paths.contains_key(&self.tree.paths[self.path]);
            let had = self.path_cursor().tip.is_some();
            if self.tip.is_none() && had {
                return Err(broken(
                    &url,
                    "the feed is empty, though it had commits before",
                ));
            }
            self.path_cursor().newest = KnownVersion::of(&url, &answer.validators);
        }
        Ok(page)
    }

    /// Decides how to get the commits below the newest page, once that is stored.
    fn after_newest(&mut self, page: &[(CommitHash, Option<DateTime<Utc>>)]) {
        let (Some(tip), known) = (self.tip.clone(), self.path_cursor().clone()) else {
            self.finish_path();
            return;
        };
        if let Goal::Backfill { .. } = self.goal {
            let pending = known.pending.unwrap_or(PendingLog {
                from: None,
                to: tip.clone(),
                offset: 0,
            });
            self.path_cursor().pending = Some(pending.clone());
            self.stage = match (self.tree.is_github(), page.last()) {
                (true, Some((oldest, _))) => TreeStage::ByHash {
                    at: oldest.clone(),
                    pages: 0,
                },
                (true, None) | (false, _) => TreeStage::Log(pending),
            };
            return;
        }
        self.bottom = page.last().map(|(hash, _)| hash.clone());
        self.overlaps = known
            .tip
            .as_ref()
            .is_none_or(|last| page.iter().any(|(hash, _)| hash == last));
        if let Some(HashWalk { at, to }) = known.by_hash {
            self.tip = Some(to);
            self.stage = TreeStage::ByHash { at, pages: 0 };
            return;
        }
        match (known.pending, known.tip) {
            (Some(pending), _) => self.stage = TreeStage::Log(pending),
            (None, Some(last)) if last != tip && !self.tree.is_github() => {
                let pending = PendingLog {
                    from: Some(last),
                    to: tip,
                    offset: 0,
                };
                self.path_cursor().pending = Some(pending.clone());
                self.stage = TreeStage::Log(pending);
            }
            (None, Some(last)) if last != tip && !self.overlaps => self.walk_by_hash(),
            (None, _) => {
                self.path_cursor().tip = Some(tip);
                self.finish_path();
            }
        }
    }
}
