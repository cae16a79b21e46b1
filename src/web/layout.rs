//! The frame of every page.

use maud::{DOCTYPE, Markup, html};

use super::site::Site;
use crate::item::prose::shorten;

pub(super) const STYLE: &str = include_str!("style.css");
pub(super) const ICON: &str = include_str!("icon.svg");

/// The most characters of a page's description; search engines and chats show less.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// The words about a page for search engines, and for chats that show a card of a link.
pub(super) struct PageHead {
    title: String,
    description: String,
    /// The newsletter's name; empty if the page is not worth finding.
    name: String,
    /// The page's public address.
    url: String,
    /// What Open Graph calls it: `website` or `article`.
    kind: &'static str,
    /// Whether people can sign up for mail.
    has_mail: bool,
}

impl PageHead {
    /// A page of the site at a path without its first slash.
    pub(super) fn website(site: &Site, title: &str, path: &str) -> Self {
        let name = &site.name;
        Self {
            title: match title {
                "" => name.clone(),
                // An issue's title begins with the newsletter's name.
                title if title.starts_with(name.as_str()) => title.to_owned(),
                title => format!("{title} · {name}"),
            },
            description: format!(
                "{name}: what moves in BPF and XDP, from kernel trees, mailing lists, LWN, releases and talks."
            ),
            name: name.clone(),
            url: format!("{}{path}", site.home),
            kind: "website",
            has_mail: site.mail.is_some(),
        }
    }

    /// A page for one person: search engines leave it out.
    pub(super) fn unlisted(site: &Site, title: &str) -> Self {
        Self {
            name: String::new(),
            ..Self::website(site, title, "")
        }
    }

    /// A page about one thing, with its own description.
    pub(super) fn article(site: &Site, title: &str, path: &str, description: &str) -> Self {
        let head = Self::website(site, title, path);
        let description = match description.is_empty() {
            true => head.description,
            false => shorten(description, DESCRIPTION_CHARS_MAX),
        };
        Self {
            description,
            kind: "article",
            ..head
        }
    }

    fn tags(&self) -> Markup {
        html! {
            meta name="description" content=(self.description);
            @if self.name.is_empty() {
                meta name="robots" content="noindex";
            } @else {
                meta property="og:site_name" content=(self.name);
                meta property="og:title" content=(self.title);
                meta property="og:description" content=(self.description);
                meta property="og:type" content=(self.kind);
                meta property="og:url" content=(self.url);
                link rel="canonical" href=(self.url);
            }
        }
    }
}

/// The page in place of one that does not exist, or that failed.
pub(super) fn no_page(title: &str, what: &str) -> Markup {
    let head = PageHead {
        title: title.to_owned(),
        description: what.to_owned(),
        name: String::new(),
        url: String::new(),
        kind: "website",
        has_mail: false,
    };
    page(
        &head,
        "",
        &html! {
            h1 { (title) }
            p { (what) }
            p { a href="/search" { "Search" } " · " a href="/stories" { "All stories" } " · " a href="/" { "This week" } }
        },
    )
}

/// A whole page. `here` is the path of its entry in the navigation.
pub(super) fn page(head: &PageHead, here: &str, content: &Markup) -> Markup {
    let entry = |path: &str, called: &str| {
        let current = (path == here).then_some("page");
        html! { li { a href=(path) aria-current=[current] { (called) } } }
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head_of_any(&head.title))
                (head.tags())
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/style.css";
                link rel="alternate" type="application/atom+xml" title="Issues" href="/issues.atom";
                link rel="alternate" type="application/atom+xml" title="Stories" href="/stories.atom";
                link rel="alternate" type="text/calendar" title="Kernel releases" href="/cycle.ics";
            }
            body {
                a.skip href="#content" { "To the content" }
                header {
                    nav aria-label="Pages" {
                        ul {
                            (entry("/", "Now")) (entry("/issues", "Issues")) (entry("/stories", "Stories"))
                            (entry("/stats", "Numbers")) (entry("/search", "Search")) (entry("/cycle", "Kernel cycle"))
                            (entry("/issues.atom", "Feed"))
                            @if head.has_mail { (entry("/mail", "By mail")) }
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

/// A page of the editors' desk. No search engine lists it.
pub(super) fn private_page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                (head_of_any(title))
                meta name="robots" content="noindex";
                link rel="icon" type="image/svg+xml" href="/icon.svg";
                link rel="stylesheet" href="/style.css";
            }
            body.desk {
                a.skip href="#content" { "To the content" }
                header { nav aria-label="Pages" { ul {
                    li { a href="/desk" { "Desk" } }
                    li { a href="/desk/look" { "As it will look" } }
                    li { a href="/desk/add" { "Add an entry" } }
                    li { a href="/desk/publish" { "Publish" } }
                    li { a href="/" { "Public pages" } }
                } } }
                main id="content" { (content) }
            }
        }
    }
}
