//! The decisions of the demo's editor about the issue of the week: what a person adds to what bpfnews compiles. Data alone.
//!
//! The words are ours. The facts and the links are those of "BPF updates 02".

use crate::issue::SectionKind;

/// A decision of the editor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditorDecision {
    /// The opening of the issue, in Markdown.
    Introduction(&'static str),
    /// A remark under a story, in Markdown.
    Remark {
        /// The address of the story's item for readers.
        on: &'static str,
        text: &'static str,
    },
    /// A free entry: a link from elsewhere.
    Entry {
        link: &'static str,
        title: &'static str,
        note: &'static str,
        section: SectionKind,
    },
}

/// The decisions, in the order in which the editor takes them.
pub const DECISIONS: &[EditorDecision] = &[
    EditorDecision::Introduction(
        "The merge window for Linux 4.12 opened last week. Highlights of networking are in the pull requests of \
         [2 May](https://www.spinics.net/lists/netdev/msg433609.html) and \
         [4 May](https://www.spinics.net/lists/netdev/msg433995.html).\n\n\
         iproute2 learns to show the kernel's own words about an error, from netlink's extended ACKs: see \
         [ip: Initial support for extack errors](https://www.spinics.net/lists/netdev/msg433408.html) and \
         [iproute: Add support for extended ack to rtnl_talk](https://www.spinics.net/lists/netdev/msg433823.html).\n\n\
         Some of the changes that reach mainline now were in \
         [last week's issue](https://www.cilium.io/blog/2017/5/2/bpf-updates-01-2017-05-02) already.",
    ),
    EditorDecision::Remark {
        on: "https://lwn.net/Articles/721581/",
        text: "About BPF: maps can contain maps, over several levels. `BPF_PROG_TEST_RUN` tests programs in the kernel. \
               SPARC64 has a JIT compiler.",
    },
    EditorDecision::Remark {
        on: "https://www.youtube.com/watch?v=X0xBCoQGUvg",
        text: "The slide's idea: eBPF picks the `SO_REUSEPORT` listener of the right receive queue at SYN time, and \
               serves UDP as well. \
               [Mainline has addressed that](https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/commit/?id=b1d9fc41aab11f9520b2e0d57ae872e2ec5d6f32).",
    },
    EditorDecision::Remark {
        on: "http://people.netfilter.org/hawk/presentations/LLC2017/XDP_DDoS_protecting_LLC2017.pdf",
        text: "A good start for beginners. There are programs to try in \
               [prototype-kernel](https://github.com/netoptimizer/prototype-kernel/tree/master/kernel/samples/bpf).",
    },
    EditorDecision::Remark {
        on: "http://step.polymtl.ca/~suchakra/eBPF-5May2017.pdf",
        text: "The diagrams alone are worth a look.",
    },
    EditorDecision::Remark {
        on: "https://docs.google.com/presentation/d/1dwSKSBGpUHD3WO5xxzZWj8awV_-xL-oYhvqQMOBhhtk/edit#slide=id.g203aae413f_0_0",
        text: "Nice slides, for all who enforce security in the network.",
    },
    EditorDecision::Remark {
        on: "https://github.com/iovisor/bcc",
        text: "Start here if you want to write a BPF program, but do not know how. There are front ends for \
               [Python](https://github.com/iovisor/bcc/blob/master/docs/tutorial_bcc_python_developer.md), \
               [Lua](https://github.com/iovisor/bcc/tree/master/src/lua) and [Go](https://github.com/iovisor/gobpf), and \
               [an introduction to XDP](https://www.iovisor.org/technology/xdp).",
    },
    EditorDecision::Remark {
        on: "https://www.cilium.io/blog/2017/5/4/demo-may-the-force-be-with-you",
        text: "An awesome demo, in case you have not seen it.",
    },
    EditorDecision::Remark {
        on: "http://vger.kernel.org/netconf2017.html",
        text: "[This tweet](https://twitter.com/davem_dokebi/status/861713796913655810) announced it; see also the page of \
               [Netdev 2.1](http://netdevconf.org/2.1/).",
    },
    EditorDecision::Remark {
        on: "https://www.mail-archive.com/netdev@vger.kernel.org/msg162375.html",
        text: "To subscribe, write to `majordomo@vger.kernel.org`, with `subscribe xdp-newbies` in the body. You may leave \
               the subject empty.",
    },
    EditorDecision::Entry {
        link: "https://twitter.com/majek04/status/860066075140141056",
        title: "Solarflare's driver previews XDP",
        note: "Version 4.10.6.1002 has a preview of XDP on the receive side, so that a filter can drop packets.",
        section: SectionKind::Note,
    },
];
