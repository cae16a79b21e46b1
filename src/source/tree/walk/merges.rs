//! Merges on GitHub, which has no log: its feed shows a merge, and the commits that it brought only if they are new enough. The
//! patches of the merge name them, and the feed as of the last of them shows them.

use super::by_hash::HASH_WALK_PAGES_MAX;
use super::{PageCommits, TreeStage, TreeWalk};
use crate::item::CommitHash;
use crate::source::mbox::Mails;
use crate::source::{Answer, Body, FetchError, Gap, Goal, Page};

/// The most merges in the queue, and the most commits of one merge.
const MERGES_MAX: usize = 50;
const SIDES_MAX: usize = 1_000;

/// Whether the next poll may have more luck.
fn passes(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Later { .. }
            | FetchError::Held { .. }
            | FetchError::Unreachable { .. }
            | FetchError::Offline { .. }
    )
}

impl TreeWalk {
    /// Notes the merges of the page just read, and on GitHub queues those that are new.
    pub(super) fn queue_merges(&mut self, is_new: &impl Fn(&CommitHash) -> bool) {
        let mut merges = std::mem::take(&mut self.page_merges);
        self.met_merge |= !merges.is_empty();
        // Another path of this feed may have shown a merge first.
        let many_paths = self.tree.paths.len() > 1;
        merges.retain(|merge| many_paths || is_new(merge));
        if self.goal != Goal::Poll || merges.is_empty() || self.path_cursor().tip.is_none() {
            return;
        }
        let is_github = self.tree.is_github();
        let cursor = self.path_cursor();
        cursor.met_merge = true;
        if is_github {
            merges.retain(|merge| is_new(merge) && !cursor.merges.contains(merge));
            let room = MERGES_MAX.saturating_sub(cursor.merges.len());
            cursor.merges.extend(merges.into_iter().take(room));
        }
    }

    /// Asks for the next commits of a merge; returns whether there are any.
    pub(super) fn follow_merge(&mut self) -> bool {
        if self.merges_wait {
            return false;
        }
        let cursor = self.path_cursor();
        self.stage = match (cursor.sides.last(), cursor.merges.front()) {
            (Some(side), _) => TreeStage::Side {
                at: side.clone(),
                pages: 0,
            },
            (None, Some(merge)) => TreeStage::Merge(merge.clone()),
            (None, None) => return false,
        };
        true
    }

    pub(super) fn read_merge(&mut self, answer: Result<Answer, FetchError>, merge: &CommitHash) {
        let bytes = match answer.map(|answer| answer.body) {
            Ok(Body::Bytes { bytes, .. }) => bytes,
            Err(error) if passes(&error) => {
                self.merges_wait = true;
                return;
            }
            Ok(Body::Unchanged) | Err(_) => Vec::new(),
        };
        let patches = Mails::new(&bytes[..]).map_while(Result::ok).flatten();
        let named = patches.filter_map(|patch| CommitHash::parse(&patch.from));
        let named = named.filter(|hash| hash != merge);
        self.side_commits = Some(named.take(SIDES_MAX).collect());
    }

    pub(super) fn after_merge(&mut self) {
        if let Some(mut sides) = self.side_commits.take() {
            // With a path, the feed shows only some of them.
            if !self.tree.paths[self.path].is_empty() {
                sides = sides.pop().into_iter().collect();
            }
            let merge = self.path_cursor().merges.pop_front();
            match merge {
                Some(merge) if sides.is_empty() => self.lose_merge(&merge),
                Some(_) | None => self.path_cursor().sides = sides,
            }
            self.side_pages = 0;
        }
        self.go_on();
    }

    pub(super) fn read_side(&mut self, answer: Result<Answer, FetchError>) -> Page {
        match answer.and_then(|answer| self.read_feed(answer)) {
            Ok(page) => page,
            Err(error) => {
                self.merges_wait = passes(&error);
                Page::default()
            }
        }
    }

    pub(super) fn after_side(
        &mut self,
        page: &PageCommits,
        at: &CommitHash,
        pages: u32,
        nothing_new: bool,
    ) {
        if self.merges_wait {
            self.go_on();
            return;
        }
        let is_whole_tree = self.tree.paths[self.path].is_empty();
        let sides = &mut self.path_cursor().sides;
        sides.retain(|side| side != at && page.iter().all(|(hash, _)| hash != side));
        let has_more = !sides.is_empty() || !is_whole_tree;
        let too_far = pages + 1 >= HASH_WALK_PAGES_MAX;
        let oldest = page.last().map(|(hash, _)| hash.clone());
        match oldest {
            // A commit's message can fake the line between two patches, so a hash that does not exist is no gap if others do.
            None if self.side_pages > 0 => {}
            None => {
                self.path_cursor().sides.clear();
                self.lose_merge(at);
            }
            Some(_) if too_far && has_more && !nothing_new => self.lose_merge(at),
            Some(oldest) if has_more && !nothing_new && oldest != *at => {
                self.side_pages += 1;
                self.stage = TreeStage::Side {
                    at: oldest,
                    pages: pages + 1,
                };
                return;
            }
            Some(_) => self.side_pages += 1,
        }
        self.go_on();
    }

    fn lose_merge(&mut self, merge: &CommitHash) {
        let gap = Gap {
            from_at: self.gap_begin(),
            to_at: self.span.map_or(self.now, |(newest, _)| newest),
            why: format!(
                "{}: the commits that the merge brought with {merge} could not be read",
                self.tree.branch
            ),
            is_healed: false,
        };
        self.gaps.push(gap);
    }
}
