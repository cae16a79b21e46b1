//! The steps of a story that other stories report: pull requests, later commits, CVEs.

use chrono::TimeDelta;

use super::parts::{author_of, is_mainline_tree, name_of};
use super::{MAINLINE_BY, PULLED_WITHIN, StoryBuilder};
use crate::story::bot;
use crate::story::reading::{Reading, Role};
use crate::story::{Event, Step};

impl StoryBuilder<'_> {
    /// Adds statements in other stories about this one.
    pub(super) fn outside_steps(&mut self) {
        for other in std::mem::take(&mut self.outside) {
            match other.role {
                Role::Pull => self.pulled(other),
                Role::Commit => {
                    let state = if other.subject.title.starts_with("Revert ") {
                        Step::Reverted
                    } else {
                        Step::Fixed
                    };
                    self.event(other, state, &author_of(other));
                }
                Role::Talk if bot::announced_cve(&other.item).is_some() => {
                    self.event(other, Step::Cve, "")
                }
                Role::Talk | Role::Machine | Role::Patch | Role::Backport | Role::Lone => {}
            }
            self.outside.push(other);
        }
    }

    /// A pull request that lists patches of this story, and the merge that it became.
    fn pulled(&mut self, request: &Reading) {
        let last_at = self
            .group
            .postings
            .last()
            .map_or(self.group.readings[0].item.at, |posting| posting.at);
        let after = request.item.at - last_at;
        if after < TimeDelta::zero() || after > PULLED_WITHIN {
            return;
        }
        self.event(request, Step::Pulled, &name_of(request));
        let answers = self
            .around
            .iter()
            .filter(|other| other.above.contains(&request.own));
        let merged = answers
            .filter_map(|other| Some((other.item.at, bot::pull_merged(&other.item)?)))
            .find(|(_, merge)| is_mainline_tree(&merge.tree));
        if let Some((at, merge)) = merged {
            self.merges.push((request.item.at, at));
            self.events.push(Event {
                at,
                state: Step::Mainline,
                by: MAINLINE_BY.to_owned(),
                source: merge.hash,
                ..Event::default()
            });
        }
    }
}
