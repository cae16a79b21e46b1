//! Decides whether a story is about BPF, how much it matters, and why. Pure.
//!
//! The author's text and changes count. The recipients of a mail show little, and a passing word in a long text shows nothing.

mod harm;
mod matter;
mod reasons;
mod titles;

use std::collections::BTreeMap;

pub use self::matter::Matter;
use self::reasons::Evidence;
pub use self::reasons::{REASONS, Reason};
use self::titles::{found, without_namesakes};
use super::machine::Machines;
use crate::item::prose;

/// How many of a story's patches, or of the files that it changes, must be BPF's: one in so many.
const SHARE: usize = 4;
/// How often a text must name BPF, and in how few words each time, where neither title nor files do.
const MENTIONS_MIN: usize = 3;
const WORDS_PER_MENTION_MAX: usize = 80;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Whether it is about BPF.
    pub relevant: bool,
    /// How much it matters: the sum of the weights of its reasons.
    pub score: i32,
    /// Why, in words for a reader: first whether it is about BPF, then each reason with its weight.
    pub why: Vec<String>,
}

/// The fold's part of the configuration: words, paths, weights and machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldRules {
    /// Words that make a title or a tag BPF's, anywhere in it and in any case.
    pub title: Vec<String>,
    /// Parts of a path that make a file BPF's.
    pub paths: Vec<String>,
    /// The weight of each reason, by its name.
    pub weights: BTreeMap<&'static str, i32>,
    /// Senders that are machines, or are none, beside those that are known.
    pub machines: Machines,
}

impl Default for FoldRules {
    fn default() -> Self {
        let words = [
            "bpf",
            "xdp",
            "btf",
            "xsk",
            "kfunc",
            "sched_ext",
            "scx_",
            "struct_ops",
            "sockmap",
            "skmsg",
            "pahole",
            "cilium",
            "bpftrace",
        ];
        let paths = [
            "bpf",
            "xdp",
            "xsk",
            "btf",
            "net/core/filter.c",
            "linux/filter.h",
            "skmsg",
            "sock_map",
            "sched/ext",
            "sched_ext",
        ];
        Self {
            title: words.map(str::to_owned).to_vec(),
            paths: paths.map(str::to_owned).to_vec(),
            weights: REASONS
                .iter()
                .map(|reason| (reason.name, reason.weight))
                .collect(),
            machines: Machines::default(),
        }
    }
}

/// Judges a story.
pub fn judge(matter: &Matter, words: &FoldRules) -> Judgement {
    let about = about(matter, words);
    let mut judgement = Judgement {
        relevant: about.is_ok(),
        score: 0,
        why: vec![match about {
            Ok(why) => format!("about BPF: {why}"),
            Err(why) => format!("not about BPF: {why}"),
        }],
    };
    let evidence = Evidence::new(matter, &words.title, &words.paths);
    for reason in &REASONS {
        let weight = words
            .weights
            .get(reason.name)
            .copied()
            .unwrap_or(reason.weight);
        if weight != 0 && (reason.holds)(&evidence) {
            judgement.score += weight;
            judgement.why.push(format!("{} ({weight:+})", reason.words));
        }
    }
    judgement
}

/// Whether it is about BPF, and why or why not.
fn about(matter: &Matter, words: &FoldRules) -> Result<String, String> {
    if let Some(feed) = matter.home.first() {
        return Ok(format!("all that {feed} carries is"));
    }
    let own = matter.titles.first().map_or("", String::as_str);
    if let Some(word) = found(own, &words.title) {
        return Ok(format!("\"{word}\" in the title"));
    }
    if let Some(tree) = matter
        .trees
        .iter()
        .find(|tree| found(tree, &words.title).is_some())
    {
        return Ok(format!("meant for {tree}"));
    }
    let patches = matter.titles.get(1..).unwrap_or_default();
    let named = patches
        .iter()
        .filter(|title| found(title, &words.title).is_some())
        .count();
    if named > 0 && named * SHARE >= patches.len() {
        return Ok(format!("{named} of {} patches name it", patches.len()));
    }
    let ours = matter
        .paths
        .iter()
        .filter(|path| found(path, &words.paths).is_some())
        .count();
    if ours > 0 && ours * SHARE >= matter.paths.len() {
        return Ok(format!("{ours} of {} files are BPF's", matter.paths.len()));
    }
    // The text of many patches is more about the touched code than about the purpose. A thread has only its text.
    let text = matter.texts.first().map_or("", String::as_str);
    let mentions = mentions(text, &words.title);
    let count = text.split_whitespace().count();
    // A build robot's list names files of everybody.
    let is_bare = matter.paths.is_empty() && patches.len() <= 1 && !is_build_report(own);
    if is_bare && mentions >= MENTIONS_MIN && count <= mentions * WORDS_PER_MENTION_MAX {
        return Ok(format!(
            "its text names it {mentions} times in {count} words"
        ));
    }
    Err(match (named, ours, mentions) {
        (0, 0, 0) => "nothing of it in title, tags, files or text".to_owned(),
        (0, 0, _) => format!("named {mentions} times in a text of {count} words only"),
        (named, ours, _) => format!(
            "only {named} of {} patches and {ours} of {} files",
            patches.len(),
            matter.paths.len()
        ),
    })
}

/// Whether a title is that of a build robot's report of a whole tree: `[linux-next:master] BUILD REGRESSION 0123abc`.
fn is_build_report(title: &str) -> bool {
    let behind = title
        .strip_prefix('[')
        .and_then(|title| title.split_once(']'));
    behind.is_some_and(|(tree, rest)| tree.contains(':') && rest.trim_start().starts_with("BUILD "))
}

/// How many words of a text hold one of `words`; addresses, links and quoted lines do not count.
fn mentions(text: &str, words: &[String]) -> usize {
    let text = text.to_lowercase();
    let text = without_namesakes(&text);
    let lines = prose::lines(&text).filter(|line| !line.starts_with('>'));
    lines
        .flat_map(str::split_whitespace)
        .filter(|word| words.iter().any(|said| word.contains(said)))
        .filter(|word| !word.contains('@') && !word.contains("://"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matter(title: &str, patches: &[&str], paths: &[&str], text: &str) -> Matter {
        Matter {
            titles: std::iter::once(title)
                .chain(patches.iter().copied())
                .map(str::to_owned)
                .collect(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            texts: vec![text.to_owned()],
            ..Matter::default()
        }
    }

    #[test]
    fn title_tags_patches_files_and_text_decide_relevance() {
        let long = "word ".repeat(400);
        #[rustfmt::skip]
        let table = [
            (true, matter("bpf: add a thing", &[], &[], ""), "\"bpf\" in the title"),
            (true, matter("tools: Libbpf moves", &[], &[], ""), "\"bpf\" in the title"),
            (true, matter("net: all", &["a", "b", "xdp: c", "d"], &[], ""), "1 of 4 patches name it"),
            (false, matter("net: all", &["a", "b", "xdp: c", "d", "e"], &[], ""), "only 1 of 5 patches and 0 of 0 files"),
            (true, matter("net: x", &[], &["net/core/filter.c", "net/a.c"], ""), "1 of 2 files are BPF's"),
            (false, matter("net: x", &[], &["kernel/bpf/a.c", "a", "b", "c", "d"], ""), "only 0 of 0 patches and 1 of 5 files"),
            (true, matter("a question", &[], &[], "My BPF program loads an XDP map by bpf()."), "its text names it 3 times in 9 words"),
            (false, matter("a question", &[], &[], &format!("BPF {long} bpf xdp")), "named 3 times in a text of 403 words only"),
            (false, matter("a question", &[], &[], "> bpf bpf bpf bpf\nno"), "nothing of it in title, tags, files or text"),
            (false, matter("a question", &[], &[], "bpf@x.org https://x/bpf bpf@y"), "nothing of it in title, tags, files or text"),
            // The conference and seccomp's programs only sound like it.
            (false, matter("[LSF/MM/BPF TOPIC] Larger pages", &[], &[], "See you at LSF/MM/BPF, LSFMM+BPF or LSFMMBPF."), "nothing of it in title, tags, files or text"),
            (true, matter("[LSF/MM/BPF TOPIC] BPF in larger pages", &[], &[], ""), "\"bpf\" in the title"),
            (false, matter("selftests: seccomp_bpf: Count", &[], &["tools/testing/selftests/seccomp/seccomp_bpf.c"], "seccomp_bpf seccomp-bpf seccomp_bpf.c"), "nothing of it in title, tags, files or text"),
            (false, matter("samples: Count", &[], &["samples/seccomp/bpf-direct.c", "samples/seccomp/bpf-helper.h"], ""), "nothing of it in title, tags, files or text"),
            (true, matter("samples: Count", &[], &["samples/seccomp/bpf-direct.c", "samples/bpf/count.c"], ""), "1 of 2 files are BPF's"),
            (false, matter("[linux-next:master] BUILD REGRESSION 0123abc", &[], &[], "kernel/bpf/a.c kernel/bpf/b.c net/xdp/c.c"), "named 3 times in a text of 3 words only"),
            (true, matter("[bpf-next:master] BUILD REGRESSION 0123abc", &[], &[], ""), "\"bpf\" in the title"),
        ];
        for (wanted, matter, why) in table {
            let judged = judge(&matter, &FoldRules::default());
            assert_eq!(judged.relevant, wanted, "{:?}", matter.titles);
            let about = if wanted { "about BPF" } else { "not about BPF" };
            assert_eq!(judged.why[0], format!("{about}: {why}"));
        }
        let mut tagged = matter("net: x", &[], &[], "");
        tagged.trees = vec!["bpf-next/net".to_owned()];
        assert!(judge(&tagged, &FoldRules::default()).relevant);
        tagged.trees = vec!["LSF/MM/BPF".to_owned()];
        assert!(!judge(&tagged, &FoldRules::default()).relevant);
        let mut home = matter("1.2.3", &[], &[], "");
        home.home = vec!["libbpf".to_owned()];
        assert!(judge(&home, &FoldRules::default()).relevant);
    }

    fn holds(name: &str, matter: &Matter) -> bool {
        let rules = FoldRules::default();
        let reason = REASONS.iter().find(|reason| reason.name == name);
        (reason.expect("a reason").holds)(&Evidence::new(matter, &rules.title, &rules.paths))
    }

    #[test]
    fn every_reason_holds_for_something_and_not_for_its_like() {
        let files = |paths: &[&str]| matter("bpf: x", &[], paths, "");
        #[rustfmt::skip]
        let table: [(&str, Matter, Matter); 26] = [
            ("feature", matter("bpf: Add guards", &[], &[], ""), matter("bpf: Add missing guards", &[], &[], "")),
            ("feature", matter("Guards", &["bpf: x", "libbpf: Support guards"], &[], ""), matter("Guards", &["bpf: x", "selftests/bpf: Add guards"], &[], "")),
            ("feature", matter("mlx: Introduce XDP", &[], &["drivers/net/a.c"], ""), matter("bpf: Fix x and y", &["bpf: Add y"], &[], "")),
            ("helper", matter("Get the class", &["bpf: add get class helper"], &[], ""), matter("bpf: Add x", &["selftests/bpf: add a helper"], &[], "")),
            ("revert", matter("bpf: Two steps back", &["Revert \"bpf: x\""], &[], ""), matter("bpf: x", &["bpf: Do not revert x"], &[], "")),
            ("selftests_only", matter("Network helpers", &["selftests/bpf: a", "bpf, selftests: b"], &[".../prog_tests/a.c"], ""), matter("bpf: selftests and more", &["selftests/bpf: a", "libbpf: b"], &[], "")),
            ("kfunc", matter("bpf: add kfuncs for x", &[], &[], ""), matter("selftests/bpf: test kfunc x", &[], &[], "")),
            ("helper", matter("bpf: Add helper for x", &[], &[], ""), matter("bpf: fix a helper", &[], &[], "")),
            ("program_type", matter("bpf: BPF_PROG_TYPE_X", &[], &[], ""), matter("bpf: program", &[], &[], "")),
            ("map_type", matter("bpf: a new map type", &[], &[], ""), matter("bpf: a map", &[], &[], "")),
            ("uapi", files(&["include/uapi/linux/bpf.h"]), files(&["include/linux/bpf.h", "tools/include/uapi/linux/bpf.h", ".../include/uapi/linux/if_xdp.h"])),
            ("jit", matter("arm64, bpf: JIT it", &[], &[], ""), matter("bpf: jitter", &[], &[], "")),
            ("verifier", files(&["kernel/bpf/verifier.c"]), files(&["kernel/bpf/core.c"])),
            ("arena", matter("bpf: arena maps", &[], &[], ""), matter("bpf: arenas_of", &[], &[], "")),
            ("sched_ext", matter("sched_ext: x", &[], &[], ""), matter("sched: ext", &[], &[], "")),
            ("security", matter("bpf: mend an out-of-bounds read", &[], &[], ""), matter("bpf: bounds", &[], &[], "")),
            ("revert", matter("Revert \"bpf: x\"", &[], &[], ""), matter("bpf: revert x", &[], &[], "")),
            ("breakage", matter("bpf: fix a regression", &[], &[], ""), matter("bpf: fix it", &[], &[], "")),
            ("selftests_only", files(&["tools/testing/selftests/bpf/a.c"]), files(&["tools/testing/a.c", "kernel/bpf/a.c"])),
            ("trivial", matter("bpf: fix a typo", &[], &[], ""), matter("bpf: fix types", &[], &[], "")),
            ("crash", matter("bpf: Fix a NULL pointer dereference", &[], &[], ""), matter("bpf: Detect an infinite loop", &[], &[], "")),
            ("crash", matter("bpf: Avoid deadlock in pens", &[], &[], ""), matter("selftests/bpf: Fix a crash", &[], &[], "")),
            ("crash", matter("Two fixes", &["bpf: x", "bpf: Prevent a panic in pens"], &[], ""), matter("bpf: Fix the counting of panics_of", &[], &[], "")),
            ("crash", matter("bpf: Hold the pen", &[], &[], "It ends so:\n BUG: KASAN: slab-use-after-free in pen\n\nFixes: 0123456789ab (\"bpf: Add pens\")"), matter("bpf: Hold the pen", &[], &[], "BUG: KASAN: slab-use-after-free in pen")),
            ("crash", matter("bpf, ktls: Fix data corruption of pens", &[], &[], ""), matter("bpf: Fix corner cases", &[], &[], "Fixes: 0123456789ab (\"bpf: Add pens\")")),
            ("security", matter("bpf: Fix a use after free", &[], &[], ""), matter("bpf: Free after use", &[], &[], "")),
        ];
        for (reason, does, does_not) in table {
            assert!(holds(reason, &does), "{reason}: {:?}", does.titles);
            assert!(!holds(reason, &does_not), "{reason}: {:?}", does_not.titles);
        }
        let driver = files(&["drivers/net/a.c"]);
        assert!(holds("driver", &driver));
        for (title, path) in [
            ("bpf: x", "drivers/net/a_xdp.c"),
            ("a: Add XDP", "drivers/net/a.c"),
            ("a: Fix a panic in XDP", "drivers/net/a.c"),
        ] {
            let matter = matter(title, &[], &[path], "");
            assert!(!holds("driver", &matter), "{title}");
        }
    }

    #[test]
    fn applied_fixes_of_crashes_lost_data_and_holes_reach_the_examples_channel() {
        const SCORE_MIN: i32 = 3;
        #[rustfmt::skip]
        let titles = ["bpf: Fix a crash", "xdp: Fix data corruption", "a: Fix an out-of-bounds write in XDP", "bpf: Fix x"];
        let score = |title: &str| {
            let mut matter = matter(title, &[], &["drivers/net/a.c"], "");
            matter.applied = true;
            judge(&matter, &FoldRules::default()).score
        };
        for title in &titles[..3] {
            assert!(score(title) >= SCORE_MIN, "{title}: {}", score(title));
        }
        assert!(score(titles[3]) < SCORE_MIN);
    }

    #[test]
    fn a_score_is_the_sum_of_its_reasons_which_are_listed() {
        let mut matter = matter("bpf: rework kfuncs", &[], &[], "");
        (matter.applied, matter.reviewers, matter.nacked) = (true, reasons::REVIEWERS_MANY, true);
        let mut words = FoldRules::default();
        words.weights.insert("nack", 0);
        words.weights.insert("review", -7);
        let judged = judge(&matter, &words);
        assert_eq!(judged.score, 3 - 7 + 2);
        assert_eq!(
            judged.why[1..],
            [
                "is about kfuncs (+3)",
                "was talked about by many (-7)",
                "was applied (+2)"
            ]
        );
    }
}
