//! How well mails were folded into stories, held against labels; every disagreement is listed.
//!
//!     bpfnews import --list LIST MBOX && bpfnews stories --all --format json > stories.jsonl
//!     cargo run --example stories -- --labels labels.jsonl --stories stories.jsonl --mbox MBOX [--floor]
//!
//! Labels are one object a line and one line for each posted version of a series: `id, root_present, version,
//! n, backport, parts [{i, id}], lineage {story}, applied null | {tree, branch, how, partial, mails, commits [{sha}]}`. The mbox (plain
//! or gzipped) tells which mails hang below which: a message is scored where its References reach a labelled one.
//! With `--floor` the program fails when a share is below its goal.

#![expect(clippy::print_stdout, reason = "it tells a person what it counted")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bpfnews::item::{MessageId, What};
use bpfnews::source::mail;
use bpfnews::story::{Applied, Step, Story};
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;
use serde::Deserialize;

#[derive(Parser)]
struct Asked {
    /// The labels.
    #[arg(long)]
    labels: PathBuf,
    /// What `bpfnews stories --all --format json` printed.
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
    root_present: bool,
    subject: String,
    version: u32,
    n: u32,
    backport: bool,
    parts: Vec<LabelPart>,
    lineage: Lineage,
    applied: Option<LabelApplied>,
}

#[derive(Deserialize)]
struct LabelPart {
    i: u32,
    id: String,
}

#[derive(Deserialize)]
struct Lineage {
    story: String,
}

#[derive(Deserialize)]
struct LabelApplied {
    tree: Option<String>,
    branch: Option<String>,
    how: String,
    partial: Option<bool>,
    mails: Vec<String>,
    commits: Vec<LabelCommit>,
}

#[derive(Deserialize)]
struct LabelCommit {
    sha: String,
}

/// A share with its goal.
struct Share {
    what: &'static str,
    right: usize,
    all: usize,
    goal: f64,
}

impl Share {
    fn tell(&self) -> bool {
        let share = 100.0 * self.right as f64 / self.all.max(1) as f64;
        println!(
            "{}: {} of {} = {share:.2} % (goal {} %)\n",
            self.what, self.right, self.all, self.goal
        );
        share >= self.goal
    }
}

struct Evaluation {
    labels: Vec<Label>,
    stories: Vec<Story>,
    /// Where each mail is; several where a mail is in several stories.
    places: HashMap<String, Vec<usize>>,
}

fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let labels: Vec<Label> = lines(&asked.labels)?;
    let stories: Vec<Story> = lines(&asked.stories)?;
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    for (number, story) in stories.iter().enumerate() {
        for id in &story.messages {
            places.entry(id.clone()).or_default().push(number);
        }
    }
    let evaluation = Evaluation {
        labels,
        stories,
        places,
    };
    let mut shares = vec![evaluation.revisions(false), evaluation.applied()];
    evaluation.invented();
    println!("backports, apart:");
    evaluation.revisions(true).tell();
    evaluation.joined_backports();
    if let Some(mbox) = &asked.mbox {
        shares.extend(evaluation.messages(mbox)?);
    }
    println!("in short:");
    let below = shares.iter().filter(|share| !share.tell()).count();
    Ok(if below == 0 || !asked.floor {
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
    /// The stories that hold a label's mails.
    fn homes(&self, label: &Label) -> BTreeSet<usize> {
        let root = label.root_present.then_some(&label.id);
        let ids = label.parts.iter().map(|part| &part.id).chain(root);
        ids.flat_map(|id| self.places.get(id).cloned().unwrap_or_default())
            .collect()
    }

    /// Revisions in the right story, whole, and without a stranger.
    fn revisions(&self, backport: bool) -> Share {
        let labels: Vec<&Label> = self
            .labels
            .iter()
            .filter(|label| label.backport == backport)
            .collect();
        let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut held: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for label in &labels {
            wanted
                .entry(&label.lineage.story)
                .or_default()
                .insert(&label.id);
            for home in self.homes(label) {
                held.entry(home).or_default().insert(&label.id);
            }
        }
        let mut right = 0;
        for label in &labels {
            let mut wrong = Vec::new();
            let homes = self.homes(label);
            if homes.len() != 1 {
                wrong.push(format!("its mails are in {} stories", homes.len()));
            }
            for home in &homes {
                let story = &self.stories[*home];
                let parts: BTreeSet<(u32, &str)> = label
                    .parts
                    .iter()
                    .map(|part| (part.i, part.id.as_str()))
                    .collect();
                let is_whole = story.revisions.iter().any(|revision| {
                    let patches: BTreeSet<(u32, &str)> = revision
                        .patches
                        .iter()
                        .map(|patch| (patch.number, patch.message_id.as_str()))
                        .collect();
                    let counts = (revision.version, revision.total);
                    counts == (label.version, label.n) && patches == parts
                });
                if !is_whole {
                    wrong.push(format!(
                        "no revision of {} is v{} with these of {} parts",
                        story.id, label.version, label.n
                    ));
                }
                let (wanted, held) = (&wanted[label.lineage.story.as_str()], &held[home]);
                wrong.extend(
                    held.difference(wanted)
                        .map(|id| format!("stranger {id} in {}", story.id)),
                );
                wrong.extend(
                    wanted
                        .difference(held)
                        .map(|id| format!("{} lacks {id}", story.id)),
                );
            }
            match wrong.is_empty() {
                true => right += 1,
                false => println!(
                    "revision {} \"{}\" v{}: {}",
                    label.id,
                    label.subject,
                    label.version,
                    wrong.join("; ")
                ),
            }
        }
        Share {
            what: "revisions in the right story, whole, no stranger in it",
            right,
            all: labels.len(),
            goal: 99.0,
        }
    }

    /// What was applied, found with tree, branch and hashes.
    fn applied(&self) -> Share {
        let (mut right, mut all) = (0, 0);
        for label in self.labels.iter().filter(|label| !label.backport) {
            let Some(applied) = &label.applied else {
                continue;
            };
            all += 1;
            let homes = self.homes(label);
            let told: Vec<&Applied> = homes
                .iter()
                .flat_map(|home| &self.stories[*home].applied)
                .collect();
            let is_told = told.iter().any(|told| fits(applied, told));
            // The mail that tells of it is a step, which says whether it was all of it.
            let steps: Vec<Step> = homes
                .iter()
                .flat_map(|home| &self.stories[*home].events)
                .filter(|event| applied.mails.contains(&event.source))
                .map(|event| event.state)
                .collect();
            let is_right_step = applied.partial.is_none_or(|partial| {
                let wanted = if partial {
                    Step::PartlyApplied
                } else {
                    Step::Applied
                };
                steps.contains(&wanted)
            });
            match is_told && is_right_step {
                true => right += 1,
                false => println!(
                    "applied, {} \"{}\": {:?} {:?} with {} commits by {}, partial: {:?}; ours: {:?} {:?}",
                    label.id,
                    label.subject,
                    applied.tree,
                    applied.branch,
                    applied.commits.len(),
                    applied.how,
                    applied.partial,
                    told.iter()
                        .map(|told| (&told.tree, &told.branch, told.commits.len()))
                        .collect::<Vec<_>>(),
                    steps
                ),
            }
        }
        Share {
            what: "labelled applied facts found with tree, branch, hashes and whether it was all",
            right,
            all,
            goal: 99.0,
        }
    }

    /// Backports that stand in a story of news: the labels leave open where they belong, so this is worth a look only.
    fn joined_backports(&self) {
        let news: BTreeSet<usize> = self
            .labels
            .iter()
            .filter(|label| !label.backport)
            .flat_map(|label| self.homes(label))
            .collect();
        for label in self.labels.iter().filter(|label| label.backport) {
            for home in self.homes(label).intersection(&news) {
                let story = &self.stories[*home];
                println!(
                    "backport {} \"{}\" in {} \"{}\"",
                    label.id, label.subject, story.id, story.title
                );
            }
        }
    }

    /// What we say was applied and no label does.
    fn invented(&self) {
        let mut labelled: BTreeMap<usize, Vec<&LabelApplied>> = BTreeMap::new();
        for label in self.labels.iter().filter(|label| !label.backport) {
            for home in self.homes(label) {
                labelled.entry(home).or_default().extend(&label.applied);
            }
        }
        let mut count = 0;
        for (home, known) in labelled {
            let story = &self.stories[home];
            for told in story
                .applied
                .iter()
                .filter(|told| !known.iter().any(|label| fits(label, told)))
            {
                count += 1;
                println!(
                    "beyond the labels: {} \"{}\" applied to {} by {} ({} commits, claimed: {})",
                    story.id,
                    story.title,
                    told.tree,
                    told.by,
                    told.commits.len(),
                    told.claimed
                );
            }
        }
        println!("applied facts beyond the labels: {count}\n");
    }

    /// Mails in the story of the labelled mail above them, and every mail in exactly one story.
    fn messages(&self, file: &Path) -> anyhow::Result<Vec<Share>> {
        let above = read_mbox(file)?;
        let labelled: BTreeSet<&str> = self
            .labels
            .iter()
            .flat_map(|label| {
                label
                    .parts
                    .iter()
                    .map(|part| part.id.as_str())
                    .chain([label.id.as_str()])
            })
            .collect();
        let (mut right, mut all, mut once) = (0, 0, 0);
        for (id, over) in &above {
            let mine = self.places.get(id).map_or(&[][..], |places| places);
            match mine {
                [_] => once += 1,
                _ => println!("message {id} is in {} stories", mine.len()),
            }
            let near = over
                .iter()
                .find(|over| labelled.contains(over.as_str()) && self.places.contains_key(*over));
            let Some(near) = near.filter(|_| !labelled.contains(id.as_str())) else {
                continue;
            };
            all += 1;
            match self.places[near].first() == mine.first() {
                true => right += 1,
                false => println!("message {id} is not in the story of {near}"),
            }
        }
        Ok(vec![
            Share {
                what: "messages in the story of what they answer",
                right,
                all,
                goal: 99.5,
            },
            Share {
                what: "mails in exactly one story",
                right: once,
                all: above.len(),
                goal: 100.0,
            },
        ])
    }
}

/// Whether what we tell is what a label says.
fn fits(label: &LabelApplied, told: &Applied) -> bool {
    let hashes = |all: Vec<&str>| -> BTreeSet<String> {
        all.into_iter()
            .map(|hash| hash.chars().take(12).collect())
            .collect()
    };
    let theirs = hashes(
        label
            .commits
            .iter()
            .map(|commit| commit.sha.as_str())
            .collect(),
    );
    let ours = hashes(
        told.commits
            .iter()
            .map(|commit| commit.hash.as_str())
            .collect(),
    );
    // A label may hold the branch in the tree's name.
    let whole = match &told.branch {
        Some(branch) => format!("{} ({branch})", told.tree),
        None => told.tree.clone(),
    };
    let same_tree = label.tree.as_ref().is_none_or(|tree| {
        *tree == whole
            || (*tree == told.tree && (label.branch.is_none() || label.branch == told.branch))
    });
    same_tree && theirs == ours && (label.how == "mail") == told.claimed
}

/// Every mail with those above it, nearest first.
fn read_mbox(file: &Path) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let raw = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let reader: Box<dyn std::io::BufRead> = match raw.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(BufReader::new(MultiGzDecoder::new(std::io::Cursor::new(
            raw,
        )))),
        false => Box::new(std::io::Cursor::new(raw)),
    };
    let mut mails = Vec::new();
    for raw in mbox::MessageIterator::new(reader) {
        let raw = raw.ok().context("the mbox is damaged")?;
        let Ok(item) = mail::message(raw.contents(), None) else {
            continue;
        };
        let What::Message { id, in_reply_to } = &item.what else {
            continue;
        };
        let references = item
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("References"));
        let references = references.map_or("", |(_, value)| value.as_str());
        let mut over: Vec<String> = in_reply_to
            .iter()
            .map(|id| id.as_str().to_owned())
            .collect();
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
