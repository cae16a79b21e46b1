//! Names of trees: in a subject's tags, and in claims that a patch was applied.

use std::sync::LazyLock;

use regex::Regex;

/// Where something was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamedTree {
    /// The tree as it is named; empty where none is.
    pub tree: String,
    /// The branch, where it is named.
    pub branch: Option<String>,
    /// Whether the name alone shows that it is a tree.
    pub is_sure: bool,
}

/// Repositories with names that no other thing has.
const REPOSITORIES: [&str; 20] = [
    "bpf",
    "net",
    "nf",
    "nft",
    "tip",
    "hid",
    "mm",
    "ipsec",
    "wireless",
    "mptcp",
    "rdma",
    "sched_ext",
    "libbpf",
    "bpftool",
    "pahole",
    "dwarves",
    "iproute2",
    "ethtool",
    "asm-generic",
    "kvm-x86",
];
/// Parts of the names of maintainers' branches.
const BRANCHES: [&str; 8] = [
    "next", "fixes", "current", "urgent", "for", "queue", "devel", "linux",
];
/// Words behind `applied to` that are no tree.
const NO_TREES: [&str; 36] = [
    "top", "the", "a", "an", "my", "your", "our", "his", "this", "that", "it", "test", "tests",
    "testing", "try", "see", "check", "be", "latest", "mainline", "kernel", "each", "every", "all",
    "both", "which", "what", "v2", "v3", "v4", "me", "local", "upstream", "other", "tree",
    "branch",
];

/// Words of tags that are no tree.
const NO_TAGS: [&str; 22] = [
    "tests",
    "test",
    "testing",
    "review",
    "rebased",
    "part",
    "series",
    "draft",
    "wip",
    "internal",
    "cover",
    "fix",
    "fixes-only",
    "bug",
    "bugfix",
    "topic",
    "question",
    "comments",
    "please",
    "for",
    "repost",
    "updated",
];
/// The endings of lists' names.
const LISTS: [&str; 5] = ["-dev", "-devel", "-list", "-users", "-discuss"];

/// Whether a word of a subject's tags may name a tree: `conntrack-tools` as well as `bpf-next`; not `v2`, a list or `1/2`.
pub fn may_be_tree(word: &str) -> bool {
    let is_name = word.starts_with(|c: char| c.is_ascii_lowercase())
        && word
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_./-".contains(&b))
        && word.len() > 1;
    let is_list = LISTS.iter().any(|list| word.ends_with(list));
    is_tree(word) || is_name && !is_list && !is_version(word) && !NO_TAGS.contains(&word)
}

/// Whether a word alone shows that it names a tree: `bpf-next`, `sched_ext/for-6.19`, `6.12.y`.
pub fn is_tree(word: &str) -> bool {
    static KERNEL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:linux-)?v?\d+\.\d+(?:\.y)?(?:[-/]v?\d+\.\d+(?:\.y)?)*$")
            .expect("the pattern is sound")
    });
    let lower = word.trim_start_matches('-').to_ascii_lowercase();
    let bare = lower.strip_suffix(".git").unwrap_or(&lower);
    if REPOSITORIES.contains(&bare) || KERNEL.is_match(bare) || bare.contains("stable") {
        return true;
    }
    let mut parts = bare.split(['/', '-', '_', '.']);
    let is_branch =
        parts.clone().any(|part| BRANCHES.contains(&part)) && bare != "for" && bare != "linux";
    let is_path = word.contains('/')
        && !word.bytes().any(|b| b.is_ascii_uppercase())
        && parts.all(|part| !part.is_empty() && !part.bytes().all(|b| b.is_ascii_digit()));
    is_branch || is_path
}

/// Reads a place at the beginning of `rest`; returns the place, the text behind it, and whether punctuation ends it. `None` if
/// no tree stands there.
pub(super) fn read_tree(rest: &str) -> Option<(NamedTree, &str, bool)> {
    static BRANCH_OF: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:the )?(\S+) branch (?:of|in|on) (?:the )?([^\s,]+?)(?:[ -](?:tree|repo|repository))?([.,!:]*)(?: |$)")
            .expect("the pattern is sound")
    });
    static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"^((?:https?|git|ssh)://[^\s,]+?)/?(?: \(?([\w./-]*[\w/-])\)?)?([.,!:]*)(?: |$)",
        )
        .expect("the pattern is sound")
    });
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)^(?:the |our )?['"`]?([\w./_-]*[\w/])['"`]?(?: \(([\w./-]+)\)| ([\w./-]+) branch| ((?:[\w./-]*[._/-])?(?:next|fixes|selftests|urgent)|for-[\w./-]*\w))?([ -](?:tree|branch|repo|repository)\b)?([.,!:]*)(?: |$)"#)
            .expect("the pattern is sound")
    });
    if let Some(found) = BRANCH_OF.captures(rest) {
        let tree = NamedTree {
            tree: found[2].to_owned(),
            branch: Some(found[1].to_owned()),
            is_sure: true,
        };
        return Some((tree, &rest[found[0].len()..], !found[3].is_empty()));
    }
    if let Some(found) = ADDRESS.captures(rest) {
        let (tree, shown) = repository(&found[1]);
        let branch = found.get(2).filter(|word| is_branch(word.as_str()));
        let behind = match (branch, found.get(2)) {
            (None, Some(word)) => word.start(),
            (_, _) => found[0].len(),
        };
        let tree = NamedTree {
            tree,
            branch: branch.map(|word| word.as_str().to_owned()).or(shown),
            is_sure: true,
        };
        return Some((tree, &rest[behind..], !found[3].is_empty()));
    }
    let found = NAMED.captures(rest)?;
    let name = &found[1];
    if NO_TREES.iter().any(|no| name.eq_ignore_ascii_case(no)) || is_version(name) {
        return None;
    }
    let kind = found.get(5).map(|kind| kind.as_str());
    let is_branch_alone = kind.is_some_and(|kind| kind.ends_with("branch")) && !is_tree(name);
    let branch = (2..=4).find_map(|at| found.get(at));
    let tree = if is_branch_alone {
        NamedTree {
            tree: String::new(),
            branch: Some(name.to_owned()),
            is_sure: false,
        }
    } else {
        NamedTree {
            tree: name.to_owned(),
            branch: branch.map(|branch| branch.as_str().to_owned()),
            is_sure: is_tree(name) || kind.is_some(),
        }
    };
    Some((tree, &rest[found[0].len()..], !found[6].is_empty()))
}

/// `v2`, `V3`: a revision, where `v6.1` is a kernel.
fn is_version(word: &str) -> bool {
    let digits = word.strip_prefix(['v', 'V']);
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_branch(word: &str) -> bool {
    word.contains(['/', '-', '_', '.'])
        || matches!(word, "master" | "main" | "next" | "fixes" | "net")
}

/// An address as notices name a repository, by its last two parts, and the branch that a page of it shows.
fn repository(url: &str) -> (String, Option<String>) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let branch = query
        .split(['&', ';'])
        .find_map(|part| part.strip_prefix("h="));
    let path = path.trim_end_matches('/');
    let path = ["/log", "/commit", "/tree", "/refs"]
        .iter()
        .find_map(|page| path.strip_suffix(page))
        .unwrap_or(path);
    let mut parts: Vec<&str> = path.rsplit('/').take(2).collect();
    parts.reverse();
    (parts.join("/"), branch.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_name_a_tree_differ_from_others() {
        for tree in [
            "bpf",
            "bpf-next",
            "net-next",
            "nf",
            "-next",
            "sched_ext/for-6.19",
            "bpf-next/net",
            "for-7.1-fixes",
            "perf/core",
            "HID",
            "6.12.y",
            "v6.6-v6.1",
            "v5.15",
            "linux-6.1.y",
            "iwl-next",
            "mips-next",
            "linux-kbuild",
        ] {
            assert!(is_tree(tree) && may_be_tree(tree), "{tree}");
        }
        for tree in ["conntrack-tools", "libmnl", "ipset"] {
            assert!(may_be_tree(tree) && !is_tree(tree), "{tree}");
        }
        for word in [
            "v2",
            "V3",
            "RFC",
            "1/2",
            "9/8",
            "tests",
            "Some-wired-lan",
            "things-dev",
            "LSF/MM/BPF",
            "TOPIC",
            "AUTOSEL",
            "-rebased",
            "",
            "x",
            "3",
            "review",
            "for",
        ] {
            assert!(!may_be_tree(word), "{word}");
        }
    }
}
