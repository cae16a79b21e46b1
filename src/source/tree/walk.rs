//! A poll or backfill of a tree under way: which page comes next, and what each means for the cursor.

mod by_hash;
mod log;

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Tree;
use super::page::commit;
use crate::item::{CommitHash, Item, ItemKey};
use crate::source::{
    Answer, Body, FetchError, Gap, Goal, Kept, Method, Page, Request, Validators, broken, wire,
};

/// Requests of one poll beside one for each path; the next poll goes on. 40 pages of cgit's log are 2,000 commits.
const REQUESTS_PER_POLL_MAX: u32 = 40;

/// A range of more commits is not asked for as patches: their diffs would be many megabytes.
const PATCHES_MAX: usize = 500;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Cursor {
    paths: BTreeMap<String, PathCursor>,
    /// A backfill: since when (unix seconds), and which paths are done.
    since: Option<i64>,
    done: Vec<String>,
}

/// Where one path stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct PathCursor {
    /// Everything reachable from this commit has been seen.
    tip: Option<CommitHash>,
    /// A log that was not read to its end.
    pending: Option<Pending>,
    /// A walk back by hash that has not met what was seen.
    by_hash: Option<ByHash>,
    newest: Kept,
}

/// A log being read: `from..to`, or everything below `to`, of which `offset` commits have been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) from: Option<CommitHash>,
    pub(super) to: CommitHash,
    pub(super) offset: usize,
}

/// The feed being walked back from `to`, which is done down to `at`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ByHash {
    at: CommitHash,
    to: CommitHash,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    /// The feed's newest page.
    Newest,
    /// A page of the log.
    Log(Pending),
    /// The patches of a range.
    Patches { from: CommitHash, to: CommitHash },
    /// The feed as of this commit.
    ByHash { at: CommitHash, pages: u32 },
}

/// A poll or backfill of a tree under way.
#[derive(Debug, Clone)]
pub struct Walk {
    tree: Tree,
    cursor: Cursor,
    goal: Goal,
    /// The path being read, and what comes next for it.
    path: usize,
    stage: Stage,
    requests_left: u32,
    /// The newest commit the feed showed, and the oldest.
    tip: Option<CommitHash>,
    bottom: Option<CommitHash>,
    /// Whether what the feed showed reaches down to what was seen.
    overlaps: bool,
    /// Commits of the log that the feed's entries did not tell whole, with their commit dates.
    brief: HashMap<CommitHash, Item>,
    /// Commits of the last page, in its order.
    page: Vec<(CommitHash, Option<DateTime<Utc>>)>,
    met_merge: bool,
    /// The newest and the oldest commit date met on this path, unix seconds.
    span: Option<(i64, i64)>,
    gaps: Vec<Gap>,
}

impl Tree {
    pub(in crate::source) fn begin(&self, cursor: Option<&str>, goal: Goal) -> Walk {
        let mut cursor: Cursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        if let Goal::Backfill { since } = goal
            && cursor.since != Some(since.timestamp())
        {
            cursor = Cursor {
                since: Some(since.timestamp()),
                ..Cursor::default()
            };
        }
        let requests_left = if goal == Goal::Poll {
            // Each path is asked for at every poll; what comes on top is bounded.
            let paths = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
            REQUESTS_PER_POLL_MAX.saturating_add(paths)
        } else {
            u32::MAX
        };
        let mut walk = Walk {
            tree: self.clone(),
            cursor,
            goal,
            path: 0,
            stage: Stage::Newest,
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

impl Walk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        let path = self.tree.paths.get(self.path)?;
        if self.requests_left == 0 {
            return None;
        }
        self.requests_left -= 1;
        Some(match &self.stage {
            Stage::Newest => {
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
            Stage::Log(log) => Request::page(self.tree.log_url(path, log)),
            Stage::Patches { from, to } => {
                Request::bulk(self.tree.patches_url(path, from, to), Method::Get)
            }
            Stage::ByHash { at, .. } => {
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
            Stage::Newest => self.read_feed(answer, true),
            Stage::ByHash { .. } => self.read_feed(answer, false),
            Stage::Log(log) => self.read_log(answer, log),
            Stage::Patches { .. } => Ok(self.read_patches(answer)),
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
            Stage::Newest => {
                let page = std::mem::take(&mut self.page);
                self.judge_newest(&page);
            }
            Stage::ByHash { at, pages } => {
                let page = std::mem::take(&mut self.page);
                let last = self.path_cursor().tip.clone();
                let met_last = page.iter().any(|(hash, _)| Some(hash) == last.as_ref());
                // Should the last tip itself be gone: a page that this feed has shown before. That another tree has
                // the same commits proves nothing.
                let is_new = |hash: &CommitHash| new_here.contains(&ItemKey::commit(hash));
                let nothing_new = page.iter().all(|(hash, _)| *hash == at || !is_new(hash));
                self.judge_by_hash(
                    &page,
                    &at,
                    pages,
                    met_last || (nothing_new && page.len() > 1),
                );
            }
            Stage::Log(log) => {
                let page = std::mem::take(&mut self.page);
                self.brief.retain(|hash, _| {
                    page.iter().all(|(other, _)| other != hash) || is_fresh(hash)
                });
                self.judge_log(&page, log);
            }
            Stage::Patches { .. } => self.finish_path(),
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
        self.stage = Stage::Newest;
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
            self.path_cursor().newest = Kept::of(&url, &answer.validators);
        }
        Ok(page)
    }

    /// Decides, the newest page being stored, how to get what lies below it.
    fn judge_newest(&mut self, page: &[(CommitHash, Option<DateTime<Utc>>)]) {
        let (Some(tip), known) = (self.tip.clone(), self.path_cursor().clone()) else {
            self.finish_path();
            return;
        };
        if let Goal::Backfill { .. } = self.goal {
            let pending = known.pending.unwrap_or(Pending {
                from: None,
                to: tip.clone(),
                offset: 0,
            });
            self.path_cursor().pending = Some(pending.clone());
            self.stage = match (self.tree.is_github(), page.last()) {
                (true, Some((oldest, _))) => Stage::ByHash {
                    at: oldest.clone(),
                    pages: 0,
                },
                (true, None) | (false, _) => Stage::Log(pending),
            };
            return;
        }
        self.bottom = page.last().map(|(hash, _)| hash.clone());
        self.overlaps = known
            .tip
            .as_ref()
            .is_none_or(|last| page.iter().any(|(hash, _)| hash == last));
        if let Some(ByHash { at, to }) = known.by_hash {
            self.tip = Some(to);
            self.stage = Stage::ByHash { at, pages: 0 };
            return;
        }
        match (known.pending, known.tip) {
            (Some(pending), _) => self.stage = Stage::Log(pending),
            (None, Some(last)) if last != tip && !self.tree.is_github() => {
                let pending = Pending {
                    from: Some(last),
                    to: tip,
                    offset: 0,
                };
                self.path_cursor().pending = Some(pending.clone());
                self.stage = Stage::Log(pending);
            }
            (None, Some(last)) if last != tip && !self.overlaps => self.walk_by_hash(),
            (None, _) => {
                self.path_cursor().tip = Some(tip);
                self.finish_path();
            }
        }
    }
}
