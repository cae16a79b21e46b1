//! An issue for feeds, and as a standalone page.

use maud::{DOCTYPE, PreEscaped, html};

use super::figures::figures_of_issue;
use super::layout::{STYLE, head_of_any};
use crate::issue::Issue;
use crate::issue::html::{Links, issue_article};
use crate::issue::markdown::Correction;

/// An issue as HTML for feeds.
pub(super) fn article_for_feeds(issue: &Issue, corrections: &[Correction], home: &str) -> String {
    // Readers of feeds remove pictures.
    issue_article(
        issue,
        corrections,
        Links {
            home: Some(home),
            shows_pictures: true,
        },
        None,
    )
    .into_string()
}

pub(super) fn standalone(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    let links = Links {
        home,
        shows_pictures: home.is_some(),
    };
    let figures = issue.numbers.as_ref().map(figures_of_issue);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head_of_any(&issue.title()))
                style { (PreEscaped(STYLE)) }
            }
            body { main { article { (issue_article(issue, corrections, links, figures)) } } }
        }
    };
    page.into_string()
}
