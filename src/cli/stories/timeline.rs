//! One story in full: its state, summary, steps and patches. Pure.

use std::collections::BTreeSet;

use anstyle::{AnsiColor, Effects, Style};
use chrono::{DateTime, Utc};

use super::page::{CALM, StoryLayout};
use super::standing::{ranges, short_hash, standing, tree_and_branch};
use super::view::{DIM, ago, colour, counted, joined, version};
use crate::story::{Applied, Event, PersonRole, Revision, Step, Story, StoryKind};

/// The width of an event's date and step, left of its words.
const DATE: usize = 11;
const STEP: usize = 14;
const EVENT: usize = 2 + DATE + 2 + STEP + 2;
/// Commits shown of a story without revisions.
const COMMITS_SHOWN: usize = 20;

const STRONG: Style = Style::new().effects(Effects::BOLD);

/// Renders a story over `width` columns with ANSI styles; with `why`, also the parts of its score.
pub(super) fn timeline(story: &Story, why: bool, width: usize, now: DateTime<Utc>) -> String {
    let mut page = StoryLayout {
        width,
        text: String::new(),
    };
    let dot = format!("{}●{:#} ", colour(story.state), colour(story.state));
    page.row("", 0, &format!("{}{}", story.title, version(story)), STRONG);
    page.row("", 0, &subtitle(story, now), DIM);
    page.blank();
    page.row(&dot, 2, &standing(story, now), CALM);
    checks(&mut page, story);
    if !story.summary.is_empty() {
        page.blank();
        page.row("  ", 2, &story.summary.join(" "), CALM);
    }
    if !story.events.is_empty() {
        page.blank();
        life(&mut page, story);
    }
    people(&mut page, story);
    patches(&mut page, story);
    links(&mut page, story);
    if why && !story.why.is_empty() {
        reasons(&mut page, story);
    }
    page.text
}

/// The verdicts of machines on the newest revision, with their pages.
fn checks(page: &mut StoryLayout, story: &Story) {
    let newest = story
        .revisions
        .last()
        .map_or("", |newest| newest.root.as_str());
    for check in story.checks.iter().filter(|check| check.root == newest) {
        let link = check.link.clone();
        page.row("  ", 2, &joined([Some(check.text.clone()), link]), DIM);
    }
}

fn subtitle(story: &Story, now: DateTime<Utc>) -> String {
    let newest = story.revisions.last();
    joined([
        story.author.clone(),
        Some(story.kind.word().to_owned()),
        newest
            .filter(|revision| revision.total > 1)
            .map(|revision| counted(revision.total, "patch")),
        story.tree.clone().map(|tree| format!("for {tree}")),
        Some(format!("begun {}", ago(story.first_at, now))),
        (!story.relevant).then(|| "not about BPF".to_owned()),
        Some(story.id.clone()),
    ])
}

fn life(page: &mut StoryLayout, story: &Story) {
    let last_talk = story
        .events
        .iter()
        .rposition(|event| event.state == Step::Discussed);
    let mut last_day = String::new();
    let mut next = 0;
    while let Some(event) = story.events.get(next) {
        // Machines repeat themselves, for each patch anew.
        let alike = story.events[next..]
            .iter()
            .take_while(|other| event.state.is_of_machine() && same_report(event, other))
            .count()
            .max(1);
        let mut words = event_words(story, event);
        if last_talk.is_some_and(|at| at == next) && story.follow_ups > 1 {
            words = joined([
                Some(words),
                Some(format!("{} in all", counted(story.follow_ups, "reply"))),
            ]);
        }
        if alike > 1 {
            words = format!("{words} ({alike} times)");
        }
        let day = event.at.format("%e %b %Y").to_string();
        let shown = if day == last_day { "" } else { &day };
        let (word, style) = (event.state.word(), step_style(event.state));
        let pad = " ".repeat(STEP.saturating_sub(word.len()));
        let quiet = if event.state.is_of_machine() {
            DIM
        } else {
            CALM
        };
        let head = format!("  {DIM}{shown:>DATE$}{DIM:#}  {style}{word}{style:#}{pad}  ");
        page.row(&head, EVENT, &words, quiet);
        if let Some(link) = &story.events[next + alike - 1].link {
            page.row(&" ".repeat(EVENT), EVENT, link, DIM);
        }
        if let Some(change) = story
            .revision_of(event)
            .and_then(|revision| story.changes.get(&format!("v{}", revision.version)))
        {
            page.row(&" ".repeat(EVENT), EVENT, change, DIM);
        }
        last_day = day;
        next += alike;
    }
}

fn same_report(one: &Event, other: &Event) -> bool {
    let day = |event: &Event| event.at.date_naive();
    let said = |event: &Event| (event.state, event.by.clone(), event.text.clone());
    said(one) == said(other) && day(one) == day(other)
}

fn event_words(story: &Story, event: &Event) -> String {
    let by = |what: &str| match event.by.as_str() {
        "" => what.to_owned(),
        name if what.is_empty() => format!("by {name}"),
        name => format!("{what} by {name}"),
    };
    match event.state {
        Step::Posted | Step::Revised => match story.revision_of(event) {
            Some(revision) => posted(revision),
            None => by(""),
        },
        Step::Applied | Step::PartlyApplied | Step::Claimed => match applied_at(story, event) {
            Some(applied) => applied_words(story, applied),
            None => by(""),
        },
        Step::Discussed => match event.by.as_str() {
            "" => "first answer".to_owned(),
            name if event.text.is_empty() => format!("first answer by {name}"),
            name => format!("first answer by {name}: {}", event.text),
        },
        Step::Pulled => by("in a pull request"),
        Step::Mainline => {
            let release = story
                .mainline
                .as_ref()
                .and_then(|landed| landed.release.clone());
            by(&joined([Some(short_hash(&event.source)), release]))
        }
        Step::Fixed | Step::Reverted => by(&short_hash(&event.source)),
        Step::Stable => {
            let mut backports = story.stable.iter();
            let backport = backports.find(|backport| backport.hash == event.source);
            joined([
                backport.map(|backport| backport.branch.clone()),
                Some(short_hash(&event.source)),
                backport.and_then(|backport| backport.release.clone()),
            ])
        }
        Step::Cve => story.cves.join(", "),
        Step::CiPassed
        | Step::CiFailed
        | Step::Reported
        | Step::ReviewedByMachine
        | Step::BuildBroken => {
            // The step's word stands before it already.
            let said = event
                .text
                .strip_prefix(event.state.word())
                .unwrap_or(&event.text);
            by(said.trim_start_matches([':', ' ']))
        }
        Step::Nacked
        | Step::ChangesRequested
        | Step::Superseded
        | Step::Withdrawn
        | Step::Rejected => by(""),
    }
}

fn posted(revision: &Revision) -> String {
    let here = u32::try_from(revision.patches.len()).unwrap_or(u32::MAX);
    let count = if here < revision.total && here > 0 {
        format!("{here} of {}", counted(revision.total, "patch"))
    } else {
        counted(revision.total, "patch")
    };
    format!("v{}, {count}", revision.version)
}

fn applied_at<'a>(story: &'a Story, event: &Event) -> Option<&'a Applied> {
    let is_claim = event.state == Step::Claimed;
    story
        .applied
        .iter()
        .find(|applied| applied.at == event.at && applied.claimed == is_claim)
}

fn applied_words(story: &Story, applied: &Applied) -> String {
    let mut words = format!("to {}", tree_and_branch(applied));
    if !applied.by.is_empty() {
        words.push_str(&format!(" by {}", applied.by));
    }
    let numbers: BTreeSet<u32> = applied.commits.iter().filter_map(|c| c.number).collect();
    let total = story.revisions.last().map_or(0, |revision| revision.total);
    if !numbers.is_empty() && numbers.len() < total as usize {
        let what = if numbers.len() == 1 {
            "patch"
        } else {
            "patches"
        };
        words.push_str(&format!(", {what} {} of {total}", ranges(&numbers)));
    }
    words
}

fn people(page: &mut StoryLayout, story: &Story) {
    const ROLES: [PersonRole; 7] = [
        PersonRole::Reviewer,
        PersonRole::Acker,
        PersonRole::Tester,
        PersonRole::Nacker,
        PersonRole::Reporter,
        PersonRole::Suggester,
        PersonRole::Applier,
    ];
    let mut is_first = true;
    for role in ROLES {
        let names: Vec<&str> = story
            .people
            .iter()
            .filter(|part| part.role == role)
            .map(|part| part.name.as_str())
            .collect();
        if names.is_empty() {
            continue;
        }
        if std::mem::take(&mut is_first) {
            page.blank();
        }
        page.labelled(role.by(), &names.join(", "));
    }
}

fn patches(page: &mut StoryLayout, story: &Story) {
    let Some(newest) = story.revisions.last() else {
        return commits(page, story);
    };
    page.blank();
    let title = match newest.version {
        0 | 1 => "  Patches".to_owned(),
        version => format!("  Patches of v{version}"),
    };
    page.row("", 0, &title, STRONG);
    let digits = newest.total.to_string().len();
    for patch in &newest.patches {
        let head = 2 + 2 * digits + 1 + 2;
        let number = format!("{}/{}", patch.number, newest.total);
        let hash = story
            .commit_of(patch)
            .map(|commit| short_hash(&commit.hash));
        let lead = format!("  {DIM}{number:>0$}{DIM:#}  ", 2 * digits + 1);
        page.row_with_end(&lead, head, &patch.subject, hash.as_deref().unwrap_or(""));
    }
    let here = u32::try_from(newest.patches.len()).unwrap_or(u32::MAX);
    if here < newest.total {
        let missing = newest.total - here;
        let are = if missing == 1 { "is" } else { "are" };
        let words = format!("{} {are} not here", counted(missing, "patch"));
        page.row("  ", 2, &words, DIM);
    }
}

fn commits(page: &mut StoryLayout, story: &Story) {
    if story.commits.is_empty() {
        return;
    }
    page.blank();
    for hash in story.commits.iter().take(COMMITS_SHOWN) {
        page.labelled("commit", hash);
    }
    let more = story.commits.len().saturating_sub(COMMITS_SHOWN);
    if more > 0 {
        page.labelled("", &format!("and {more} more"));
    }
}

fn links(page: &mut StoryLayout, story: &Story) {
    let root = match (story.kind, story.revisions.last()) {
        (_, Some(newest)) => Some(newest.root.clone()),
        (StoryKind::Thread | StoryKind::Pull, None) => story.messages.first().cloned(),
        (_, None) => None,
    };
    let rows = [
        ("read", story.url.clone().into_iter().collect()),
        ("Message-ID", root.into_iter().collect::<Vec<_>>()),
        (
            "fixes",
            story.fixes.iter().map(|hash| short_hash(hash)).collect(),
        ),
        ("CVE", story.cves.clone()),
        ("feeds", story.feeds.clone()),
        ("known before", story.aliases.clone()),
    ];
    page.blank();
    for (label, values) in rows {
        if !values.is_empty() {
            page.labelled(label, &values.join(", "));
        }
    }
}

fn reasons(page: &mut StoryLayout, story: &Story) {
    page.blank();
    let title = match story.relevant {
        true => format!("  Why it is shown, and scores {}", story.score),
        false => format!("  Why it is not shown (it scores {})", story.score),
    };
    page.row("", 0, &title, STRONG);
    for reason in &story.why {
        page.row(&format!("  {DIM}·{DIM:#} "), 4, reason, CALM);
    }
}

fn step_style(step: Step) -> Style {
    let colour = match step {
        Step::Posted | Step::Revised => AnsiColor::Cyan,
        Step::Discussed => AnsiColor::Blue,
        Step::Nacked | Step::Rejected | Step::Reverted | Step::Cve => AnsiColor::Red,
        Step::ChangesRequested
        | Step::Claimed
        | Step::PartlyApplied
        | Step::CiFailed
        | Step::BuildBroken
        | Step::Fixed => AnsiColor::Yellow,
        Step::Applied | Step::Pulled | Step::Mainline | Step::Stable => AnsiColor::Green,
        Step::Superseded
        | Step::Withdrawn
        | Step::CiPassed
        | Step::Reported
        | Step::ReviewedByMachine => AnsiColor::BrightBlack,
    };
    Style::new().fg_color(Some(colour.into()))
}
