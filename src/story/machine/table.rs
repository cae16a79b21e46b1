//! The machines that are known from the start. `[machines]` in the configuration adds to them.

use super::Sort;

/// A machine, or several of one make.
#[derive(Debug)]
pub(super) struct Known {
    /// Its name for readers.
    pub(super) name: &'static str,
    /// Its kind.
    pub(super) sort: Sort,
    /// Its addresses, in lower case; `*` stands for anything but an `@`.
    pub(super) senders: &'static [&'static str],
    /// How its name begins, in lower case, where it sends from addresses of people, and from which.
    pub(super) signed: &'static [(&'static str, &'static str)],
    /// How lines begin that only its mails have.
    pub(super) signatures: &'static [&'static str],
    /// How links to its own pages begin.
    pub(super) pages: &'static [&'static str],
}

const NONE: Known = Known {
    name: "",
    sort: Sort::Other,
    senders: &[],
    signed: &[],
    signatures: &[],
    pages: &[],
};

pub(super) static KNOWN: [Known; 13] = [
    Known {
        name: "Sashiko",
        sort: Sort::AiReview,
        senders: &[
            "sashiko-bot@kernel.org",
            "sashiko+*@kernel.org",
            "sashiko@lists.linux.dev",
            "sashiko-reviews@lists.linux.dev",
        ],
        signatures: &["Sashiko AI review ·"],
        pages: &["https://sashiko.dev/#/patchset/"],
        ..NONE
    },
    Known {
        name: "BPF CI",
        sort: Sort::AiReview,
        senders: &["bot+bpf-ci@kernel.org"],
        signatures: &["AI reviewed your patch."],
        pages: &["https://github.com/kernel-patches/bpf/actions/runs/"],
        ..NONE
    },
    Known {
        name: "kernel test robot",
        sort: Sort::Build,
        senders: &["lkp@intel.com"],
        // Its keepers answer from the same addresses, under their own names.
        signed: &[("kernel test robot", "*@intel.com")],
        ..NONE
    },
    Known {
        name: "syzbot",
        sort: Sort::Fuzzer,
        senders: &[
            "syzbot+*@syzkaller.appspotmail.com",
            "syzbot@syzkaller.appspotmail.com",
            "syzbot@kernel.org",
        ],
        pages: &[
            "https://ci.syzbot.org/series/",
            "https://syzkaller.appspot.com/bug?",
        ],
        ..NONE
    },
    Known {
        name: "patchwork-bot",
        sort: Sort::Notices,
        senders: &["patchwork-bot@kernel.org", "patchwork-bot+*@kernel.org"],
        ..NONE
    },
    Known {
        name: "tip-bot",
        sort: Sort::Notices,
        senders: &["tip-bot2@linutronix.de", "tip-bot@zytor.com"],
        ..NONE
    },
    Known {
        name: "pr-tracker-bot",
        sort: Sort::Tracker,
        senders: &["pr-tracker-bot@kernel.org"],
        ..NONE
    },
    Known {
        name: "KernelCI",
        sort: Sort::Ci,
        senders: &["bot@kernelci.org"],
        pages: &["https://kernelci.org/"],
        ..NONE
    },
    Known {
        name: "BlueZ CI",
        sort: Sort::Ci,
        senders: &["bluez.test.bot@gmail.com"],
        ..NONE
    },
    Known {
        name: "LKFT",
        sort: Sort::Ci,
        senders: &["lkft@linaro.org"],
        ..NONE
    },
    Known {
        name: "regzbot",
        signed: &[("regzbot", "*@leemhuis.info")],
        ..NONE
    },
    Known {
        name: "Bugzilla",
        senders: &[
            "bugzilla-daemon@kernel.org",
            "bugzilla-daemon@bugzilla.kernel.org",
            "bugbot@kernel.org",
        ],
        ..NONE
    },
    Known {
        name: "kernel.org bot",
        senders: &["bot+*@kernel.org"],
        ..NONE
    },
];
