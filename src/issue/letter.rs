//! An issue as the text of a mail: wrapped at 72 columns, with each link on a line of its own, so that every client shows it
//! and no client breaks a link.

use std::fmt::Write as _;

use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthStr as _;

use super::html::long_day;
use super::markdown::{Correction, is_list, listed, opening, path, read_at, rest};
use super::{Commit, Entry, Issue, Section, SectionKind, prose, title};
use crate::post::plain;

/// The columns of a line: a reply that quotes it stays below 80.
const COLUMNS: usize = 72;
/// The most patches of a mail. The page has all.
const PATCHES_MAX: usize = 60;

/// An issue in the size of a mail, and how many of its patches are left out. Series are listed without their parts.
pub fn in_mail_size(mut issue: Issue) -> (Issue, usize) {
    let all: usize = issue.patches.iter().map(|of| of.posted.len()).sum();
    let mut room = PATCHES_MAX;
    for patches in &mut issue.patches {
        patches.posted.truncate(room);
        room -= patches.posted.len();
        for posted in &mut patches.posted {
            posted.parts.clear();
        }
    }
    issue.patches.retain(|patches| !patches.posted.is_empty());
    (issue, all.saturating_sub(PATCHES_MAX))
}

/// The text of a whole issue. `home` is the public address of the pages.
pub fn text(issue: &Issue, corrections: &[Correction], home: &str) -> String {
    let mut out = format!("{}\n{}\n\n", issue.title(), long_day(issue.on()));
    paragraph(&mut out, &opening(issue));
    for correction in corrections {
        let day = long_day(correction.at.date_naive());
        written(&mut out, &format!("Correction, {day}: "), &correction.text);
    }
    written(&mut out, "", &issue.intro);
    cycle(&mut out, issue, home);
    for missing in &issue.missing {
        paragraph(&mut out, &format!("Missing: {missing}"));
    }
    for section in &issue.sections {
        self::section(&mut out, section, home);
    }
    if !issue.patches.is_empty() {
        heading(&mut out, "Patches");
        for patches in &issue.patches {
            for posted in &patches.posted {
                let link = read_at(posted.link.as_deref(), Some(&posted.story), Some(home));
                item(&mut out, &format!("{}, {}", patches.author, posted.title));
                linked(&mut out, "  ", link.as_deref());
            }
        }
        out.push('\n');
    }
    if let Some(last) = issue.last {
        let called = title(&issue.name, last.number);
        paragraph(
            &mut out,
            &format!("The issue before: {called}, {}", long_day(last.on)),
        );
        // The link belongs to the paragraph.
        out.pop();
        let _ = write!(out, "{home}{}\n\n", path(last.number));
    }
    out.push_str("Happy hacking!\n");
    out
}

/// Wrapped paragraphs, with an empty line after each; empty ones are left out.
pub fn paragraphs(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        paragraph(&mut out, text);
    }
    out
}

/// An item of a list with its link below it.
pub fn listed_line(text: &str, link: Option<&str>) -> String {
    let mut out = String::new();
    item(&mut out, text);
    linked(&mut out, "  ", link);
    out
}

/// Wraps a paragraph, each of its lines after `indent`, the first after `first`.
fn wrapped(out: &mut String, first: &str, indent: &str, text: &str) {
    let options = Options::new(COLUMNS)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .initial_indent(first)
        .subsequent_indent(indent);
    for line in textwrap::wrap(&plain(text), options) {
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn paragraph(out: &mut String, text: &str) {
    wrapped(out, "", "", text);
    out.push('\n');
}

fn item(out: &mut String, text: &str) {
    wrapped(out, "* ", "  ", text);
}

fn linked(out: &mut String, indent: &str, link: Option<&str>) {
    if let Some(link) = link {
        let _ = writeln!(out, "{indent}{link}");
    }
}

/// A heading, underlined as wide as it is.
fn heading(out: &mut String, text: &str) {
    let _ = write!(out, "{text}\n{}\n\n", "-".repeat(text.width()));
}

/// Text of an editor, a paragraph for each of its blocks.
fn written(out: &mut String, first: &str, markdown: &str) {
    let text = prose::to_text(&prose::read(markdown));
    let mut first = first;
    for line in text.lines().filter(|line| !line.is_empty()) {
        paragraph(out, &format!("{first}{line}"));
        first = "";
    }
}

fn cycle(out: &mut String, issue: &Issue, home: &str) {
    let cycle = &issue.cycle;
    if !cycle.stands.is_empty() {
        wrapped(out, "", "", &cycle.stands);
        linked(out, "", cycle.link.as_deref());
        out.push('\n');
    }
    for pulls in &cycle.pulls {
        let days: Vec<String> = pulls.sent.iter().map(|pull| long_day(pull.on)).collect();
        wrapped(
            out,
            "",
            "",
            &format!("Pull requests: {} from {}.", pulls.title, listed(&days)),
        );
        for pull in &pulls.sent {
            let link = read_at(pull.link.as_deref(), Some(&pull.story), Some(home));
            linked(out, "", link.as_deref());
        }
        out.push('\n');
    }
}

fn section(out: &mut String, section: &Section, home: &str) {
    let name = section.kind.heading();
    match section.kind.above() {
        Some(above) => heading(out, &format!("{above}: {name}")),
        None => heading(out, name),
    }
    for entry in &section.entries {
        match is_list(section.kind) {
            true => listed_entry(out, section.kind, entry, home),
            false => headed_entry(out, entry, home),
        }
    }
    if is_list(section.kind) && !section.entries.is_empty() {
        out.push('\n');
    }
    if let Some(rest) = rest(section) {
        paragraph(out, &rest);
    }
}

/// A line of a list with its links below it.
fn listed_entry(out: &mut String, kind: SectionKind, entry: &Entry, home: &str) {
    let by = match entry.author.as_str() {
        "" => String::new(),
        author => format!("{author}, "),
    };
    let told = match entry.text.as_str() {
        "" => String::new(),
        text => format!(": {text}"),
    };
    let title = &entry.title;
    let mut links = vec![read_at(
        entry.link.as_deref(),
        entry.story.as_deref(),
        Some(home),
    )];
    let line = match (&entry.commits, &entry.commit) {
        (Some(commits), _) => {
            links.push(commits.last.link.clone());
            format!("{by}{title} ({}){told}", commits.counted())
        }
        (None, Some(commit)) if kind != SectionKind::Highlights => {
            links = vec![commit.link.clone()];
            commit_line(commit)
        }
        (None, Some(commit)) if entry.author.is_empty() => {
            links = vec![commit.link.clone()];
            format!("{}{told}", commit_line(commit))
        }
        (None, Some(commit)) => {
            links.push(commit.link.clone());
            format!("{by}{title}{told} {}", commit_line(commit))
        }
        (None, None) if kind == SectionKind::Projects => {
            format!("{title} ({}){told}", entry.on.format("%Y-%m-%d"))
        }
        (None, None) => match entry.stands.as_str() {
            "" | "posted" => format!("{by}{title}{told}"),
            stands => format!("{by}{title} ({stands}){told}"),
        },
    };
    item(out, &line);
    for link in &links {
        linked(out, "  ", link.as_deref());
    }
    for note in &entry.notes {
        for line in prose::to_text(&prose::read(note)).lines() {
            wrapped(out, "  ", "  ", line);
        }
    }
}

/// `b0e92279d3ec (Merge branch 'thunderx-xdp', 2017-05-02)`.
fn commit_line(commit: &Commit) -> String {
    let on = commit.on.format("%Y-%m-%d");
    format!("{} ({}, {on})", commit.digits, commit.subject)
}

/// A title of its own, with its day, its author, its link and its words.
fn headed_entry(out: &mut String, entry: &Entry, home: &str) {
    wrapped(out, "", "", &entry.title);
    let day = long_day(entry.on);
    let about = [day.as_str(), &entry.author, &entry.stands];
    let about: Vec<&str> = about.into_iter().filter(|word| !word.is_empty()).collect();
    wrapped(out, "", "", &about.join(" · "));
    let link = read_at(entry.link.as_deref(), entry.story.as_deref(), Some(home));
    linked(out, "", link.as_deref());
    out.push('\n');
    if !entry.text.is_empty() {
        wrapped(out, "> ", "> ", &entry.text);
        out.push('\n');
    }
    for note in &entry.notes {
        written(out, "", note);
    }
}
