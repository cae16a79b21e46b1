//! The branch's feed: the news, and the decision how to read the commits below it.

use super::{HashWalk, PageCommits, PendingLog, TreeStage, TreeWalk};
use crate::source::{Answer, Body, FetchError, Goal, KnownVersion, Page, broken};

impl TreeWalk {
    pub(super) fn read_newest(
        &mut self,
        answer: Result<Answer, FetchError>,
    ) -> Result<Page, FetchError> {
        let answer = answer?;
        if answer.body == Body::Unchanged {
            self.tip = self.path_cursor().tip.clone();
            return Ok(Page::default());
        }
        let (url, validators) = (answer.url.clone(), answer.validators.clone());
        let mut page = self.read_feed(answer)?;
        self.tip = self.page.first().map(|(hash, _)| hash.clone());
        page.is_first = !self.cursor.paths.contains_key(&self.tree.paths[self.path]);
        let had = self.path_cursor().tip.is_some();
        if self.tip.is_none() && had {
            return Err(broken(
                &url,
                "the feed is empty, though it had commits before",
            ));
        }
        self.path_cursor().newest = KnownVersion::of(&url, &validators);
        Ok(page)
    }

    /// Decides how to get the commits below the newest page, once that is stored.
    pub(super) fn after_newest(&mut self, page: &PageCommits) {
        self.shown_tip = self.tip.clone();
        let (Some(tip), known) = (self.tip.clone(), self.path_cursor().clone()) else {
            self.finish_path();
            return;
        };
        let oldest = page.last().map(|(hash, _)| hash.clone());
        self.bottom = oldest.clone();
        self.overlaps = known
            .tip
            .as_ref()
            .is_none_or(|last| page.iter().any(|(hash, _)| hash == last));
        let pending = PendingLog {
            from: known.tip.clone(),
            to: tip.clone(),
            offset: 0,
            begun_at: self.now,
            bottom: oldest.clone().filter(|_| !self.overlaps),
        };
        if let Goal::Backfill { .. } = self.goal {
            let all = PendingLog {
                from: None,
                ..pending
            };
            let pending = known.pending.unwrap_or(all);
            self.path_cursor().pending = Some(pending.clone());
            self.stage = match oldest {
                Some(at) if self.tree.is_github() => TreeStage::ByHash { at, pages: 0 },
                Some(_) | None => TreeStage::Log(pending),
            };
            return;
        }
        if let Some(HashWalk { at, to }) = known.by_hash {
            self.tip = Some(to);
            self.stage = TreeStage::ByHash { at, pages: 0 };
            return;
        }
        let tip_at = page.first().and_then(|(_, date)| *date);
        let tip_at = tip_at.map_or(0, |date| date.timestamp());
        // A mirror that lags behind shows an older tip for a while: all that it shows is known.
        let steps_back = !self.has_news && tip_at < known.tip_at;
        match (known.pending, known.tip) {
            (Some(pending), _) => self.begin_log(pending),
            (None, Some(last)) if last != tip && steps_back => self.go_on(),
            (None, Some(last)) if last != tip && !self.tree.is_github() => {
                self.path_cursor().pending = Some(pending.clone());
                self.begin_log(pending);
            }
            (None, Some(last)) if last != tip && !self.overlaps => self.walk_by_hash(),
            (None, _) => {
                self.move_tip(Some(tip));
                self.go_on();
            }
        }
    }

    fn begin_log(&mut self, log: PendingLog) {
        self.is_ancestor = self.overlaps;
        self.stage = if self.overlaps {
            TreeStage::Log(log)
        } else {
            TreeStage::Ancestor(log)
        };
    }

    /// All commits up to this one are stored.
    pub(super) fn move_tip(&mut self, tip: Option<super::CommitHash>) {
        let newest = self.span.map(|(newest, _)| newest);
        let is_shown = tip == self.shown_tip;
        let cursor = self.path_cursor();
        if !is_shown {
            // The next poll must read the branch's feed even if that has not changed.
            cursor.newest = KnownVersion::default();
        }
        cursor.tip = tip;
        cursor.met_merge = false;
        cursor.tip_at = newest.unwrap_or(cursor.tip_at);
    }
}
