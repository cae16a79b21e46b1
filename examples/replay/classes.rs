//! Five classes of stories that no follower of BPF may miss, recognised by titles, files and trailers alone. They examine the
//! score, so it plays no part.

use std::collections::{BTreeSet, HashMap};

use bpfnews::story::{State, Step, Story, StoryKind};

use crate::archive::Letter;

/// A class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Class {
    Feature,
    Uapi,
    Cve,
    Revert,
    Crash,
}

impl Class {
    pub(crate) const ALL: [Self; 5] = [
        Self::Feature,
        Self::Uapi,
        Self::Cve,
        Self::Revert,
        Self::Crash,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Feature => "applied new feature",
            Self::Uapi => "change of uapi",
            Self::Cve => "CVE",
            Self::Revert => "revert",
            Self::Crash => "applied fix of a crash, of lost data or of a hole",
        }
    }
}

/// Words that open the title of something new.
const NEW: [&str; 9] = [
    "add",
    "adds",
    "adding",
    "introduce",
    "introducing",
    "support",
    "allow",
    "enable",
    "implement",
];
/// Words for something old or small.
const NOT_NEW: [&str; 22] = [
    "fix",
    "fixes",
    "fixing",
    "fixup",
    "missing",
    "selftest",
    "selftests",
    "test",
    "tests",
    "testing",
    "testcase",
    "testcases",
    "warning",
    "warnings",
    "check",
    "checks",
    "comment",
    "comments",
    "log",
    "documentation",
    "validation",
    "cleanup",
];
/// Words for the fault that a fix removes.
const CRASH: [&str; 16] = [
    "crash",
    "panic",
    "oops",
    "deref",
    "dereference",
    "uaf",
    "oob",
    "deadlock",
    "lockup",
    "hang",
    "hung",
    "segfault",
    "corruption",
    "use-after-free",
    "out-of-bounds",
    "null-ptr-deref",
];
/// Words for a fix.
const FIX: [&str; 6] = ["fix", "fixes", "fixing", "avoid", "prevent", "resolve"];
/// Folders outside of the kernel and its libraries.
const ASIDE: [&str; 4] = [
    "tools/testing/",
    "Documentation/",
    "samples/",
    "MAINTAINERS",
];
/// The folder of the interface to user space.
const UAPI: &str = "include/uapi/";

/// The classes of a story.
pub(crate) fn classes(story: &Story, mails: &HashMap<&str, &Letter>) -> BTreeSet<Class> {
    let mut classes = BTreeSet::new();
    if is_applied(story) && is_new(story, mails) {
        classes.insert(Class::Feature);
    }
    if paths(story, mails).any(|path| path.starts_with(UAPI)) {
        classes.insert(Class::Uapi);
    }
    let names_cve = |title: &str| title.contains("CVE-20");
    if !story.cves.is_empty()
        || names_cve(&story.title)
        || story.events.iter().any(|event| event.state == Step::Cve)
    {
        classes.insert(Class::Cve);
    }
    if titles(story).any(|title| title.starts_with("Revert ")) {
        classes.insert(Class::Revert);
    }
    if is_applied(story) && titles(story).any(mends_crash) && has_code(story, mails) {
        classes.insert(Class::Crash);
    }
    classes
}

/// Whether a title is that of a fix against a crash, a hang, lost data or a hole.
fn mends_crash(title: &str) -> bool {
    let title = title.to_lowercase();
    let words = title.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
    let words: Vec<&str> = words.collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    has(&CRASH) && has(&FIX)
}

/// Whether a newest patch changes more than tests and texts.
fn has_code(story: &Story, mails: &HashMap<&str, &Letter>) -> bool {
    paths(story, mails).any(|path| !ASIDE.iter().any(|aside| path.starts_with(aside)))
}

fn is_applied(story: &Story) -> bool {
    !story.applied.is_empty()
        || story.mainline.is_some()
        || story.kind == StoryKind::Commit
        || matches!(
            story.state,
            State::Applied | State::PartlyApplied | State::Mainline | State::Stable
        )
}

/// Its own title, and those of its newest patches.
fn titles(story: &Story) -> impl Iterator<Item = &str> {
    let patches = story
        .revisions
        .last()
        .map_or(&[][..], |newest| &newest.patches);
    let patches = patches.iter().map(|patch| patch.subject.as_str());
    std::iter::once(story.title.as_str()).chain(patches)
}

/// The files that its newest patches change.
fn paths<'a>(story: &'a Story, mails: &'a HashMap<&str, &Letter>) -> impl Iterator<Item = &'a str> {
    let patches = story
        .revisions
        .last()
        .map_or(&[][..], |newest| &newest.patches);
    let mails = patches
        .iter()
        .filter_map(|patch| mails.get(patch.message_id.as_str()));
    mails.flat_map(|mail| mail.paths.iter().map(String::as_str))
}

/// Whether its title, or the title of a patch that changes more than tests and texts, opens with a word for something new.
fn is_new(story: &Story, mails: &HashMap<&str, &Letter>) -> bool {
    let is_aside = |path: &str| ASIDE.iter().any(|aside| path.starts_with(aside));
    let patches = story
        .revisions
        .last()
        .map_or(&[][..], |newest| &newest.patches);
    let is_code = |message: &str| {
        let mail = mails.get(message);
        mail.is_some_and(|mail| mail.paths.iter().any(|path| !is_aside(path)))
    };
    let new_patch =
        |patch: &bpfnews::story::Patch| opens_new(&patch.subject) && is_code(&patch.message_id);
    let has_code = patches.iter().any(|patch| is_code(&patch.message_id));
    let is_fix = story
        .title
        .to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .any(|word| word.starts_with("fix"));
    (!is_fix && patches.iter().any(new_patch)) || (has_code && opens_new(&story.title))
}

/// Whether a title, without its `subsystem:`, opens with a word for something new.
fn opens_new(title: &str) -> bool {
    let (before, what) = title.rsplit_once(": ").unwrap_or(("", title));
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        words
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let what = words(what);
    let first = what.first().map_or("", String::as_str);
    NEW.contains(&first)
        && !words(before)
            .iter()
            .any(|word| word.starts_with("selftest"))
        && !what.iter().any(|word| NOT_NEW.contains(&word.as_str()))
}
