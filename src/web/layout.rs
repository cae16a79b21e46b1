//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

pub(super) const STYLE: &str = include_str!("style.css");

pub(super) fn not_found_page(what: &str) -> Markup {
    page("Not here", "", &html! { h1 { "Not here" } p { (what) } })
}

/// A whole page. `here` is the path of its entry in the navigation.
pub(super) fn page(title: &str, here: &str, content: &Markup) -> Markup {
    let entry = |path: &str, called: &str| {
        let current = (path == here).then_some("page");
        html! { li { a href=(path) aria-current=[current] { (called) } } }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head_of_any(title))
                link rel="stylesheet" href="/style.css";
                link rel="alternate" type="application/atom+xml" title="Issues" href="/issues.atom";
                link rel="alternate" type="application/atom+xml" title="Stories" href="/stories.atom";
            }
            body {
                a.skip href="#content" { "To the content" }
                header {
                    nav aria-label="Pages" {
                        ul {
                            (entry("/", "Latest")) (entry("/issues", "All issues")) (entry("/search", "Search"))
                            (entry("/issues.atom", "Feed"))
                        }
                    }
                }
                main id="content" { (content) }
                footer { p { "Made by bpfnews from public mailing lists, trees and feeds." } }
            }
        }
    }
}

/// The part of the head that all pages share.
pub(super) fn head_of_any(title: &str) -> Markup {
    html! {
        meta charset="utf-8";
        meta name="viewport" content="width=device-width, initial-scale=1";
        meta name="color-scheme" content="light dark";
        title { (title) }
    }
}
