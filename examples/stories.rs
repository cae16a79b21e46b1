//! Compares folded stories with labels; lists every disagreement.
//!
//!     bpfnews import --list LIST MBOX && bpfnews stories --all --format json > stories.jsonl
//!     cargo run --example stories -- --labels labels.jsonl --stories stories.jsonl --mbox MBOX [--floor]
//!
//! Labels are one object a line and one line for each posted version of a series: `id, root_present, subject, backport, unsure,
//! parts [{id}], lineage {story}, claims [{id}], applied null | {tree, how, commits [{sha}]}`. Backports and unsure labels are
//! not scored. The mbox (plain or gzipped) shows which mails answer which: a mail is scored if the nearest labelled mail above
//! it is scored. With `--floor` the program fails if a share is below its goal.

#![expect(clippy::print_stdout, reason = "it prints its counts for a person")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bpfnews::item::subject::Subject;
use bpfnews::item::{ItemData, MessageId};
use bpfnews::source::mail;
use bpfnews::story::Story;
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;
use serde::Deserialize;

#[derive(Parser)]
struct Asked {
    /// The labels.
    #[arg(long)]
    labels: PathBuf,
    /// The output of `bpfnews stories --all --format json`.
    #[arg(long)]
    stories: PathBuf,
    /// The mails that were imported.
    #[arg(long)]
    mbox: Option<PathBuf>,
    /// Fail when a share is below its goal.
    #[arg(long)]
    floor: bool,
}

#[derive(Deserialize)]
struct Label {
    id: String,
    #[serde(default = "yes")]
    root_present: bool,
    subject: String,
    backport: bool,
    #[serde(default)]
    unsure: bool,
    parts: Vec<Mail>,
    lineage: Lineage,
    applied: Option<LabelApplied>,
    #[serde(default)]
    claims: Vec<Mail>,
}

fn yes() -> bool {
    true
}

impl Label {
    fn is_scored(&self) -> bool {
        !self.backport && !self.unsure
    }

    /// Its mails that are in the mbox.
    fn mails(&self) -> impl Iterator<Item = &str> {
        let root = self.root_present.then_some(self.id.as_str());
        root.into_iter()
            .chain(self.parts.iter().map(|part| part.id.as_str()))
    }
}

#[derive(Deserialize)]
struct Mail {
    id: String,
}

#[derive(Deserialize)]
struct Lineage {
    story: String,
}

#[derive(Deserialize)]
struct LabelApplied {
    tree: Option<String>,
    how: String,
    #[serde(default)]
    commits: Vec<LabelCommit>,
}

#[derive(Deserialize)]
struct LabelCommit {
    sha: String,
}

/// A share with its goal, both in percent.
struct Share {
    what: &'static str,
    right: usize,
    all: usize,
    goal: f64,
}

impl Share {
    fn report(&self) -> bool {
        let share = 100.0 * self.right as f64 / self.all.max(1) as f64;
        println!(
            "{}: {} of {} = {share:.2} % (goal {} %)",
            self.what, self.right, self.all, self.goal
        );
        share >= self.goal
    }
}

struct Evaluation {
    labels: Vec<Label>,
    stories: Vec<Story>,
    /// The stories that each mail is in.
    places: HashMap<String, BTreeSet<usize>>,
}

fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let labels: Vec<Label> = lines(&asked.labels)?;
    let stories: Vec<Story> = lines(&asked.stories)?;
    let mut places: HashMap<String, BTreeSet<usize>> = HashMap::new();
    for (number, story) in stories.iter().enumerate() {
        for id in &story.messages {
            places.entry(id.clone()).or_default().insert(number);
        }
    }
    let evaluation = Evaluation {
        labels,
        stories,
        places,
    };
    let mut shares = evaluation.lineages();
    shares.push(evaluation.applied());
    let invented = evaluation.invented();
    if let Some(mbox) = &asked.mbox {
        shares.extend(evaluation.messages(mbox)?);
    }
    println!("\nin short:");
    let below = shares.iter().filter(|share| !share.report()).count();
    println!("stories that say applied although no label does: {invented} (goal 0)");
    Ok(if (below == 0 && invented == 0) || !asked.floor {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lines<T: for<'a> Deserialize<'a>>(file: &Path) -> anyhow::Result<Vec<T>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    text.lines()
        .enumerate()
        .map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}:{}", file.display(), number + 1))
        })
        .collect()
}

impl Evaluation {
    fn place(&self, mail: &str) -> Option<&BTreeSet<usize>> {
        self.places.get(mail)
    }

    /// The stories that hold a label's mails.
    fn homes<'a>(&self, labels: impl IntoIterator<Item = &'a Label>) -> BTreeSet<usize> {
        let mails = labels.into_iter().flat_map(Label::mails);
        mails
            .filter_map(|mail| self.place(mail))
            .flatten()
            .copied()
            .collect()
    }

    /// Revisions of which the whole lineage stands in one story, where nothing of another lineage does; and lineages of
    /// which all revisions do.
    fn lineages(&self) -> Vec<Share> {
        let mut lineages: BTreeMap<&str, Vec<&Label>> = BTreeMap::new();
        let mut lineage_of: HashMap<&str, &str> = HashMap::new();
        for label in self.labels.iter().filter(|label| label.is_scored()) {
            let story = label.lineage.story.as_str();
            lineages.entry(story).or_default().push(label);
            lineage_of.extend(label.mails().map(|mail| (mail, story)));
        }
        let (mut right, mut whole) = (0, 0);
        for (story, labels) in &lineages {
            let kin = self.homes(labels.iter().copied());
            let mut good = 0;
            for label in labels {
                let homes = self.homes([*label]);
                let is_stored = label.mails().all(|mail| self.place(mail).is_some());
                let here = homes.iter().flat_map(|home| &self.stories[*home].messages);
                let stranger = here
                    .filter_map(|mail| lineage_of.get(mail.as_str()))
                    .find(|lineage| *lineage != story);
                let why = match (is_stored, homes.len(), stranger) {
                    (false, ..) => "a mail is in no story".to_owned(),
                    (_, 2.., _) => format!("its mails are in {} stories", homes.len()),
                    _ if kin != homes => "another revision is in another story".to_owned(),
                    (.., Some(lineage)) => format!("{lineage} is in its story"),
                    _ => {
                        good += 1;
                        continue;
                    }
                };
                println!("revision {} \"{}\": {why}", label.id, label.subject);
            }
            right += good;
            whole += usize::from(good == labels.len());
        }
        let all = lineages.values().map(Vec::len).sum();
        vec![
            Share {
                what: "revisions right",
                right,
                all,
                goal: 97.0,
            },
            Share {
                what: "lineages right",
                right: whole,
                all: lineages.len(),
                goal: 98.0,
            },
        ]
    }

    /// The share of applications in notices that were found with their tree and every commit.
    fn applied(&self) -> Share {
        let (mut right, mut all) = (0, 0);
        for label in self.labels.iter().filter(|label| label.is_scored()) {
            let Some(applied) = label.applied.as_ref().filter(|it| it.how != "mail") else {
                continue;
            };
            all += 1;
            let home = label.mails().find_map(|mail| self.place(mail)?.first());
            let found = home.map_or(&[][..], |home| &self.stories[*home].applied);
            let in_tree = |wanted: &String| {
                let mut trees = found.iter().map(|applied| bare_tree(&applied.tree));
                trees.any(|tree| tree == bare_tree(wanted))
            };
            let hashes = || found.iter().flat_map(|applied| &applied.commits);
            let has = |sha: &str| {
                hashes().any(|it| it.hash.starts_with(sha) || sha.starts_with(&it.hash))
            };
            let is_found = applied.tree.as_ref().is_none_or(in_tree)
                && applied.commits.iter().all(|commit| has(&commit.sha));
            if is_found {
                right += 1
            } else {
                println!("applied {} \"{}\": not found", label.id, label.subject)
            }
        }
        Share {
            what: "applied found",
            right,
            all,
            goal: 99.0,
        }
    }

    /// Stories of labelled series that say applied although no label of theirs says or claims so.
    fn invented(&self) -> usize {
        let scored = self.labels.iter().filter(|label| label.is_scored());
        let labelled = self.homes(scored);
        let mut said: BTreeSet<usize> = BTreeSet::new();
        for label in &self.labels {
            let home = label.mails().find_map(|mail| self.place(mail)?.first());
            said.extend(home.filter(|_| label.applied.is_some()));
            if !label.claims.is_empty() {
                said.extend(self.homes([label]));
            }
        }
        let says = |story: &usize| !self.stories[*story].applied.is_empty();
        let invented = labelled.difference(&said).filter(|story| says(story));
        invented
            .inspect(|story| {
                let story = &self.stories[**story];
                println!(
                    "invented: {} \"{}\" is shown as applied",
                    story.id, story.title
                );
            })
            .count()
    }

    /// Mails in the story of the labelled mail above them, and every mail in exactly one story.
    fn messages(&self, file: &Path) -> anyhow::Result<Vec<Share>> {
        let above = read_mbox(file)?;
        let known: BTreeSet<&str> = self.labels.iter().flat_map(Label::mails).collect();
        let scored = self.labels.iter().filter(|label| label.is_scored());
        let scored: BTreeSet<&str> = scored.flat_map(Label::mails).collect();
        let (mut right, mut all, mut once) = (0, 0, 0);
        for (id, over) in &above {
            let mine = self.place(id);
            match mine.map_or(0, BTreeSet::len) {
                1 => once += 1,
                count => println!("mail {id} is in {count} stories"),
            }
            let near = over.iter().find(|over| known.contains(over.as_str()));
            let near = near.filter(|near| scored.contains(near.as_str()));
            let Some(near) = near.filter(|_| !known.contains(id.as_str()) && mine.is_some()) else {
                continue;
            };
            all += 1;
            if self.place(near) == mine {
                right += 1
            } else {
                println!("mail {id} is not in the story of {near}")
            }
        }
        Ok(vec![
            Share {
                what: "answers in the story of what they answer",
                right,
                all,
                goal: 99.5,
            },
            Share {
                what: "mails in exactly one story",
                right: once,
                all: above.len(),
                goal: 99.5,
            },
        ])
    }
}

/// A tree's name without its folder and `.git`.
fn bare_tree(tree: &str) -> String {
    let lower = tree.to_lowercase();
    let name = lower.rsplit('/').next().unwrap_or_default();
    name.trim_end_matches(".git").to_owned()
}

/// Every mail with those above it, nearest first.
fn read_mbox(file: &Path) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let raw = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let reader: Box<dyn std::io::BufRead> = if raw.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::new(MultiGzDecoder::new(std::io::Cursor::new(
            raw,
        ))))
    } else {
        Box::new(std::io::Cursor::new(raw))
    };
    let mut mails = Vec::new();
    for raw in mbox::MessageIterator::new(reader) {
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
        let references = references.map_or("", |(_, value)| value.as_str());
        // A request to pull answers no series.
        let is_request = Subject::parse(&item.title).pull;
        let in_reply_to = in_reply_to.iter().filter(|_| !is_request);
        let references = if is_request { "" } else { references };
        let mut over: Vec<String> = in_reply_to.map(|id| id.as_str().to_owned()).collect();
        over.extend(
            references
                .split_whitespace()
                .rev()
                .filter_map(|id| Some(MessageId::parse(id)?.as_str().to_owned())),
        );
        mails.push((id.as_str().to_owned(), over));
    }
    mails.sort();
    mails.dedup();
    Ok(mails)
}
