//! An issue for feeds, and as a standalone page.

use maud::{DOCTYPE, PreEscaped, html};

use super::layout::{STYLE, head_of_any};
use crate::issue::Issue;
use crate::issue::html::{Links, issue_article};
use crate::issue::markdown::Correction;

/// An issue as HTML for feeds.
pub(super) fn article_for_feeds(issue: &Issue, corrections: &[Correction], home: &str) -> String {
    issue_article(issue, corrections, Links { home: Some(home) }).into_string()
}

pub(super) fn standalone(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head_of_any(&issue.title()))
                style { (PreEscaped(STYLE)) }
            }
            body { main { article { (issue_article(issue, corrections, Links { home })) } } }
        }
    };
    page.into_string()
}
