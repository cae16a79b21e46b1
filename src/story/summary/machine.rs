//! Recognises lines that a machine wrote or reads: a command, a log, code, a row of a table. Each line is judged alone.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, Anchored, Input, StartKind};

use crate::item::prose::find;

/// Words for program output, in lower case.
#[rustfmt::skip]
const OUTPUTS: [&str; 14] = [
    "backtrace", "below", "command", "dump", "error", "fails", "following", "log:", "message", "output", "print",
    "splat", "trace", "warning",
];
/// How lines of logs, of tests' output and of version control begin.
#[rustfmt::skip]
const LOG_STARTS: [&str; 42] = [
    "Allocated by task", "BUG: ", "CPU: ", "Call Trace:", "Call trace:", "Chain exists of", "Code: ", "ERROR: ",
    "Error: ", "Freed by task", "Hardware name:", "INFO: ", "Kernel Offset:", "Kernel panic",
    "Modules linked in:", "Oops[", "RAX:", "RIP:", "Stack :", "Summary: ", "TAP version", "Traceback (",
    "UBSAN: ", "Unable to handle ", "WARNING: ", "Warning: ", "Would remove ", "cc1: ", "clang: ", "collect2: ", "error: ",
    "gcc: ", "in_atomic()", "kernel BUG at", "ld: ", "libbpf: ", "make: ", "make[", "not ok ", "ok 1", "rcu: ",
    "warning: ",
];
static LOG_STARTED: LazyLock<AhoCorasick> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    let built = builder.start_kind(StartKind::Anchored).build(LOG_STARTS);
    built.expect("few and short beginnings")
});
/// Marks inside such lines.
const LOG_MARKS: [&str; 9] = [
    ":FAIL:",
    ":PASS:",
    "+0x",
    ": error: ",
    ": warning: ",
    "[-W",
    "^~",
    "undefined reference",
    "~~~",
];
/// All of them are looked for at once.
static LOG_MARKED: LazyLock<AhoCorasick> =
    LazyLock::new(|| AhoCorasick::new(LOG_MARKS).expect("few and short marks"));
/// How such lines end.
const LOG_ENDS: [&str; 9] = [
    " FAILED",
    " PASSED",
    ":FAIL",
    ":OK",
    ":SKIP",
    "error generated.",
    "errors generated.",
    "warning generated.",
    "warnings generated.",
];
/// As many plain words has prose that ends with a call.
const PLAIN_WORDS_MIN: usize = 3;

/// Whether a machine wrote or reads a line: a command, a log line, code, a row of a table.
pub(super) fn is_machine(line: &str) -> bool {
    let trimmed = line.trim();
    let log = is_log(trimmed);
    let code = is_blame(trimmed)
        || trimmed.ends_with('{')
        || trimmed == "}"
        || trimmed == "};"
        || (trimmed.ends_with(';')
            && (trimmed.contains(" = ") || has_call(trimmed))
            && !is_spoken(trimmed))
        || is_assignment(trimmed)
        || trimmed.starts_with("#include")
        || trimmed.starts_with("#define")
        || trimmed.starts_with("/*")
        || trimmed.starts_with("//");
    is_command(trimmed) || log || code || is_table_row(trimmed) || is_numbers(trimmed)
}

/// Whether a line was logged or printed: by a kernel, a compiler, a test.
pub(super) fn is_log(line: &str) -> bool {
    let trimmed = line.trim();
    let first = trimmed.split_whitespace().next().unwrap_or_default();
    LOG_STARTED.is_match(Input::new(trimmed).anchored(Anchored::Yes))
        || LOG_MARKED.is_match(trimmed)
        || LOG_ENDS.iter().any(|end| trimmed.ends_with(end))
        || (first.ends_with("Error:") && first.len() > "Error:".len())
        || is_register(trimmed)
        || has_timestamp(trimmed)
        || has_clock(first)
        || has_place(first)
}

/// Whether a line is typed into a shell. Its output follows.
pub(super) fn is_command(line: &str) -> bool {
    let trimmed = line.trim();
    let mut words = trimmed.split_whitespace();
    let first = words.next().unwrap_or_default();
    let second = words.next();
    let is_setting = |word: &str| {
        word.split_once('=').is_some_and(|(name, _)| {
            let is_name = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
            name.len() > 1 && name.bytes().all(is_name)
        })
    };
    let runs = |word: &str| matches!(word, "make" | "sudo" | "\\") || word.starts_with("./");
    let is_root = first == "#"
        && second.is_some_and(|word| word.starts_with(|c: char| !c.is_uppercase() && c != '#'));
    let is_at_home = first == "~" && second.is_some_and(|word| matches!(word, "#" | "$"));
    is_at_home
        || matches!(first, "$" | "%" | "~#" | "#>" | "(gdb)" | ">>>")
        || is_root
        || first.starts_with("root@")
        || first.starts_with("./")
        || first.ends_with("]#")
        || first.ends_with("]$")
        || (is_setting(first) && second.is_some_and(|word| is_setting(word) || runs(word)))
        || (trimmed.ends_with(" \\") && words.next().is_some())
}

/// Whether a line right below an announcement is the output of a program: `cp: no such file`, `#3 map:OK`.
pub(super) fn is_printed(line: &str, announced_by: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    let program = first.strip_suffix(':').unwrap_or_default();
    let is_program = !program.is_empty()
        && program.starts_with(|c: char| c.is_ascii_lowercase() || c == '/')
        && !program.ends_with('.')
        && program
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-./+".contains(&b));
    let counted = first.strip_prefix('#').unwrap_or_default();
    let starts_small = line
        .trim_start()
        .starts_with(|c: char| c.is_ascii_lowercase());
    is_program
        || first == "#"
        || counted.starts_with(|c: char| c.is_ascii_digit())
        || (starts_small && announces_output(announced_by))
}

/// Whether a line announces program output: `It fails with this error:`.
fn announces_output(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    OUTPUTS.iter().any(|said| lower.contains(said))
}

/// Whether a line that ends with a call has as many plain words as prose: `sent from there, when calling send();`
fn is_spoken(line: &str) -> bool {
    let is_plain = |word: &&str| {
        let word = word.strip_suffix(',').unwrap_or(word);
        word.len() > 1
            && word.bytes().all(|b| b.is_ascii_lowercase())
            && !["return", "else", "goto", "struct", "const", "static", "if"].contains(&word)
    };
    line.split_whitespace().filter(is_plain).count() >= PLAIN_WORDS_MIN
}

/// A bracket right behind a name, as in `run(x);`; prose sets brackets apart.
fn has_call(line: &str) -> bool {
    line.match_indices('(')
        .any(|(at, _)| line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        && line.ends_with(");")
}

/// `a = b(c)` with hardly a plain word in it.
fn is_assignment(line: &str) -> bool {
    let is_plain = |word: &&str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
    !line.ends_with('.')
        && find(line, " = ").is_some()
        && line.split_whitespace().filter(is_plain).count() < 4
}

/// `0123456789ab Ann Author 2026-01-02 12 int paint`: a line of `git blame`.
fn is_blame(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_hash = words
        .next()
        .is_some_and(|hash| hash.len() >= 8 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_date = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        word.len() == 10 && digits == 8 && word.matches('-').count() == 2
    };
    is_hash && words.any(is_date)
}

/// `RAX: 0000000000000001 …`, a compiler's `  12 | code`.
fn is_register(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (Some(name), Some(value)) = (words.next(), words.next()) else {
        return false;
    };
    let is_hex = value.len() >= 8 && value.bytes().all(|b| b.is_ascii_hexdigit());
    (name.ends_with(':') && is_hex && words.next().is_none_or(|third| !third.starts_with("(\"")))
        || (value == "|" && name.bytes().all(|b| b.is_ascii_digit()))
}

/// `[   12.345678] …`, as the kernel logs.
fn has_timestamp(line: &str) -> bool {
    line.strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(stamp, _)| {
            let stamp = stamp.trim();
            stamp.contains('.') && stamp.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        })
}

/// `12:34:56 …`, as tests log.
fn has_clock(word: &str) -> bool {
    let shape: String = word
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    shape.starts_with("00:00:00")
}

/// `main.c:12:5:`, as compilers say where.
fn has_place(word: &str) -> bool {
    let mut parts = word.trim_end_matches(':').split(':');
    let (Some(file), Some(line)) = (parts.next(), parts.next()) else {
        return false;
    };
    file.contains('.') && line.starts_with(|c: char| c.is_ascii_digit()) && !word.contains("//")
}

/// Columns: two gaps of three or more spaces (or a tab) inside the line, or cells between bars.
fn is_table_row(line: &str) -> bool {
    let bars = |line: &str| line.matches(" | ").count() + usize::from(line.starts_with('|'));
    let cells = if line.contains('|') { bars(line) } else { 0 };
    let mut gaps = line.matches('\t').count();
    let mut spaces = 0;
    for c in line.chars() {
        if c == ' ' {
            spaces += 1;
        } else {
            gaps += usize::from(spaces >= 3);
            spaces = 0;
        }
    }
    gaps >= 2 || cells >= 2
}

/// Mostly figures and marks, as in measurements and dumps.
fn is_numbers(line: &str) -> bool {
    let (mut marks, mut letters) = (0, 0);
    for c in line.chars().filter(|c| !c.is_whitespace()) {
        marks += 1;
        letters += usize::from(c.is_alphabetic());
    }
    // The end of a sentence may be mostly an example: `array, e.g. "1@-9(%a,8)".`
    let first = line.split_whitespace().next().unwrap_or_default();
    let is_prose = line.ends_with('.')
        && first.len() > 2
        && first
            .trim_end_matches(',')
            .bytes()
            .all(|b| b.is_ascii_lowercase());
    marks >= 16 && letters * 2 < marks && !is_prose
}
