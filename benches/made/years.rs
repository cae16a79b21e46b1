//! Years of a realistic list: most efforts are short, a few continue for dozens of revisions, and some of those build
//! on another effort. Their join keys tie thousands of mails together.

use bpfnews::item::{Detail, Item, ItemData, MessageId, Person};
use chrono::{DateTime, TimeDelta, Utc};

/// Revisions of a long effort.
const REVISIONS: usize = 26;
/// Lines of work: patches per revision, and answers. Each line has one effort a year, which builds on the previous
/// one: seven years tie 3,822, 1,638 and 1,638 mails together.
const LINES: [(usize, usize); 3] = [(13, 7), (5, 3), (5, 3)];
/// Days from one revision to the next.
const REST_DAYS: i64 = 13;
/// A year, in seconds.
const YEAR_S: i64 = 365 * 86_400;
/// Other people's efforts per year, of four to five mails each.
const OTHERS: usize = 1_000;

const WORDS: [&str; 24] = [
    "verifier",
    "arena",
    "kfunc",
    "ring",
    "buffer",
    "timer",
    "struct_ops",
    "cgroup",
    "iterator",
    "token",
    "cpumask",
    "link",
    "tracing",
    "sockmap",
    "trampoline",
    "dispatcher",
    "lpm_trie",
    "bloom",
    "rqspinlock",
    "percpu",
    "uprobe",
    "netkit",
    "signal",
    "workqueue",
];

/// The list's mails, in the order of their arrival.
pub(crate) struct Years {
    random: fastrand::Rng,
    mails: Vec<Item>,
}

struct Effort<'a> {
    who: &'a str,
    title: String,
    revisions: usize,
    patches: usize,
    answers: usize,
    begins: DateTime<Utc>,
    /// A mail of the earlier effort on which it builds.
    builds_on: Option<String>,
}

impl Years {
    fn new() -> Self {
        Self {
            random: fastrand::Rng::with_seed(23),
            mails: Vec::new(),
        }
    }

    /// The mails of so many years.
    pub(crate) fn make(years: usize) -> Vec<Item> {
        let mut made = Self::new();
        let until = begin() + TimeDelta::seconds(YEAR_S * years as i64);
        for (line, &(patches, answers)) in LINES.iter().enumerate() {
            let who = format!("Ada Example{line}");
            made.line(
                &who,
                years,
                TimeDelta::seconds(YEAR_S),
                (REVISIONS, patches, answers),
            );
        }
        for number in 0..OTHERS * years {
            made.other(number, YEAR_S * years as i64);
        }
        let mut mails = made.mails;
        mails.sort_by_key(|mail| mail.at);
        mails.retain(|mail| mail.at < Some(until));
        mails
    }

    /// Efforts of one person that build on each other, with so many revisions of so many patches and answers, and the
    /// id of the last revision's first mail. Efforts of different `person`s are unrelated.
    pub(crate) fn cluster(
        person: usize,
        efforts: usize,
        shape: (usize, usize, usize),
    ) -> (Vec<Item>, String) {
        let mut made = Self::new();
        made.random.seed(person as u64);
        let who = format!("Ada Example{person}");
        let last = made.line(&who, efforts, TimeDelta::days(400), shape);
        (made.mails, last)
    }

    /// A chain of efforts, each of which builds on the previous one. Returns the id of the last revision's first
    /// mail.
    fn line(
        &mut self,
        who: &str,
        efforts: usize,
        gap: TimeDelta,
        (revisions, patches, answers): (usize, usize, usize),
    ) -> String {
        let mut builds_on = None;
        for number in 0..efforts {
            let title = format!("{}: part {number} of the work", self.words(3));
            let effort = Effort {
                who,
                title,
                revisions,
                patches,
                answers,
                begins: begin() + gap * i32::try_from(number).expect("a few"),
                builds_on,
            };
            builds_on = Some(self.effort(&effort));
        }
        builds_on.unwrap_or_default()
    }

    /// Other people's work: single patches, short series, a question now and then.
    fn other(&mut self, number: usize, span_s: i64) {
        let who = format!("Dev {}", number % 997);
        let begins = begin() + TimeDelta::seconds(self.random.i64(0..span_s));
        let (revisions, patches) = match self.random.u8(0..10) {
            0..5 => (1, 1),
            5..8 => (2, 1),
            8 => (1, 4),
            _ => (3, 4),
        };
        let title = format!("{}: thing {number}", self.words(4));
        let answers = usize::from(self.random.u8(0..3));
        self.effort(&Effort {
            who: &who,
            title,
            revisions,
            patches,
            answers,
            begins,
            builds_on: None,
        });
    }

    /// All mails of an effort. Returns the id of its last revision's first mail.
    fn effort(&mut self, effort: &Effort<'_>) -> String {
        let mut former: Vec<String> = Vec::new();
        for version in 1..=effort.revisions {
            let at = effort.begins
                + TimeDelta::days(REST_DAYS) * i32::try_from(version - 1).expect("a few");
            former.push(self.revision(effort, version, at, &former));
        }
        former.pop().unwrap_or_default()
    }

    fn revision(
        &mut self,
        effort: &Effort<'_>,
        version: usize,
        at: DateTime<Utc>,
        former: &[String],
    ) -> String {
        let stamp = at.format("%Y%m%d%H%M%S");
        let run = self.random.u32(..);
        let total = effort.patches;
        let slug = effort.who.to_lowercase().replace(' ', ".");
        let id = |number: usize| format!("{stamp}.{run}-{}-{slug}@example.org", number + 1);
        let tags = match version {
            1 => "PATCH bpf-next".to_owned(),
            _ => format!("PATCH bpf-next v{version}"),
        };
        let log: String = former
            .iter()
            .rev()
            .take(3)
            .enumerate()
            .map(|(back, id)| {
                let to = version - 1 - back;
                format!(
                    "v{to}: https://lore.kernel.org/bpf/{id}/\n - {}\n",
                    self.words(6)
                )
            })
            .collect();
        let builds = effort.builds_on.as_ref().map(|id| {
            format!("It builds on the previous version of other work: https://lore.kernel.org/bpf/{id}/\n")
        });
        let mut sent = Vec::new();
        if total > 1 {
            let text = format!("{}\n{}\n{log}", self.prose(6), builds.unwrap_or_default());
            let title = format!("[{tags} 0/{total}] {}", effort.title);
            self.mail(&id(0), &[], effort.who, at, title.clone(), text);
            sent.push((id(0), title));
        }
        for number in 1..=total {
            let part = match total {
                1 => effort.title.clone(),
                _ => format!("{}, step {number}", effort.title),
            };
            let text = format!(
                "{}\nSigned-off-by: {who} <{slug}@example.org>\n---\n{}\n kernel/bpf/{}.c | {} ++++---\n 1 file changed\n",
                self.prose(5),
                if total == 1 { &log } else { "" },
                WORDS[number % WORDS.len()],
                number + version,
                who = effort.who,
            );
            let (mail, counted) = match total {
                1 => (0, String::new()),
                _ => (number, format!(" {number}/{total}")),
            };
            let title = format!("[{tags}{counted}] {part}");
            let above: Vec<String> = if total > 1 { vec![id(0)] } else { Vec::new() };
            let sent_at = at + TimeDelta::seconds(number as i64);
            self.mail(&id(mail), &above, effort.who, sent_at, title.clone(), text);
            sent.push((id(mail), title));
        }
        self.answers(effort, at, &sent);
        id(0)
    }

    fn answers(&mut self, effort: &Effort<'_>, at: DateTime<Utc>, sent: &[(String, String)]) {
        let mut above = Vec::new();
        for number in 0..effort.answers {
            let (to, title) = &sent[self.random.usize(0..sent.len())];
            // Most mails answer a patch; some answer an answer.
            if above.is_empty() || self.random.u8(0..3) > 0 {
                above = vec![to.clone()];
            }
            let reviewer = format!("Reviewer {}", self.random.u8(0..40));
            let quoted: String = self
                .prose(8)
                .lines()
                .map(|line| format!("> {line}\n"))
                .collect();
            let text = format!(
                "On Monday, {} wrote:\n{quoted}\n{}\nAcked-by: {reviewer} <r@example.org>\n",
                effort.who,
                self.prose(3)
            );
            let sent_at = at + TimeDelta::hours(5) * i32::try_from(number + 1).expect("a few");
            let id = format!("answer-{}-{number}@example.org", self.random.u64(..));
            self.mail(
                &id,
                &above.clone(),
                &reviewer,
                sent_at,
                format!("Re: {title}"),
                text,
            );
            above.push(id);
        }
    }

    fn mail(
        &mut self,
        id: &str,
        above: &[String],
        who: &str,
        at: DateTime<Utc>,
        title: String,
        text: String,
    ) {
        self.mails.push(mail(id, above, who, at, title, text));
    }

    fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count)
            .map(|_| WORDS[self.random.usize(0..WORDS.len())])
            .collect();
        words.join(" ")
    }

    fn prose(&mut self, paragraphs: usize) -> String {
        let mut text = String::new();
        for _ in 0..paragraphs {
            for _ in 0..5 {
                text.push_str(&format!(
                    "The {} is now seen by it\nbefore the {} reads it. ",
                    self.words(4),
                    self.words(3)
                ));
            }
            text.push_str("\n\n");
        }
        text
    }
}

/// A mail by the author `who`, below the mails above (nearest last).
pub(crate) fn mail(
    id: &str,
    above: &[String],
    who: &str,
    at: DateTime<Utc>,
    title: String,
    text: String,
) -> Item {
    let references: Vec<String> = above.iter().map(|id| format!("<{id}>")).collect();
    let headers = match references.is_empty() {
        true => Vec::new(),
        false => vec![("References".to_owned(), references.join(" "))],
    };
    Item {
        what: ItemData::Message {
            id: MessageId::parse(id).expect("an id"),
            in_reply_to: above.last().and_then(|id| MessageId::parse(id)),
        },
        title,
        author: Person {
            name: who.to_owned(),
            email: format!("{}@example.org", who.to_lowercase().replace(' ', ".")),
        },
        url: None,
        at: Some(at),
        written_at: Some(at),
        text,
        headers,
        detail: Detail::Whole,
    }
}

/// An answer of today to that mail.
pub(crate) fn answer(to: &str, number: usize, at: DateTime<Utc>) -> Item {
    let text =
        "I read it, and it looks good to me.\n\nAcked-by: Late Reader <late.reader@example.org>\n";
    mail(
        &format!("late-{number}-{to}"),
        &[to.to_owned()],
        "Late Reader",
        at,
        format!("Re: what was said {number}"),
        text.to_owned(),
    )
}

/// The start of the list: 2017-01-01.
pub(crate) fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_483_228_800, 0).expect("a time")
}
