//! Two postings that may be one effort, with the evidence.

use chrono::TimeDelta;

use super::shape::{self, CommonLines, PostingShape};
use crate::story::series::RUN_WITHIN;

/// How far apart two revisions may be that nothing but their titles ties together.
const NEAR: TimeDelta = TimeDelta::days(180);
/// How far apart two postings of one version may be to be one effort.
const REPOST: TimeDelta = TimeDelta::days(60);
/// How alike two titles must be that are not the same (normalised Levenshtein, 0 … 1).
const LIKE: f64 = 0.8;
/// How alike titles are that differ in nothing but a letter or two.
const SAME: f64 = 0.9;
/// How alike where an answer in the thread, or the same files, tie them too.
const LIKE_IN_THREAD: f64 = 0.6;
/// The share of the smaller patch's changed lines that makes the other one a version of it.
const SAME_LINES: f64 = 0.5;
/// The share that is enough where a `Link:` ties them too.
const LINKED_LINES: f64 = 0.2;

/// Two postings that may be one effort.
pub(super) struct PostingPair<'a> {
    /// The earlier one.
    pub(super) a: &'a PostingShape<'a>,
    /// The later one.
    pub(super) b: &'a PostingShape<'a>,
}

/// The evidence that a posting with another title is a later version, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// They change the same lines.
    ChangedLines,
    /// They have parts in common.
    Parts,
    /// Their titles are alike.
    Title,
}

impl PostingPair<'_> {
    fn is_one_author(&self) -> bool {
        self.a.is_by_author_of(self.b)
    }

    /// Whether the earlier is the revision as which the later names it. `version` is the one that it is named by.
    pub(super) fn is_revision_named(&self, version: Option<u32>) -> bool {
        let (a, b) = (self.a, self.b);
        // A link to `v1` counts whoever wrote it. A link in other words may lead to anything.
        let is_said = version == Some(a.version()) && a.version() < b.version();
        let is_earlier = a.version() < b.version() || a.posting.rfc || b.posting.resend;
        is_said || is_earlier && (self.is_one_author() || self.title_likeness() >= LIKE_IN_THREAD)
    }

    /// Whether a `Link:` of the later to the earlier leads to its former version: links lead to much else.
    pub(super) fn is_linked(&self) -> bool {
        let is_like = || {
            let lines = self.lines_in_common();
            lines.is_surely_at_least(LINKED_LINES) || self.title_likeness() >= LIKE_IN_THREAD
        };
        self.is_one_author() && self.a.version() < self.b.version() && is_like()
    }

    /// Whether the later was sent in the earlier one's thread, as an answer to the mail at `over`: as the next version, or in
    /// one run with it.
    pub(super) fn is_answered(&self, over: Option<usize>) -> bool {
        let (a, b) = (self.a, self.b);
        if !self.is_one_author() {
            return false;
        }
        let is_in_run = b.posting.total > 1
            && over.is_some_and(|over| a.posting.cover == Some(over))
            && (b.sent_at - a.sent_at).abs() <= RUN_WITHIN;
        let is_like = || self.title_likeness() >= LIKE_IN_THREAD && self.a.titles_agree(self.b);
        a.version() < b.version() || is_in_run || is_like()
    }

    /// How far apart they were sent.
    pub(super) fn apart(&self) -> TimeDelta {
        self.b.sent_at - self.a.sent_at
    }

    /// Whether the earlier one only asked for comments and the later one is meant.
    fn grew_up(&self) -> bool {
        self.a.posting.rfc && !self.b.posting.rfc
    }

    /// Whether b4 knows the two as different efforts.
    fn is_apart(&self) -> bool {
        let (a, b) = (&self.a.changes, &self.b.changes);
        !a.is_empty() && !b.is_empty()
    }

    /// Whether one may be a version of the other at all. A backport is no version of its original.
    fn may_be_one(&self) -> bool {
        self.is_one_author()
            && self.apart() <= NEAR
            && self.a.posting.is_backport == self.b.posting.is_backport
    }

    pub(super) fn has_same_title(&self) -> bool {
        if !self.may_be_one() || self.a.title != self.b.title {
            return false;
        }
        // A maintainer's batches keep one title for years, so only their patches distinguish them.
        if self.a.recurs && self.b.recurs {
            return self.apart() <= REPOST && self.shares_most();
        }
        let (a, b) = (self.a.version(), self.b.version());
        match a.cmp(&b) {
            std::cmp::Ordering::Less => true,
            _ if self.is_apart() => false,
            // Not three patches that happen to have one title.
            std::cmp::Ordering::Equal => {
                self.b.posting.resend
                    || self.grew_up()
                    || (self.apart() <= REPOST && self.shares_content())
            }
            // An RFC's successor counts from 1 again, and some authors forget to count.
            std::cmp::Ordering::Greater => {
                self.grew_up()
                    || (!self.b.posting.versioned && (self.b.posting.resend || self.shares_most()))
            }
        }
    }

    /// Whether they change the same files, or have a patch in common.
    fn shares_content(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let is_several = a.posting.total > 1 || b.posting.total > 1;
        !a.paths.is_disjoint(&b.paths) || (is_several && !a.titles.is_disjoint(&b.titles))
    }

    /// Whether most of the smaller one is in the other.
    fn shares_most(&self) -> bool {
        self.parts_in_common() || self.shares_lines()
    }

    /// Whether the later holds at least half of the patches of the smaller of the two.
    fn parts_in_common(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let common = a.titles.intersection(&b.titles).count();
        let least = a.titles.len().min(b.titles.len());
        match least {
            0 => false,
            1 => common == 1 && b.version() <= a.version() + 1,
            _ => common * 2 >= least,
        }
    }

    /// The changed lines of the smaller one that the other changes too, in the same files.
    fn lines_in_common(&self) -> CommonLines {
        if self.a.paths.is_disjoint(&self.b.paths) {
            CommonLines::default()
        } else {
            self.a.lines.common_with(&self.b.lines)
        }
    }

    fn shares_lines(&self) -> bool {
        self.lines_in_common().is_at_least(SAME_LINES)
    }

    /// Whether the later may be the next version under another title.
    fn follows(&self) -> bool {
        let (a, b) = (self.a, self.b);
        if a.recurs || b.recurs {
            return false;
        }
        let is_next = b.version() == a.version() + 1 || self.grew_up();
        is_next || (b.version() > a.version() && self.apart() <= REPOST) || self.is_sent_anew()
    }

    /// Whether the later is the earlier under nearly the same title, by an author who does not count versions.
    fn is_sent_anew(&self) -> bool {
        let (a, b) = (self.a, self.b);
        let may_be = a.version() == 1
            && !b.posting.versioned
            && self.apart() <= REPOST
            && !self.is_apart()
            && !a.paths.is_disjoint(&b.paths)
            && a.titles_agree(b);
        may_be && {
            let like = self.title_likeness();
            like >= LIKE && self.shares_lines() || like >= SAME && a.paths == b.paths
        }
    }

    /// The evidence that the later is a version of the earlier, if there is any.
    pub(super) fn likeness(&self) -> Option<Likeness> {
        if !self.may_be_one() || !self.follows() {
            return None;
        }
        let (a, b) = (self.a, self.b);
        let is_next = b.version() == a.version() + 1 || self.grew_up();
        let lines = self.lines_in_common();
        if lines.is_surely_at_least(SAME_LINES) || (is_next && lines.is_at_least(SAME_LINES)) {
            return Some(Likeness::ChangedLines);
        }
        if b.version() > a.version() && self.parts_in_common() {
            return Some(Likeness::Parts);
        }
        let is_like = b.version() == a.version() + 1 && !self.is_apart() && self.has_like_title();
        (is_like || self.is_sent_anew()).then_some(Likeness::Title)
    }

    fn has_like_title(&self) -> bool {
        let (a, b) = (&self.a.lead.subject.title, &self.b.lead.subject.title);
        let is_in_files = !self.a.paths.is_empty() && self.a.paths == self.b.paths;
        let like = self.title_likeness();
        self.a.titles_agree(self.b)
            && (like >= LIKE
                || shape::shared_words(a, b) >= 0.75
                || like >= LIKE_IN_THREAD && is_in_files)
    }

    fn title_likeness(&self) -> f64 {
        strsim::normalized_levenshtein(&self.a.title, &self.b.title)
    }
}
