//! The facts of BPF updates 01 to 03, as data, and the proof that the bundled items hold them and nothing that pretends.

use std::collections::{HashMap, HashSet};

use quick_xml::events::Event;

use crate::demo::document::{self, Document};
use crate::demo::week::{BUNDLED, BundledItem, Upstream, items};

/// A line of the Patches section at its first level, or a part below its cover letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Top,
    Part,
}
use Level::{Part as PART, Top as TOP};

/// The Patches section: author, subject as posted, link.
#[rustfmt::skip]
const PATCHES: &[(Level, &str, &str, &str)] = &[
    (TOP, "Alexei Starovoitov", "[PATCH net-next] selftests/bpf: get rid of -D__x86_64__", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166839.html"),
    (TOP, "David Miller", "[PATCH] selftests: bpf: Use bpf_endian.h in test_xdp.c", "https://patchwork.ozlabs.org/patch/757650/"),
    (TOP, "David Miller", "[PATCH 0/2] Fix some bpf program testing framework bugs", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166737.html"),
    (PART, "David Miller", "[PATCH 1/2] bpf: Do not dereference user pointer in bpf_test_finish().", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166740.html"),
    (PART, "David Miller", "[PATCH 2/2] bpf: Align packet data properly in program testing framework.", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166741.html"),
    (TOP, "Daniel Borkmann", "[PATCH] xdp: use common helper for netlink extended ack reporting", "https://patchwork.ozlabs.org/patch/757822/"),
    (TOP, "Daniel Borkmann", "[PATCH net] bpf, arm64: fix jit branch offset related to ldimm64", "https://www.spinics.net/lists/arm-kernel/msg579070.html"),
    (TOP, "Daniel Borkmann", "[PATCH net] bpf: don't let ldimm64 leak map addresses on unprivileged", "https://patchwork.ozlabs.org/patch/759495/"),
    (TOP, "Daniel Borkmann", "[PATCH net 0/2] Two generic xdp related follow-ups", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167734.html"),
    (PART, "Daniel Borkmann", "[PATCH net 1/2] xdp: add flag to enforce driver mode", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167733.html"),
    (PART, "Daniel Borkmann", "[PATCH net 2/2] xdp: disallow use of native and generic hook at once", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167732.html"),
    (TOP, "Geert Uytterhoeven", "[PATCH] test_bpf: Use ULL suffix for 64-bit constants", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166904.html"),
    (TOP, "Jesper Dangaard Brouer", "[net-next PATCH 0/4] Improve bpf ELF-loader under samples/bpf", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166673.html"),
    (PART, "Jesper Dangaard Brouer", "[net-next PATCH 1/4] samples/bpf: adjust rlimit RLIMIT_MEMLOCK for traceex2, tracex3 and tracex4", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166671.html"),
    (PART, "Jesper Dangaard Brouer", "[net-next PATCH 2/4] samples/bpf: make bpf_load.c code compatible with ELF maps section changes", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166670.html"),
    (PART, "Jesper Dangaard Brouer", "[net-next PATCH 3/4] samples/bpf: load_bpf.c make callback fixup more flexible", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166672.html"),
    (PART, "Jesper Dangaard Brouer", "[net-next PATCH 4/4] samples/bpf: export map_data[] for more info on maps", "https://www.mail-archive.com/netdev@vger.kernel.org/msg166674.html"),
    (TOP, "Sunil Goutham", "[PATCH 0/9] net: thunderx: Adds XDP support", "https://www.spinics.net/lists/arm-kernel/msg579013.html"),
    (PART, "Sunil Goutham", "[PATCH 1/9] net: thunderx: Support for page recycling", "https://www.spinics.net/lists/arm-kernel/msg579018.html"),
    (PART, "Sunil Goutham", "[PATCH 2/9] net: thunderx: Optimize RBDR descriptor handling", "https://www.spinics.net/lists/arm-kernel/msg579014.html"),
    (PART, "Sunil Goutham", "[PATCH 3/9] net: thunderx: Optimize CQE_TX handling", "https://www.spinics.net/lists/arm-kernel/msg579019.html"),
    (PART, "Sunil Goutham", "[PATCH 4/9] net: thunderx: Cleanup receive buffer allocation", "https://www.spinics.net/lists/arm-kernel/msg579020.html"),
    (PART, "Sunil Goutham", "[PATCH 5/9] net: thunderx: Add basic XDP support", "https://www.spinics.net/lists/arm-kernel/msg579015.html"),
    (PART, "Sunil Goutham", "[PATCH 6/9] net: thunderx: Add support for XDP_DROP", "https://www.spinics.net/lists/arm-kernel/msg579016.html"),
    (PART, "Sunil Goutham", "[PATCH 7/9] net: thunderx: Add support for XDP_TX", "https://www.spinics.net/lists/arm-kernel/msg579017.html"),
    (PART, "Sunil Goutham", "[PATCH 8/9] net: thunderx: Support for XDP header adjustment", "https://www.spinics.net/lists/arm-kernel/msg579028.html"),
    (PART, "Sunil Goutham", "[PATCH 9/9] net: thunderx: Optimize page recycling for XDP", "https://www.spinics.net/lists/arm-kernel/msg579021.html"),
    (TOP, "Or Gerlitz", "[iproute] tc: Reflect HW offload status", "https://patchwork.ozlabs.org/patch/758566/"),
    (TOP, "Yuval Mintz", "[PATCH net 0/5] qed*: General fixes", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167617.html"),
    (PART, "Yuval Mintz", "[PATCH net 1/5] qede: Fix XDP memory leak on unload", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167623.html"),
    (PART, "Yuval Mintz", "[PATCH net 2/5] qed: Fix VF removal sequence", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167621.html"),
    (PART, "Yuval Mintz", "[PATCH net 3/5] qed: Tell QM the number of tasks", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167622.html"),
    (PART, "Yuval Mintz", "[PATCH net 4/5] qed: Correct doorbell configuration for !4Kb pages", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167618.html"),
    (PART, "Yuval Mintz", "[PATCH net 5/5] qede: Split PF/VF ndos.", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167619.html"),
    (TOP, "Yonghong Song", "[PATCH net-next] selftests/bpf: add a test case to check verifier pointer arithmetic", "https://patchwork.ozlabs.org/patch/757842/"),
    (TOP, "Yonghong Song", "[llvm] r302055 - [bpf] add relocation support", "http://llvm.org/viewvc/llvm-project?rev=302055&view=rev"),
    (TOP, "Yonghong Song", "[llvm] r302265 - [bpf] fix a bug which causes incorrect big endian reloc fixup", "http://llvm.org/viewvc/llvm-project?view=revision&revision=302265"),
    (TOP, "David Ahern", "[PATCH net-next iproute2 0/3] ip: Initial support for extack errors", "https://www.spinics.net/lists/netdev/msg433408.html"),
    (PART, "David Ahern", "[PATCH net-next iproute2 1/3] netlink: import netlink message parsing from kernel", "https://www.spinics.net/lists/netdev/msg433409.html"),
    (PART, "David Ahern", "[PATCH net-next iproute2 2/3] netlink: Add support for extended ack to rtnl_talk", "https://www.spinics.net/lists/netdev/msg433412.html"),
    (PART, "David Ahern", "[PATCH net-next iproute2 3/3] ip link: Add extack handling for setlink", "https://www.spinics.net/lists/netdev/msg433410.html"),
    (TOP, "Stephen Hemminger", "[RFC] iproute: Add support for extended ack to rtnl_talk", "https://www.spinics.net/lists/netdev/msg433823.html"),
];

/// Patches of the issues before and after: author, subject as posted, link.
#[rustfmt::skip]
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("Daniel Borkmann", "[PATCH net-next] bpf, arm64: implement jiting of BPF_XADD", "https://patchwork.ozlabs.org/patch/756977/"),
    ("David Miller", "[PATCH] sparc64: Fix BPF JIT wrt. branches and ldimm64 instructions.", "https://patchwork.ozlabs.org/patch/757381/"),
    ("Daniel Borkmann", "[PATCH net v2 0/2] Two generic xdp related follow-ups", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167982.html"),
    ("Daniel Borkmann", "[PATCH net v2 1/2] xdp: add flag to enforce driver mode", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167984.html"),
    ("Daniel Borkmann", "[PATCH net v2 2/2] xdp: refine xdp api with regards to generic xdp", "https://www.mail-archive.com/netdev@vger.kernel.org/msg167983.html"),
];

/// The pull requests: subject, link.
const PULLS: &[(&str, &str)] = &[
    (
        "[GIT] Networking",
        "https://www.spinics.net/lists/netdev/msg433609.html",
    ),
    (
        "[GIT] Networking",
        "https://www.spinics.net/lists/netdev/msg433995.html",
    ),
];

/// The commits of 2017: the known digits of the hash, subject, day, link, trees that hold it.
#[rustfmt::skip]
const COMMITS: &[(&str, &str, &str, &str, &[&str])] = &[
    ("b0e92279d3ec3656152c4dfa1c8b28fa40ca66d7", "Merge branch 'thunderx-xdp'", "2017-05-02",
     "https://git.kernel.org/pub/scm/linux/kernel/git/davem/net-next.git/commit/?id=b0e92279d3ec3656152c4dfa1c8b28fa40ca66d7",
     &["net-next", "linux"]),
    ("85f68fe89832", "bpf, arm64: implement jiting of BPF_XADD", "2017-05-01",
     "https://git.kernel.org/pub/scm/linux/kernel/git/davem/net.git/commit/?id=85f68fe89832", &["net", "net-next", "linux"]),
    ("e3bf4c61da80", "sparc64: Fix BPF JIT wrt. branches and ldimm64 instructions.", "2017-05-01",
     "https://git.kernel.org/pub/scm/linux/kernel/git/davem/net.git/commit/?id=e3bf4c61da80", &["net", "net-next", "linux"]),
    ("3a5795b83d57", "bpf: lru: Add map-in-map LRU example", "2017-04-14",
     "https://git.kernel.org/pub/scm/linux/kernel/git/davem/net.git/commit/?id=3a5795b83d57", &["net", "net-next", "linux"]),
];

/// Entries that come whole: feed, title, link.
const LINKS: &[(&str, &str, &str)] = &[
    (
        "lwn",
        "A summary of the merge window",
        "https://lwn.net/Articles/721581/",
    ),
    (
        "lwn",
        "[$] BPF iterators for filesystems",
        "https://lwn.net/Articles/937326/",
    ),
    (
        "lwn",
        "BPF iterators for filesystems",
        "https://lwn.net/Articles/937326/",
    ),
    (
        "youtube",
        "Netdev 2.1 - Busy Polling By Eric Dumazet",
        "https://www.youtube.com/watch?v=X0xBCoQGUvg",
    ),
    (
        "slides",
        "XDP - eXpress Data Path, Lund Linux Con",
        "http://people.netfilter.org/hawk/presentations/LLC2017/XDP_DDoS_protecting_LLC2017.pdf",
    ),
    (
        "slides",
        "Trace Aggregation and Collection with eBPF",
        "http://step.polymtl.ca/~suchakra/eBPF-5May2017.pdf",
    ),
    (
        "slides",
        "What impact has CloudNative on kernel networking?",
        "https://docs.google.com/presentation/d/1dwSKSBGpUHD3WO5xxzZWj8awV_-xL-oYhvqQMOBhhtk/edit#slide=id.g203aae413f_0_0",
    ),
    (
        "articles",
        "BPF Compiler Collection (BCC)",
        "https://github.com/iovisor/bcc",
    ),
    ("articles", "rbpf", "https://github.com/qmonnet/rbpf"),
    ("articles", "p4c-xdp", "https://github.com/vmware/p4c-xdp"),
    (
        "articles",
        "USENIX/LISA 2016 Linux bcc/BPF Tools",
        "http://www.brendangregg.com/blog/2017-04-29/usenix-lisa-2016-bcc-bpf-tools.html",
    ),
    (
        "articles",
        "Demo: May the Fourth be with you",
        "https://www.cilium.io/blog/2017/5/4/demo-may-the-force-be-with-you",
    ),
    (
        "articles",
        "Linux Kernel Developers' Netconf 2017",
        "http://vger.kernel.org/netconf2017.html",
    ),
    (
        "articles",
        "XDP Newbies Mailing List",
        "https://www.mail-archive.com/netdev@vger.kernel.org/msg162375.html",
    ),
];

/// A day after the last item.
const END: &str = "2026-07-01T00:00:00Z";

/// The bundled items of a feed, newest arrival first.
fn of_feed<'a>(name: &str, items: &'a [BundledItem]) -> Vec<&'a BundledItem> {
    let document = Document::of(name, items);
    let end = END.parse().expect("a time");
    let arrived = document.arrived(end).iter();
    arrived.map(|entry| entry.item).collect()
}

fn day(item: &BundledItem) -> String {
    item.at.format("%Y-%m-%d").to_string()
}

/// Every document, with all items.
fn documents() -> Vec<(&'static str, String)> {
    let items = items().expect("good items");
    let end = END.parse().expect("a time");
    let base = "http://127.0.0.1:1/";
    let text = |name: &str, upstream: Upstream| {
        let document = Document::of(name, &items);
        let arrived = document.arrived(end);
        match upstream {
            Upstream::Archive => document::archive(name, &arrived[0], arrived, base),
            Upstream::Tree => document::tree(name, "master", arrived, base),
            Upstream::Whole { format, .. } => document::whole(name, format, arrived),
        }
    };
    let documents = BUNDLED.iter();
    documents
        .map(|bundled| (bundled.name, text(bundled.name, bundled.upstream)))
        .collect()
}

/// Panics where `text` is not well-formed XML with one root element.
pub(super) fn check_well_formed(name: &str, text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut depth, mut roots) = (0, 0);
    loop {
        let event = reader
            .read_event()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        match event {
            Event::Start(tag) | Event::Empty(tag)
                if tag.attributes().any(|attribute| attribute.is_err()) =>
            {
                panic!("{name}: a bad attribute in {tag:?}")
            }
            Event::Start(_) => {
                roots += usize::from(depth == 0);
                depth += 1;
            }
            Event::End(_) => depth -= 1,
            Event::GeneralRef(reference) => {
                let known = ["amp", "lt", "gt", "quot", "apos"];
                let is_char = reference
                    .resolve_char_ref()
                    .expect("a good reference")
                    .is_some();
                assert!(
                    is_char || known.contains(&&*reference),
                    "{name}: {reference:?}"
                );
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((depth, roots), (0, 1), "{name}");
}

#[test]
fn documents_are_well_formed_and_feed_readers_see_every_item() {
    let items = items().expect("good items");
    for (name, text) in documents() {
        check_well_formed(name, &text);
        let feed = feed_rs::parser::parse(text.as_bytes()).expect("a feed");
        let titles: Vec<String> = feed
            .entries
            .into_iter()
            .map(|entry| entry.title.expect("a title").content)
            .collect();
        let held = of_feed(name, &items);
        let held: Vec<&str> = held.iter().map(|item| item.title.as_str()).collect();
        assert_eq!(titles, held, "{name}");
    }
}

#[test]
fn the_patches_section_has_the_newsletters_counts() {
    let is_llvm = |subject: &str| subject.starts_with("[llvm]");
    let tops = PATCHES.iter().filter(|patch| patch.0 == TOP).count();
    let parts = PATCHES.iter().filter(|patch| patch.0 == PART).count();
    let covers = PATCHES
        .windows(2)
        .filter(|pair| pair[0].0 == TOP && pair[1].0 == PART)
        .count();
    let llvm = PATCHES.iter().filter(|patch| is_llvm(patch.2)).count();
    assert_eq!((tops, parts, covers, llvm), (17, 25, 6, 2));
}

#[test]
fn every_patch_and_pull_is_in_its_archive_once_and_nothing_else_is() {
    let items = items().expect("good items");
    let (netdev, llvm) = (of_feed("netdev", &items), of_feed("llvm-commits", &items));
    let check = |held: &[&BundledItem], author: &str, subject: &str, link: &str| {
        let mut found = held.iter().filter(|item| item.link == link);
        let item = found.next().unwrap_or_else(|| panic!("{subject}"));
        assert!(found.next().is_none(), "{subject}");
        assert_eq!((item.title.as_str(), item.by.as_str()), (subject, author));
    };
    for (_, author, subject, link) in PATCHES {
        let archive = match subject.starts_with("[llvm]") {
            true => &llvm,
            false => &netdev,
        };
        check(archive, author, subject, link);
    }
    for (author, subject, link) in NEIGHBOURS {
        check(&netdev, author, subject, link);
    }
    for (subject, link) in PULLS {
        check(&netdev, "", subject, link);
    }
    let told = PATCHES.len() + NEIGHBOURS.len() + PULLS.len();
    assert_eq!(netdev.len() + llvm.len(), told);
}

#[test]
fn the_pulls_came_on_the_stated_days() {
    let items = items().expect("good items");
    let netdev = of_feed("netdev", &items);
    let pulls = netdev
        .iter()
        .filter(|item| item.title == "[GIT] Networking");
    let days: Vec<String> = pulls.map(|item| day(item)).collect();
    assert_eq!(days, ["2017-05-04", "2017-05-02"]);
}

#[test]
fn parts_answer_their_cover_letter_and_nothing_else_of_the_week_answers() {
    let items = items().expect("good items");
    let netdev = of_feed("netdev", &items);
    let by_title: HashMap<&str, &BundledItem> = netdev
        .iter()
        .map(|item| (item.title.as_str(), *item))
        .collect();
    let mut cover = "";
    for (level, _, subject, _) in PATCHES {
        if *level == TOP {
            cover = subject;
        }
        if subject.starts_with("[llvm]") {
            continue;
        }
        let wanted = (*level == PART).then(|| by_title[cover].id.as_str());
        assert_eq!(by_title[subject].answers.as_deref(), wanted, "{subject}");
    }
    let known: HashSet<&str> = items.iter().map(|item| item.id.as_str()).collect();
    let answered = items.iter().filter_map(|item| item.answers.as_deref());
    let ghosts: Vec<&str> = answered.filter(|id| !known.contains(id)).collect();
    assert_eq!(ghosts, [""; 0], "an answer to a mail that is not there");
}

#[test]
fn invented_items_say_so_and_real_ones_are_linked_by_id() {
    let items = items().expect("good items");
    let mut ids = HashSet::new();
    let is_mail = |item: &&BundledItem| item.id.contains('@') && !item.id.starts_with("http");
    for item in items.iter().filter(is_mail) {
        assert!(ids.insert(&item.id), "{} twice", item.id);
        let is_made_up = item.id.ends_with("@made-up.invalid");
        assert_eq!(is_made_up, day(item).starts_with("2017-"), "{}", item.id);
        if !is_made_up {
            let link = format!("https://lore.kernel.org/bpf/{}/", item.id);
            assert_eq!(item.link, link);
        }
    }
    for (name, text) in documents() {
        for email in text.split("<email>").skip(1) {
            let email = email.split("</email>").next().unwrap_or_default();
            let is_machine = ["patchwork-bot+", "bot+bpf-ci@"]
                .iter()
                .any(|machine| email.starts_with(machine));
            assert!(
                email.is_empty() || email.ends_with("@made-up.invalid") || is_machine,
                "{email} in {name}"
            );
        }
    }
}

#[test]
fn eleven_mails_of_the_week_are_in_two_archives() {
    let items = items().expect("good items");
    let arm = of_feed("linux-arm-kernel", &items);
    assert_eq!(arm.len(), 11);
    for item in arm {
        assert!(item.feeds.iter().any(|feed| feed == "netdev"));
        let place = "https://www.spinics.net/lists/arm-kernel/";
        assert!(item.link.starts_with(place), "{}", item.title);
    }
}

#[test]
fn commits_are_in_their_trees() {
    let items = items().expect("good items");
    for tree in ["net", "net-next", "linux"] {
        let held = of_feed(tree, &items);
        let held = held.iter().filter(|item| day(item).starts_with("2017-"));
        let told = COMMITS.iter().filter(|commit| commit.4.contains(&tree));
        let told: Vec<_> = told
            .map(|(hash, subject, day, link, _)| {
                (format!("{hash:0<40}"), *subject, (*day).to_owned(), *link)
            })
            .collect();
        let held: Vec<_> = held
            .map(|item| (item.id.clone(), &*item.title, day(item), &*item.link))
            .collect();
        assert_eq!(held, told, "{tree}");
    }
}

#[test]
fn documents_that_are_served_whole_are_those_that_sources_link() {
    let items = items().expect("good items");
    for name in ["lwn", "youtube", "slides", "articles"] {
        let held = of_feed(name, &items);
        let mut seen: Vec<(&str, &str)> = held
            .iter()
            .map(|item| (item.title.as_str(), item.link.as_str()))
            .collect();
        let told = LINKS.iter().filter(|link| link.0 == name);
        let mut told: Vec<(&str, &str)> = told.map(|link| (link.1, link.2)).collect();
        seen.sort_unstable();
        told.sort_unstable();
        assert_eq!(seen, told, "{name}");
    }
}

#[test]
fn every_text_is_short_and_none_describes_itself() {
    for item in items().expect("good items") {
        let text = item.text.to_lowercase();
        assert!((20..1_000).contains(&text.len()), "{}: {text}", item.title);
        for words in ["reconstructed", "made up", "not told", "retold"] {
            assert!(!text.contains(words), "{}: {text}", item.title);
        }
    }
}

#[test]
fn everything_of_2017_is_of_the_week_except_for_stated_items() {
    let other = |item: &&BundledItem| {
        let day = day(item);
        day.starts_with("2017-") && !("2017-05-02".."2017-05-11").contains(&&*day)
    };
    let items = items().expect("good items");
    let others: Vec<String> = items
        .iter()
        .filter(other)
        .map(|item| format!("{} {}", item.feeds[0], day(item)))
        .collect();
    assert_eq!(
        others,
        [
            "net 2017-04-14",
            "articles 2017-04-29",
            "netdev 2017-04-30",
            "netdev 2017-05-01",
            "net 2017-05-01",
            "net 2017-05-01",
            "netdev 2017-05-11",
            "netdev 2017-05-11",
            "netdev 2017-05-11",
        ]
    );
}
