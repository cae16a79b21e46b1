//! An issue as a Markdown file: the layout of "BPF updates 02", with front matter for a static site.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike as _, Utc};

use super::escape::{code, escape, link_to};
use super::{
    Commit, Commits, Entry, Issue, Picture, Posted, Section, SectionKind, picture, prose, title,
};
use crate::post::plain;
pub use crate::post::story_path;

/// A note that corrects a published issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The right text, in Markdown.
    pub text: String,
}

/// The whole file. `home` is where the issues' pages are, for the link to the issue before.
pub fn file(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    let mut out = front_matter(issue);
    out.push('\n');
    out.push_str(&body(issue, corrections, home));
    out
}

/// Where an issue's page is, below its site.
pub fn path(number: u32) -> String {
    format!("issues/{number}")
}

/// The front matter of the file, in YAML.
fn front_matter(issue: &Issue) -> String {
    let on = issue.on();
    let slug = file_name(issue);
    let (year, month, day) = (on.year(), on.month(), on.day());
    format!(
        "---\npath: '/blog/{year}/{month}/{day}/{slug}'\ndate: '{}'\ntitle: {}\ncategories:\n  - Technology\ntags:\n  \
         - bpf\n  - kernel\n  - xdp\n  - updates\n  - {}\nogSummary: {}\n---\n",
        issue
            .period
            .to
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        quoted(&issue.title()),
        self::slug(&issue.name),
        quoted(&opening(issue)),
    )
}

/// The name of its file, without ending: `bpf-updates-02`.
pub fn file_name(issue: &Issue) -> String {
    format!("{}-{:02}", slug(&issue.name), issue.number)
}

/// A YAML text in single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", plain(text).replace('\'', "''"))
}

fn slug(name: &str) -> String {
    let letters = name.to_lowercase();
    let words = letters.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// The opening sentences.
pub fn opening(issue: &Issue) -> String {
    let span = span(issue);
    let first = format!(
        "This is issue {:02} of {}, what moved in BPF and XDP {span}",
        issue.number,
        plain(&issue.name)
    );
    if issue.is_quiet() {
        return format!("{first}. It was a quiet time: nothing worth reporting happened.");
    }
    match issue.counts.as_slice() {
        [] => format!("{first}."),
        counts => format!("{first}: {}.", listed(counts)),
    }
}

/// `a, b and c`.
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn span(issue: &Issue) -> String {
    let (from, to) = (issue.period.from.date_naive(), issue.on());
    match (
        from == to,
        from.year() == to.year(),
        from.month() == to.month(),
    ) {
        (true, _, _) => format!("on {}", to.format("%-d %B %Y")),
        (_, true, true) => format!("from {} to {}", from.format("%-d"), to.format("%-d %B %Y")),
        (_, true, false) => format!(
            "from {} to {}",
            from.format("%-d %B"),
            to.format("%-d %B %Y")
        ),
        (_, false, _) => format!(
            "from {} to {}",
            from.format("%-d %B %Y"),
            to.format("%-d %B %Y")
        ),
    }
}

/// The text below the front matter.
pub fn body(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    let mut out = format!("{}\n\n---\n\n", escape(&opening(issue)));
    for correction in corrections {
        let label = format!("Correction, {}:", correction.at.format("%-d %B %Y"));
        let text = prose::labelled(&label, &prose::read(&correction.text));
        let _ = write!(out, "{text}\n\n");
    }
    let intro = prose::to_markdown(&prose::read(&issue.intro));
    if !intro.is_empty() {
        let _ = write!(out, "{intro}\n\n");
    }
    let cycle = cycle(issue, home);
    if !cycle.is_empty() {
        let _ = write!(out, "{cycle}\n\n");
    }
    for missing in &issue.missing {
        let _ = write!(out, "**Missing:** {}\n\n", escape(missing));
    }
    let mut above = None;
    for section in &issue.sections {
        let group = section.kind.above();
        if let Some(heading) = group.filter(|_| group != above) {
            let _ = write!(out, "## {heading}\n\n");
        }
        above = group;
        let level = if group.is_some() { "###" } else { "##" };
        let _ = write!(out, "{level} {}\n\n", section.kind.heading());
        for entry in &section.entries {
            out.push_str(&self::entry(section.kind, entry, home));
        }
        if is_list(section.kind) && !section.entries.is_empty() {
            out.push('\n');
        }
        if let Some(rest) = rest(section) {
            let _ = write!(out, "{rest}\n\n");
        }
    }
    if !issue.patches.is_empty() {
        out.push_str("## Patches\n\n");
        for patches in &issue.patches {
            for posted in &patches.posted {
                out.push_str(&self::posted(&patches.author, posted, home));
            }
        }
        out.push('\n');
    }
    out.push_str(&closing(issue, home));
    out
}

/// A line about stories that the opening counts but the section does not list: those in other sections, and those without room.
pub fn rest(section: &Section) -> Option<String> {
    let more = if section.entries.is_empty() {
        ""
    } else {
        " more"
    };
    let count = |many: u32, where_to: &str| {
        let are = if many == 1 { "is" } else { "are" };
        (many > 0).then(|| format!("{many}{more} {are} {where_to}."))
    };
    let told = [
        count(section.elsewhere, "listed in other sections"),
        count(section.left_out, left_out(section.kind)),
    ];
    let told: Vec<String> = told.into_iter().flatten().collect();
    (!told.is_empty()).then(|| told.join(" "))
}

fn left_out(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::NewSeries | SectionKind::NewVersions => "among the patches below",
        SectionKind::Lwn
        | SectionKind::Highlights
        | SectionKind::Developments
        | SectionKind::Applied
        | SectionKind::Mainline
        | SectionKind::Videos
        | SectionKind::Slides
        | SectionKind::Missed
        | SectionKind::Projects
        | SectionKind::Note => "left out here",
    }
}

fn cycle(issue: &Issue, home: Option<&str>) -> String {
    let cycle = &issue.cycle;
    let mut said = Vec::new();
    if !cycle.stands.is_empty() {
        said.push(match &cycle.link {
            Some(link) => link_to(&cycle.stands, Some(link)),
            None => escape(&cycle.stands),
        });
    }
    for pulls in &cycle.pulls {
        let days: Vec<String> = pulls
            .sent
            .iter()
            .map(|pull| {
                let link = read_at(pull.link.as_deref(), Some(&pull.story), home);
                link_to(&pull.on.format("%-d %B %Y").to_string(), link.as_deref())
            })
            .collect();
        said.push(format!(
            "Pull requests: {} from {}.",
            code(&pulls.title),
            listed(&days)
        ));
    }
    said.join(" ")
}

/// Whether a section's entries are lines of a list; else each has a heading of its own.
pub fn is_list(kind: SectionKind) -> bool {
    match kind {
        SectionKind::Highlights
        | SectionKind::Developments
        | SectionKind::NewSeries
        | SectionKind::NewVersions
        | SectionKind::Applied
        | SectionKind::Mainline
        | SectionKind::Projects => true,
        SectionKind::Lwn
        | SectionKind::Videos
        | SectionKind::Slides
        | SectionKind::Missed
        | SectionKind::Note => false,
    }
}

fn entry(kind: SectionKind, entry: &Entry, home: Option<&str>) -> String {
    let mut out = String::new();
    if is_list(kind) {
        let _ = writeln!(out, "- {}", line(kind, entry, home));
        for note in &entry.notes {
            let note = prose::to_markdown(&prose::read(note));
            let lines = note.lines().map(|line| match line {
                "" => String::new(),
                line => format!("  {line}"),
            });
            let _ = write!(out, "\n{}\n\n", lines.collect::<Vec<_>>().join("\n"));
        }
        if let Some(picture) = &entry.picture {
            let _ = write!(out, "\n  {}\n\n", pictured(picture, home));
        }
        return out;
    }
    let level = if kind.above().is_some() {
        "####"
    } else {
        "###"
    };
    let link = read_at(entry.link.as_deref(), entry.story.as_deref(), home);
    let _ = write!(
        out,
        "{level} {}\n\n",
        link_to(&entry.title, link.as_deref())
    );
    let mut about = vec![entry.on.format("%-d %B %Y").to_string()];
    about.extend(Some(escape(&entry.author)).filter(|author| !author.is_empty()));
    about.extend(Some(escape(&entry.stands)).filter(|stands| !stands.is_empty()));
    let _ = write!(out, "{}\n\n", about.join(" · "));
    if !entry.text.is_empty() {
        let _ = write!(out, "> {}\n\n", escape(&entry.text));
    }
    for note in &entry.notes {
        let _ = write!(out, "{}\n\n", prose::to_markdown(&prose::read(note)));
    }
    if let Some(picture) = &entry.picture {
        let _ = write!(out, "{}\n\n", pictured(picture, home));
    }
    out
}

/// A picture; its words alone if it has no address.
fn pictured(picture: &Picture, home: Option<&str>) -> String {
    match home {
        Some(home) => format!(
            "!{}",
            link_to(
                &picture.alt,
                Some(&format!("{home}{}", picture::path(&picture.file)))
            )
        ),
        None => format!("Picture: {}", escape(&picture.alt)),
    }
}

/// A line of a list: a commit as "BPF updates" wrote them, or an author with a title.
fn line(kind: SectionKind, entry: &Entry, home: Option<&str>) -> String {
    let told = match entry.text.is_empty() {
        true => String::new(),
        false => format!(": {}", escape(&entry.text)),
    };
    let story = entry.story.as_deref();
    let link = read_at(entry.link.as_deref(), story, home);
    let title = link_to(&entry.title, link.as_deref());
    let by = match entry.author.is_empty() {
        true => String::new(),
        false => format!("{}, ", escape(&entry.author)),
    };
    if let Some(commits) = &entry.commits {
        return format!("{by}{title} ({}){told}", commits_words(commits));
    }
    match (kind, &entry.commit) {
        (SectionKind::Highlights, Some(commit)) if entry.author.is_empty() => {
            format!("{}{told}", commit_line(commit))
        }
        (SectionKind::Highlights, Some(commit)) => {
            format!("{by}{title}{told} {}", commit_line(commit))
        }
        (_, Some(commit)) if entry.is_retitled => {
            format!("{by}{title}{told} {}", commit_line(commit))
        }
        (_, Some(commit)) => commit_line(commit),
        (SectionKind::Projects, None) => {
            format!("{title} ({}){told}", entry.on.format("%Y-%m-%d"))
        }
        (_, None) => match entry.stands.as_str() {
            "" | "posted" => format!("{by}{title}{told}"),
            stands => format!("{by}{title} ({}){told}", escape(stands)),
        },
    }
}

/// `2 commits in bpf-next, [b0e92279d3ec](url) and [4de9932ffbc5](url), 2017-05-02`; of a single one with its subject.
fn commits_words(commits: &Commits) -> String {
    let counted = escape(&commits.counted());
    let hash = |commit: &Commit| link_to(&commit.digits, commit.link.as_deref());
    let (first, last) = (hash(&commits.first), hash(&commits.last));
    let on = commits.last.on.format("%Y-%m-%d");
    match commits.many {
        0 | 1 => format!("{counted}: {}", commit_line(&commits.last)),
        2 => format!("{counted}, {first} and {last}, {on}"),
        _ => format!("{counted}, {first} to {last}, {on}"),
    }
}

/// `[b0e92279d3ec](url) (Merge branch 'thunderx-xdp', 2017-05-02)`.
fn commit_line(commit: &Commit) -> String {
    format!(
        "{} ({}, {})",
        link_to(&commit.digits, commit.link.as_deref()),
        escape(&commit.subject),
        commit.on.format("%Y-%m-%d")
    )
}

fn posted(author: &str, posted: &Posted, home: Option<&str>) -> String {
    let at = |link: Option<&str>| read_at(link, Some(&posted.story), home);
    let link = at(posted.link.as_deref());
    let mut out = format!(
        "- {}, {}\n",
        escape(author),
        link_to(&posted.title, link.as_deref())
    );
    for (title, link) in &posted.parts {
        let _ = writeln!(
            out,
            "  - {}",
            link_to(title, at(link.as_deref()).as_deref())
        );
    }
    out
}

/// Where something is read: at its source, else on the page of its story.
pub fn read_at(link: Option<&str>, story: Option<&str>, home: Option<&str>) -> Option<String> {
    let page = || Some(format!("{}{}", home?, story_path(story?)));
    link.map(str::to_owned).or_else(page)
}

fn closing(issue: &Issue, home: Option<&str>) -> String {
    let mut out = String::new();
    if let Some(last) = issue.last {
        let called = format!(
            "{}, {}",
            title(&issue.name, last.number),
            last.on.format("%-d %B %Y")
        );
        let link = home.map(|home| format!("{home}{}", path(last.number)));
        let _ = write!(
            out,
            "The issue before: {}.\n\n",
            link_to(&called, link.as_deref())
        );
    }
    if !issue.patches.is_empty() {
        out.push_str(
            "The patches above are those on the lists that bpfnews reads; there are others.\n\n",
        );
    }
    out.push_str("Happy hacking!\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newsletters_form_of_a_line_is_kept() {
        let commit = Commit {
            digits: "0123456789ab".to_owned(),
            subject: "Merge branch 'maps-grow'".to_owned(),
            on: chrono::NaiveDate::from_ymd_opt(2025, 3, 2).expect("a day"),
            link: Some("https://a.example/c/?id=0123456789ab".to_owned()),
        };
        assert_eq!(
            commit_line(&commit),
            "[0123456789ab](https://a.example/c/?id=0123456789ab) (Merge branch 'maps-grow', 2025-03-02)"
        );
        let series = Posted {
            story: "abc".to_owned(),
            title: "[PATCH net-next 0/2] Let maps grow".to_owned(),
            link: Some("https://a.example/0/".to_owned()),
            parts: vec![(
                "[PATCH net-next 1/2] bpf: Grow".to_owned(),
                Some("https://a.example/1/".to_owned()),
            )],
        };
        assert_eq!(
            posted("A. Author", &series, None),
            "- A. Author, [[PATCH net-next 0/2] Let maps grow](https://a.example/0/)\n  \
             - [[PATCH net-next 1/2] bpf: Grow](https://a.example/1/)\n"
        );
    }
}
