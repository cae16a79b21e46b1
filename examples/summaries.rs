//! Writes the summaries of all series in some mboxes for a person to read, and checks them.
//!
//! `cargo run --example summaries -- FILE.mbox.gz…` writes `target/review/summaries.md`; it ends with 1 where a fault
//! was found.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use bpfnews::item::Item;
use bpfnews::item::subject::Subject;
use bpfnews::source::mail;
use bpfnews::story::summary::{change, faults, summary};
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;

const REVIEW: &str = "target/review/summaries.md";
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What was found over all files.
#[derive(Default)]
struct Tally {
    series: usize,
    without_summary: usize,
    one_sentence: usize,
    later_revisions: usize,
    changes: usize,
    faults: BTreeMap<String, usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    let mut review = String::new();
    for file in std::env::args().skip(1) {
        writeln!(review, "# {file}\n")?;
        read(Path::new(&file), |item| {
            tell(&item, &mut tally, &mut review)
        })
        .with_context(|| format!("reading {file}"))?;
    }
    fs::create_dir_all("target/review")?;
    fs::write(REVIEW, review).with_context(|| format!("writing {REVIEW}"))?;
    let mut out = anstream::stdout();
    writeln!(
        out,
        "{} series: {} without summary, {} with one sentence; {} of {} later revisions say what changed",
        tally.series,
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

fn read(file: &Path, mut take: impl FnMut(Item) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut reader = BufReader::new(File::open(file)?);
    let packed = reader.fill_buf()?.starts_with(&GZIP_MAGIC);
    let plain: Box<dyn Read> = if packed {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    for mail in mbox::MessageIterator::new(BufReader::new(plain)) {
        let mail = mail.map_err(|_| anyhow::anyhow!("the file is damaged, or cut off"))?;
        if let Ok(item) = mail::message(mail.contents(), None) {
            take(item)?;
        }
    }
    Ok(())
}

/// Writes what is said of a cover letter, a single patch, a pull request or a mail that starts a thread.
fn tell(item: &Item, tally: &mut Tally, review: &mut String) -> anyhow::Result<()> {
    let subject = Subject::parse(&item.title);
    let starts_thread = !item.headers.iter().any(|(name, _)| name == "In-Reply-To");
    let is_series = subject.patch && (subject.part.is_none() || subject.is_cover());
    let is_single = subject.part == Some((1, 1));
    if subject.reply
        || !(is_series || is_single || subject.pull || (starts_thread && !subject.patch))
    {
        return Ok(());
    }
    tally.series += 1;
    let sentences = summary(&item.text);
    writeln!(review, "## {}. {}\n", tally.series, item.title)?;
    if sentences.is_empty() {
        tally.without_summary += 1;
        writeln!(review, "NONE")?;
    }
    tally.one_sentence += usize::from(sentences.len() == 1);
    let words: HashSet<&str> = item.text.split_whitespace().collect();
    for sentence in &sentences {
        writeln!(review, "- {sentence}")?;
        let mut found: Vec<&str> = faults(sentence);
        if let Some(word) = foreign(sentence, &words) {
            writeln!(review, "  FOREIGN {word}")?;
            found.push("not the author's word");
        }
        for fault in found {
            writeln!(review, "  FAULT {fault}")?;
            *tally.faults.entry(fault.to_owned()).or_default() += 1;
        }
    }
    let chars: usize = sentences
        .iter()
        .map(|sentence| sentence.chars().count() + 1)
        .sum();
    if sentences.len() > 3 || chars > 601 {
        *tally.faults.entry("too long".to_owned()).or_default() += 1;
    }
    tally.later_revisions += usize::from(subject.version > 1);
    if let Some(change) = change(&item.text, subject.version) {
        tally.changes += usize::from(subject.version > 1);
        writeln!(review, "- v{}: {change}", subject.version)?;
        for fault in faults(&change) {
            writeln!(review, "  FAULT in change: {fault}")?;
            *tally.faults.entry(format!("change: {fault}")).or_default() += 1;
        }
    } else if subject.version > 1 {
        writeln!(review, "- v{}: NOT SAID", subject.version)?;
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
