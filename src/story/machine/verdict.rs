//! The verdict in a machine's mail on the patch that it answers.

use std::sync::LazyLock;

use regex::Regex;

use super::findings::{Findings, findings};
use super::{Machine, MachineKind, is_ai_made};
use crate::item::prose::{lines, shorten};
use crate::story::{Step, StoredItem};

/// The longest link to a machine's page that is kept, in bytes.
const LINK_BYTES_MAX: usize = 500;
/// The most characters of a machine's name for a fault.
const FAULT_CHARS_MAX: usize = 80;

/// The topic of a verdict; verdicts of one topic are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A review by an AI.
    AiReview,
    /// Tests that ran.
    Tests,
    /// Whether it builds.
    Build,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineVerdict {
    /// The step that it is in a story's life.
    pub step: Step,
    /// The same in words: `AI review: 2 findings (1 high)`; may be empty.
    pub text: String,
    /// Its topic; `None` if the mail does not judge the patch.
    pub topic: Option<Topic>,
    /// The severity, and its words in a sum. Of several verdicts the worst counts.
    pub grade: (u8, &'static str),
    /// The findings of a review.
    pub findings: Option<Findings>,
    /// The machine's page about it.
    pub link: Option<String>,
}

/// Reads a machine's mail. The result is only noted; it never changes the state of a story.
pub fn verdict(machine: &Machine, item: &StoredItem) -> MachineVerdict {
    let mut verdict = match machine.kind {
        MachineKind::AiReview | MachineKind::Ci => tested(machine.kind, item),
        MachineKind::Build => built(item),
        MachineKind::Fuzzer => fuzzed(item),
        MachineKind::Notices | MachineKind::Tracker | MachineKind::Other => reported(""),
    };
    verdict.link = page(machine, &item.text);
    verdict
}

fn reported(text: &str) -> MachineVerdict {
    MachineVerdict {
        step: Step::Reported,
        text: text.to_owned(),
        topic: None,
        grade: (0, ""),
        findings: None,
        link: None,
    }
}

fn of(step: Step, topic: Topic, grade: (u8, &'static str), text: String) -> MachineVerdict {
    MachineVerdict {
        step,
        topic: Some(topic),
        grade,
        ..reported(&text)
    }
}

const PASSED: (u8, &str) = (1, "CI passed");
const FAILED: (u8, &str) = (2, "CI failed");
const BUILDS: (u8, &str) = (1, "builds");
const DOES_NOT_APPLY: (u8, &str) = (2, "does not apply");
const WARNS: (u8, &str) = (3, "build warning");
const BROKEN: (u8, &str) = (4, "build broken");

/// A test's result, else a review.
fn tested(kind: MachineKind, item: &StoredItem) -> MachineVerdict {
    static STATUS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^\s*(?:overall )?(?:status|conclusion|result):?\s+\W*(success|pass(?:ed)?|failure|fail(?:ed)?|conflict)\b")
            .expect("the pattern is sound")
    });
    static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b(\d+) (?:failed|regressions?)\b").expect("the pattern is sound")
    });
    let passed = |passed: bool| {
        if passed {
            of(Step::CiPassed, Topic::Tests, PASSED, "CI passed".to_owned())
        } else {
            of(Step::CiFailed, Topic::Tests, FAILED, "CI failed".to_owned())
        }
    };
    if kind == MachineKind::AiReview && is_ai_made(&item.text) {
        return reviewed(&item.text);
    }
    if let Some(found) = STATUS.captures(&item.text) {
        return passed(found[1].to_ascii_lowercase().starts_with(['s', 'p']));
    }
    if kind == MachineKind::AiReview {
        return reviewed(&item.text);
    }
    match COUNTED.captures(&item.title) {
        Some(found) => passed(found[1].bytes().all(|digit| digit == b'0')),
        None => reported(""),
    }
}

/// Reads an AI's review. Faults from before the patch are no verdict on the patch.
fn reviewed(text: &str) -> MachineVerdict {
    let findings = findings(text);
    let words = match findings {
        Some(findings) => format!("AI review: {}", findings.words()),
        None => "AI review".to_owned(),
    };
    let step = if findings.is_some_and(|findings| findings.is_of_the_past()) {
        Step::Reported
    } else {
        Step::ReviewedByMachine
    };
    MachineVerdict {
        findings,
        ..of(step, Topic::AiReview, (0, ""), words)
    }
}

/// Reads a mail of the kernel test robot: `[auto build test ERROR on TREE]`, `noticed "FAULT" on:`, `BUILD SUCCESS`.
fn built(item: &StoredItem) -> MachineVerdict {
    static AUTO: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^\[auto build test (ERROR|WARNING) on ([^\]\s]{1,80})")
            .expect("the pattern is sound")
    });
    static NOTICED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?mi)^(?:kernel test robot noticed|FYI, we noticed|Greeting,.*noticed)[^\n]{0,40}?(?:build (errors?|warnings?)|"([^"\n]{1,300})"|(-?[\d.]{1,12}% (?:regression|improvement)))"#)
            .expect("the pattern is sound")
    });
    static CANNOT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^\[cannot apply to ([^\]\s]{1,80})").expect("the pattern is sound")
    });
    let broken = |is_error: bool, tree: &str| {
        let on = match tree.bytes().all(|b| b.is_ascii_hexdigit()) {
            // A commit's hash means nothing to a reader.
            true => String::new(),
            false => format!(" on {tree}"),
        };
        if is_error {
            of(
                Step::BuildBroken,
                Topic::Build,
                BROKEN,
                format!("build broken{on}"),
            )
        } else {
            of(
                Step::Reported,
                Topic::Build,
                WARNS,
                format!("build warning{on}"),
            )
        }
    };
    if item.title.contains("BUILD SUCCESS") {
        return of(Step::CiPassed, Topic::Build, BUILDS, "builds".to_owned());
    }
    if item.title.contains("BUILD REGRESSION") {
        return broken(true, "");
    }
    if let Some(found) = AUTO.captures(&item.text) {
        return broken(found[1].eq_ignore_ascii_case("error"), &found[2]);
    }
    if let Some(found) = NOTICED.captures(&item.text) {
        return match (found.get(1), found.get(2), found.get(3)) {
            (Some(what), ..) => broken(what.as_str().to_ascii_lowercase().starts_with("error"), ""),
            (_, Some(fault), _) => failed(fault.as_str()),
            (.., measured) => reported(measured.map_or("", |measured| measured.as_str())),
        };
    }
    match CANNOT.captures(&item.text) {
        Some(found) => of(
            Step::Reported,
            Topic::Build,
            DOES_NOT_APPLY,
            format!("does not apply to {}", &found[1]),
        ),
        None => reported(""),
    }
}

/// Reads a mail of syzbot: it tested a series and found a fault, or it reports one.
fn fuzzed(item: &StoredItem) -> MachineVerdict {
    static FOUND: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?m)^and found the following issues?:[ \t]*\n(?:[ \t]*\n)*(?:[*-] )?([^\n]+)")
            .expect("the pattern is sound")
    });
    if !item.text.contains("syzbot ci has tested") {
        return reported("");
    }
    match FOUND.captures(&item.text) {
        Some(found) => failed(&found[1]),
        None => reported(""),
    }
}

fn failed(fault: &str) -> MachineVerdict {
    let fault = shorten(fault.trim(), FAULT_CHARS_MAX);
    of(
        Step::CiFailed,
        Topic::Tests,
        FAILED,
        format!("CI failed: {fault}"),
    )
}

/// The last unquoted link to one of the machine's own pages.
fn page(machine: &Machine, text: &str) -> Option<String> {
    let mut found = None;
    for line in lines(text).filter(|line| !line.starts_with('>')) {
        for word in line.split_whitespace() {
            if machine.pages.iter().any(|page| word.starts_with(page)) {
                found = Some(word);
            }
        }
    }
    let link = found?.trim_end_matches(['.', ',', ')', '>', ';']);
    (link.len() <= LINK_BYTES_MAX).then(|| link.to_owned())
}
