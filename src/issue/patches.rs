//! The list of all that was posted, as "BPF updates" had it: by author, parts below their cover letter.

use std::collections::BTreeMap;

use super::{Mail, Passage, Patches, Posted};
use crate::post::{is_for_readers, plain};
use crate::story::{Revision, Story, StoryKind};

/// All that was posted in these passages. Of several revisions the last stands for all.
pub(super) fn patches(passages: &[&Passage]) -> Vec<Patches> {
    let mut posted: Vec<(chrono::DateTime<chrono::Utc>, String, Posted)> = Vec::new();
    for passage in passages {
        let story = &passage.after;
        let author = plain(story.author.as_deref().unwrap_or("unknown author"));
        if let Some(revision) = posted_revision(passage) {
            posted.push((revision.posted_at, author, of_revision(passage, revision)));
        } else if is_lone_patch(passage) {
            let mail = story.messages.iter().find_map(|id| passage.mails.get(id));
            posted.push((story.first_at, author, of_mail(story, mail)));
        }
    }
    posted.sort_by(|a, b| (a.0, &a.2.story).cmp(&(b.0, &b.2.story)));
    let mut by_author: BTreeMap<(String, String), Vec<Posted>> = BTreeMap::new();
    for (_, author, posted) in posted {
        let key = (author.to_lowercase(), author);
        by_author.entry(key).or_default().push(posted);
    }
    by_author
        .into_iter()
        .map(|((_, author), posted)| Patches { author, posted })
        .collect()
}

/// The last revision of a series that was not known at the beginning of the period.
pub(super) fn posted_revision(passage: &Passage) -> Option<&Revision> {
    if passage.after.kind != StoryKind::Series {
        return None;
    }
    let before = passage.before.as_ref();
    let is_known = |revision: &Revision| {
        before.is_some_and(|story| {
            let mut known = story.revisions.iter();
            known.any(|known| known.root == revision.root || known.version == revision.version)
        })
    };
    let newest = passage.after.revisions.last()?;
    (!is_known(newest)).then_some(newest)
}

/// Tags of mails that bring a patch although they do not say `PATCH`.
const PATCH_TAGS: [&str; 11] = [
    "rfc",
    "iproute",
    "iproute2",
    "bpftool",
    "libbpf",
    "dwarves",
    "pahole",
    "ethtool",
    "xdp-tools",
    "bcc",
    "next",
];

/// Whether it is a mail with a patch, or about a commit, outside a series: `[iproute] tc: …`, `[RFC] …`, and LLVM's `[llvm]
/// r302055 - [bpf] …`.
pub(super) fn is_lone_patch(passage: &Passage) -> bool {
    let story = &passage.after;
    if story.kind != StoryKind::Thread || passage.before.is_some() {
        return false;
    }
    let mut titles = passage.mails.values().map(|mail| mail.title.as_str());
    titles.any(|title| {
        let Some((tags, rest)) = title
            .strip_prefix('[')
            .and_then(|title| title.split_once("] "))
        else {
            return false;
        };
        let mut words = tags.split_whitespace();
        if words.all(|word| PATCH_TAGS.contains(&word.to_lowercase().as_str())) {
            return true;
        }
        let Some((revision, _)) = rest.split_once(" - ") else {
            return false;
        };
        let number = revision.strip_prefix('r').unwrap_or_default();
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        let is_hash =
            (7..=40).contains(&revision.len()) && revision.chars().all(|c| c.is_ascii_hexdigit());
        is_number || is_hash
    })
}

fn of_mail(story: &Story, mail: Option<&Mail>) -> Posted {
    Posted {
        story: story.id.clone(),
        title: plain(mail.map_or(&story.title, |mail| &mail.title)),
        link: story.url.clone().filter(|link| is_for_readers(link)),
        parts: Vec::new(),
    }
}

fn of_revision(passage: &Passage, revision: &Revision) -> Posted {
    let story = &passage.after;
    let shown = |id: &str, subject: &str| match passage.mails.get(id) {
        Some(mail) => {
            let link = mail.link.clone().filter(|link| is_for_readers(link));
            (plain(&mail.title), link)
        }
        None => (plain(subject), None),
    };
    let mut patches = revision.patches.iter();
    // Without a cover letter the first part stands in its place.
    let (title, link) = match revision.cover {
        true => shown(&revision.root, &story.title),
        false => match patches.next() {
            Some(first) => shown(&first.message_id, &first.subject),
            None => shown(&revision.root, &story.title),
        },
    };
    let parts = patches.map(|patch| shown(&patch.message_id, &patch.subject));
    Posted {
        story: story.id.clone(),
        title,
        link,
        parts: parts.collect(),
    }
}
