//! The verdicts of machines on a story, and AI reviews that people pass on.

use std::collections::{BTreeMap, BTreeSet};

use super::StoryBuilder;
use super::parts::{is_mainline_tree, name_of};
use crate::story::bot::Notice;
use crate::story::machine::{Findings, MachineKind, MachineVerdict, Topic, verdict};
use crate::story::reading::Reading;
use crate::story::{Check, Event, Step, bot};

/// The most senders that are listed.
const WHY_MAX: usize = 20;
/// The note on an answer that is an AI's review.
const AI_MADE: &str = "an AI's review, passed on";

/// A machine's verdict on a patch.
#[derive(Debug)]
pub(super) struct PatchVerdict {
    /// The posting, by its place among the group's.
    posting: usize,
    /// The machine, the mail that it judges, and the report. A verdict with the same three replaces this one. Each report of a
    /// build stands alone; reviews and tests are repeated.
    of: (String, Option<i64>, String),
    /// When, as the mail has it.
    at: chrono::DateTime<chrono::Utc>,
    verdict: MachineVerdict,
}

impl StoryBuilder<'_> {
    pub(super) fn machine(&mut self, at: usize, reading: &Reading) {
        let group = self.group;
        let posting = group.owner.get(&at).copied();
        if reading.is_from(MachineKind::Notices)
            && let Some(notice) = bot::applied(&reading.item)
        {
            return match reading.item.is_sender_denied() {
                true => self.doubtful_notice(reading, notice, posting),
                false => self.notice(reading, notice, posting),
            };
        }
        // Anybody could have sent it under the machine's address.
        if reading.item.is_sender_denied() {
            return;
        }
        if let Some(merge) = bot::pull_merged(&reading.item) {
            let state = if is_mainline_tree(&merge.tree) {
                Step::Mainline
            } else {
                Step::Pulled
            };
            self.events.push(Event {
                at: reading.item.at,
                state,
                source: merge.hash,
                ..Event::default()
            });
            if state == Step::Mainline {
                self.merge_reported(reading.item.at);
            }
            return;
        }
        let Some(machine) = &reading.machine else {
            return;
        };
        let mut verdict = verdict(machine, &reading.item);
        verdict.link = verdict.link.or_else(|| reading.item.url.clone());
        self.events.push(Event {
            at: reading.item.at,
            state: verdict.step,
            by: machine.name.clone(),
            source: reading.item.reference.clone(),
            text: verdict.text.clone(),
            link: verdict.link.clone(),
            findings: verdict.findings,
        });
        if let Some(posting) = posting {
            let report = match verdict.topic {
                Some(Topic::Build) => reading.item.reference.clone(),
                Some(Topic::AiReview | Topic::Tests) | None => String::new(),
            };
            self.verdicts.push(PatchVerdict {
                posting,
                of: (machine.name.clone(), reading.item.parent, report),
                at: reading.item.at,
                verdict,
            });
        }
    }

    /// Adds a notice that anybody could have sent under the bot's address. Like a person's mail, it is a claim.
    fn doubtful_notice(&mut self, reading: &Reading, mut notice: Notice, posting: Option<usize>) {
        if let Some(p) = posting.filter(|_| !notice.commits.is_empty()) {
            notice.by = name_of(reading);
            self.wait_for_commit(reading, notice, p);
        }
    }

    /// Records that an answer is an AI's review, sent by a person who is responsible for it.
    pub(super) fn ai_made(&mut self, at: usize, reading: &Reading) {
        if !self.group.owner.contains_key(&at) || !reading.ai_made {
            return;
        }
        self.events.push(Event {
            at: reading.item.at,
            state: Step::ReviewedByMachine,
            by: name_of(reading),
            source: reading.item.reference.clone(),
            text: AI_MADE.to_owned(),
            link: reading.item.url.clone(),
            findings: None,
        });
    }

    /// Marks the last step, if its answer is an AI's review.
    pub(super) fn mark_ai_made(&mut self, answer: &Reading) {
        if answer.ai_made
            && let Some(event) = self.events.last_mut()
        {
            AI_MADE.clone_into(&mut event.text);
        }
    }

    /// The verdicts of machines on each revision, oldest first, summed over its patches. Of several verdicts of one machine on
    /// one mail, the latest counts.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut latest: BTreeMap<_, &PatchVerdict> = BTreeMap::new();
        for said in &self.verdicts {
            if let Some(topic) = said.verdict.topic {
                let before = latest
                    .entry((said.posting, topic, &said.of))
                    .or_insert(said);
                if said.at >= before.at {
                    *before = said;
                }
            }
        }
        let mut sums: BTreeMap<(usize, Topic), Vec<&PatchVerdict>> = BTreeMap::new();
        for ((posting, topic, _), said) in latest {
            sums.entry((posting, topic)).or_default().push(said);
        }
        let group = self.group;
        let checks = sums.into_iter().filter_map(|((posting, topic), said)| {
            let lead = group.readings[group.postings[posting].lead()];
            let total = group.postings[posting].total as usize;
            sum(topic, &said, total, lead.item.reference.clone())
        });
        checks.collect()
    }

    /// The senders that were taken for machines by their behaviour, and the answers that an AI wrote.
    pub(super) fn why_machines(&self) -> Vec<String> {
        let mut why = BTreeSet::new();
        for reading in &self.group.readings {
            let email = &reading.item.author.email;
            match &reading.machine {
                Some(machine) if !machine.why.is_empty() => {
                    why.insert(format!("{email} is taken for a machine: {}", machine.why));
                }
                _ if reading.ai_made => {
                    why.insert(format!("{} passed on an AI's review", name_of(reading)));
                }
                _ => {}
            }
        }
        why.into_iter().take(WHY_MAX).collect()
    }
}

/// The sum of several verdicts on a revision with `total` patches; `None` if none of them judges the patch.
fn sum(topic: Topic, said: &[&PatchVerdict], total: usize, root: String) -> Option<Check> {
    let last = said.iter().max_by_key(|said| said.at)?;
    let (what, text, findings) = match topic {
        Topic::AiReview => {
            let counted = said.iter().filter_map(|said| said.verdict.findings);
            let findings = counted.reduce(Findings::plus);
            if findings.is_some_and(|findings| findings.is_of_the_past()) {
                return None;
            }
            let text = match findings {
                // Nothing found in some patches says nothing of the others.
                Some(findings) if findings == Findings::default() && said.len() < total => {
                    let words = findings.words();
                    format!("AI review: {words} in {} of {total} patches", said.len())
                }
                Some(findings) => format!("AI review: {}", findings.words()),
                None => "AI review".to_owned(),
            };
            ("ai_review", text, findings)
        }
        Topic::Tests | Topic::Build => {
            let (_, words) = said.iter().map(|said| said.verdict.grade).max()?;
            let what = match topic {
                Topic::Build => "build",
                Topic::Tests | Topic::AiReview => "tests",
            };
            (what, words.to_owned(), None)
        }
    };
    let link = last.verdict.link.clone();
    let link = match said.len() {
        1 => link,
        // The page of one part of several is not that of the whole.
        _ => link.map(|link| link.split("?part=").next().unwrap_or_default().to_owned()),
    };
    Some(Check {
        root,
        what: what.to_owned(),
        text,
        at: last.at,
        link,
        findings,
    })
}
