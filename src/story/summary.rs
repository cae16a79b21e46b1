//! The summary of a story: sentences extracted from its author's text, never invented.
//!
//! A text is read in four steps, each in a file of its own: `lines` classifies lines, `blocks` keeps the prose, `sentences`
//! splits it, and `worth` and `described` judge each sentence. `changes` reads changelogs (with `headings` and `entries`), and
//! `faults` checks the result.

mod blocks;
mod changes;
mod described;
mod entries;
mod faults;
mod headings;
mod joints;
mod lines;
mod machine;
mod sentences;
mod worth;

pub use changes::change;
pub use faults::faults;

use blocks::ProseBlock;

/// The most sentences of a summary: more is not read under a title.
const SENTENCES_MAX: usize = 3;
/// The most characters of one sentence; a longer one is cut.
const SENTENCE_CHARS_MAX: usize = 300;
/// The most characters of a whole summary, spaces between its sentences included.
const SUMMARY_CHARS_MAX: usize = 600;
/// The fewest words of a sentence that says something on its own.
const WORDS_MIN: usize = 4;

/// The fewest words of a sentence that announces omitted text and still sets the scene.
const OPENING_WORDS_MIN: usize = 6;

/// After `as`, these cite somebody.
#[rustfmt::skip]
const CITES: [&str; 10] = [
    "described", "discussed", "documented", "explained", "mentioned", "noted", "reported", "said", "stated", "suggested",
];
/// A sentence that announces something ends with these where it only points to an address.
const POINTS: [&str; 10] = [
    "here", "below", "at", "in", "from", "on", "to", "link", "thread", "url",
];

/// A sentence that may be shown.
struct Candidate {
    text: String,
    /// The number of its block.
    block: usize,
}

impl Candidate {
    /// Whether it describes the author's change.
    fn describes_change(&self) -> bool {
        described::describes_change(&self.text)
    }
}

/// The sentences of a summary: two or three of a cover letter, a merge message, a commit or a mail; fewer where there
/// are no more. Each has at most 300 characters, all together 600; every word is the author's.
pub fn summary(text: &str) -> Vec<String> {
    let text = lines::unescaped(text);
    let text = sentences::without_marks(&text);
    let blocks = blocks::blocks(&text);
    let ShowableParts {
        mut candidates,
        mut lists,
    } = read(&blocks);
    // Text with unpaired quotes or parentheses was written or split wrong, so a reader would stumble.
    if candidates
        .iter()
        .any(|candidate| sentences::is_balanced(&candidate.text))
    {
        candidates.retain(|candidate| sentences::is_balanced(&candidate.text));
    }
    let mut described = candidates.iter().position(Candidate::describes_change);
    let described_in = described.map_or(usize::MAX, |described| candidates[described].block);
    // A list is used if no sentence before it describes the change, or if the paragraph that does ends with a list.
    let before = |list: &Candidate| list.block < described_in && list.describes_change();
    let at = lists
        .iter()
        .position(before)
        .or_else(|| lists.iter().position(|list| list.block == described_in));
    match at {
        Some(at) => {
            let list = lists.swap_remove(at);
            let place = candidates
                .iter()
                .position(|candidate| candidate.block > list.block)
                .unwrap_or(candidates.len());
            if list.block != described_in {
                described = Some(place);
            }
            candidates.insert(place, list);
        }
        None if candidates.is_empty() => candidates.extend(lists.into_iter().next()),
        None => {}
    }
    if candidates.is_empty() {
        return dangling(&blocks);
    }
    let described = described.or_else(|| {
        let sums_up = |candidate: &Candidate| described::sums_up(&candidate.text);
        candidates.iter().position(sums_up)
    });
    within_limits(picked(&candidates, described))
}

/// The parts of a text that may be shown.
struct ShowableParts {
    candidates: Vec<Candidate>,
    /// Lists, each on one line with its announcement.
    lists: Vec<Candidate>,
}

fn read(blocks: &[ProseBlock]) -> ShowableParts {
    let mut read = ShowableParts {
        candidates: Vec::new(),
        lists: Vec::new(),
    };
    for (number, block) in blocks.iter().enumerate() {
        let prose = sentences::split(&block.lead);
        let last = prose.len().saturating_sub(1);
        let mut left_out = false;
        for (at, sentence) in prose.iter().enumerate() {
            // A sentence is useless if it points to omitted text, or continues it.
            let dangles = (at == last && block.dangles) || announces(sentence);
            let resumes = block.resumes && (at == 0 || sentence.starts_with("And "));
            let opens = read.candidates.is_empty() && read.lists.is_empty();
            let stands_alone = match (left_out, opens) {
                (true, _) => !described::depends_on_previous(sentence),
                (false, true) => !described::depends_on_missing(sentence),
                (false, false) => true,
            };
            left_out = worth::says_nothing(sentence) || !stands_alone;
            if resumes || left_out || is_too_short(sentence) {
                continue;
            }
            let is_opening = read.candidates.is_empty() && read.lists.is_empty();
            let text = match dangles {
                false => sentence.clone(),
                true if is_opening && at == last && block.items.is_empty() && !block.quotes => {
                    match opening(sentence) {
                        Some(text) => text,
                        None => continue,
                    }
                }
                true => continue,
            };
            read.candidates.push(Candidate {
                text,
                block: number,
            });
        }
        if let Some(list) = joined_list(block, prose.last()) {
            let is_opening = read.candidates.is_empty() && read.lists.is_empty();
            let announced = prose.last().is_some_and(|lead| announces(lead));
            let list = Candidate {
                text: list,
                block: number,
            };
            if is_opening && announced && !block.resumes {
                read.candidates.push(list)
            } else {
                read.lists.push(list)
            }
        }
    }
    read
}

/// A sentence that sets the scene before it announces omitted text, up to that point; `None` if it only announces: `As was told
/// here:`.
fn opening(sentence: &str) -> Option<String> {
    let mut said = sentence.trim_end_matches([':', ' ', ',', ';', '-']);
    for pointer in [
        ", for example",
        " for example",
        ", e.g.",
        ", i.e.",
        ", eg.",
        ", such as",
    ] {
        said = said.strip_suffix(pointer).unwrap_or(said);
    }
    // `Fix the following warning:` needs no pointer.
    if let Some((verb, what)) = said.split_once(' ')
        && let Some(what) = ["the following ", "following "]
            .iter()
            .find_map(|pointer| what.strip_prefix(pointer))
        && described::describes_change(said)
        && what.split_whitespace().count() <= OPENING_WORDS_MIN
    {
        return Some(format!("{verb} {what}."));
    }
    let lower = said.to_lowercase();
    let mut words = lower.split_whitespace();
    let cites = words.next() == Some("as") && words.take(2).any(|word| CITES.contains(&word));
    let points = lower
        .split_whitespace()
        .next_back()
        .is_some_and(|last| POINTS.contains(&last));
    let is_long = said.split_whitespace().count() >= OPENING_WORDS_MIN;
    (is_long && !cites && !points).then(|| format!("{said} …"))
}

/// The sentences to show, in the author's order: the opening, and the sentence at `described`, which describes the change.
fn picked(candidates: &[Candidate], described: Option<usize>) -> Vec<&Candidate> {
    let mut picked: Vec<&Candidate> = Vec::new();
    for (at, candidate) in candidates.iter().enumerate() {
        let (has_described, left) = match described {
            Some(described) => (at > described, SENTENCES_MAX - picked.len()),
            None => (true, SENTENCES_MAX - picked.len()),
        };
        if left == 0 {
            break;
        }
        let is_description = described == Some(at);
        // The first sentence sets the scene; of a long background one more is enough.
        let is_opening = picked.is_empty();
        // A scene that breaks off needs one sentence more.
        let follows = picked.last().is_some_and(|last| {
            last.block == candidate.block || (picked.len() == 1 && last.text.ends_with('…'))
        });
        let take = if is_description || is_opening {
            true
        } else if has_described {
            follows || picked.len() < 2
        } else {
            // One place is reserved for the sentence that describes the change.
            left > 1 && follows
        };
        if take {
            picked.push(candidate);
        }
    }
    picked
}

fn within_limits(picked: Vec<&Candidate>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    let mut chars = 0;
    for candidate in picked {
        let sentence = sentences::cut(&candidate.text, SENTENCE_CHARS_MAX);
        let more = sentence.chars().count() + usize::from(!kept.is_empty());
        if chars + more > SUMMARY_CHARS_MAX {
            continue;
        }
        chars += more;
        kept.push(sentence);
    }
    kept
}

/// The list of a block on one line, behind the sentence that announces it.
fn joined_list(block: &ProseBlock, lead: Option<&String>) -> Option<String> {
    if block.items.is_empty() {
        return None;
    }
    let mut line = lead
        .filter(|lead| lead.ends_with(':') && !worth::says_nothing(lead))
        .cloned()
        .unwrap_or_default();
    let mut taken = 0;
    for item in &block.items {
        let item = sentences::bare_item(item);
        if worth::says_nothing(item) {
            continue;
        }
        let joint = match (line.is_empty(), taken) {
            (true, _) => "",
            (false, 0) => " ",
            (false, _) => "; ",
        };
        if taken > 0
            && line.chars().count() + joint.len() + item.chars().count() + 3 > SENTENCE_CHARS_MAX
        {
            line.push_str("; …");
            break;
        }
        line.push_str(joint);
        line.push_str(item);
        taken += 1;
    }
    (taken > 0 && !is_too_short(&line)).then_some(line)
}

/// The remaining text of a letter that only announces things.
fn dangling(blocks: &[ProseBlock]) -> Vec<String> {
    blocks
        .iter()
        .filter_map(|block| {
            let sentences = sentences::split(&block.lead);
            let last = sentences.last().cloned();
            last.filter(|last| block.dangles || announces(last))
        })
        .find(|sentence| !is_too_short(sentence) && !worth::says_nothing(sentence))
        .map(|sentence| {
            let said = sentence.trim_end_matches([':', ' ', ',']);
            let said = opening(&sentence).unwrap_or_else(|| format!("{said} …"));
            sentences::cut(&said, SENTENCE_CHARS_MAX)
        })
        .into_iter()
        .collect()
}

/// Whether a sentence ends where it announces something.
fn announces(sentence: &str) -> bool {
    [":", ",", "e.g.", "i.e.", " eg.", " ie."]
        .iter()
        .any(|end| sentence.ends_with(end))
}

/// `Add a map.` is short and says all there is.
fn is_too_short(sentence: &str) -> bool {
    let words = sentence.split_whitespace().count();
    words < WORDS_MIN && (words < 2 || !described::describes_change(sentence))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds of texts as they come, about pens in place of kernels.
    const TEXTS: [(&str, u32, &str); 10] = [
        (
            "a cover letter",
            3,
            "From: Ann <ann@a.example>\n\nHi all,\n\nThis is v3 of the set. Pens have always been blue, e.g. those in pen.c, \
            and nobody\nasked why [0]. That is a pity.\n\nMotivation\n==========\n\nBlue pens are slow, as `pen_write(x. y)` shows:\n\n    $ time pen\n    \
            0m3.000s\n\nThis series adds red pens to struct drawer * (see drawer.h) and lets\npen_write() use them. Old pens stay as they are. Please review.\n\n\
            Changes in v3:\n- Sharpen the pens\n  (Ben).\n- Link to v2: https://a.example/2\n\nChanges in v2:\n- Buy pens.\n\n[0] https://a.example/0\n\nAnn (2):\n  \
            pens: buy\n  pens: paint\n\n pen.c | 2 +-\n 1 file changed, 1 insertion(+)\n\nbase-commit: 0123\n--\n2.1",
        ),
        (
            "a patch",
            2,
            "Fix a leak of ink when the cap is lost. The cap was\nput on twice.\n\nFixes: 012345678901 (\"pens: add caps\")\nSigned-off-by: Ann <a@a.example>\n---\n\
            v1 -> v2: put the cap\n          on once (Ben)\n\n pen.c | 2 +-",
        ),
        (
            "a list only",
            1,
            "This set gives pens:\n\n - a cap\n   * of steel\n - a clip;\n - ink.\n\nThanks,\nAnn",
        ),
        (
            "a list first",
            1,
            "This set makes pens better:\n\n 1) Caps close\n    at once, and\n 2) Ink is red.\n\nAdd tests for both, as one does.",
        ),
        (
            "a merge",
            1,
            "Merge branch 'red-pens'\n\nAnn Author says:\n\n====================\npens: make them red\n\nRed pens are easier to see. Add them to the drawer, and let\n\
            readers choose.\n====================\n\nLink: https://a.example/1\nSigned-off-by: Ben <b@b.example>",
        ),
        (
            "a merge of a tag",
            1,
            "Merge tag 'pens-6.1' of git://a.example/pens\n\nPull pen fixes from Ann Author:\n\n - Fix a leak of ink (Ben)\n\n - Make caps of steel\n   (Cem)\n\n\
            * tag 'pens-6.1' of git://a.example/pens:\n  pens: fix a leak\n",
        ),
        (
            "an answer",
            1,
            "On Friday, Ben wrote:\n> Why red?\n\nHi Ben,\n\nRed is seen by all. What did you expect?\n\n> And blue?\n\nBlue is not, i.e. not at night.\n\nCheers,\nAnn",
        ),
        (
            "long background",
            1,
            "Ink dries. Dry ink is a problem in v6.12 and before. People throw pens away. They\nbuy new ones. Those dry up too.\n\nIt was always so.\n\n\
            To end that, close the cap when pen_put() is called. This takes 3 ns.",
        ),
        (
            "one long sentence",
            1,
            "Pens are sold in boxes, and the boxes are sold in shops, and the shops are found in towns, and the towns lie near rivers, \
            and the rivers flow to the sea, and the sea is full of ships, and the ships carry boxes, and in the boxes there are pens, and the pens are \
            sold again, and so it goes on and on, for ever and a day.",
        ),
        (
            "nothing",
            2,
            "Signed-off-by: Ann <a@a.example>\n---\n pen.c | 2 +-\n",
        ),
    ];

    #[test]
    fn summaries_of_all_kinds_of_texts() {
        let mut shown = String::new();
        for (name, version, text) in TEXTS {
            shown.push_str(&format!("# {name}\n"));
            for sentence in summary(text) {
                assert!(
                    faults(&sentence).is_empty(),
                    "{sentence}: {:?}",
                    faults(&sentence)
                );
                shown.push_str(&format!("{sentence}\n"));
            }
            if let Some(change) = change(text, version) {
                shown.push_str(&format!("v{version}: {change}\n"));
            }
        }
        insta::assert_snapshot!(shown, @r"
        # a cover letter
        Pens have always been blue, e.g. those in pen.c, and nobody asked why.
        That is a pity.
        This series adds red pens to struct drawer * (see drawer.h) and lets pen_write() use them.
        v3: Sharpen the pens (Ben)
        # a patch
        Fix a leak of ink when the cap is lost.
        The cap was put on twice.
        v2: put the cap on once (Ben)
        # a list only
        This set gives pens: a cap; a clip; ink
        # a list first
        This set makes pens better: Caps close at once; Ink is red
        Add tests for both, as one does.
        # a merge
        Red pens are easier to see.
        Add them to the drawer, and let readers choose.
        # a merge of a tag
        Pull pen fixes from Ann Author: Fix a leak of ink (Ben); Make caps of steel (Cem)
        # an answer
        Red is seen by all.
        What did you expect?
        # long background
        Dry ink is a problem in v6.12 and before.
        People throw pens away.
        To end that, close the cap when pen_put() is called.
        # one long sentence
        Pens are sold in boxes, and the boxes are sold in shops, and the shops are found in towns, and the towns lie near rivers, and the rivers flow to the sea, and the sea is full of ships, and the ships carry boxes, and in the boxes there are pens, and the pens are sold again, and so it goes on and on …
        # nothing
        ");
    }

    #[test]
    fn an_announcement_sets_the_scene() {
        #[rustfmt::skip]
        let table = [
            ("The test of pens stops with this error:\n\n    no ink\n\nPut more ink into it.", "The test of pens stops with this error … Put more ink into it."),
            ("The test has two faults:\n1. Pens are red.\n2. Ink is dry.\n\nMend both of them at once.", "The test has two faults: Pens are red; Ink is dry Mend both of them at once."),
            ("Pens are copied without their caps, for example:\n\n    pen(1)\n\nPut caps on all pens.", "Pens are copied without their caps … Put caps on all pens."),
            ("As is described in the book of all pens:\n\n    red\n\nPut more ink into it.", "Put more ink into it."),
            ("This makes what Ann asked for here:\nhttps://a.example/1\n\nPens are red from now on.", "Pens are red from now on."),
            ("This adds a red pen to all drawers. It has three parts:\n- a cap\n- a clip", "This adds a red pen to all drawers. It has three parts: a cap; a clip"),
            ("Please review. It was slow all the time.\n\nPens are fast now, and red.", "Pens are fast now, and red."),
            ("Fix the following warnings of pens:\n\n    no ink", "Fix warnings of pens."),
            ("The test of pens stops with this error:\n\n    no ink\n\nInk is dry today.\n\nIt was always dry.\n\nPut more ink into it.", "The test of pens stops with this error … Ink is dry today. Put more ink into it."),
            ("Pens are red all the time. Ink is dry.\n\nNobody cares for them.\n\nAs a result, they dry up at once.", "Pens are red all the time. As a result, they dry up at once."),
            ("A pen is red since the cap was lost and found in a", ""),
        ];
        for (text, wanted) in table {
            assert_eq!(summary(text).join(" "), wanted, "{text}");
        }
    }

    #[test]
    fn every_word_is_the_authors() {
        for (name, _, text) in TEXTS {
            let words: Vec<&str> = text.split_whitespace().collect();
            for sentence in summary(text) {
                for word in sentence.split_whitespace().filter(|word| *word != "…") {
                    let bare = word.trim_end_matches([';', '.', ':', ',']);
                    let written = words
                        .iter()
                        .any(|written| written.trim_end_matches([';', '.', ':', ',']) == bare);
                    assert!(written, "{name}: {word}");
                }
            }
        }
    }

    #[test]
    fn no_summary_is_too_long() {
        let long = "word ".repeat(500);
        let sentences = format!("{long}. Add {long}. Then {long}.").repeat(3);
        let kept = summary(&sentences);
        let chars: usize = kept
            .iter()
            .map(|sentence| sentence.chars().count() + 1)
            .sum();
        assert!(
            !kept.is_empty() && chars <= SUMMARY_CHARS_MAX + 1,
            "{chars}"
        );
        assert!(
            kept.iter()
                .all(|sentence| sentence.chars().count() <= SENTENCE_CHARS_MAX)
        );
    }

    #[test]
    fn hostile_text_is_read_to_its_end() {
        for part in [
            "[",
            "(",
            "`",
            "\"",
            "[1]",
            "é. É",
            "v2:\n",
            "- ",
            "…\u{a0}",
            "> ",
            "---\n",
            "=\n",
            "RFC",
            "[v",
            "é(",
            "v\u{661}:",
            "\u{661}) a",
            "?\"",
        ] {
            let text = part.repeat(4_000);
            summary(&text);
            change(&text, 2);
            summary(&format!("A pen {text} is red"));
            faults(&text);
        }
    }
}
