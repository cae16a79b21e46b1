//! The machines that are known from the start. `[machines]` in the configuration adds to them.

/// The kind of machine, which decides how its mails are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MachineKind {
    /// It reviews patches.
    AiReview,
    /// It runs tests, and says whether they passed.
    Ci,
    Build,
    /// It looks for crashes.
    Fuzzer,
    /// Reports applied patches: patchwork-bot, tip-bot.
    Notices,
    /// It says which pull requests were merged: pr-tracker-bot.
    Tracker,
    /// Any other.
    Other,
}

/// A machine, or several of one make.
#[derive(Debug)]
pub(super) struct KnownMachine {
    /// Its name for readers.
    pub(super) name: &'static str,
    pub(super) kind: MachineKind,
    /// Its addresses, in lower case; `*` stands for anything but an `@`.
    pub(super) senders: &'static [&'static str],
    /// How its name begins, in lower case, where it sends from addresses of people, and from which.
    pub(super) signed: &'static [(&'static str, &'static str)],
    /// How lines begin that only its mails have.
    pub(super) signatures: &'static [&'static str],
    /// How links to its own pages begin.
    pub(super) pages: &'static [&'static str],
}

const NONE: KnownMachine = KnownMachine {
    name: "",
    kind: MachineKind::Other,
    senders: &[],
    signed: &[],
    signatures: &[],
    pages: &[],
};

pub(super) static KNOWN: [KnownMachine; 13] = [
    KnownMachine {
        name: "Sashiko",
        kind: MachineKind::AiReview,
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
    KnownMachine {
        name: "BPF CI",
        kind: MachineKind::AiReview,
        senders: &["bot+bpf-ci@kernel.org"],
        signatures: &["AI reviewed your patch."],
        pages: &["https://github.com/kernel-patches/bpf/actions/runs/"],
        ..NONE
    },
    KnownMachine {
        name: "kernel test robot",
        kind: MachineKind::Build,
        senders: &["lkp@intel.com"],
        // Its keepers answer from the same addresses, under their own names.
        signed: &[("kernel test robot", "*@intel.com")],
        ..NONE
    },
    KnownMachine {
        name: "syzbot",
        kind: MachineKind::Fuzzer,
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
    KnownMachine {
        name: "patchwork-bot",
        kind: MachineKind::Notices,
        senders: &["patchwork-bot@kernel.org", "patchwork-bot+*@kernel.org"],
        ..NONE
    },
    KnownMachine {
        name: "tip-bot",
        kind: MachineKind::Notices,
        senders: &["tip-bot2@linutronix.de", "tip-bot@zytor.com"],
        ..NONE
    },
    KnownMachine {
        name: "pr-tracker-bot",
        kind: MachineKind::Tracker,
        senders: &["pr-tracker-bot@kernel.org"],
        ..NONE
    },
    KnownMachine {
        name: "KernelCI",
        kind: MachineKind::Ci,
        senders: &["bot@kernelci.org"],
        pages: &["https://kernelci.org/"],
        ..NONE
    },
    KnownMachine {
        name: "BlueZ CI",
        kind: MachineKind::Ci,
        senders: &["bluez.test.bot@gmail.com"],
        ..NONE
    },
    KnownMachine {
        name: "LKFT",
        kind: MachineKind::Ci,
        senders: &["lkft@linaro.org"],
        ..NONE
    },
    KnownMachine {
        name: "regzbot",
        signed: &[("regzbot", "*@leemhuis.info")],
        ..NONE
    },
    KnownMachine {
        name: "Bugzilla",
        senders: &[
            "bugzilla-daemon@kernel.org",
            "bugzilla-daemon@bugzilla.kernel.org",
            "bugbot@kernel.org",
        ],
        ..NONE
    },
    KnownMachine {
        name: "kernel.org bot",
        senders: &["bot+*@kernel.org"],
        ..NONE
    },
];
