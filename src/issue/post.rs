//! An issue in chat: the announcement in channels, and the whole issue in pages.

use super::markdown::{Correction, opening, path};
use super::{Entry, Issue, SectionKind, picture, prose};
use crate::item::prose::shorten;
use crate::post::story::{IssuePart, IssuePost, Line, PostPicture, Tone};

/// The most lines of an announcement; the rest is one click or one command away.
const LINES_MAX: usize = 15;
/// The most of one section.
const SECTION_LINES_MAX: usize = 5;
/// The most characters above the lines.
const LEAD_CHARS_MAX: usize = 900;
/// The most characters of a remark in a line.
const NOTE_CHARS_MAX: usize = 140;

/// The announcement of an issue. `page` is the address of the whole issue.
pub fn announcement(issue: &Issue, page: Option<&str>) -> IssuePost {
    let mut post = whole(issue, page);
    let all: usize = post.parts.iter().map(|part| part.lines.len()).sum();
    // Posted patches are counted above, and listed behind the link.
    for part in &mut post.parts {
        if part.is_list_of_patches {
            part.lines.clear();
        }
    }
    // A line for each in turn, so that a long section leaves the others their share.
    let mut shares = vec![0; post.parts.len()];
    let mut room = LINES_MAX;
    for _ in 0..SECTION_LINES_MAX {
        for (share, part) in shares.iter_mut().zip(&post.parts) {
            if room > 0 && *share < part.lines.len() {
                *share += 1;
                room -= 1;
            }
        }
    }
    for (share, part) in shares.into_iter().zip(&mut post.parts) {
        part.lines.truncate(share);
    }
    post.parts.retain(|part| !part.lines.is_empty());
    let shown: usize = post.parts.iter().map(|part| part.lines.len()).sum();
    post.left_out = all - shown;
    post
}

/// All of an issue.
pub fn whole(issue: &Issue, page: Option<&str>) -> IssuePost {
    let mut lead = vec![opening(issue)];
    let intro = prose::to_text(&prose::read(&issue.intro));
    lead.extend(Some(intro).filter(|intro| !intro.is_empty()));
    lead.extend(Some(issue.cycle.stands.clone()).filter(|stands| !stands.is_empty()));
    let missing = issue.missing.iter();
    lead.extend(missing.map(|missing| format!("Missing: {missing}")));
    let pulls = issue.cycle.pulls.iter().flat_map(|pulls| {
        pulls.sent.iter().map(|pull| Line {
            what: pull.on.format("%-d %B").to_string(),
            title: pulls.title.clone(),
            link: pull.link.clone(),
            tone: Tone::Applied,
            mark: pull.story.clone(),
            ..Line::default()
        })
    });
    let sections = issue.sections.iter();
    let mut parts: Vec<IssuePart> = sections
        .map(|section| IssuePart {
            heading: section.kind.heading().to_owned(),
            lines: section
                .entries
                .iter()
                .map(|entry| line(section.kind, entry))
                .collect(),
            is_list_of_patches: false,
        })
        .collect();
    // Important stories come first in chat; pull requests follow.
    parts.push(IssuePart {
        heading: "Pull requests".to_owned(),
        lines: pulls.collect(),
        is_list_of_patches: false,
    });
    let posted = issue.patches.iter().flat_map(|patches| {
        patches.posted.iter().map(|posted| Line {
            what: patches.author.clone(),
            title: posted.title.clone(),
            link: posted.link.clone(),
            tone: Tone::New,
            mark: posted.story.clone(),
            ..Line::default()
        })
    });
    parts.push(IssuePart {
        heading: "Patches".to_owned(),
        lines: posted.collect(),
        is_list_of_patches: true,
    });
    parts.retain(|part| !part.lines.is_empty());
    IssuePost {
        title: format!("{}, {}", issue.title(), issue.on().format("%-d %B %Y")),
        lead: shorten(&lead.join("\n"), LEAD_CHARS_MAX),
        parts,
        link: page.map(str::to_owned),
        left_out: 0,
        number: issue.number,
        picture: picture(issue, page),
        mark: mark(issue.number),
    }
}

/// The first picture, if the pages of the site have it.
fn picture(issue: &Issue, page: Option<&str>) -> Option<PostPicture> {
    let home = page?.strip_suffix(&path(issue.number))?;
    let mut entries = issue.sections.iter().flat_map(|section| &section.entries);
    let picture = entries.find_map(|entry| entry.picture.as_ref())?;
    Some(PostPicture {
        link: format!("{home}{}", picture::path(&picture.file)),
        alt: picture.alt.clone(),
    })
}

/// A correction, as it stands above an issue.
pub fn corrected(correction: &Correction) -> String {
    let blocks = prose::read(&correction.text);
    let gap = if prose::begins_in_line(&blocks) {
        " "
    } else {
        "\n"
    };
    let day = correction.at.format("%-d %B %Y");
    format!("Correction, {day}:{gap}{}", prose::to_text(&blocks))
}

/// The mark by which the message of an issue is found again.
pub fn mark(number: u32) -> String {
    format!("issue-{number}")
}

/// The number of the issue with a mark.
pub fn number_of(mark: &str) -> Option<u32> {
    mark.strip_prefix("issue-")?.parse().ok()
}

fn line(kind: SectionKind, entry: &Entry) -> Line {
    // A hash stands with the subject of its own commit.
    let alone = entry.commit_alone(kind);
    let what = match (alone, entry.stands.as_str()) {
        (Some(commit), _) => commit.digits.clone(),
        (None, "" | "posted" | "published" | "open") => entry.author.clone(),
        (None, stands) => stands.to_owned(),
    };
    let link = alone.map_or(&entry.link, |commit| &commit.link).clone();
    let title = alone.map_or(&entry.title, |commit| &commit.subject);
    let title = match entry.notes.first() {
        Some(note) => {
            let note = prose::to_text(&prose::read(note)).replace('\n', " ");
            format!("{title} ({})", shorten(&note, NOTE_CHARS_MAX))
        }
        None => title.clone(),
    };
    Line {
        what,
        title,
        link,
        tone: Tone::Reading,
        mark: entry.name().to_owned(),
        ..Line::default()
    }
}
