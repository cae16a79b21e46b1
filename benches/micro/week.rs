//! A week of a busy list: series with a cover letter, patches and answers, and the previous revision of some.

use std::collections::BTreeMap;

use bpfnews::issue::{Mail, Passage, Period};
use bpfnews::item::{Detail, Item, ItemData, MessageId, Person};
use bpfnews::story::Story;
use chrono::{DateTime, TimeDelta, Utc};

use super::made::now;
use super::words::Words;

/// Series posted in the week, patches of each, and answers to each.
pub(crate) const SERIES: usize = 200;
const PATCHES: usize = 4;
const ANSWERS: usize = 3;
/// One series in this many was first posted ten days before.
const REVISED: usize = 3;

pub(crate) fn period() -> Period {
    Period {
        from: now() - TimeDelta::days(7),
        to: now(),
    }
}

/// All of its mails, earliest first, and those of ten days before.
pub(crate) fn mails() -> Vec<Item> {
    let mut words = Words::new(7);
    let mut mails = Vec::new();
    for number in 0..SERIES {
        let minutes = 40 * i64::try_from(number).expect("small");
        let at = period().from + TimeDelta::hours(1) + TimeDelta::minutes(minutes);
        let (name, email) = words.person();
        let series = Series {
            number,
            title: format!("bpf: {} of series {number}", words.words(5)),
            parts: (0..PATCHES).map(|_| words.title()).collect(),
            author: Person { name, email },
        };
        if number % REVISED == 0 {
            series.post(1, at - TimeDelta::days(10), &mut words, &mut mails);
            series.post(2, at, &mut words, &mut mails);
        } else {
            series.post(1, at, &mut words, &mut mails);
        }
    }
    mails.sort_by_key(|mail| mail.at);
    mails
}

struct Series {
    number: usize,
    title: String,
    parts: Vec<String>,
    author: Person,
}

impl Series {
    fn post(&self, version: u32, at: DateTime<Utc>, words: &mut Words, mails: &mut Vec<Item>) {
        let root = format!("{}.{}-0-someone@example.org", version, self.number);
        for part in 0..=PATCHES {
            let id = format!("{version}.{}-{part}-someone@example.org", self.number);
            let what = match part {
                0 => &self.title,
                part => &self.parts[part - 1],
            };
            let title = format!("[PATCH bpf-next v{version} {part}/{PATCHES}] {what}");
            let (above, text) = match part {
                0 => (None, words.prose(5)),
                _ => (Some(root.as_str()), words.patch()),
            };
            mails.push(mail(&id, above, title, self.author.clone(), at, text));
        }
        for answer in 0..ANSWERS {
            let (name, email) = words.person();
            let title = format!("Re: [PATCH bpf-next v{version} 0/{PATCHES}] {}", self.title);
            let id = format!("answer-{version}.{}-{answer}@example.org", self.number);
            let at = at + TimeDelta::minutes(10);
            let text = words.answer();
            mails.push(mail(
                &id,
                Some(&root),
                title,
                Person { name, email },
                at,
                text,
            ));
        }
    }
}

fn mail(
    id: &str,
    above: Option<&str>,
    title: String,
    author: Person,
    at: DateTime<Utc>,
    text: String,
) -> Item {
    Item {
        what: ItemData::Message {
            id: MessageId::parse(id).expect("an id"),
            in_reply_to: above.and_then(MessageId::parse),
        },
        title,
        author,
        url: None,
        at: Some(at),
        written_at: None,
        text: bpfnews::item::prose::without_diffs(&text),
        headers: Vec::new(),
        detail: Detail::Entry,
    }
}

/// Stories at the end of the week, each with its state at the beginning.
pub(crate) fn passages(stories: Vec<Story>, mails: &[Item]) -> Vec<Passage> {
    let subjects: BTreeMap<String, &str> = mails
        .iter()
        .filter_map(|item| match &item.what {
            ItemData::Message { id, .. } => Some((id.to_string(), item.title.as_str())),
            _ => None,
        })
        .collect();
    let passages = stories.into_iter().zip(1..);
    passages
        .map(|(after, number)| Passage {
            before: before(&after),
            items: vec![number],
            mails: after
                .messages
                .iter()
                .filter_map(|id| Some((id.clone(), listed(subjects.get(id)?, id))))
                .collect(),
            commits: BTreeMap::new(),
            links: BTreeMap::new(),
            after,
        })
        .collect()
}

/// The state of a story at the beginning of the week.
fn before(after: &Story) -> Option<Story> {
    let is_old = |at: DateTime<Utc>| at < period().from;
    is_old(after.first_at).then(|| {
        let mut before = after.clone();
        before
            .revisions
            .retain(|revision| is_old(revision.posted_at));
        before.events.retain(|event| is_old(event.at));
        before
    })
}

fn listed(subject: &str, id: &str) -> Mail {
    Mail {
        title: subject.to_owned(),
        link: Some(format!("https://lore.kernel.org/bpf/{id}/")),
    }
}
