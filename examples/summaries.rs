//! Writes summaries and changes of stories for a person to judge, and checks them.
//!
//!     cargo run --example summaries -- [--seed N] [--count N] [--text] FILE.mbox.gz…
//!
//! It folds each mbox in memory, as one archive. It draws `--count` of the series, commits, pull requests and threads with a
//! first mail, by `--seed` and in the order of the draw; without `--count` it shows all. `target/review/summaries.md` gets their
//! titles, summaries and changes. The exit status is 1 if there is a fault.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bpfnews::item::subject::Subject;
use bpfnews::item::{Item, ItemData, ItemKey, ItemKind};
use bpfnews::source::mail;
use bpfnews::story::fold::{groups, sort};
use bpfnews::story::group::Outside;
use bpfnews::story::key::{self, JoinKey};
use bpfnews::story::machine::Machines;
use bpfnews::story::reading::Reading;
use bpfnews::story::relevance::FoldRules;
use bpfnews::story::summary::faults;
use bpfnews::story::{Carrier, StoredItem, Story, StoryKind, life};
use chrono::{DateTime, Utc};
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;

const REVIEW: &str = "target/review/summaries.md";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

#[derive(Parser)]
struct Asked {
    /// Decides which stories are drawn.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many stories are drawn from each file; all where it is left out.
    #[arg(long)]
    count: Option<usize>,
    /// Shows the texts too: of the mail that speaks for each story, and of revisions without a change.
    #[arg(long)]
    text: bool,
    /// Files in the format of `git send-email`'s mbox, packed by gzip or not.
    files: Vec<PathBuf>,
}

/// The results over all files.
#[derive(Default)]
struct Tally {
    stories: usize,
    without_summary: usize,
    one_sentence: usize,
    later_revisions: usize,
    changes: usize,
    faults: BTreeMap<String, usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let mut tally = Tally::default();
    let mut review = String::new();
    for file in &asked.files {
        let mails = read(file).with_context(|| format!("reading {}", file.display()))?;
        let by_id: HashMap<&str, &StoredItem> = mails
            .iter()
            .map(|mail| (mail.reference.as_str(), mail))
            .collect();
        let mut stories = fold(&mails);
        stories.retain(|story| is_shown(story, &by_id));
        stories.sort_by(|a, b| (a.first_at, &a.id).cmp(&(b.first_at, &b.id)));
        let all = stories.len();
        writeln!(review, "# {}: {all} stories\n", file.display())?;
        if asked.count.is_some() {
            fastrand::Rng::with_seed(asked.seed).shuffle(&mut stories);
        }
        for story in stories.iter().take(asked.count.unwrap_or(all)) {
            report(story, &by_id, &mut tally, &mut review)?;
            if asked.text {
                for mail in speakers(story, &by_id) {
                    writeln!(review, "~~~ {}\n{}\n~~~\n", mail.title, mail.text)?;
                }
            }
        }
    }
    fs::create_dir_all("target/review")?;
    fs::write(REVIEW, review).with_context(|| format!("writing {REVIEW}"))?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{} stories: {} without summary, {} with one sentence; {} of {} later revisions say what changed",
        tally.stories,
        tally.without_summary,
        tally.one_sentence,
        tally.changes,
        tally.later_revisions
    )?;
    for (fault, count) in &tally.faults {
        writeln!(out, "fault: {fault}: {count}")?;
    }
    writeln!(out, "to be read: {REVIEW}")?;
    Ok(if tally.faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The mails of a file, each once, as they would be kept.
fn read(file: &Path) -> anyhow::Result<Vec<StoredItem>> {
    let mut reader = BufReader::new(File::open(file)?);
    let packed = reader.fill_buf()?.starts_with(&GZIP_MAGIC);
    let plain: Box<dyn Read> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    let mut mails = Vec::new();
    let mut seen = HashSet::new();
    for raw in mbox::MessageIterator::new(BufReader::new(plain)) {
        let raw = raw.map_err(|_| anyhow::anyhow!("the file is damaged, or cut off"))?;
        let arrived = i64::try_from(raw.internal_date())
            .ok()
            .and_then(|at| DateTime::from_timestamp(at, 0));
        let Ok(item) = mail::message(raw.contents(), arrived) else {
            continue;
        };
        let number = i64::try_from(mails.len())?;
        mails.extend(kept(item, number).filter(|mail| seen.insert(mail.reference.clone())));
    }
    Ok(mails)
}

fn kept(item: Item, number: i64) -> Option<StoredItem> {
    let ItemData::Message { id, in_reply_to } = &item.what else {
        return None;
    };
    let at: DateTime<Utc> = item.at?;
    Some(StoredItem {
        id: number,
        kind: ItemKind::Message,
        reference: id.as_str().to_owned(),
        parent: in_reply_to
            .as_ref()
            .and_then(|parent| key::of_digest(&ItemKey::message(parent).digest())),
        title: item.title,
        author: item.author,
        at,
        known_at: at,
        written_at: item.written_at,
        url: item.url,
        paid: None,
        freed_at: None,
        feeds: vec![Carrier {
            name: "list".to_owned(),
            kind: "archive".to_owned(),
            url: None,
            role: None,
            branch: None,
            home: false,
            seen_at: None,
            absent_at: None,
        }],
        text: item.text,
        headers: item.headers,
    })
}

/// The stories of some mails, in no order.
fn fold(mails: &[StoredItem]) -> Vec<Story> {
    let machines = Machines::default();
    let mails = mails.iter().cloned();
    let readings: Vec<Reading> = mails.map(|mail| Reading::of(mail, &machines)).collect();
    let mut cluster: Vec<usize> = (0..readings.len()).collect();
    let find = |cluster: &[usize], mut at: usize| {
        while cluster[at] != at {
            at = cluster[at];
        }
        at
    };
    let mut carriers: HashMap<JoinKey, usize> = HashMap::new();
    for (at, reading) in readings.iter().enumerate() {
        for key in reading.keys() {
            let other = *carriers.entry(*key).or_insert(at);
            let (a, b) = (find(&cluster, at), find(&cluster, other));
            cluster[a.max(b)] = a.min(b);
        }
    }
    let mut clusters: BTreeMap<usize, Vec<Reading>> = BTreeMap::new();
    for (at, reading) in readings.into_iter().enumerate() {
        let first = find(&cluster, at);
        clusters.entry(first).or_default().push(reading);
    }
    let (outside, words) = (Outside::default(), FoldRules::default());
    let mut stories = Vec::new();
    for readings in clusters.values_mut() {
        sort(readings);
        let groups = groups(readings);
        stories.extend(
            groups
                .iter()
                .map(|group| life::build(group, &outside, &words)),
        );
    }
    stories
}

/// Whether a story opens a post: a thread does only where its first mail is here.
fn is_shown(story: &Story, mails: &HashMap<&str, &StoredItem>) -> bool {
    let first = || {
        let first = story.events.first()?;
        mails.get(first.source.as_str())
    };
    match story.kind {
        StoryKind::Series | StoryKind::Commit | StoryKind::Pull => true,
        StoryKind::Thread => {
            first().is_some_and(|mail| mail.parent.is_none() && !Subject::parse(&mail.title).reply)
        }
        StoryKind::Article | StoryKind::Release | StoryKind::Video => false,
    }
}

/// The mail that speaks for a story, and those of revisions without a changelog.
fn speakers<'a>(story: &Story, mails: &HashMap<&str, &'a StoredItem>) -> Vec<&'a StoredItem> {
    let newest = story.revisions.last().map(|revision| &revision.root);
    let first = || story.events.first().map(|event| &event.source);
    let silent = story.revisions.iter().filter(|revision| {
        revision.version > 1
            && !story
                .changes
                .contains_key(&format!("v{}", revision.version))
    });
    let silent = silent.flat_map(|revision| {
        let parts = revision.patches.iter().map(|patch| &patch.message_id);
        std::iter::once(&revision.root).chain(parts.take(1))
    });
    let mut ids: Vec<&String> = Vec::new();
    for id in newest.or_else(first).into_iter().chain(silent) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.into_iter()
        .filter_map(|id| mails.get(id.as_str()).copied())
        .collect()
}

/// Writes the summary and changes of a story.
fn report(
    story: &Story,
    mails: &HashMap<&str, &StoredItem>,
    tally: &mut Tally,
    review: &mut String,
) -> anyhow::Result<()> {
    tally.stories += 1;
    let kind = format!("{:?}", story.kind).to_lowercase();
    writeln!(review, "## {}. {} ({kind})\n", tally.stories, story.title)?;
    if story.summary.is_empty() {
        tally.without_summary += 1;
        writeln!(review, "NONE")?;
    }
    tally.one_sentence += usize::from(story.summary.len() == 1);
    let words: HashSet<&str> = story
        .messages
        .iter()
        .filter_map(|id| mails.get(id.as_str()))
        .flat_map(|mail| mail.text.split_whitespace())
        .collect();
    let mut found = Vec::new();
    for sentence in &story.summary {
        writeln!(review, "- {sentence}")?;
        found.extend(faults(sentence).into_iter().map(str::to_owned));
        found
            .extend(foreign(sentence, &words).map(|word| format!("not the author's word: {word}")));
    }
    let chars: usize = story
        .summary
        .iter()
        .map(|sentence| sentence.chars().count() + 1)
        .sum();
    if story.summary.len() > 3 || chars > 601 {
        found.push("too long".to_owned());
    }
    let mut versions: Vec<u32> = story.revisions.iter().map(|one| one.version).collect();
    versions.dedup();
    for version in versions.into_iter().filter(|version| *version > 1) {
        tally.later_revisions += 1;
        let version = format!("v{version}");
        match story.changes.get(&version) {
            Some(change) => {
                tally.changes += 1;
                writeln!(review, "- {version}: {change}")?;
                let wrong = faults(change).into_iter();
                found.extend(wrong.map(|fault| format!("change: {fault}")));
            }
            None => writeln!(review, "- {version}: NOT SAID")?,
        }
    }
    for fault in found {
        writeln!(review, "  FAULT {fault}")?;
        let fault = fault
            .split_once("word: ")
            .map_or(fault.as_str(), |(head, _)| head);
        *tally.faults.entry(fault.to_owned()).or_default() += 1;
    }
    writeln!(review)?;
    Ok(())
}

/// A word of a sentence that its author did not write; marks of references and of lists' ends may be gone from it.
fn foreign<'a>(sentence: &'a str, words: &HashSet<&str>) -> Option<&'a str> {
    sentence.split_whitespace().find(|word| {
        let bare = word.trim_end_matches(['…', ';', '.', ',', ':', ')']);
        !bare.is_empty()
            && !words.contains(*word)
            && !words.iter().any(|written| {
                written.starts_with(bare)
                    && !written[bare.len()..].starts_with(char::is_alphanumeric)
                    || written.ends_with(word)
            })
    })
}
