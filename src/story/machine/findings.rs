//! Counts the findings of a machine's review.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::item::prose::lines;

/// The most findings that one mail is believed.
const FINDINGS_MAX: u32 = 999;

/// The findings of a review by severity. `total` includes those of unknown severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// Everything that is laid to the patch.
    pub total: u32,
    /// Of these, so many are critical.
    pub critical: u32,
    pub high: u32,
    pub medium: u32,
    pub low: u32,
    /// Remarks that are no faults.
    pub remarks: u32,
    /// Faults that were there before the patch; no part of `total`.
    pub earlier: u32,
}

impl Findings {
    /// Both together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            total: self.total.saturating_add(other.total),
            critical: self.critical.saturating_add(other.critical),
            high: self.high.saturating_add(other.high),
            medium: self.medium.saturating_add(other.medium),
            low: self.low.saturating_add(other.low),
            remarks: self.remarks.saturating_add(other.remarks),
            earlier: self.earlier.saturating_add(other.earlier),
        }
    }

    /// Whether it says nothing of the patch, but only of faults that were there before.
    pub fn is_of_the_past(&self) -> bool {
        self.total == 0 && self.remarks == 0 && self.earlier > 0
    }

    /// In words: `2 findings (1 high)`; the worst severities stand for all.
    pub fn words(&self) -> String {
        let counted = |number: u32, what: &str| match number {
            1 => format!("1 {what}"),
            number => format!("{number} {what}s"),
        };
        if self.total == 0 {
            return match (self.remarks, self.earlier) {
                (0, 0) => "no findings".to_owned(),
                (0, earlier) => format!(
                    "nothing new, {} from before the patch",
                    counted(earlier, "fault")
                ),
                (remarks, _) => counted(remarks, "remark"),
            };
        }
        let grave: Vec<String> = [(self.critical, "critical"), (self.high, "high")]
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"))
            .collect();
        let graded = match (grave.is_empty(), self.medium, self.low) {
            (false, ..) => grave.join(", "),
            (true, 0, 0) => return counted(self.total, "finding"),
            (true, 0, low) => format!("{low} low"),
            (true, medium, _) => format!("{medium} medium"),
        };
        format!("{} ({graded})", counted(self.total, "finding"))
    }

    fn count(&mut self, severity: &str) {
        self.total += 1;
        match severity.to_ascii_lowercase().as_str() {
            "critical" => self.critical += 1,
            "high" => self.high += 1,
            "medium" => self.medium += 1,
            "low" => self.low += 1,
            _ => {}
        }
    }
}

/// The findings that a review states; `None` if they cannot be counted.
pub(super) fn findings(text: &str) -> Option<Findings> {
    listed(text)
        .or_else(|| graded(text))
        .or_else(|| none_found(text))
        .or_else(|| scored(text))
        .or_else(|| commented(text))
}

/// A phrase by which a review says that a fault is not the patch's.
fn is_earlier(text: &str) -> bool {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\bpre-?existing\b|\b(?:wasn't|was not|isn't|is not|not) (?:a bug |a problem )?introduced by this (?:patch|commit|change|series)\b")
            .expect("the pattern is sound")
    });
    SAYS.is_match(text)
}

/// A list at the head: `- [High] one sentence`, under `New issues:` and `Pre-existing issues:` or under neither.
fn listed(text: &str) -> Option<Findings> {
    static ENTRY: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^- \[(critical|high|medium|low)\]\s+(\S.*)$")
            .expect("the pattern is sound")
    });
    static HEAD: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\bAI review found (\d{1,3}) (?:potential )?issue")
            .expect("the pattern is sound")
    });
    let mut found = Findings::default();
    let mut stated = None;
    let mut section = None;
    for line in lines(text).map(str::trim_end) {
        if line.starts_with('>') || line == "--" || line == "---" {
            break;
        }
        if let Some(head) = HEAD.captures(line) {
            stated = head[1].parse::<u32>().ok();
        } else if line.eq_ignore_ascii_case("New issues:") {
            section = Some(false);
        } else if line.eq_ignore_ascii_case("Pre-existing issues:") {
            section = Some(true);
        } else if let Some(entry) = ENTRY.captures(line) {
            if section.unwrap_or_else(|| is_earlier(&entry[2])) {
                found.earlier += 1
            } else {
                found.count(&entry[1])
            }
        }
    }
    let stated = stated?;
    // It found something and lists nothing that can be read.
    if found.total + found.earlier == 0 {
        found.total = stated.min(FINDINGS_MAX);
    }
    Some(found)
}

/// Comments that each begin with `[Severity: High]`, where no list stands above.
fn graded(text: &str) -> Option<Findings> {
    static GRADE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^\[Severity: *(critical|high|medium|low)\]").expect("the pattern is sound")
    });
    let mut found = Findings::default();
    let mut lines = lines(text).peekable();
    while let Some(line) = lines.next() {
        let Some(grade) = GRADE.captures(line) else {
            continue;
        };
        let mut said = String::new();
        while let Some(next) =
            lines.next_if(|next| !next.trim().is_empty() && !next.starts_with('>'))
        {
            said.push_str(next);
            said.push(' ');
        }
        if is_earlier(&said) {
            found.earlier += 1
        } else {
            found.count(&grade[1])
        }
    }
    (found.total + found.earlier > 0).then_some(found)
}

/// A review that says that it found nothing.
fn none_found(text: &str) -> Option<Findings> {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?mi)^[^>\n]*\breviewed\b[^\n]{0,40}\bfound no (?:issues|problems|bugs)\b")
            .expect("the pattern is sound")
    });
    SAYS.is_match(text).then(Findings::default)
}

/// Lines `issues-found: 2` and `issue-severity-score: high`, which is that of the worst.
fn scored(text: &str) -> Option<Findings> {
    let value = |name: &str| {
        let own = lines(text).filter(|line| !line.starts_with('>'));
        own.filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    };
    let total: u32 = value("issues-found")?.parse().ok()?;
    let total = total.min(FINDINGS_MAX);
    let mut found = Findings {
        total,
        ..Findings::default()
    };
    if total > 0 {
        match value("issue-severity-score").as_deref() {
            Some("critical") => found.critical = 1,
            Some("high") => found.high = 1,
            Some("medium") => found.medium = 1,
            // The worst is low, so all are.
            Some("low") => found.low = total,
            Some(_) | None => {}
        }
    }
    Some(found)
}

/// Comments between quoted lines: those that ask are findings, those that say that they are no bug are remarks.
fn commented(text: &str) -> Option<Findings> {
    static REMARK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:isn't|is not|not) (?:really |strictly )?a bug\b")
            .expect("the pattern is sound")
    });
    let mut found = Findings::default();
    let mut is_quoting = false;
    let mut comment = String::new();
    let mut end = |comment: &mut String| {
        if REMARK.is_match(comment) {
            found.remarks += 1;
        } else if comment.contains('?') {
            found.total += 1;
        }
        comment.clear();
    };
    for line in lines(text) {
        if line.starts_with('>') {
            is_quoting = true;
            end(&mut comment);
        } else if ["--", "---"].contains(&line.trim_end()) {
            break;
        } else if !line.trim_start().starts_with("[ ...") {
            comment.push_str(line);
            comment.push(' ');
        }
    }
    end(&mut comment);
    if !is_quoting {
        return None;
    }
    // It would not write if it had nothing to say.
    if found.total + found.remarks == 0 {
        found.total = 1;
    }
    found.total = found.total.min(FINDINGS_MAX);
    Some(found)
}
