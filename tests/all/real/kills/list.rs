//! A list whose archive grows while the program runs, is killed and starts again: series that are revised and applied.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::killer::{Killer, Moment};
use crate::documents::escaped;
use crate::rude::{Act, Rude, answer};

/// Entries of a page.
const PAGE: usize = 25;
const FOLDER: &str = "/bpf/";

/// A series: its state after all mails about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) title: String,
    version: u32,
    is_applied: bool,
}

impl Series {
    /// The state that a post must show.
    pub(super) fn state(&self) -> String {
        match (self.is_applied, self.version) {
            (true, _) => "applied to bpf-next".to_owned(),
            (false, 1) => "posted".to_owned(),
            (false, version) => format!("v{version}"),
        }
    }
}

#[derive(Debug, Clone)]
struct Letter {
    id: String,
    at: DateTime<Utc>,
    from: (&'static str, &'static str),
    subject: String,
    above: String,
    text: String,
}

const AUTHOR: (&str, &str) = ("Ada Example", "ada@x.example");
const BOT: (&str, &str) = (
    "patchwork-bot+netdevbpf@kernel.org",
    "patchwork-bot+netdevbpf@kernel.org",
);

/// The list.
pub(super) struct List {
    pub(super) url: String,
    pub(super) series: Vec<Series>,
    letters: Arc<Mutex<Vec<Letter>>>,
    _server: Rude,
}

impl List {
    /// A list with one mail, for the feed's seed.
    pub(super) async fn start(killer: Killer) -> Self {
        let letters: Arc<Mutex<Vec<Letter>>> = Arc::default();
        let shown = Arc::clone(&letters);
        let server = Rude::start(move |path, _| {
            killer.passes(Moment::PollAsked);
            let letters = shown.lock().expect("no holder panics");
            let document = page(&letters, path);
            drop(letters);
            killer.passes(Moment::PollAnswered);
            vec![Act::Send(document)]
        })
        .await;
        let list = Self {
            url: server.url(FOLDER),
            series: Vec::new(),
            letters,
            _server: server,
        };
        list.put("seed", AUTHOR, "hello", "", "A list.");
        list
    }

    /// How many mails there are.
    pub(super) fn len(&self) -> usize {
        self.letters.lock().expect("no holder panics").len()
    }

    /// Adds one series, and perhaps mails about the present ones.
    pub(super) fn go_on(&mut self, random: &mut fastrand::Rng) {
        let number = self.series.len();
        let series = Series {
            title: format!("bpf: Do it {number}"),
            version: 1,
            is_applied: false,
        };
        let subject = format!("[PATCH bpf-next] {}", series.title);
        self.put(
            &format!("s{number}v1"),
            AUTHOR,
            &subject,
            "",
            "Why it is done.",
        );
        self.series.push(series);
        for number in 0..=number {
            let series = self.series[number].clone();
            match random.u8(0..6) {
                _ if series.is_applied => {}
                0 | 1 => self.revise(number),
                2 => self.apply(number),
                _ => {}
            }
        }
    }

    fn revise(&mut self, number: usize) {
        self.series[number].version += 1;
        let Series { title, version, .. } = self.series[number].clone();
        let subject = format!("[PATCH bpf-next v{version}] {title}");
        let above = format!("s{number}v1");
        self.put(
            &format!("s{number}v{version}"),
            AUTHOR,
            &subject,
            &above,
            "Why it is done.",
        );
    }

    fn apply(&mut self, number: usize) {
        self.series[number].is_applied = true;
        let Series { title, version, .. } = self.series[number].clone();
        let tag = match version {
            1 => "bpf-next".to_owned(),
            version => format!("bpf-next,v{version}"),
        };
        let text = format!(
            "Hello:\n\nThis patch was applied to bpf/bpf-next.git (master)\nby M. Maintainer <m@x.example>:\n\n\
             Here is the summary with links:\n  - [{tag}] {title}\n    https://git.kernel.org/bpf/bpf-next/c/{:012x}\n\n\
             You are awesome, thank you!\n",
            0xabc_0000_0000_u64 + u64::try_from(number).expect("few")
        );
        let above = format!("s{number}v{version}");
        let subject = format!("Re: [PATCH bpf-next] {title}");
        self.put(&format!("s{number}applied"), BOT, &subject, &above, &text);
    }

    fn put(
        &self,
        id: &str,
        from: (&'static str, &'static str),
        subject: &str,
        above: &str,
        text: &str,
    ) {
        let letter = Letter {
            id: format!("{id}@x.example"),
            at: Utc::now(),
            from,
            subject: subject.to_owned(),
            above: above.to_owned(),
            text: text.to_owned(),
        };
        self.letters.lock().expect("no holder panics").push(letter);
    }
}

/// The archive's answer: the newest page, or a page from a time on if that is full.
fn page(letters: &[Letter], path: &str) -> Vec<u8> {
    let Some(rest) = path
        .strip_prefix(FOLDER)
        .filter(|rest| rest.starts_with("new.atom"))
    else {
        return answer("404 Not Found", &[], "Not Found");
    };
    let from = rest.strip_prefix("new.atom?t=").and_then(|from| {
        NaiveDateTime::parse_from_str(from.trim_end_matches('-'), "%Y%m%d%H%M%S").ok()
    });
    let since = from.map_or(letters.len(), |from| {
        letters.partition_point(|letter| letter.at.timestamp() < from.and_utc().timestamp())
    });
    let mut document = "<?xml version=\"1.0\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" \
        xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title>a list</title>"
        .to_owned();
    match letters[since..].len() >= PAGE {
        true => letters[since..]
            .iter()
            .take(PAGE)
            .for_each(|letter| entry(&mut document, letter)),
        false => letters
            .iter()
            .rev()
            .take(PAGE)
            .for_each(|letter| entry(&mut document, letter)),
    }
    document.push_str("</feed>");
    answer("200 OK", &["Content-Type: application/atom+xml"], document)
}

fn entry(document: &mut String, letter: &Letter) {
    const BASE: &str = "http://list.example/bpf/";
    let (name, email) = letter.from;
    let above = match letter.above.as_str() {
        "" => String::new(),
        above => format!("<thr:in-reply-to href=\"{BASE}{above}@x.example/\"/>"),
    };
    let _ = write!(
        document,
        "<entry><author><name>{name}</name><email>{email}</email></author><title>{}</title><updated>{}</updated>\
         <link href=\"{BASE}{}/\"/>{above}<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">\
         <pre style=\"white-space:pre-wrap\">{}</pre></div></content></entry>",
        escaped(&letter.subject),
        letter.at.format("%Y-%m-%dT%H:%M:%SZ"),
        letter.id,
        escaped(&letter.text),
    );
}
