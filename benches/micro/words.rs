//! Synthetic text: prose, titles, names and diffs of realistic length, the same in every run.

use std::fmt::Write as _;

use bpfnews::item::hex;

const WORDS: [&str; 36] = [
    "the", "verifier", "map", "a", "program", "of", "register", "to", "kfunc", "in", "tracks",
    "and", "bounds", "when", "helper", "is", "ring", "buffer", "that", "state", "by", "loads",
    "pointer", "not", "loop", "for", "iterator", "it", "spills", "on", "arena", "with", "callback",
    "one", "lock", "checks",
];
const NAMES: [&str; 8] = [
    "Ada", "Jörg", "Mina", "Zoë", "Oskar", "Ines", "Ravi", "Noor",
];
const LINE_CHARS_MAX: usize = 72;

/// An endless writer.
pub(crate) struct Words {
    random: fastrand::Rng,
}

impl Words {
    /// The same seed returns the same words.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
        }
    }

    fn word(&mut self) -> &'static str {
        self.random.choice(WORDS).expect("there are some")
    }

    pub(crate) fn words(&mut self, count: usize) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// A patch's title, without tags.
    pub(crate) fn title(&mut self) -> String {
        let number = self.random.u16(..);
        format!("bpf: {} {number}", self.words(6))
    }

    /// A person's name and address.
    pub(crate) fn person(&mut self) -> (String, String) {
        let first = self.random.choice(NAMES).expect("there are some");
        let number = self.random.u16(..);
        (
            format!("{first} Example{number}"),
            format!("dev{number}@example.org"),
        )
    }

    pub(crate) fn hash(&mut self) -> String {
        let bytes: Vec<u8> = (0..20).map(|_| self.random.u8(..)).collect();
        hex(&bytes)
    }

    /// A few sentences in short lines.
    pub(crate) fn paragraph(&mut self) -> String {
        let mut text = String::new();
        let mut line = 0;
        for sentence in 0..3 {
            let words = format!("This {} {sentence}.", self.words(16));
            for word in words.split(' ') {
                let gap = match line + word.len() > LINE_CHARS_MAX {
                    _ if text.is_empty() => "",
                    true => "\n",
                    false => " ",
                };
                line = if gap == "\n" { 0 } else { line } + word.len() + 1;
                let _ = write!(text, "{gap}{word}");
            }
        }
        text.push('\n');
        text
    }

    pub(crate) fn prose(&mut self, paragraphs: usize) -> String {
        let paragraphs: Vec<String> = (0..paragraphs).map(|_| self.paragraph()).collect();
        paragraphs.join("\n")
    }

    /// A diff of `lines` lines.
    pub(crate) fn diff(&mut self, lines: usize) -> String {
        let mut diff = "diff --git a/kernel/bpf/verifier.c b/kernel/bpf/verifier.c\n\
                        index 0123456789ab..ba9876543210 100644\n\
                        --- a/kernel/bpf/verifier.c\n+++ b/kernel/bpf/verifier.c\n"
            .to_owned();
        for number in 0..lines {
            if number % 12 == 0 {
                let _ = writeln!(
                    diff,
                    "@@ -{number},9 +{number},12 @@ static int check(void)"
                );
            }
            let mark = [' ', '+', ' ', '-', ' ', '+'][number % 6];
            let _ = writeln!(
                diff,
                "{mark}\tif (reg->{} < {number} && insn->{})",
                self.word(),
                self.word()
            );
        }
        diff
    }

    /// The body of a patch of about 5 KB: reasons, tags, changelog, diff, signature.
    pub(crate) fn patch(&mut self) -> String {
        let (name, email) = self.person();
        format!(
            "{}\nFixes: {} (\"{}\")\nSigned-off-by: {name} <{email}>\n---\nv1 -> v2: rebased, and\n  {}\n\n \
             kernel/bpf/verifier.c | 42 ++++++++++++++++++++++-----\n 1 file changed, 32 insertions(+), 10 deletions(-)\n\n\
             {}-- \n2.51.0\n",
            self.prose(4),
            &self.hash()[..12],
            self.title(),
            self.words(8),
            self.diff(84)
        )
    }

    /// The body of an answer of about 5 KB: quotes, with a few words below each.
    pub(crate) fn answer(&mut self) -> String {
        let (name, email) = self.person();
        let mut body = format!("On Monday, {name} wrote:\n");
        for _ in 0..6 {
            let quoted = format!("{}{}", self.prose(2), self.diff(6));
            for line in quoted.lines() {
                let _ = writeln!(body, "> {line}");
            }
            let _ = write!(body, "\n{}\n", self.paragraph());
        }
        let _ = writeln!(body, "Acked-by: {name} <{email}>");
        body
    }
}
