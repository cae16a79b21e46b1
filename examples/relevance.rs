//! Measures the judgement "is it about BPF"; lists every miss with its reason.
//!
//!     cargo run --example relevance -- --bpf STORIES MBOX --other STORIES MBOX [--corrections FILE] [--picks FILE]
//!
//! `STORIES` is the output of `bpfnews stories --all --format json` after `bpfnews import` of `MBOX` into a database of its own.
//! The judgement ignores recipients and lists, because `Matter` does not hold them. It counts threads: mails that References and
//! In-Reply-To connect. A thread is judged like the story of its first mail. Corrections are lines `HASH reason` for threads of
//! the first set that are not about BPF; HASH is the first 16 hexadecimal digits of SHA-256 of the Message-ID of the thread's
//! first mail. Picks are links of newsletters, one object a line with `kind` and `title`; the title alone judges their covers
//! and patches.

#![expect(clippy::print_stdout, reason = "it prints its counts for a person")]

use std::collections::{BTreeMap, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bpfnews::item::subject::Subject;
use bpfnews::item::{ItemData, MessageId, hex};
use bpfnews::source::mail;
use bpfnews::story::Story;
use bpfnews::story::relevance::{FoldRules, Matter, judge};
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Parser)]
struct Asked {
    /// Stories and mails that are about BPF, but for the corrections.
    #[arg(long, num_args = 2, value_names = ["STORIES", "MBOX"])]
    bpf: Vec<PathBuf>,
    /// Stories and mails that are not.
    #[arg(long, num_args = 2, value_names = ["STORIES", "MBOX"])]
    other: Vec<PathBuf>,
    /// Threads of the first set that are not about BPF.
    #[arg(long)]
    corrections: Option<PathBuf>,
    /// Links of newsletters.
    #[arg(long)]
    picks: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Pick {
    kind: String,
    title: String,
}

/// A thread: its first mail, that mail's subject, and the story that this is in.
struct Thread {
    first: String,
    subject: String,
    story: Story,
}

/// The counts for one way of judging.
#[derive(Default)]
struct Count {
    both: usize,
    only_judged: usize,
    only_true: usize,
}

impl Count {
    fn add(&mut self, is_true: bool, is_judged: bool) {
        match (is_true, is_judged) {
            (true, true) => self.both += 1,
            (false, true) => self.only_judged += 1,
            (true, false) => self.only_true += 1,
            (false, false) => {}
        }
    }

    fn report(&self, who: &str) {
        let share = |part: usize, rest: usize| 100.0 * part as f64 / (part + rest).max(1) as f64;
        println!(
            "{who}: precision {:.2} % ({} of {}), recall {:.2} % ({} of {})",
            share(self.both, self.only_judged),
            self.both,
            self.both + self.only_judged,
            share(self.both, self.only_true),
            self.both,
            self.both + self.only_true
        );
    }
}

fn main() -> anyhow::Result<()> {
    let asked = Asked::parse();
    let corrections = match &asked.corrections {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?
        }
        None => String::new(),
    };
    let corrected: HashMap<&str, &str> = corrections
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(' '))
        .collect();
    if let ([bpf_stories, bpf_mails], [other_stories, other_mails]) =
        (&asked.bpf[..], &asked.other[..])
    {
        let (mut ours, mut baseline, mut removed) = (Count::default(), Count::default(), 0);
        for (is_bpf, threads) in [
            (true, threads(bpf_stories, bpf_mails)?),
            (false, threads(other_stories, other_mails)?),
        ] {
            for thread in threads {
                let hash = hash(&thread.first);
                let correction = corrected.get(hash.as_str()).filter(|_| is_bpf);
                removed += usize::from(correction.is_some());
                let is_true = is_bpf && correction.is_none();
                let is_judged = thread.story.relevant;
                ours.add(is_true, is_judged);
                baseline.add(is_true, is_baseline(&thread.subject));
                if is_true != is_judged {
                    let why = thread.story.why.first().map_or("", String::as_str);
                    let what = if is_true { "missed" } else { "taken for BPF" };
                    println!("{what}: {hash} {} ({why})", thread.subject);
                }
            }
        }
        println!("{removed} threads of the first set count as not about BPF, by hand");
        ours.report("ours");
        baseline.report("`bpf|xdp` in the subject");
    }
    match &asked.picks {
        Some(file) => picks(file),
        None => Ok(()),
    }
}

/// Covers and patches of newsletters, by title alone.
fn picks(file: &Path) -> anyhow::Result<()> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let (mut all, mut ours, mut baseline) = (0, 0, 0);
    let words = FoldRules::default();
    for line in text.lines() {
        let pick: Pick = serde_json::from_str(line)?;
        if !["patch", "series-cover", "series-part"].contains(&pick.kind.as_str()) {
            continue;
        }
        let subject = Subject::parse(&pick.title);
        let matter = Matter {
            titles: vec![subject.title.clone()],
            trees: subject.trees.clone(),
            ..Matter::default()
        };
        all += 1;
        let is_judged = judge(&matter, &words).relevant;
        ours += usize::from(is_judged);
        baseline += usize::from(is_baseline(&pick.title));
        if !is_judged {
            println!("missed pick: {}", pick.title);
        }
    }
    println!("picks, by title alone: ours {ours}, `bpf|xdp` {baseline}, of {all}");
    Ok(())
}

fn is_baseline(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    subject.contains("bpf") || subject.contains("xdp")
}

fn hash(id: &str) -> String {
    hex(&Sha256::digest(id.as_bytes())[..8])
}

/// The threads of an mbox with the stories of their first mails.
fn threads(stories: &Path, mails: &Path) -> anyhow::Result<Vec<Thread>> {
    let text = std::fs::read_to_string(stories)
        .with_context(|| format!("reading {}", stories.display()))?;
    let mut by_mail: HashMap<String, Story> = HashMap::new();
    for line in text.lines() {
        let story: Story = serde_json::from_str(line)?;
        by_mail.extend(story.messages.iter().map(|id| (id.clone(), story.clone())));
    }
    let mut above: HashMap<String, String> = HashMap::new();
    let mut read: Vec<(String, String)> = Vec::new();
    for raw in mbox::MessageIterator::new(open(mails)?) {
        let raw = raw.ok().context("the mbox is damaged")?;
        let Ok(item) = mail::message(raw.contents(), None) else {
            continue;
        };
        let ItemData::Message { id, in_reply_to } = &item.what else {
            continue;
        };
        let references = item
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("References"));
        let first =
            references.and_then(|(_, ids)| ids.split_whitespace().find_map(MessageId::parse));
        let over = first
            .or_else(|| in_reply_to.clone())
            .filter(|over| over != id);
        above.extend(over.map(|over| (id.as_str().to_owned(), over.as_str().to_owned())));
        read.push((id.as_str().to_owned(), item.title.clone()));
    }
    let mut threads: BTreeMap<String, Thread> = BTreeMap::new();
    for (id, subject) in read {
        let mut root = id.clone();
        for _ in 0..above.len() {
            match above.get(&root) {
                Some(over) => root.clone_from(over),
                None => break,
            }
        }
        let Some(story) = by_mail.get(&id) else {
            continue;
        };
        threads.entry(root).or_insert_with(|| Thread {
            first: id,
            subject,
            story: story.clone(),
        });
    }
    Ok(threads.into_values().collect())
}

fn open(file: &Path) -> anyhow::Result<Box<dyn std::io::BufRead>> {
    let raw = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(if raw.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(std::io::Cursor::new(
            raw,
        ))))
    } else {
        Box::new(std::io::Cursor::new(raw))
    })
}
