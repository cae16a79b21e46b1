//! The newsletter: the content of an issue, how editors finish it, how it is published, and its pages.

mod commands;
pub(crate) mod demo;
pub(crate) mod desk;
mod edits;
mod lines;
mod monitoring;
pub(crate) mod pages;
mod published;
pub(crate) mod reader;
mod round;
mod undone;
mod weeks;

use bpfnews::config::IssueConfig;
use bpfnews::issue::{Issue, Last, Period};
use bpfnews::publish::{self, Rules};
use bpfnews::store::Store;
use bpfnews::story::relevance::FoldRules;

/// The address of the tests' pages, for links.
const HOME: &str = "https://news.example/";

/// The rules of an issue, unless a test changes them.
struct Set {
    issue: IssueConfig,
    words: FoldRules,
}

impl Set {
    fn new() -> Self {
        Self {
            issue: IssueConfig::default(),
            words: FoldRules::default(),
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules {
            issue: &self.issue,
            words: &self.words,
            home: Some(HOME),
        }
    }
}

/// The issue of a period without edits.
async fn issue_of(store: &Store, number: u32, period: Period, last: Option<Last>) -> Issue {
    let set = Set::new();
    let rules = set.rules();
    let mut tx = store.snapshot().await.expect("a transaction");
    let made = publish::of_period(&mut tx, rules, number, period, last).await;
    made.expect("an issue")
}
