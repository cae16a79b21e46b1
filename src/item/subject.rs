//! Subject lines: `Re: [PATCH bpf-next v3 2/7] bpf: …` read into their parts.

/// A subject line, read. The title is what stands behind the leading tags.
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
    /// `vN`; 1 where none is told. `v5.1` is 5.
    pub version: u32,
    /// Part and total: `2/7` is `(2, 7)`, a cover letter `(0, 7)`.
    pub part: Option<(u32, u32)>,
    /// The other words in the tags, as written: trees such as `bpf-next`.
    pub trees: Vec<String>,
    /// What stands behind the tags.
    pub title: String,
}

/// A series of more parts is a typing error.
const PARTS_MAX: u32 = 999;

impl Subject {
    /// Reads a subject line; whatever is not understood stays in the title.
    pub fn parse(raw: &str) -> Self {
        let mut subject = Self {
            version: 1,
            ..Self::default()
        };
        let mut rest = raw.trim();
        loop {
            if let Some(after) = strip_reply(rest) {
                subject.reply = true;
                rest = after;
            } else if let Some((tags, after)) = split_tags(rest) {
                if !subject.take_tags(tags) {
                    break;
                }
                rest = after;
            } else {
                break;
            }
        }
        subject.title = rest.split_whitespace().collect::<Vec<_>>().join(" ");
        let lower = subject.title.to_ascii_lowercase();
        subject.pull |= lower.starts_with("pull request:") || lower.starts_with("pull-request:");
        subject
    }

    /// Whether this is a series' cover letter.
    pub fn is_cover(&self) -> bool {
        self.part.is_some_and(|(number, _)| number == 0)
    }

    /// Whether two subjects may stand in one revision: same version and same number of parts.
    pub fn same_revision(&self, other: &Self) -> bool {
        self.version == other.version
            && self.part.map(|(_, total)| total) == other.part.map(|(_, total)| total)
    }

    /// Takes the words of one bracket; `false` (and nothing taken) where none of them is a tag we know and brackets
    /// before it told all there is: `[llvm] r1 - …` keeps its bracket.
    fn take_tags(&mut self, tags: &str) -> bool {
        let words: Vec<&str> = tags
            .split([' ', ',', '\t'])
            .filter(|word| !word.is_empty())
            .collect();
        // Behind `[PATCH]` a bracket of its own may name a tree.
        let is_tree = self.patch && words.len() == 1 && names_tree(words[0]);
        if !is_tree && !words.iter().any(|word| self.clone().take_tag(word)) {
            return false;
        }
        for word in words {
            if !self.take_tag(word) {
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
            "RESEND" | "REPOST" => self.resend = true,
            "PULL" | "GIT" => self.pull = true,
            _ if patch_version == Some("") => self.patch = true,
            _ => {
                if let Some(version) = patch_version.and_then(version_of) {
                    self.patch = true;
                    self.version = version;
                } else if upper.contains('.') && self.version > 1 {
                    // `[PATCH v5 v6.11 v5.15]`: for which kernels, not which version.
                    return false;
                } else if let Some(version) = version_of(&upper) {
                    self.version = version;
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

/// Whether a word alone in a bracket is a tree, as far as one can tell.
fn names_tree(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    matches!(word.as_str(), "bpf" | "net") || word.ends_with("next") || word.starts_with("for-")
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

fn version_of(upper: &str) -> Option<u32> {
    let digits = upper.strip_prefix('V')?.split('.').next()?;
    digits.parse().ok().filter(|&version| version <= PARTS_MAX)
}

fn part_of(word: &str) -> Option<(u32, u32)> {
    let (number, total) = word.split_once('/')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
    if !digits(number) || !digits(total) {
        return None;
    }
    let (number, total) = (number.parse().ok()?, total.parse().ok()?);
    (number <= total && total <= PARTS_MAX).then_some((number, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_as_they_are_met_are_read() {
        type Tags = (bool, bool, u32, Option<(u32, u32)>);
        #[rustfmt::skip]
        let table: [(&str, Tags, &str, &str); 18] = [
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
            ("[PATCH 9/2] x", (false, true, 1, None), "9/2", "x"),
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
}
