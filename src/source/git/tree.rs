//! A branch that is read by git: one question for its tip, and if that has moved, the commits that are new, page by page.
//!
//! The range `LAST..TIP` has all commits that came, also those of merges. A page's cursor holds the range and the number of
//! its commits that are stored, so a poll goes on where the last one ended, even if the branch moved meanwhile.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{CURSOR_WORD, records};
use crate::item::{CommitHash, Item, ItemKey};
use crate::source::question::{CommitRange, GitHead, GitQuestion, LastTip};
use crate::source::{Answer, FetchError, Gap, Goal, Page, Request};

/// Commits of one page.
const PAGE_COMMITS: usize = 200;
/// Commits that the first poll stores.
const SEED_COMMITS: usize = 25;
/// Questions of one poll; the next poll goes on. 40 pages are 8,000 commits.
const QUESTIONS_PER_POLL_MAX: u32 = 40;
/// A merge brings commits that were made up to so long before.
const SIDE_AGE_S: i64 = 30 * 86_400;

/// A branch of a repository, limited to some paths or whole.
#[derive(Debug, Clone)]
pub struct GitTree {
    base: Url,
    branch: String,
    paths: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct GitTreeCursor {
    by: String,
    /// This commit and all its ancestors are stored, or older than the first poll.
    tip: Option<CommitHash>,
    /// Its commit date, in unix seconds; 0 if it is not known.
    tip_at: i64,
    /// A range that is not read to its end.
    pending: Option<PendingCommits>,
    /// A backfill: its beginning in unix seconds, and whether it is done.
    since: Option<i64>,
    is_done: bool,
}

/// The commits of a range; the first `offset` of them are stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PendingCommits {
    from: Option<CommitHash>,
    to: CommitHash,
    since: Option<i64>,
    offset: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum GitTreeStage {
    Tip,
    Commits(PendingCommits),
    Over,
}

/// A poll or backfill of a branch in progress.
#[derive(Debug, Clone)]
pub struct GitTreeWalk {
    tree: GitTree,
    cursor: GitTreeCursor,
    goal: Goal,
    now: i64,
    stage: GitTreeStage,
    questions_left: u32,
    /// What precedes the last page, until [`GitTreeWalk::learn`] goes on from it.
    page: Option<GitHead>,
    /// The newest and the oldest commit date of this walk, in unix seconds.
    span: Option<(i64, i64)>,
    /// Whether the server had no commits so old as the range needs.
    is_cut: bool,
}

impl GitTree {
    /// The branch of the repository at `base`.
    pub fn new(base: &Url, branch: &str, paths: &[String]) -> Self {
        Self {
            base: base.clone(),
            branch: branch.to_owned(),
            paths: paths.to_vec(),
        }
    }

    pub(in crate::source) fn begin(
        &self,
        cursor: Option<&str>,
        goal: Goal,
        now: DateTime<Utc>,
    ) -> GitTreeWalk {
        let mut cursor: GitTreeCursor = cursor
            .and_then(|json| serde_json::from_str(json).ok())
            .unwrap_or_default();
        if let Goal::Backfill { since } = goal
            && cursor.since != Some(since.timestamp())
        {
            cursor = GitTreeCursor {
                since: Some(since.timestamp()),
                ..GitTreeCursor::default()
            };
        }
        CURSOR_WORD.clone_into(&mut cursor.by);
        let stage = match &cursor.pending {
            _ if cursor.is_done => GitTreeStage::Over,
            Some(pending) => GitTreeStage::Commits(pending.clone()),
            None => GitTreeStage::Tip,
        };
        GitTreeWalk {
            tree: self.clone(),
            cursor,
            goal,
            now: now.timestamp(),
            stage,
            questions_left: match goal {
                Goal::Poll => QUESTIONS_PER_POLL_MAX,
                Goal::Backfill { .. } => u32::MAX,
            },
            page: None,
            span: None,
            is_cut: false,
        }
    }
}

impl GitTreeWalk {
    pub(in crate::source) fn next(&mut self) -> Option<Request> {
        if self.questions_left == 0 {
            return None;
        }
        let question = match &self.stage {
            GitTreeStage::Tip => GitQuestion::Tip {
                branch: Some(self.tree.branch.clone()),
            },
            GitTreeStage::Commits(range) => GitQuestion::Commits(CommitRange {
                to: range.to.clone(),
                from: range.from.clone(),
                from_at: self.cursor.tip_at,
                since: range.since,
                paths: self.tree.paths.clone(),
                skip: range.offset,
                count: if self.is_seed(range) {
                    SEED_COMMITS
                } else {
                    PAGE_COMMITS
                },
            }),
            GitTreeStage::Over => return None,
        };
        self.questions_left -= 1;
        Some(Request::git(self.tree.base.clone(), question))
    }

    pub(in crate::source) fn read(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        match self.stage.clone() {
            GitTreeStage::Tip => self.read_tip(&answer?),
            GitTreeStage::Commits(range) => match answer {
                // The newest commit of the range is gone: the branch was rewritten meanwhile, or its repository is gone.
                Err(FetchError::Missing { .. }) if self.cursor.pending.is_some() => {
                    self.cursor.pending = None;
                    self.stage = GitTreeStage::Tip;
                    Ok(Page {
                        is_interim: true,
                        ..Page::default()
                    })
                }
                answer => self.read_commits(&answer?, &range),
            },
            GitTreeStage::Over => Ok(Page::default()),
        }
    }

    fn read_tip(&mut self, answer: &Answer) -> Result<Page, FetchError> {
        let Some(tip) = records::tip(answer) else {
            return Err(FetchError::Missing {
                why: format!(
                    "{} has no branch {}; if it comes back, bpfnews goes on from its last commit",
                    answer.url, self.tree.branch
                ),
                page: String::new(),
            });
        };
        if self.goal == Goal::Poll && Some(&tip) == self.cursor.tip.as_ref() {
            self.stage = GitTreeStage::Over;
            return Ok(Page::default());
        }
        let range = PendingCommits {
            from: self.cursor.tip.clone(),
            to: tip,
            since: self.cursor.since,
            offset: 0,
        };
        self.stage = GitTreeStage::Commits(range);
        Ok(Page {
            is_interim: true,
            ..Page::default()
        })
    }

    fn read_commits(
        &mut self,
        answer: &Answer,
        range: &PendingCommits,
    ) -> Result<Page, FetchError> {
        let (head, bytes) = records::head::<GitHead>(answer)?;
        let (commits, mut faults) = records::commits(&head, bytes);
        faults.extend(head.faults.iter().cloned());
        let items: Vec<Item> = commits.into_iter().map(|(_, item)| item).collect();
        for at in items.iter().filter_map(|item| item.at) {
            let at = at.timestamp();
            let (newest, oldest) = self.span.unwrap_or((at, at));
            self.span = Some((newest.max(at), oldest.min(at)));
        }
        let page = Page {
            items,
            faults,
            is_first: self.is_seed(range),
            is_fast_forward: head.last == LastTip::Ancestor,
            ..Page::default()
        };
        self.page = Some(head);
        Ok(page)
    }

    /// The keys of the new items do not matter: the range alone says how far the walk has come.
    pub(in crate::source) fn learn(&mut self, _new_here: &HashSet<ItemKey>) -> Vec<Gap> {
        let (Some(head), GitTreeStage::Commits(range)) = (self.page.take(), self.stage.clone())
        else {
            return Vec::new();
        };
        self.is_cut |= !head.is_whole;
        if head.has_more && !self.is_seed(&range) {
            let is_gone = head.last == LastTip::Gone;
            let range = PendingCommits {
                // The answer says since when it lists commits in place of a last tip that is gone.
                from: range.from.filter(|_| !is_gone),
                since: head.since.or(range.since),
                offset: range.offset + head.listed,
                ..range
            };
            self.cursor.pending = Some(range.clone());
            self.stage = GitTreeStage::Commits(range);
            return Vec::new();
        }
        self.cursor.pending = None;
        self.finish(&head, range)
    }

    /// The range is stored to its end.
    fn finish(&mut self, head: &GitHead, range: PendingCommits) -> Vec<Gap> {
        let is_cut = std::mem::take(&mut self.is_cut);
        if let Goal::Backfill { since } = self.goal {
            self.stage = GitTreeStage::Over;
            self.cursor.is_done = true;
            return match is_cut {
                true => vec![self.gap(since.timestamp())],
                false => vec![Gap::healed(since.timestamp(), self.now)],
            };
        }
        let gaps = match (is_cut, self.is_seed(&range)) {
            (true, false) => vec![self.gap((self.cursor.tip_at - SIDE_AGE_S).max(0))],
            _ => Vec::new(),
        };
        // The range was left over from the last poll, so the branch may have moved.
        let was_resumed = range.offset > 0 && self.questions_left > 0;
        // A mirror that lags behind goes back to commits that are stored.
        if head.last != LastTip::Ahead {
            self.cursor.tip = Some(range.to);
            // A date in the future says nothing.
            self.cursor.tip_at = head.to_at.min(self.now);
        }
        self.stage = match was_resumed {
            true => GitTreeStage::Tip,
            false => GitTreeStage::Over,
        };
        gaps
    }

    fn gap(&self, from_at: i64) -> Gap {
        Gap {
            from_at,
            to_at: self.span.map_or(self.now, |(newest, _)| newest),
            why: format!(
                "{}: commits that a merge brought are older than those that git could fetch",
                self.tree.branch
            ),
            is_healed: false,
        }
    }

    fn is_seed(&self, range: &PendingCommits) -> bool {
        self.goal == Goal::Poll && range.from.is_none() && range.since.is_none()
    }

    pub(in crate::source) fn cursor(&self) -> String {
        serde_json::to_string(&self.cursor).expect("a cursor is plain data")
    }

    pub(in crate::source) fn is_cut_short(&self) -> bool {
        self.stage != GitTreeStage::Over
    }

    pub(in crate::source) fn progress(&self) -> f64 {
        match (self.goal, self.span) {
            (Goal::Backfill { since }, Some((newest, oldest))) => {
                let share = (newest - oldest) as f64 / (newest - since.timestamp()).max(1) as f64;
                share.clamp(0.0, 1.0)
            }
            (Goal::Backfill { .. } | Goal::Poll, _) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::Method;

    fn tree() -> GitTree {
        let base = Url::parse("git+https://h.example/a.git").expect("a URL");
        GitTree::new(&base, "master", &[])
    }

    fn answer(bytes: Vec<u8>) -> Result<Answer, FetchError> {
        Ok(Answer::without_headers(
            &Url::parse("git+https://h.example/a.git").expect("a URL"),
            bytes,
        ))
    }

    fn hash(n: u8) -> String {
        format!("{n:02x}").repeat(20)
    }

    fn page(head: &serde_json::Value, commits: &[u8]) -> Result<Answer, FetchError> {
        let mut bytes = format!("{head}\n").into_bytes();
        for n in commits {
            let record = format!(
                "MARK{}\0A\0a@x\x00100\x00200\0bpf: {n}\0Text.\0\n",
                hash(*n)
            );
            bytes.extend(record.into_bytes());
        }
        answer(bytes)
    }

    fn head(last: &str, listed: usize, has_more: bool) -> serde_json::Value {
        json!({"mark": "MARK", "last": last, "to_at": 200, "listed": listed, "has_more": has_more,
            "since": null, "is_whole": true, "has_names_only": false, "faults": []})
    }

    fn question(walk: &mut GitTreeWalk) -> GitQuestion {
        match walk.next().expect("a request").method {
            Method::Git(question) => *question,
            other => panic!("{other:?}"),
        }
    }

    fn range(walk: &mut GitTreeWalk) -> CommitRange {
        match question(walk) {
            GitQuestion::Commits(range) => range,
            other => panic!("{other:?}"),
        }
    }

    fn begin(cursor: Option<&str>) -> GitTreeWalk {
        tree().begin(
            cursor,
            Goal::Poll,
            DateTime::UNIX_EPOCH + chrono::TimeDelta::days(9),
        )
    }

    fn learn(walk: &mut GitTreeWalk) -> Vec<Gap> {
        walk.learn(&HashSet::new())
    }

    /// Seeds at a tip and returns the cursor.
    fn seeded(at: u8) -> String {
        let mut walk = begin(None);
        assert!(matches!(question(&mut walk), GitQuestion::Tip { .. }));
        walk.read(answer(hash(at).into_bytes())).expect("a tip");
        learn(&mut walk);
        let range = range(&mut walk);
        assert_eq!((range.from, range.count), (None, SEED_COMMITS));
        let read = walk
            .read(page(&head("none", 1, true), &[at]))
            .expect("a page");
        assert!(read.is_first && read.items.len() == 1);
        assert_eq!(learn(&mut walk), []);
        assert_eq!((walk.next(), walk.is_cut_short()), (None, false));
        walk.cursor()
    }

    #[test]
    fn a_tip_that_stays_costs_one_question() {
        let cursor = seeded(1);
        let mut walk = begin(Some(&cursor));
        question(&mut walk);
        let read = walk.read(answer(hash(1).into_bytes())).expect("a tip");
        assert_eq!(read, Page::default());
        learn(&mut walk);
        assert_eq!((walk.next(), walk.cursor()), (None, cursor));
    }

    #[test]
    fn pages_are_resumed_where_the_cursor_is() {
        let mut walk = begin(Some(&seeded(1)));
        question(&mut walk);
        walk.read(answer(hash(9).into_bytes())).expect("a tip");
        learn(&mut walk);
        assert_eq!(range(&mut walk).skip, 0);
        let read = walk
            .read(page(&head("ancestor", 2, true), &[9, 8]))
            .expect("a page");
        assert!(read.is_fast_forward && !read.is_first);
        learn(&mut walk);
        let mut resumed = begin(Some(&walk.cursor()));
        let rest = range(&mut resumed);
        assert_eq!((rest.skip, rest.to.as_str()), (2, &*hash(9)));
        assert_eq!(rest.from.expect("the last tip").as_str(), hash(1));
        resumed
            .read(page(&head("ancestor", 1, false), &[7]))
            .expect("a page");
        learn(&mut resumed);
        // The branch may have moved since.
        assert!(matches!(question(&mut resumed), GitQuestion::Tip { .. }));
        resumed.read(answer(hash(9).into_bytes())).expect("a tip");
        assert_eq!(resumed.next(), None);
    }

    #[test]
    fn a_last_tip_that_is_gone_gives_way_to_a_date() {
        let mut walk = begin(Some(&seeded(1)));
        question(&mut walk);
        walk.read(answer(hash(9).into_bytes())).expect("a tip");
        learn(&mut walk);
        range(&mut walk);
        let mut head = head("gone", 2, true);
        head["since"] = json!(50);
        let read = walk.read(page(&head, &[9, 8])).expect("a page");
        assert!(!read.is_fast_forward);
        learn(&mut walk);
        let rest = range(&mut walk);
        assert_eq!((rest.from, rest.since, rest.skip), (None, Some(50), 2));
    }

    #[test]
    fn a_mirror_that_lags_behind_moves_no_cursor() {
        let cursor = seeded(5);
        let mut walk = begin(Some(&cursor));
        question(&mut walk);
        walk.read(answer(hash(4).into_bytes())).expect("a tip");
        learn(&mut walk);
        range(&mut walk);
        walk.read(page(&head("ahead", 0, false), &[]))
            .expect("a page");
        learn(&mut walk);
        assert_eq!((walk.next(), walk.cursor()), (None, cursor));
    }

    #[test]
    fn a_branch_that_is_deleted_and_comes_back_goes_on() {
        let cursor = seeded(1);
        let mut walk = begin(Some(&cursor));
        question(&mut walk);
        let error = walk.read(answer(Vec::new())).expect_err("no branch");
        assert!(
            error.to_string().contains("has no branch master"),
            "{error}"
        );
        assert_eq!(walk.cursor(), cursor);
    }

    #[test]
    fn a_range_whose_end_is_gone_starts_again() {
        let cursor = json!({"tip": hash(1), "tip_at": 200,
            "pending": {"from": hash(1), "to": hash(9), "since": null, "offset": 400}});
        let mut walk = begin(Some(&cursor.to_string()));
        range(&mut walk);
        let gone = FetchError::Missing {
            why: "gone".to_owned(),
            page: String::new(),
        };
        walk.read(Err(gone)).expect("it begins anew");
        learn(&mut walk);
        assert!(matches!(question(&mut walk), GitQuestion::Tip { .. }));
    }

    #[test]
    fn commits_that_git_could_not_fetch_are_a_gap() {
        let mut walk = begin(Some(&seeded(1)));
        question(&mut walk);
        walk.read(answer(hash(9).into_bytes())).expect("a tip");
        learn(&mut walk);
        range(&mut walk);
        let mut head = head("ancestor", 1, false);
        head["is_whole"] = json!(false);
        walk.read(page(&head, &[9])).expect("a page");
        let gaps = learn(&mut walk);
        assert_eq!(gaps.len(), 1);
        assert!(!gaps[0].is_healed);
    }
}
