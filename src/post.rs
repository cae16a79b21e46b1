//! Posts: platform-neutral text about what is new. Pure: items in, words out.
//!
//! For now a series' parts join by In-Reply-To alone; see [`root`].

pub mod story;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::item::subject::Subject;
use crate::item::{ItemKey, Kind, prose};

/// The most characters of a summary.
const SUMMARY_CHARS_MAX: usize = 300;
/// How many answers up a part's cover letter is looked for; chains of replies are long, chains of parts are not.
pub const CLIMB_MAX: usize = 40;

/// An item as a post needs it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What it is.
    pub kind: Kind,
    /// Commit hash, Message-ID or key.
    pub reference: String,
    /// Its title.
    pub title: String,
    /// Who wrote it; empty where nobody is named.
    pub author: String,
    /// When it became news.
    pub at: DateTime<Utc>,
    /// Where a person reads it.
    pub url: Option<String>,
    /// Whether it is for subscribers, and the day on which it becomes free.
    pub paid: Option<Option<NaiveDate>>,
    /// The names of the feeds that carry it.
    pub feeds: Vec<String>,
    /// What it says.
    pub text: String,
}

/// A post, in parts that every platform can lay out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// What the post is about.
    pub about: About,
    /// Trees or projects named in the subject, such as `net-next`; may be empty.
    pub tree: String,
    /// The title, without tags.
    pub title: String,
    /// Who wrote it; empty where nobody is named.
    pub author: String,
    /// When it became news.
    pub at: DateTime<Utc>,
    /// The feeds that carry it.
    pub feeds: Vec<String>,
    /// Notes beside the title: `v3`, `RFC`, `3 of 4 patches`, `for subscribers until 2 March 2017`.
    pub notes: Vec<String>,
    /// The parts of a series: number and title.
    pub parts: Vec<(String, String)>,
    /// The author's own words; may be empty.
    pub summary: String,
    /// Where to read on.
    pub link: Option<String>,
}

/// What a post is about.
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
    /// A commit.
    Commit,
    /// An article.
    Article,
    /// A release.
    Release,
    /// A video.
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

/// A mail above another one.
#[derive(Debug, Clone)]
pub struct Above {
    /// Its subject line.
    pub title: String,
    /// The digest of the mail that it answers itself.
    pub parent: Option<Vec<u8>>,
}

/// What a mail's post stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The digest of the item.
    pub digest: Vec<u8>,
    /// Whether the item has not come yet: a cover letter that its parts outran.
    pub is_ghost: bool,
}

/// What a mail's post stands for; `None` where the mail opens no post, being an answer.
///
/// A part belongs to what it answers as long as that is of the same revision: parts answer their cover, or the part
/// before. A cover that has not come yet is named by its digest alone, so a part may come first. A revision whose parts
/// answer something else (an earlier revision) is told apart by a digest of its own.
pub fn root(
    title: &str,
    digest: [u8; 16],
    parent: Option<Vec<u8>>,
    above: &HashMap<Vec<u8>, Above>,
) -> Option<Root> {
    let here = |digest: Vec<u8>| Root {
        digest,
        is_ghost: false,
    };
    let subject = Subject::parse(title);
    if subject.reply || (parent.is_some() && !subject.patch && !subject.pull) {
        return None;
    }
    let is_part = subject.part.is_some_and(|(number, _)| number > 0);
    if !is_part {
        return Some(here(digest.to_vec()));
    }
    let (mut child, mut next) = (digest.to_vec(), parent);
    for _ in 0..CLIMB_MAX {
        let Some(up) = next else {
            return Some(here(child));
        };
        let Some(mail) = above.get(&up) else {
            return Some(Root {
                digest: up,
                is_ghost: true,
            });
        };
        let over = Subject::parse(&mail.title);
        if over.reply || !over.same_revision(&subject) {
            let (_, total) = subject.part.unwrap_or_default();
            let revision = format!("{} v{} of {total}", crate::item::hex(&up), subject.version);
            return Some(here(ItemKey::content(&revision).digest().to_vec()));
        }
        if over.is_cover() {
            return Some(here(up));
        }
        (child, next) = (up, mail.parent.clone());
    }
    Some(here(child))
}

/// Whether the subjects of one post hold every part that they count, so that it need not wait.
pub fn is_complete<'a>(titles: impl Iterator<Item = &'a str>) -> bool {
    let parts: Vec<(u32, u32)> = titles
        .filter_map(|title| Subject::parse(title).part)
        .collect();
    let Some(total) = parts.iter().map(|(_, total)| *total).max() else {
        return true;
    };
    // Where parts answer a cover, the cover is part of the whole; a series of one commit has none.
    let has_first = parts.iter().any(|(number, _)| *number == 0)
        || parts.iter().any(|(number, _)| *number == 1);
    has_first && (1..=total).all(|wanted| parts.iter().any(|(number, _)| *number == wanted))
}

/// Composes the post about these items (one, or the mails of a series in any order). `None` without items.
pub fn compose(items: &[Shown]) -> Option<Post> {
    let lead = items.iter().min_by_key(|item| {
        let number = Subject::parse(&item.title)
            .part
            .map_or(0, |(number, _)| number);
        (number, item.at, item.reference.clone())
    })?;
    let subject = match lead.kind {
        Kind::Message => Subject::parse(&lead.title),
        Kind::Commit | Kind::Article | Kind::Release | Kind::Video => Subject {
            title: lead.title.clone(),
            version: 1,
            ..Subject::default()
        },
    };
    let about = about(lead.kind, &subject);
    let mut feeds: Vec<String> = items
        .iter()
        .flat_map(|item| item.feeds.iter().cloned())
        .collect();
    let mut seen = std::collections::HashSet::new();
    feeds.retain(|feed| seen.insert(feed.clone()));
    Some(Post {
        about,
        tree: plain(&subject.trees.join(" ")),
        title: plain(&subject.title),
        author: plain(&lead.author),
        at: lead.at,
        feeds,
        notes: notes(lead, &subject, items),
        parts: parts(lead, &subject, items),
        summary: plain(&prose::opening(&lead.text, SUMMARY_CHARS_MAX)),
        link: lead.url.clone().filter(|link| is_for_readers(link)),
    })
}

fn about(kind: Kind, subject: &Subject) -> About {
    match kind {
        Kind::Commit => About::Commit,
        Kind::Article => About::Article,
        Kind::Release => About::Release,
        Kind::Video => About::Video,
        Kind::Message if subject.pull => About::Pull,
        Kind::Message if subject.part.is_some_and(|(_, total)| total > 1) => About::Series,
        Kind::Message if subject.patch => About::Patch,
        Kind::Message => About::Thread,
    }
}

fn notes(lead: &Shown, subject: &Subject, items: &[Shown]) -> Vec<String> {
    let mut notes = Vec::new();
    if subject.version > 1 {
        notes.push(format!("v{}", subject.version));
    }
    if subject.rfc {
        notes.push("RFC".to_owned());
    }
    if subject.resend {
        notes.push("resent".to_owned());
    }
    if let Some((_, total)) = subject.part.filter(|(_, total)| *total > 1) {
        let here = items
            .iter()
            .filter(|item| Subject::parse(&item.title).part.is_some_and(|(n, _)| n > 0))
            .count();
        notes.push(match here == total as usize {
            true => format!("{total} patches"),
            false => format!("{here} of {total} patches so far"),
        });
    }
    if lead.kind == Kind::Commit {
        notes.push(lead.reference.chars().take(12).collect());
    }
    match lead.paid {
        Some(Some(day)) => notes.push(format!("for subscribers until {}", day.format("%-d %B %Y"))),
        Some(None) => notes.push("for subscribers".to_owned()),
        None => {}
    }
    notes
}

fn parts(lead: &Shown, subject: &Subject, items: &[Shown]) -> Vec<(String, String)> {
    if subject.part.is_none_or(|(_, total)| total < 2) {
        return Vec::new();
    }
    let mut parts: Vec<(u32, (String, String))> = items
        .iter()
        .filter(|item| item.reference != lead.reference || !subject.is_cover())
        .filter_map(|item| {
            let part = Subject::parse(&item.title);
            let (number, total) = part.part?;
            Some((number, (format!("{number}/{total}"), plain(&part.title))))
        })
        .collect();
    parts.sort();
    parts.dedup();
    parts.into_iter().map(|(_, part)| part).collect()
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

/// Whether readers can follow a link: it is of the web, and does not lead to this machine's loopback.
fn is_for_readers(link: &str) -> bool {
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

    fn mail(reference: &str, title: &str) -> Shown {
        Shown {
            kind: Kind::Message,
            reference: reference.to_owned(),
            title: title.to_owned(),
            author: "A. Author".to_owned(),
            at: DateTime::UNIX_EPOCH,
            url: None,
            paid: None,
            feeds: vec!["bpf".to_owned()],
            text: "Hi,\n\nThis makes it so.".to_owned(),
        }
    }

    #[test]
    fn a_series_is_one_post_whatever_order_it_came_in() {
        let items = [
            mail("2", "[PATCH bpf v2 2/2] two"),
            mail("0", "[PATCH bpf v2 0/2] all"),
            mail("1", "[PATCH bpf v2 1/2] one"),
        ];
        let post = compose(&items).expect("a post");
        assert_eq!(
            (post.about, post.title.as_str(), post.tree.as_str()),
            (About::Series, "all", "bpf")
        );
        assert_eq!(post.notes, ["v2", "2 patches"]);
        assert_eq!(
            post.parts,
            [
                ("1/2".to_owned(), "one".to_owned()),
                ("2/2".to_owned(), "two".to_owned())
            ]
        );
        assert_eq!(post.summary, "This makes it so.");
    }

    #[test]
    fn a_part_finds_its_cover_and_nothing_else() {
        let digest = |id: &str| ItemKey::content(id).digest();
        let mut above = HashMap::new();
        let mut put = |id: &str, title: &str, parent: Option<&str>| {
            let parent = parent.map(|p| digest(p).to_vec());
            above.insert(
                digest(id).to_vec(),
                Above {
                    title: title.to_owned(),
                    parent,
                },
            );
        };
        put("cover", "[PATCH v2 0/3] x", Some("v1"));
        put("v1", "[PATCH 0/3] x", None);
        put("1", "[PATCH v2 1/3] a", Some("cover"));
        put("one", "[PATCH 1/2] a", None);
        put("answer", "Re: [PATCH 0/3] x", Some("v1"));
        #[rustfmt::skip]
        let table = [
            ("a part of a cover that is here", "[PATCH v2 2/3] b", Some("cover"), Some("cover")),
            ("a part of a cover that is still to come", "[PATCH 2/3] b", Some("ghost"), Some("ghost")),
            ("a part that answers the part before", "[PATCH v2 2/3] b", Some("1"), Some("cover")),
            ("a series without cover", "[PATCH 2/2] b", Some("one"), Some("one")),
            ("a cover that answers the revision before", "[PATCH v2 0/3] x", Some("v1"), Some("self")),
            ("a patch that answers a discussion", "[PATCH] y", Some("answer"), Some("self")),
            ("an answer opens nothing", "Re: [PATCH 0/3] x", Some("v1"), None),
            ("a follow-up without Re: opens nothing", "thanks", Some("v1"), None),
            ("a question opens a post", "how?", None, Some("self")),
        ];
        for (name, title, parent, wanted) in table {
            let got = root(
                title,
                digest("self"),
                parent.map(|p| digest(p).to_vec()),
                &above,
            );
            let ghost = got.as_ref().is_some_and(|root| root.is_ghost);
            assert_eq!(ghost, wanted == Some("ghost"), "{name}");
            let got = got.map(|root| root.digest);
            assert_eq!(got, wanted.map(|id| digest(id).to_vec()), "{name}");
        }
        let sibling = |id: &str, title: &str| {
            root(title, digest(id), Some(digest("v1").to_vec()), &above).map(|root| root.digest)
        };
        let (first, second) = (
            sibling("a", "[PATCH v3 1/2] a"),
            sibling("b", "[PATCH v3 2/2] b"),
        );
        assert!(
            first == second && first != Some(digest("v1").to_vec()),
            "parts that answer v1 are a revision of their own"
        );
    }

    #[test]
    fn completeness_counts_parts() {
        #[rustfmt::skip]
        let table = [
            (true, vec!["[PATCH 0/2] x", "[PATCH 1/2] x", "[PATCH 2/2] x"]),
            (true, vec!["[PATCH 1/2] x", "[PATCH 2/2] x"]),
            (false, vec!["[PATCH 0/2] x", "[PATCH 2/2] x"]),
            (false, vec!["[PATCH 0/2] x"]),
            (true, vec!["[PATCH] x"]),
            (true, vec!["hello"]),
        ];
        for (wanted, titles) in table {
            assert_eq!(is_complete(titles.iter().copied()), wanted, "{titles:?}");
        }
    }

    #[test]
    fn text_cannot_act() {
        let mut item = mail("1", "[PATCH] \u{1b}[31mred\u{202e} end");
        item.url = Some("http://127.0.0.1:8080/x".to_owned());
        let post = compose(&[item]).expect("a post");
        assert_eq!(post.title, " [31mred end");
        assert_eq!(post.link, None);
        assert!(compose(&[]).is_none());
    }
}
