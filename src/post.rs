//! Posts: platform-neutral text about stories, and which channels take them. Pure.

mod matters;
pub mod milestone;
mod notes;
pub mod numbers;
mod reviews;
pub mod route;
mod steps;
pub mod story;
pub mod words;

use serde::{Deserialize, Serialize};

use crate::item::prose;
pub use crate::story::life::is_id as is_story_id;

/// The subject of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A series of patches.
    Series,
    /// One patch.
    Patch,
    /// A request to pull.
    Pull,
    /// A mail that starts a thread.
    Thread,
    Commit,
    Article,
    Release,
    Video,
}

impl About {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Series => "series",
            Self::Patch => "patch",
            Self::Pull => "pull request",
            Self::Thread => "thread",
            Self::Commit => "commit",
            Self::Article => "article",
            Self::Release => "release",
            Self::Video => "video",
        }
    }
}

/// Text that can do nothing but be read: no control characters, no invisible ones that reorder or hide text.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .filter(|&c| !prose::is_invisible(c))
        .collect()
}

/// The same for a text of several lines, which stay.
pub fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// Where a story's page is, below our site.
pub fn story_path(id: &str) -> String {
    format!("story/{id}")
}

/// Whether readers can follow a link: it is of the web, and does not lead to this machine's loopback.
pub(crate) fn is_for_readers(link: &str) -> bool {
    url::Url::parse(link).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && match url.host() {
                Some(url::Host::Ipv4(ip)) => !ip.is_loopback(),
                Some(url::Host::Ipv6(ip)) => !ip.is_loopback(),
                Some(url::Host::Domain(name)) => name != "localhost",
                None => false,
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_act() {
        assert_eq!(
            plain("\u{1b}[31mred\u{202e} end\u{2028}."),
            " [31mred end ."
        );
    }

    #[test]
    fn links_are_of_the_web_and_lead_elsewhere() {
        for link in ["https://lore.kernel.org/bpf/", "http://1.2.3.4/x"] {
            assert!(is_for_readers(link), "{link}");
        }
        for link in [
            "http://127.0.0.1:8080/x",
            "http://localhost/",
            "http://[::1]/",
            "javascript:x",
            "ftp://a.example/",
        ] {
            assert!(!is_for_readers(link), "{link}");
        }
    }
}
