//! Lists by pages. A page is of the list as it was when its first page was shown, so nothing is shown twice or skipped
//! when stories move while somebody reads.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};

use super::answer::{Listing, mark, notice};
use super::grammar::Call;
use super::heard::{Asker, Pages};
use crate::post::story::{Content, Digest, IssuePart, IssuePost, Line};

/// Lines of a page.
const LINES_MAX: usize = 10;
/// What the lines of a page may cost together, so that every platform shows all of them: Discord takes 4,096 characters,
/// those that it is kept from reading as markup counted twice.
const COST_MAX: usize = 3_600;
/// How long a list is kept for its other pages.
const KEPT_FOR: TimeDelta = TimeDelta::minutes(15);
/// Lists that are kept.
const LISTS_MAX: usize = 200;

/// Who turns pages, and of what.
type Key = (&'static str, String, String, String);
/// A list, and when it was made.
type Kept = (DateTime<Utc>, Arc<Listing>);

/// The lists whose pages people turn.
#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<HashMap<Key, Kept>>);

impl Shelf {
    /// The list that a call's page belongs to, where it is kept; a first page begins a new one.
    pub(super) fn find(&self, by: &Asker, call: &Call, now: DateTime<Utc>) -> Option<Arc<Listing>> {
        if call.page() == 1 {
            return None;
        }
        let lists = self.0.lock().expect("no holder of the lists panics");
        let (made_at, listing) = lists.get(&key(by, call))?;
        let age = now - *made_at;
        (age >= TimeDelta::zero() && age < KEPT_FOR).then(|| Arc::clone(listing))
    }

    /// Keeps a list for its other pages.
    pub(super) fn keep(&self, by: &Asker, call: &Call, listing: Arc<Listing>, now: DateTime<Utc>) {
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

fn key(by: &Asker, call: &Call) -> Key {
    let words = call.at_page(1).words();
    let words = format!("{} {words}", call.spec.audience.command());
    (by.platform, by.room.clone(), by.person.clone(), words)
}

/// One page of a list, and where it goes on.
///
/// # Errors
///
/// How many pages there are, where there is no such.
pub(super) fn page(listing: &Listing, call: &Call) -> Result<(Content, Pages), usize> {
    let mark = mark(call.spec.audience, call.spec.path);
    if listing.lines.is_empty() {
        let content = notice(listing.title.clone(), listing.nothing, mark);
        return Ok((content, Pages::default()));
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
    let turns = Pages {
        back: (number > 1).then(|| call.at_page(call.page() - 1)),
        on: (number < many).then(|| call.at_page(call.page() + 1)),
    };
    Ok((content, turns))
}

/// One page of an issue, and where it goes on. What stands above its lines is on the first page.
///
/// # Errors
///
/// How many pages there are, where there is no such.
pub(super) fn page_of_issue(issue: IssuePost, call: &Call) -> Result<(Content, Pages), usize> {
    let lines: Vec<(usize, &Line)> = issue
        .parts
        .iter()
        .enumerate()
        .flat_map(|(part, told)| told.lines.iter().map(move |line| (part, line)))
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
            let told = &issue.parts[*part];
            parts.push(IssuePart {
                lines: Vec::new(),
                ..told.clone()
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
        // An answer is not the post that channels have of it.
        mark: mark(call.spec.audience, call.spec.path),
        ..issue
    }));
    let turns = Pages {
        back: (number > 1).then(|| call.at_page(call.page() - 1)),
        on: (number < many).then(|| call.at_page(call.page() + 1)),
    };
    Ok((content, turns))
}

/// Where each page begins and ends.
fn cut(lines: &[Line]) -> Vec<Range<usize>> {
    let costs: Vec<usize> = lines.iter().map(cost).collect();
    cut_at(&costs, 0)
}

/// The same for lines of these costs, the first page of which has something else above them.
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
    // The signs round a line and its link.
    let layout = 16;
    let link = line.link.as_ref().map_or(0, |link| 3 * link.len() / 2);
    // What is over its share is cut by the platforms: 120 characters, and 200 of a title.
    text(&line.what).min(120) + text(&line.title).min(200) + link + layout
}

#[cfg(test)]
mod tests {
    use super::super::grammar::{Audience, parse};
    use super::*;
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
            Ok((digest.title, words(pages.back), words(pages.on)))
        };
        let title = |page: u32| format!("All (page {page} of 3)");
        let on = |page: u32| Some(format!("latest page={page}"));
        assert_eq!(turn("latest"), Ok((title(1), None, on(2))));
        assert_eq!(turn("latest 2"), Ok((title(2), on(1), on(3))));
        assert_eq!(turn("latest 3"), Ok((title(3), on(2), None)));
        assert_eq!(turn("latest 4"), Err::<_, usize>(3));
    }
}
