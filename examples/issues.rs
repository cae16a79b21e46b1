//! Checks every line of published issues against the mails that they were made from.
//!
//!     cargo run --example issues -- LIST.mbox.gz ISSUE.json…
//!
//! An issue is the output of `bpfnews issue show N --format json`. The checks:
//!
//! - a hash stands with the subject of its own commit, as the notices among the mails pair them, in JSON and in Markdown;
//! - a link at a hash leads to that commit;
//! - each count of the opening is the number of stories that moved so, shown in any section or left out of their own;
//! - a mail stands with its own subject, and its link leads to it.
//!
//! It prints the counts and each miss with its issue. The exit status is 1 if there is a miss.

#![expect(clippy::print_stdout, reason = "it prints its counts for a person")]

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::Context as _;
use bpfnews::issue::{Commit, Issue, SectionKind, markdown};
use bpfnews::item::ItemData;
use bpfnews::item::trailer::commit_in_link;
use bpfnews::source::mail;
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;
use regex::Regex;

#[derive(Parser)]
struct Asked {
    /// The mails: an mbox, packed or not.
    mbox: PathBuf,
    /// Issues as JSON.
    #[arg(required = true)]
    issues: Vec<PathBuf>,
}

/// The pairs in the mails.
#[derive(Default)]
struct Mails {
    /// The subject of each commit that a mail pairs with its hash, by twelve digits.
    commits: HashMap<String, Vec<String>>,
    /// The subject of each mail, by Message-ID.
    subjects: HashMap<String, String>,
}

/// The counts and the misses.
#[derive(Default)]
struct Found {
    counted: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Found {
    fn check(&mut self, what: &'static str, is_right: bool, wrong: impl FnOnce() -> String) {
        *self.counted.entry(what).or_default() += 1;
        if !is_right {
            self.wrong.push(format!("{what}: {}", wrong()));
        }
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let mails = read(&asked.mbox)?;
    let mut found = Found::default();
    for file in &asked.issues {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let issue: Issue = serde_json::from_str(&text)?;
        let before = found.wrong.len();
        commits(&issue, &mails, &mut found);
        lines(&issue, &mails, &mut found);
        counts(&issue, &mut found);
        patches(&issue, &mails, &mut found);
        for wrong in &mut found.wrong[before..] {
            *wrong = format!("{}: {wrong}", issue.title());
        }
    }
    println!("{} issues", asked.issues.len());
    for (what, many) in &found.counted {
        let wrong = found
            .wrong
            .iter()
            .filter(|wrong| wrong.contains(&format!(": {what}: ")));
        println!("{what}: {many}, wrong {}", wrong.count());
    }
    for wrong in &found.wrong {
        println!("WRONG {wrong}");
    }
    Ok(if found.wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// All hashes of an issue's entries.
fn commits(issue: &Issue, mails: &Mails, found: &mut Found) {
    for entry in issue.sections.iter().flat_map(|section| &section.entries) {
        let of_series = entry.commits.iter().flat_map(|all| [&all.first, &all.last]);
        for commit in entry.commit.iter().chain(of_series) {
            found.check("hash with subject", is_own(commit, mails), || {
                format!("{} ({})", commit.digits, commit.subject)
            });
            if let Some(link) = &commit.link {
                let hash = commit_in_link(link);
                let is_there = hash.is_some_and(|hash| is_same(hash, &commit.digits));
                found.check("link of a hash", is_there, || {
                    format!("{} {link}", commit.digits)
                });
            }
        }
        if let Some(all) = &entry.commits {
            let is_counted = all.many <= all.of && (all.many == 1) == (all.first == all.last);
            found.check("commits of a series", is_counted, || {
                format!("{} of {}", all.many, all.of)
            });
        }
    }
}

/// Checks the pairs in Markdown: `[hash](link) (subject, date)` and `hash (subject, date)`.
fn lines(issue: &Issue, mails: &Mails, found: &mut Found) {
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\[?\b([0-9a-f]{12})\]?(?:\((\S+)\))? \((.+?), \d{4}-\d{2}-\d{2}\)")
            .expect("the pattern is sound")
    });
    for pair in PAIR.captures_iter(&markdown::body(issue, &[], None)) {
        let subject = pair[3].replace('\\', "");
        let told = mails.commits.get(&pair[1]);
        let is_own = told.is_some_and(|told| told.iter().any(|told| is_like(told, &subject)));
        found.check("pair in Markdown", is_own, || pair[0].to_owned());
    }
}

/// Whether a mail pairs the hash with the subject.
fn is_own(commit: &Commit, mails: &Mails) -> bool {
    let told = mails.commits.get(&commit.digits);
    told.is_some_and(|told| told.iter().any(|told| is_like(told, &commit.subject)))
}

/// Notices cut long subjects, and so do issues.
fn is_like(one: &str, other: &str) -> bool {
    let bare = |text: &str| -> String {
        let text = text.trim_end_matches(['…', '.']).to_lowercase();
        text.chars().filter(|c| c.is_alphanumeric()).collect()
    };
    let (one, other) = (bare(one), bare(other));
    !one.is_empty() && !other.is_empty() && (one.starts_with(&other) || other.starts_with(&one))
}

fn is_same(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// The counts of the opening, against the lists below it.
fn counts(issue: &Issue, found: &mut Found) {
    let told = |kinds: &[SectionKind]| -> u32 {
        let entries = issue.sections.iter().flat_map(|section| &section.entries);
        let moved = entries.filter(|entry| entry.moved.is_some_and(|moved| kinds.contains(&moved)));
        let sections = issue
            .sections
            .iter()
            .filter(|section| kinds.contains(&section.kind));
        let left_out: u32 = sections.map(|section| section.left_out).sum();
        u32::try_from(moved.count()).unwrap_or(u32::MAX) + left_out
    };
    let said = |words: &[&str]| -> u32 {
        let counts = issue
            .counts
            .iter()
            .filter_map(|count| count.split_once(' '));
        let of = counts.filter(|(_, what)| words.contains(what));
        of.filter_map(|(many, _)| many.parse::<u32>().ok()).sum()
    };
    let reading = [SectionKind::Lwn, SectionKind::Slides, SectionKind::Missed];
    #[rustfmt::skip]
    let table: [(&[&str], &[SectionKind]); 6] = [
        (&["new patch or series", "new patches and series"], &[SectionKind::NewSeries]),
        (&["new version", "new versions"], &[SectionKind::NewVersions]),
        (&["applied"], &[SectionKind::Applied]),
        (&["in mainline"], &[SectionKind::Mainline]),
        (&["release", "releases"], &[SectionKind::Projects]),
        (&["article", "articles", "thread", "threads"], &reading),
    ];
    for (words, kinds) in table {
        let (said, told) = (said(words), told(kinds));
        found.check("count", said == told, || {
            format!("{said} {}, told {told}", words[0])
        });
    }
    // Also below each heading, unless other sections show all of it.
    for section in &issue.sections {
        let own = section
            .entries
            .iter()
            .filter(|entry| entry.moved == Some(section.kind));
        let all =
            u32::try_from(own.count()).unwrap_or(u32::MAX) + section.elsewhere + section.left_out;
        let (words, _) = table
            .iter()
            .find(|(_, kinds)| **kinds == [section.kind])
            .copied()
            .unwrap_or_default();
        if !words.is_empty() {
            found.check("count below a heading", all == said(words), || {
                format!("{}: {all}, not {}", section.kind.heading(), said(words))
            });
        }
    }
}

/// Each mail that was posted, against its own subject.
fn patches(issue: &Issue, mails: &Mails, found: &mut Found) {
    let posted = issue.patches.iter().flat_map(|patches| &patches.posted);
    for posted in posted {
        let cover = (posted.title.clone(), posted.link.clone());
        for (title, link) in [cover].iter().chain(&posted.parts) {
            let Some(link) = link else {
                continue;
            };
            let id = link
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or(link);
            let id = percent_decoded(id);
            let subject = mails.subjects.get(&id);
            let is_own = subject.is_some_and(|subject| is_like(subject, title));
            found.check("mail with subject", is_own, || format!("{title} {link}"));
        }
    }
}

/// A part of an address as it was before it was put there.
fn percent_decoded(part: &str) -> String {
    let pair = format!("x={}", part.replace('+', "%2B"));
    let mut decoded = url::form_urlencoded::parse(pair.as_bytes());
    decoded
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// Reads the pairs in the mails: in notices, a line with a subject above a line with a commit's link; in tip-bot's mails, the
/// headers.
fn read(file: &Path) -> anyhow::Result<Mails> {
    static TIP: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^Commit-ID:\s+([0-9a-f]{12,64})").expect("the pattern is sound")
    });
    let raw = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let mut plain = Vec::new();
    if raw.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(&raw[..]).read_to_end(&mut plain)?
    } else {
        BufReader::new(&raw[..]).read_to_end(&mut plain)?
    };
    let mut mails = Mails::default();
    for raw in mbox::MessageIterator::new(std::io::Cursor::new(plain)) {
        let raw = raw.ok().context("the mbox is damaged")?;
        let Ok(item) = mail::message(raw.contents(), None) else {
            continue;
        };
        let ItemData::Message { id, .. } = &item.what else {
            continue;
        };
        mails.subjects.insert(id.to_string(), item.title.clone());
        if let Some(tip) = TIP.captures(&item.text) {
            let title = item
                .title
                .split_once("] ")
                .map_or(&*item.title, |(_, title)| title);
            mails.pair(&tip[1], title);
        }
        let mut subject = String::new();
        for line in item.text.lines().map(str::trim) {
            let hash = commit_in_link(line).or_else(|| line.strip_prefix("commit: "));
            if let Some(hash) = hash.filter(|_| !subject.is_empty()) {
                mails.pair(hash, &std::mem::take(&mut subject));
            } else if line.starts_with("- ") || line.starts_with('[') {
                let bare = line.trim_start_matches("- ");
                let bare = bare.split_once("] ").filter(|_| bare.starts_with('['));
                subject = bare
                    .map_or(line.trim_start_matches("- "), |(_, title)| title)
                    .to_owned();
            } else if line.is_empty() {
                subject.clear();
            } else if !subject.is_empty() {
                subject = format!("{subject} {line}");
            }
        }
    }
    Ok(mails)
}

impl Mails {
    fn pair(&mut self, hash: &str, subject: &str) {
        let digits: String = hash.chars().take(12).collect();
        self.commits
            .entry(digits)
            .or_default()
            .push(subject.trim().to_owned());
    }
}
