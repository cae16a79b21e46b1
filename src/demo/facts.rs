//! The facts of BPF updates 02, as data, and the proof that the bundled documents hold them and nothing that pretends.

use std::collections::{HashMap, HashSet};

use quick_xml::events::Event;
use sha1::{Digest as _, Sha1};

use crate::demo::week::BUNDLED;
use crate::item::hex;

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

/// The commits: the known digits of the hash, subject, day, trees that hold it.
const COMMITS: &[(&str, &str, &str, &[&str])] = &[
    (
        "b0e92279d3ec3656152c4dfa1c8b28fa40ca66d7",
        "Merge branch 'thunderx-xdp'",
        "2017-05-02",
        &["net-next"],
    ),
    (
        "85f68fe89832",
        "bpf, arm64: implement jiting of BPF_XADD",
        "2017-05-01",
        &["net", "net-next"],
    ),
    (
        "e3bf4c61da80",
        "sparc64: Fix BPF JIT wrt. branches and ldimm64 instructions.",
        "2017-05-01",
        &["net", "net-next"],
    ),
    (
        "3a5795b83d57",
        "bpf: lru: Add map-in-map LRU example",
        "2017-04-14",
        &["net", "net-next"],
    ),
];

/// Entries that come whole: feed, title, link.
const LINKS: &[(&str, &str, &str)] = &[
    (
        "lwn",
        "Merge window (named so by BPF updates 02)",
        "https://lwn.net/Articles/721581/",
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

const ARCHIVES: [&str; 3] = ["netdev", "linux-arm-kernel", "llvm-commits"];

/// An entry as a feed reader sees it.
struct Seen {
    id: String,
    title: String,
    author: String,
    link: String,
    at: String,
    /// The text, with `&amp;` undone.
    text: String,
}

fn entries(name: &str) -> Vec<Seen> {
    let feed = feed_rs::parser::parse(text(name).as_bytes()).expect("a feed");
    feed.entries
        .into_iter()
        .map(|entry| Seen {
            id: entry.id,
            title: entry.title.expect("a title").content,
            author: entry
                .authors
                .first()
                .and_then(|author| author.name.clone())
                .unwrap_or_default(),
            link: entry.links.first().expect("a link").href.clone(),
            at: entry
                .updated
                .or(entry.published)
                .expect("a date")
                .to_rfc3339(),
            text: entry
                .content
                .and_then(|content| content.body)
                .or(entry.summary.map(|summary| summary.content))
                .or_else(|| {
                    let media = entry.media.first()?;
                    Some(media.description.as_ref()?.content.clone())
                })
                .map(|text| text.replace("&amp;", "&"))
                .unwrap_or_default(),
        })
        .collect()
}

fn text(name: &str) -> &'static str {
    let bundled = BUNDLED.iter().find(|bundled| bundled.name == name);
    bundled.expect("a bundled document").text
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

fn message_id(link: &str) -> &str {
    link.trim_end_matches('/')
        .rsplit('/')
        .next()
        .expect("a last part")
}

fn uuid(message_id: &str) -> String {
    let digits = hex(&Sha1::digest(message_id.as_bytes()));
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..32]
    )
}

#[test]
fn documents_are_well_formed() {
    for bundled in BUNDLED {
        check_well_formed(bundled.name, bundled.text);
    }
}

#[test]
fn archives_are_ascii_as_they_say() {
    for name in ARCHIVES {
        assert!(text(name).is_ascii(), "{name}");
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
fn every_patch_and_pull_stands_in_its_archive_once_and_nothing_else_does() {
    let (netdev, llvm) = (entries("netdev"), entries("llvm-commits"));
    let check = |entries: &[Seen], author: &str, subject: &str, link: &str| {
        let found: Vec<&Seen> = entries
            .iter()
            .filter(|entry| entry.text.contains(&format!(">{link}</a>.")))
            .collect();
        assert_eq!(found.len(), 1, "{subject}");
        assert_eq!(
            (found[0].title.as_str(), found[0].author.as_str()),
            (subject, author)
        );
    };
    for (_, author, subject, link) in PATCHES {
        let archive = if subject.starts_with("[llvm]") {
            &llvm
        } else {
            &netdev
        };
        check(archive, author, subject, link);
    }
    for (subject, link) in PULLS {
        check(&netdev, "author not told", subject, link);
    }
    assert_eq!(netdev.len() + llvm.len(), PATCHES.len() + PULLS.len());
}

#[test]
fn the_pulls_came_on_the_days_that_are_told() {
    let days: Vec<String> = entries("netdev")
        .iter()
        .filter(|entry| entry.title == "[GIT] Networking")
        .map(|entry| entry.at[..10].to_owned())
        .collect();
    assert_eq!(days, ["2017-05-04", "2017-05-02"]);
}

#[test]
fn parts_answer_their_cover_letter_and_nothing_else_answers() {
    let ids: HashMap<String, String> = entries("netdev")
        .into_iter()
        .map(|entry| (entry.title, message_id(&entry.link).to_owned()))
        .collect();
    let mut cover = "";
    let mut replies = HashMap::new();
    for (level, _, subject, _) in PATCHES {
        match level {
            TOP => cover = subject,
            PART => {
                replies.insert(ids[*subject].as_str(), ids[cover].as_str());
            }
        }
    }
    for name in ARCHIVES {
        let mut answered = 0;
        for entry in text(name).split("<entry>").skip(1) {
            let href = entry.split("href=\"").nth(1).expect("a link");
            let id = message_id(href.split('"').next().expect("its end"));
            let parent = entry
                .split_once("<thr:in-reply-to\nref=\"")
                .map(|(_, parent)| {
                    let mut quoted = parent.split('"');
                    let (uuid, link) = (quoted.next(), quoted.nth(1));
                    (uuid.expect("an id"), message_id(link.expect("a link")))
                });
            if let Some((parent_uuid, parent)) = parent {
                assert_eq!(parent_uuid, uuid(parent), "{id}");
                answered += 1;
            }
            assert_eq!(parent.map(|(_, id)| id), replies.get(id).copied(), "{id}");
        }
        assert_eq!(
            answered,
            match name {
                "netdev" => 25,
                "linux-arm-kernel" => 9,
                _ => 0,
            },
            "{name}"
        );
    }
}

#[test]
fn mail_ids_are_made_of_message_ids_and_are_marked_as_made_up() {
    for name in ARCHIVES {
        let mut ids = HashSet::new();
        for entry in entries(name) {
            let id = message_id(&entry.link);
            assert_eq!(entry.id, uuid(id));
            assert!(id.ends_with("@made-up.invalid"), "{id}");
            assert!(ids.insert(id.to_owned()), "{id} twice in {name}");
        }
        for email in text(name).split("<email>").skip(1) {
            let email = email.split("</email>").next().unwrap_or_default();
            assert!(email.ends_with("@made-up.invalid"), "{email}");
        }
    }
}

#[test]
fn eleven_mails_stand_in_both_archives_and_say_the_same() {
    let netdev: HashMap<String, Seen> = entries("netdev")
        .into_iter()
        .map(|entry| (entry.id.clone(), entry))
        .collect();
    let arm = entries("linux-arm-kernel");
    assert_eq!(arm.len(), 11);
    for entry in arm {
        let same = &netdev[&entry.id];
        assert_eq!(
            (&entry.title, &entry.author, &entry.at, &entry.text),
            (&same.title, &same.author, &same.at, &same.text)
        );
        assert!(
            entry
                .text
                .contains("https://www.spinics.net/lists/arm-kernel/"),
            "{}",
            entry.title
        );
    }
}

#[test]
fn commits_stand_in_their_trees() {
    for tree in ["net", "net-next"] {
        let entries = entries(tree);
        let told = COMMITS.iter().filter(|commit| commit.3.contains(&tree));
        assert_eq!(entries.len(), told.clone().count(), "{tree}");
        for (entry, (hash, subject, day, _)) in entries.iter().zip(told) {
            assert_eq!((entry.title.as_str(), &entry.at[..10]), (*subject, *day));
            assert_eq!(entry.id, format!("urn:sha1:{hash:0<40}"));
            assert!(entry.link.ends_with(&format!("?id={hash:0<40}")));
            assert_eq!(entry.author, "author not told");
            assert!(
                hash.len() == 40 || entry.text.contains(&format!("({hash}) are made up")),
                "{subject}: the rest of the hash is said to be made up"
            );
        }
    }
}

#[test]
fn what_comes_whole_is_what_the_newsletter_links() {
    for name in ["lwn", "youtube", "slides", "articles"] {
        let mut seen: Vec<(String, String)> = entries(name)
            .into_iter()
            .map(|entry| (entry.title, entry.link))
            .collect();
        let mut told: Vec<(String, String)> = LINKS
            .iter()
            .filter(|link| link.0 == name)
            .map(|link| (link.1.to_owned(), link.2.to_owned()))
            .collect();
        seen.sort();
        told.sort();
        assert_eq!(seen, told, "{name}");
        assert!(!text(name).contains(".invalid"), "{name}");
    }
}

#[test]
fn every_text_says_what_it_is() {
    for bundled in BUNDLED {
        for entry in entries(bundled.name) {
            let text = entry.text.trim_start();
            let text = text.find("Reconstructed").map_or(text, |at| &text[at..]);
            assert!(
                text.starts_with("Reconstructed from BPF updates 02, which l")
                    && text.contains("made"),
                "{} in {}: {}",
                entry.title,
                bundled.name,
                entry.text
            );
        }
    }
}

#[test]
fn everything_lies_in_the_week_except_what_is_told_to_be_older() {
    let mut older = Vec::new();
    for bundled in BUNDLED {
        for entry in entries(bundled.name) {
            assert!(entry.at.as_str() < "2017-05-10T18:00", "{}", entry.title);
            if entry.at.as_str() < "2017-05-02" {
                older.push((bundled.name, entry.at[..10].to_owned()));
            }
        }
    }
    let older: Vec<(&str, &str)> = older
        .iter()
        .map(|(name, day)| (*name, day.as_str()))
        .collect();
    assert_eq!(
        older,
        [
            ("net", "2017-05-01"),
            ("net", "2017-05-01"),
            ("net", "2017-04-14"),
            ("net-next", "2017-05-01"),
            ("net-next", "2017-05-01"),
            ("net-next", "2017-04-14"),
            ("articles", "2017-04-29"),
        ]
    );
}
