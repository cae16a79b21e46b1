//! Subject lines: `Re: [PATCH bpf-next v3 2/7] bpf: …` read into their parts.

/// A subject line in parts. The title is the text behind the leading tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// It begins with `Re:` or its like.
    pub reply: bool,
    /// It says that it is a patch, or counts parts.
    pub patch: bool,
    /// It asks for a pull.
    pub pull: bool,
    /// It asks for comments only.
    pub rfc: bool,
    /// It was sent before.
    pub resend: bool,
    /// `vN`; 1 if none is given. `v5.1` is 5.
    pub version: u32,
    /// Whether it says which version it is.
    pub versioned: bool,
    /// Part and total: `2/7` is `(2, 7)`, a cover letter `(0, 7)`, an addendum `(8, 7)`. The cover letter of a `[PATCHSET]`
    /// that does not count its parts is `(0, 0)`.
    pub part: Option<(u32, u32)>,
    /// The other words in the tags, as written: trees such as `bpf-next`.
    pub trees: Vec<String>,
    /// The text behind the tags.
    pub title: String,
}

/// A series of more parts is a typing error.
const PARTS_MAX: u32 = 999;
/// So many parts may be added to a series by an answer: `[PATCH 9/8]`.
const ADDED_MAX: u32 = 3;
/// Brackets before the one that says `PATCH` that may be a list's or a mail server's.
const PREFIXES_MAX: usize = 3;
/// The least minor number of a kernel: `v5.1` may be a version of a patch, `v5.15` and `v6.6` are kernels.
const KERNEL_MINOR_MIN: u32 = 3;

impl Subject {
    /// Reads a subject line. Unknown parts stay in the title.
    pub fn parse(raw: &str) -> Self {
        Self::read(raw, false)
    }

    /// Reads the subject line of a mail that holds a diff: a tag that names nothing but a tree makes it a patch too.
    pub fn parse_with_diff(raw: &str) -> Self {
        Self::read(raw, true)
    }

    fn read(raw: &str, has_diff: bool) -> Self {
        let mut subject = Self {
            version: 1,
            ..Self::default()
        };
        let mut rest = raw.trim();
        while let Some(after) = subject.take_head(rest, has_diff) {
            rest = after;
        }
        subject.title = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let lower = subject.title.to_ascii_lowercase();
        subject.pull |= lower.starts_with("pull request:") || lower.starts_with("pull-request:");
        let is_tagged = subject.versioned || subject.rfc || !subject.trees.is_empty();
        subject.patch |= has_diff && is_tagged && !subject.reply && !subject.pull;
        subject
    }

    /// Takes the mark of an answer, or a bracket of tags, from the front; returns the rest.
    fn take_head<'a>(&mut self, rest: &'a str, has_diff: bool) -> Option<&'a str> {
        if let Some(after) = strip_reply(rest) {
            self.reply = true;
            return Some(after);
        }
        let (tags, after) = split_tags(rest)?;
        // A list puts its name before the author's tags: `[some-list] [PATCH v2 1/3] …`.
        let is_taken = self.take_tags(tags, has_diff) || leads_to_patch(after, PREFIXES_MAX);
        is_taken.then_some(after)
    }

    /// Whether this is a series' cover letter.
    pub fn is_cover(&self) -> bool {
        self.part.is_some_and(|(number, _)| number == 0)
    }

    /// Whether it counts itself beyond the series that it was added to: `[PATCH 9/8]`.
    pub fn is_addendum(&self) -> bool {
        self.part.is_some_and(|(number, total)| number > total)
    }

    /// Whether two subjects may stand in one revision: same version and same number of parts.
    pub fn same_revision(&self, other: &Self) -> bool {
        self.version == other.version
            && self.part.map(|(_, total)| total) == other.part.map(|(_, total)| total)
    }

    /// Takes the words of one bracket. `false` (and nothing taken) if none of them is a known tag and earlier brackets said it
    /// all: `[llvm] r1 - …` keeps its bracket.
    fn take_tags(&mut self, tags: &str, has_diff: bool) -> bool {
        let words: Vec<&str> = tags
            .split([' ', ',', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        // Behind `[PATCH]`, and above a diff, a bracket of its own may name a tree.
        let is_tree = (self.patch || has_diff) && words.len() == 1 && names_tree(words[0]);
        if !is_tree && !words.iter().any(|word| self.clone().take_tag(word)) {
            return false;
        }
        for word in words {
            if !self.take_tag(word) && !names_no_tree(word) {
                self.trees.push(word.to_owned());
            }
        }
        true
    }

    /// Takes one word if it is a tag we know.
    fn take_tag(&mut self, word: &str) -> bool {
        let upper = word.to_ascii_uppercase();
        let patch_version = upper
            .strip_prefix("PATCH")
            .map(|rest| rest.trim_start_matches(['-', ':']));
        match upper.as_str() {
            "RFC" => self.rfc = true,
            "RESEND" | "REPOST" | "REBASED" | "-REBASED" => self.resend = true,
            "PULL" | "GIT" => self.pull = true,
            // A cover letter that counts nothing; a count beside it is the better one.
            "PATCHSET" | "PATCHES" => {
                self.patch = true;
                self.part = self.part.or(Some((0, 0)));
            }
            _ if patch_version == Some("") => self.patch = true,
            _ => {
                if let Some(version) = patch_version.and_then(version_of) {
                    self.patch = true;
                    (self.version, self.versioned) = (version, true);
                } else if upper.contains('.') && self.version > 1 {
                    // `[PATCH v5 v6.11 v5.15]`: for which kernels, not which version.
                    return false;
                } else if let Some(version) = version_of(&upper) {
                    (self.version, self.versioned) = (version, true);
                } else if let Some(part) = part_of(word) {
                    self.part = Some(part);
                    self.patch = true;
                } else {
                    return false;
                }
            }
        }
        true
    }
}

/// Whether a bracket of a patch follows, perhaps behind other brackets and `Re:`.
fn leads_to_patch(rest: &str, brackets: usize) -> bool {
    if let Some(after) = strip_reply(rest) {
        return leads_to_patch(after, brackets);
    }
    let Some((tags, after)) = split_tags(rest).filter(|_| brackets > 0) else {
        return false;
    };
    let words = tags.split([' ', ',', '\t']);
    let is_patch = words.filter(|word| !word.is_empty()).any(|word| {
        let mut found = Subject::default();
        found.take_tag(word) && (found.patch || found.pull || found.rfc)
    });
    is_patch || leads_to_patch(after, brackets - 1)
}

/// Whether a word alone in a bracket seems to name a tree.
fn names_tree(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    matches!(word.as_str(), "bpf" | "net") || word.ends_with("next") || word.starts_with("for-")
}

/// Whether a word in the tags is known to name no tree: a count out of bounds, a conference and its requests.
fn names_no_tree(word: &str) -> bool {
    let count = word.split_once('/').is_some_and(|(number, total)| {
        let halves = [number, total];
        halves.iter().all(|half| is_number(half))
    });
    let is_conference = ["LSF", "LPC"].iter().any(|name| word.starts_with(name));
    count || is_conference || word == "TOPIC"
}

fn strip_reply(text: &str) -> Option<&str> {
    const MARKS: [&str; 8] = [
        "re:", "fwd:", "fw:", "aw:", "sv:", "antw:", "reply:", "回复:",
    ];
    MARKS.iter().find_map(|mark| {
        let head = text.get(..mark.len())?;
        head.eq_ignore_ascii_case(mark)
            .then(|| text[mark.len()..].trim_start())
    })
}

fn split_tags(text: &str) -> Option<(&str, &str)> {
    let (tags, rest) = text.strip_prefix('[')?.split_once(']')?;
    (tags.len() <= 120).then(|| (tags, rest.trim_start()))
}

/// The version that `V2` or `V5.1` says; `None` for a kernel (`V6.6.Y`, `V6.6-V6.1`, `V5.15`).
fn version_of(upper: &str) -> Option<u32> {
    let digits = upper.strip_prefix('V')?.trim_end_matches("-REBASED");
    let (version, minor) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_patch = minor
        .parse()
        .is_ok_and(|minor: u32| minor < KERNEL_MINOR_MIN);
    let version = version.parse().ok().filter(|_| is_patch)?;
    (version <= PARTS_MAX).then_some(version)
}

fn part_of(word: &str) -> Option<(u32, u32)> {
    let (number, total) = word.split_once('/')?;
    if !is_number(number) || !is_number(total) {
        return None;
    }
    let (number, total): (u32, u32) = (number.parse().ok()?, total.parse().ok()?);
    let added = if total == 0 { 0 } else { ADDED_MAX };
    (number <= total + added && total <= PARTS_MAX).then_some((number, total))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_they_are_met_are_read() {
        type Tags = (bool, bool, u32, Option<(u32, u32)>);
        #[rustfmt::skip]
        let table: [(&str, Tags, &str, &str); 31] = [
            (
                "[PATCH v5 v6.11 v5.15 1/1] x",
                (false, true, 5, Some((1, 1))),
                "v6.11 v5.15",
                "x",
            ),
            (
                "[PATCH][next][V2] x: y",
                (false, true, 2, None),
                "next",
                "x: y",
            ),
            (
                "[PATCH bpf-next v3 2/7] bpf: Add it",
                (false, true, 3, Some((2, 7))),
                "bpf-next",
                "bpf: Add it",
            ),
            (
                "Re: [PATCH bpf 0/2] x",
                (true, true, 1, Some((0, 2))),
                "bpf",
                "x",
            ),
            (
                "[PATCHv4 01/14] x",
                (false, true, 4, Some((1, 14))),
                "",
                "x",
            ),
            (
                "[PATCH 0/4] [v6] x",
                (false, true, 6, Some((0, 4))),
                "",
                "x",
            ),
            (
                "[net-next PATCH V1] x",
                (false, true, 1, None),
                "net-next",
                "x",
            ),
            (
                "[PATCH v5.1 10/12] x",
                (false, true, 5, Some((10, 12))),
                "",
                "x",
            ),
            (
                "[PATCH,bpf-next v2 0/4] x",
                (false, true, 2, Some((0, 4))),
                "bpf-next",
                "x",
            ),
            (
                "[PATCH bpf,v2,0/2] x",
                (false, true, 2, Some((0, 2))),
                "bpf",
                "x",
            ),
            (
                "[bpf-next 1/4] x",
                (false, true, 1, Some((1, 4))),
                "bpf-next",
                "x",
            ),
            (
                "[PATCH v8 bpf-next/net 1/6] x",
                (false, true, 8, Some((1, 6))),
                "bpf-next/net",
                "x",
            ),
            ("[RFC PATCH -next] x", (false, true, 1, None), "-next", "x"),
            (
                "[llvm] r302055 - [bpf] add it",
                (false, false, 1, None),
                "",
                "[llvm] r302055 - [bpf] add it",
            ),
            (
                "[GIT PULL] BPF changes for 6.18",
                (false, false, 1, None),
                "",
                "BPF changes for 6.18",
            ),
            (
                "RE: re: A  question",
                (true, false, 1, None),
                "",
                "A question",
            ),
            ("[PATCH 9/2] x", (false, true, 1, None), "", "x"),
            ("[PATCH v3 nf 9/8] x", (false, true, 3, Some((9, 8))), "nf", "x"),
            ("[PATCHSET v10 sched_ext/for-6.19] x", (false, true, 10, Some((0, 0))), "sched_ext/for-6.19", "x"),
            ("[PATCHSET 0/5] x", (false, true, 1, Some((0, 5))), "", "x"),
            ("[some-list] [PATCH net v2 1/3] x", (false, true, 2, Some((1, 3))), "net", "x"),
            ("Re: [EXTERNAL] Re: [some-list] [RFC v2] x", (true, false, 2, None), "", "x"),
            ("[LSF/MM/BPF TOPIC][RFC PATCH v4 00/27] x", (false, true, 4, Some((0, 27))), "", "x"),
            ("[some-list] a question", (false, false, 1, None), "", "[some-list] a question"),
            ("[PATCH v6.6.y] x", (false, true, 1, None), "v6.6.y", "x"),
            ("[PATCH 6.6.y 1/2] x", (false, true, 1, Some((1, 2))), "6.6.y", "x"),
            ("[PATCH v6.6-v6.1] x", (false, true, 1, None), "v6.6-v6.1", "x"),
            ("[PATCH v6.12] x", (false, true, 1, None), "v6.12", "x"),
            ("[PATCH v5-rebased 3/4] x", (false, true, 5, Some((3, 4))), "", "x"),
            ("[bpf-next] x", (false, false, 1, None), "", "[bpf-next] x"),
            ("", (false, false, 1, None), "", ""),
        ];
        for (raw, (reply, patch, version, part), trees, title) in table {
            let subject = Subject::parse(raw);
            assert_eq!(
                (subject.reply, subject.patch, subject.version, subject.part),
                (reply, patch, version, part),
                "{raw}"
            );
            assert_eq!(
                (subject.trees.join(" ").as_str(), subject.title.as_str()),
                (trees, title),
                "{raw}"
            );
        }
        assert!(
            Subject::parse("[GIT PULL] x").pull
                && Subject::parse("pull-request: bpf 2026-01-01").pull
        );
        assert!(Subject::parse("[GIT] Networking").title == "Networking");
    }

    #[test]
    fn a_diff_makes_a_patch_of_a_mail_whose_tags_name_a_tree_or_a_version() {
        let table = [
            ("[bpf-next] x: y", true, "x: y"),
            ("[bpf-next v2] x: y", true, "x: y"),
            ("[RFC bpf-next v5] x: y", true, "x: y"),
            ("x: y", false, "x: y"),
            ("Re: [bpf-next v2] x: y", false, "x: y"),
            ("[llvm] x: y", false, "[llvm] x: y"),
        ];
        for (raw, is_patch, title) in table {
            let subject = Subject::parse_with_diff(raw);
            assert_eq!(
                (subject.patch, subject.title.as_str()),
                (is_patch, title),
                "{raw}"
            );
        }
        assert!(!Subject::parse("[bpf-next v2] x: y").patch);
    }
}
