//! Checks how the fold classified the mails of machines, by their senders.
//!
//!     bpfnews import --list LIST MBOX && bpfnews stories --all --format json > stories.jsonl
//!     cargo run --example machines -- --stories stories.jsonl --mbox MBOX [--senders PATTERN] [--posts 3]
//!
//! A pattern over `From:` picks the machines here, and not the rules of the fold. A mail counts as a person's if a step of
//! people names it, if its sender is among the people of its story, or if its story counts more replies than people sent. The
//! exit status is 1 if one does. `--posts` prints the posts of the stories with the most machine reports.

#![expect(clippy::print_stdout, reason = "it prints its counts for a person")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use bpfnews::channel::terminal;
use bpfnews::item::{Item, ItemData};
use bpfnews::post::story::{Content, compose};
use bpfnews::source::mail;
use bpfnews::story::{Step, Story};
use clap::Parser;
use flate2::read::MultiGzDecoder;
use mail_parser::mailbox::mbox;
use regex::Regex;

/// How wide posts are printed.
const WIDTH: usize = 100;

#[derive(Parser)]
struct Asked {
    /// The output of `bpfnews stories --all --format json`.
    #[arg(long)]
    stories: PathBuf,
    /// The mails that were imported, plain or gzipped.
    #[arg(long)]
    mbox: PathBuf,
    /// The senders that are machines: a pattern over `name <address>`.
    #[arg(
        long,
        default_value = r"(?i)[-+]bot\b|\bbot\+|\bbot@|^(?:kernel|kbuild) test robot |noreply@|syzbot"
    )]
    senders: Regex,
    /// How many posts to print.
    #[arg(long, default_value_t = 0)]
    posts: usize,
}

/// The results for one sender's mails.
#[derive(Default)]
struct Row {
    mails: usize,
    in_no_story: usize,
    as_person: BTreeSet<String>,
    steps: BTreeMap<String, usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let asked = Asked::parse();
    let stories = File::open(&asked.stories).context("opening the stories")?;
    let stories: Vec<Story> = BufReader::new(stories)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect::<anyhow::Result<_>>()?;
    let mails = read(&asked.mbox)?;
    let rows = count(&stories, &mails, &asked.senders);
    println!("| sender | mails | in no story | taken for a person | steps told |");
    println!("|---|---|---|---|---|");
    let mut wrong = 0;
    for (sender, row) in &rows {
        let steps: Vec<String> = row
            .steps
            .iter()
            .map(|(step, n)| format!("{n} {step}"))
            .collect();
        wrong += row.as_person.len();
        println!(
            "| {sender} | {} | {} | {} | {} |",
            row.mails,
            row.in_no_story,
            row.as_person.len(),
            steps.join(", ")
        );
    }
    for why in rows.values().flat_map(|row| &row.as_person) {
        println!("taken for a person: {why}");
    }
    let over = replies_too_many(&stories, &mails, &asked.senders);
    over.iter().for_each(|why| println!("{why}"));
    print_posts(&stories, asked.posts);
    Ok(match wrong + over.len() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The mails by their Message-IDs, each with its sender as `name <address>` and whether it is a reply.
fn read(path: &Path) -> anyhow::Result<HashMap<String, (String, Item)>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let plain: Box<dyn Read> = if path.extension().is_some_and(|end| end == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut mails = HashMap::new();
    for raw in mbox::MessageIterator::new(BufReader::new(plain)) {
        let raw = raw.map_err(|_| anyhow::anyhow!("the mbox is damaged, or cut off"))?;
        let Ok(item) = mail::message(raw.contents(), None) else {
            continue;
        };
        if let ItemData::Message { id, .. } = &item.what {
            let sender = format!("{} <{}>", item.author.name, item.author.email);
            let id = id.as_str().to_owned();
            mails.insert(id, (sender.trim().to_owned(), item));
        }
    }
    Ok(mails)
}

fn count(
    stories: &[Story],
    mails: &HashMap<String, (String, Item)>,
    senders: &Regex,
) -> BTreeMap<String, Row> {
    let mut story_of: HashMap<&str, &Story> = HashMap::new();
    for story in stories {
        story_of.extend(story.messages.iter().map(|id| (id.as_str(), story)));
    }
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (id, (sender, item)) in mails {
        let is_for_person = item.text.starts_with("From:") && !item.title.starts_with("Re:");
        if !senders.is_match(sender) || is_for_person {
            continue;
        }
        let row = rows.entry(one_for_all(sender)).or_default();
        row.mails += 1;
        let Some(story) = story_of.get(id.as_str()) else {
            row.in_no_story += 1;
            continue;
        };
        for event in story.events.iter().filter(|event| event.source == *id) {
            let step = serde_json::to_value(event.state).unwrap_or_default();
            let step = step.as_str().unwrap_or_default().to_owned();
            *row.steps.entry(step.clone()).or_default() += 1;
            if is_a_persons(event.state) {
                row.as_person
                    .insert(format!("{id}: {step} by {}", event.by));
            }
        }
        let names = [&item.author.name, &item.author.email];
        for part in story
            .people
            .iter()
            .filter(|part| names.contains(&&part.name))
        {
            row.as_person
                .insert(format!("{id}: {} {}", part.role.word(), part.name));
        }
    }
    rows
}

/// One name for the many addresses of a machine: drops a `+` suffix and numbers.
fn one_for_all(sender: &str) -> String {
    let mut name = String::new();
    let mut parts = sender.split('+');
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (tag, rest) = part.split_once('@').unwrap_or((part, ""));
        let is_number =
            tag.len() >= 12 && tag.bytes().rev().take(12).all(|b| b.is_ascii_hexdigit());
        name.push('+');
        name.push_str(if is_number { "…" } else { tag });
        name.push('@');
        name.push_str(rest);
    }
    name
}

/// Whether only people take a step.
fn is_a_persons(step: Step) -> bool {
    matches!(
        step,
        Step::Posted
            | Step::Revised
            | Step::Discussed
            | Step::Nacked
            | Step::Withdrawn
            | Step::Superseded
            | Step::Rejected
    )
}

/// Stories that count more replies than people sent.
fn replies_too_many(
    stories: &[Story],
    mails: &HashMap<String, (String, Item)>,
    senders: &Regex,
) -> Vec<String> {
    let mut over = Vec::new();
    for story in stories {
        let posted: BTreeSet<&str> = story
            .revisions
            .iter()
            .flat_map(|r| {
                r.patches
                    .iter()
                    .map(|p| p.message_id.as_str())
                    .chain([r.root.as_str()])
            })
            .collect();
        let by_people = story.messages.iter().filter(|id| {
            !posted.contains(id.as_str())
                && mails
                    .get(*id)
                    .is_some_and(|(sender, _)| !senders.is_match(sender))
        });
        let by_people = by_people.count();
        if story.follow_ups as usize > by_people {
            over.push(format!(
                "{} counts {} replies, and people sent {by_people}: {}",
                story.id, story.follow_ups, story.title
            ));
        }
    }
    over
}

/// Prints the posts of the series with the most machine reports.
fn print_posts(stories: &[Story], number: usize) {
    let mut loud: Vec<&Story> = stories.iter().collect();
    let said = |story: &Story| {
        let of_machines = story
            .events
            .iter()
            .filter(|event| event.state.is_of_machine());
        of_machines.count()
    };
    loud.sort_by_key(|story| (std::cmp::Reverse(said(story)), &story.id));
    for story in loud.into_iter().take(number) {
        let post = Content::Story(Box::new(compose(story)));
        let text = terminal::render(&post, WIDTH);
        println!("\n{}", anstream::adapter::strip_str(&text));
    }
}
