//! Machines that send mail, and the meaning of each mail. Pure.
//!
//! The address identifies a machine. The name in `From:` does not, because anyone can write it. An unknown sender counts as a
//! machine only if it behaves like one, and the story records why.

mod findings;
mod table;
mod verdict;

pub use self::findings::Findings;
pub use self::table::MachineKind;
pub use self::verdict::{MachineVerdict, Topic, verdict};

use std::sync::LazyLock;

use regex::Regex;

use self::table::{KNOWN, KnownMachine};
use super::StoredItem;
use crate::item::Person;
use crate::item::prose::{find, lines};

/// A machine that sent a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    pub kind: MachineKind,
    /// Its name for readers, such as `Sashiko`; otherwise its address.
    pub name: String,
    /// Why a sender that the built-in table does not know is taken for one; empty for one that it knows.
    pub why: String,
    /// Where its own pages begin; only links to these are followed.
    pages: &'static [&'static str],
}

/// The configured senders, beside the built-in table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machines {
    /// Address patterns of machines, in lower case, with the kind. The first match decides.
    pub senders: Vec<(String, MachineKind)>,
    /// Address patterns of people who are never machines, whatever their mail looks like.
    pub people: Vec<String>,
}

impl Machines {
    /// The machine that sent a mail; `None` for a person.
    pub fn sender(&self, item: &StoredItem) -> Option<Machine> {
        let email = item.author.email.to_lowercase();
        if fits_any(&email, &self.people) {
            return None;
        }
        if let Some(machine) = self.named(&item.author, &email) {
            return Some(machine);
        }
        let why = behaviour(item, &email)?;
        Some(Machine::other(&email, why))
    }

    /// Whether a trailer, or a line `From:`, names a machine and no person.
    pub fn is_machine(&self, person: &Person) -> bool {
        let email = person.email.to_lowercase();
        if fits_any(&email, &self.people) {
            return false;
        }
        self.named(person, &email).is_some()
            || of_a_bot(&email).is_some()
            || is_bots_name(&person.name)
    }

    fn named(&self, person: &Person, email: &str) -> Option<Machine> {
        let added = self
            .senders
            .iter()
            .find(|(pattern, _)| fits(email, pattern));
        let known = known(&person.name, email);
        match (added, known) {
            (Some((pattern, kind)), _) => Some(Machine {
                kind: *kind,
                why: format!("[machines] in the configuration has {pattern}"),
                ..known.map_or_else(|| Machine::other(email, String::new()), Machine::of)
            }),
            (None, known) => known.map(Machine::of),
        }
    }
}

impl Machine {
    fn of(known: &KnownMachine) -> Self {
        Self {
            kind: known.kind,
            name: known.name.to_owned(),
            why: String::new(),
            pages: known.pages,
        }
    }

    fn other(email: &str, why: String) -> Self {
        Self {
            kind: MachineKind::Other,
            name: email.to_owned(),
            why,
            pages: &[],
        }
    }
}

/// Whether the built-in table knows an address as a machine of that kind.
pub fn is_known(person: &Person, kind: MachineKind) -> bool {
    known(&person.name, &person.email.to_lowercase()).is_some_and(|known| known.kind == kind)
}

fn known(name: &str, email: &str) -> Option<&'static KnownMachine> {
    let name = name.trim().trim_matches('"').to_lowercase();
    let is_his = |known: &&KnownMachine| {
        known.senders.iter().any(|pattern| fits(email, pattern))
            || known
                .signed
                .iter()
                .any(|(called, pattern)| name.starts_with(called) && fits(email, pattern))
    };
    KNOWN.iter().find(is_his)
}

/// Whether an address fits a pattern: the same, where `*` stands for anything but an `@`. Both in lower case.
fn fits(email: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = email.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        let found = match parts.peek() {
            // The last part of a pattern must match the end.
            None => rest.ends_with(part).then(|| rest.len() - part.len()),
            Some(_) => rest.find(part),
        };
        match found {
            Some(at) if !rest[..at].contains('@') => rest = &rest[at + part.len()..],
            Some(_) | None => return false,
        }
    }
    true
}

fn fits_any(email: &str, patterns: &[String]) -> bool {
    patterns.iter().any(|pattern| fits(email, pattern))
}

/// Why a sender that nobody named is taken for a machine.
fn behaviour(item: &StoredItem, email: &str) -> Option<String> {
    if let Some(form) = of_a_bot(email) {
        return Some(format!("its address has a bot's form ({form})"));
    }
    if let Some(said) = item.header("Auto-Submitted")
        && !said
            .split(';')
            .next()
            .is_some_and(|said| said.trim().eq_ignore_ascii_case("no"))
    {
        return Some(format!("its mail says Auto-Submitted: {}", said.trim()));
    }
    if item.header("X-PR-Tracked-Message-Id").is_some() {
        return Some("its mail has a tracker's headers".to_owned());
    }
    // Lists put this header into everybody's mail, so it says nothing alone.
    let is_bulk = item.header("Precedence").is_some_and(|said| {
        ["bulk", "junk", "list"].contains(&said.trim().to_ascii_lowercase().as_str())
    });
    (is_bulk && has_generated_signature(&item.text)).then(|| {
        "its mail is bulk (Precedence), and its signature says that a program wrote it".to_owned()
    })
}

/// The form of a bot's address, if it has one: `bot+…@`, `…-bot@`, `bot@`, `robot@`, `noreply@`.
fn of_a_bot(email: &str) -> Option<&'static str> {
    let (local, _) = email.split_once('@')?;
    let (bare, tag) = local.split_once('+').unwrap_or((local, ""));
    match bare {
        "bot" if tag.is_empty() => Some("bot@"),
        "bot" => Some("bot+"),
        "noreply" | "no-reply" | "donotreply" => Some("noreply@"),
        _ if bare.ends_with("-bot") || tag.ends_with("-bot") => Some("-bot@"),
        _ if bare == "robot" || bare.ends_with("-robot") => Some("robot@"),
        _ => None,
    }
}

/// Whether a name in a trailer is a bot's. A person may be called Bot; nobody is called Robot.
fn is_bots_name(name: &str) -> bool {
    let name = name.trim().trim_matches('"');
    let last = name.split_whitespace().next_back().unwrap_or_default();
    last.eq_ignore_ascii_case("robot")
        || last == "bot"
        || last.to_ascii_lowercase().ends_with("-bot")
}

/// Whether the text below the last line of dashes says that a program wrote the mail.
fn has_generated_signature(text: &str) -> bool {
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?i)\bI(?: am|'m) a (?:ro)?bot\b",
            r"|\bthis is an automat(?:ed|ic) (?:e-?mail|mail|message|report|reply|notification)\b",
            r"|\bthis (?:e-?mail|mail|message|report|reply|notification) (?:is|was|has been) ",
            r"(?:auto(?:matically)?[- ]?(?:generated|created|sent)|(?:generated|created|sent) (?:automatically|by (?:a|an|the) [^\n]{0,40}\b(?:bot|robot|script|program)\b))",
        ))
        .expect("the pattern is sound")
    });
    let mut signature = Vec::new();
    let mut is_below = false;
    for line in lines(text).filter(|line| !line.starts_with('>')) {
        match line.trim_end() {
            "--" | "---" => (is_below, signature) = (true, Vec::new()),
            line if is_below => signature.push(line),
            _ => {}
        }
    }
    SAYS.is_match(&signature.join(" "))
}

/// Whether a person's mail passes on an AI's review: it says so at its head, or ends like such a review. Quoted text does not
/// count.
pub fn is_ai_made(text: &str) -> bool {
    /// How many lines of a mail are its head.
    const HEAD_LINES: usize = 6;
    static SAYS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^This is an AI[- ](?:generated|made|written) (?:code )?review\b")
            .expect("the pattern is sound")
    });
    // Most mails do not name it at all.
    if find(text, "AI").is_none() {
        return false;
    }
    let own = || {
        let own = lines(text).map(str::trim);
        own.filter(|line| !line.is_empty() && !line.starts_with('>'))
    };
    let signatures = || {
        KNOWN
            .iter()
            .filter(|known| known.kind == MachineKind::AiReview)
    };
    let signatures: Vec<&str> = signatures()
        .flat_map(|known| known.signatures)
        .copied()
        .collect();
    own().take(HEAD_LINES).any(|line| SAYS.is_match(line))
        || own().any(|line| signatures.iter().any(|signed| line.starts_with(signed)))
}

#[cfg(test)]
mod tests;
