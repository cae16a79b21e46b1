//! Lists split into pages. The first page stores the list, and the other pages read the stored one. So a reader sees no
//! line twice and misses none, even if stories move.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::context::{Listing, mark, notice};
use crate::chat::{Call, PageCalls, PlatformKind, Requester};
use crate::post::story::{Content, Digest, IssuePart, IssuePost, Line};

const LINES_MAX: usize = 10;
/// The cost limit of a page, so that every platform shows all its lines. Discord takes 4,096 characters; escaped ones
/// count twice.
const COST_MAX: usize = 3_600;
/// How long a list is stored for its other pages.
const KEPT_FOR: TimeDelta = TimeDelta::minutes(15);
/// The most lists stored.
const LISTS_MAX: usize = 200;

/// Platform, room, person, and the call without its page.
type CacheKey = (PlatformKind, String, String, String);
/// A list, and the time when it was made.
type CachedList = (DateTime<Utc>, Arc<Listing>);

/// Lists stored for their other pages.
#[derive(Debug, Default)]
pub(super) struct PageCache(Mutex<HashMap<CacheKey, CachedList>>);

impl PageCache {
    /// The stored list of a call. `None` for a first page, which makes a new list.
    pub(super) fn find(
        &self,
        by: &Requester,
        call: &Call,
        now: DateTime<Utc>,
    ) -> Option<Arc<Listing>> {
        if call.page() == 1 {
            return None;
        }
        let lists = self.0.lock().expect("no holder of the lists panics");
        let (made_at, listing) = lists.get(&key(by, call))?;
        let age = now - *made_at;
        (age >= TimeDelta::zero() && age < KEPT_FOR).then(|| Arc::clone(listing))
    }

    /// Drops the lists of a person.
    pub(super) fn forget(&self, platform: PlatformKind, person: &str) {
        let mut lists = self.0.lock().expect("no holder of the lists panics");
        lists.retain(|(of, _, by, _), _| *of != platform || by != person);
    }

    /// Stores a list for its other pages.
    pub(super) fn keep(
        &self,
        by: &Requester,
        call: &Call,
        listing: Arc<Listing>,
        now: DateTime<Utc>,
    ) {
        let mut lists = self.0.lock().expect("no holder of the lists panics");
        if lists.len() >= LISTS_MAX {
            lists.retain(|_, (made_at, _)| now - *made_at < KEPT_FOR);
        }
        if lists.len() >= LISTS_MAX {
            lists.clear();
        }
        lists.insert(key(by, call), (now, listing));
    }
}

fn key(by: &Requester, call: &Call) -> CacheKey {
    let words = call.at_page(1).words();
    let words = format!("{} {words}", call.spec.audience.command());
    (by.platform, by.room.clone(), by.person.clone(), words)
}

/// One page of a list, with the calls for the pages around it.
///
/// # Errors
///
/// Returns the number of pages if this page does not exist.
pub(super) fn page(listing: &Listing, call: &Call) -> Result<(Content, PageCalls), usize> {
    let mark = mark(call.spec.audience, call.spec.path);
    if listing.lines.is_empty() {
        let content = notice(listing.title.clone(), listing.nothing, mark);
        return Ok((content, PageCalls::default()));
    }
    let pages = cut(&listing.lines);
    let many = pages.len();
    let number = usize::try_from(call.page()).unwrap_or(usize::MAX);
    let Some(range) = pages.into_iter().nth(number - 1) else {
        return Err(many);
    };
    let title = match many {
        1 => listing.title.clone(),
        _ => format!("{} (page {number} of {many})", listing.title),
    };
    let content = Content::Digest(Digest {
        title,
        lines: listing.lines[range].to_vec(),
        mark,
    });
    let turns = PageCalls {
        back: (number > 1).then(|| call.at_page(call.page() - 1)),
        next: (number < many).then(|| call.at_page(call.page() + 1)),
    };
    Ok((content, turns))
}

/// One page of an issue, with the calls for the pages around it. The introduction is on the first page only.
///
/// # Errors
///
/// Returns the number of pages if this page does not exist.
pub(super) fn page_of_issue(issue: IssuePost, call: &Call) -> Result<(Content, PageCalls), usize> {
    let lines: Vec<(usize, &Line)> = issue
        .parts
        .iter()
        .enumerate()
        .flat_map(|(part, shown)| shown.lines.iter().map(move |line| (part, line)))
        .collect();
    let costs: Vec<usize> = lines.iter().map(|(_, line)| cost(line)).collect();
    let lead = issue.lead.chars().count();
    let pages = cut_at(&costs, lead);
    let many = pages.len();
    let number = usize::try_from(call.page()).unwrap_or(usize::MAX);
    let Some(range) = pages.into_iter().nth(number - 1) else {
        return Err(many);
    };
    let mut parts: Vec<IssuePart> = Vec::new();
    let mut last = None;
    for (part, line) in &lines[range] {
        if last != Some(*part) {
            let shown = &issue.parts[*part];
            parts.push(IssuePart {
                lines: Vec::new(),
                ..shown.clone()
            });
            last = Some(*part);
        }
        if let Some(part) = parts.last_mut() {
            part.lines.push((*line).clone());
        }
    }
    let title = match many {
        1 => issue.title.clone(),
        _ => format!("{} (page {number} of {many})", issue.title),
    };
    let content = Content::Issue(Box::new(IssuePost {
        title,
        lead: match number {
            1 => issue.lead.clone(),
            _ => String::new(),
        },
        parts,
        // Not the issue's own mark: that identifies its post in a channel.
        mark: mark(call.spec.audience, call.spec.path),
        ..issue
    }));
    let turns = PageCalls {
        back: (number > 1).then(|| call.at_page(call.page() - 1)),
        next: (number < many).then(|| call.at_page(call.page() + 1)),
    };
    Ok((content, turns))
}

/// The range of lines of each page.
fn cut(lines: &[Line]) -> Vec<Range<usize>> {
    let costs: Vec<usize> = lines.iter().map(cost).collect();
    cut_at(&costs, 0)
}

/// The same for lines of these costs; the first page holds `above` more.
fn cut_at(costs: &[usize], above: usize) -> Vec<Range<usize>> {
    let mut pages = Vec::new();
    let (mut start, mut taken) = (0, above);
    for (place, &cost) in costs.iter().enumerate() {
        if place > start && (place - start >= LINES_MAX || taken + cost > COST_MAX) {
            pages.push(start..place);
            (start, taken) = (place, 0);
        }
        taken += cost;
    }
    pages.push(start..costs.len());
    pages
}

fn cost(line: &Line) -> usize {
    let text = |text: &str| {
        let signs = text.chars().filter(char::is_ascii_punctuation).count();
        text.chars().count() + signs
    };
    // The markup around a line and its link.
    let layout = 16;
    let link = line.link.as_ref().map_or(0, |link| 3 * link.len() / 2);
    // Platforms cut the rest: 120 characters here, and 200 of a title.
    text(&line.what).min(120) + text(&line.title).min(200) + link + layout
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Audience;
    use crate::chat::grammar::parse;
    use crate::post::story::Tone;

    fn line(title: &str, link: usize) -> Line {
        Line {
            what: "posted".to_owned(),
            title: title.to_owned(),
            link: (link > 0).then(|| format!("https://a.example/{}", "x".repeat(link))),
            tone: Tone::New,
            mark: String::new(),
        }
    }

    fn call(text: &str) -> Call {
        parse(Audience::Readers, text).expect("a command")
    }

    #[test]
    fn every_line_is_on_one_page_and_every_page_fits() {
        for (many, title, link, pages) in [
            (1, "a", 0, 1),
            (10, "a", 20, 1),
            (11, "a", 20, 2),
            (
                40,
                "a title of the usual length, about so many words",
                60,
                4,
            ),
            (10, "`*_`", 500, 3),
            (1, "x", 5_000, 1),
        ] {
            let lines = vec![line(title, link); many];
            let cut = cut(&lines);
            assert_eq!(cut.len(), pages, "{many} {title} {link}");
            let shown: usize = cut.iter().map(ExactSizeIterator::len).sum();
            assert_eq!(shown, many);
            assert!(cut.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn pages_lead_to_each_other() {
        let listing = Listing {
            title: "All".to_owned(),
            lines: (0..25).map(|number| line(&number.to_string(), 0)).collect(),
            nothing: "None.",
        };
        let turn = |text: &str| {
            let (content, pages) = page(&listing, &call(text))?;
            let Content::Digest(digest) = content else {
                panic!("a list");
            };
            let words = |call: Option<Call>| call.map(|call| call.words());
            Ok((digest.title, words(pages.back), words(pages.next)))
        };
        let title = |page: u32| format!("All (page {page} of 3)");
        let on = |page: u32| Some(format!("latest page={page}"));
        assert_eq!(turn("latest"), Ok((title(1), None, on(2))));
        assert_eq!(turn("latest 2"), Ok((title(2), on(1), on(3))));
        assert_eq!(turn("latest 3"), Ok((title(3), on(2), None)));
        assert_eq!(turn("latest 4"), Err::<_, usize>(3));
    }
}
