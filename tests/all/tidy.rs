//! The rules that a compiler does not check: the rooms that each room may use, and the form of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Crates that use the network, files, the clock or processes, and such modules of the standard library.
const CHAT: [&str; 3] = ["serenity", "twilight_gateway", "matrix_sdk"];
const DATABASE: [&str; 1] = ["sqlx"];
const NETWORK: [&str; 4] = ["reqwest", "axum", "hyper", "std::net"];
const RUNTIME: [&str; 2] = ["tokio", "tokio_util"];
const MACHINE: [&str; 3] = ["std::env", "std::fs", "std::process"];
const CLOCK: [&str; 4] = [
    "crate::clock",
    "Utc::now",
    "SystemTime::now",
    "Instant::now",
];

/// A room: its file or folder below `src`, the other rooms that it may use, and the crates that it must not use.
struct Room {
    name: &'static str,
    uses: &'static [&'static str],
    never: &'static [&'static [&'static str]],
    /// Files of the room that may use these crates all the same, and the reason.
    but: &'static [&'static str],
}

/// The rooms, from the inside out.
const ROOMS: [Room; 25] = [
    Room {
        name: "item",
        uses: &[],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "story",
        uses: &["item"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "filter",
        uses: &["item", "story"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "post",
        uses: &["item", "story", "filter"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "issue",
        uses: &["item", "story", "post"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        // The commands, and the data that platforms and the command handler exchange.
        name: "chat",
        uses: &["post"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "rate",
        uses: &[],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        // It writes mails. `channel` sends them.
        name: "mailing",
        uses: &["config", "issue", "item", "post", "store"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "clock",
        uses: &[],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE],
        but: &[],
    },
    Room {
        // A source is opened from its part of the configuration.
        name: "source",
        uses: &["item", "config"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        // The only HTTP client.
        but: &["source/fetch/"],
    },
    Room {
        name: "config",
        uses: &["chat", "filter", "post", "story"],
        never: &[
            &CHAT,
            &DATABASE,
            &["reqwest", "axum", "hyper"],
            &RUNTIME,
            &["std::env"],
            &CLOCK,
        ],
        but: &[],
    },
    Room {
        // Rows for configured feeds and for gaps are made from their checked values.
        name: "store",
        uses: &[
            "item", "post", "config", "source", "story", "issue", "filter",
        ],
        never: &[&CHAT, &NETWORK, &CLOCK],
        but: &[],
    },
    Room {
        // Logins and webhooks use the one HTTP client and its rules for addresses.
        name: "channel",
        uses: &["chat", "item", "post", "source"],
        never: &[&DATABASE, &["reqwest", "axum", "hyper"], &CLOCK],
        // Discord's REST interface: a client must see its limits, and its tests simulate Discord.
        but: &["channel/discord/"],
    },
    Room {
        name: "command",
        uses: &[
            "chat",
            "filter",
            "item",
            "story",
            "post",
            "store",
            "config",
            "destination",
            "source",
            "plan",
            "deliver",
            "live",
            "issue",
            "publish",
            "mailing",
            "rate",
        ],
        never: &[&CHAT, &DATABASE, &NETWORK, &MACHINE],
        but: &[],
    },
    Room {
        name: "destination",
        uses: &["config", "post", "store"],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        // A source has the address of an item without an address of its own.
        name: "fold",
        uses: &["item", "story", "source", "store"],
        // The cache measures its idle time, so `Instant` is allowed.
        never: &[
            &CHAT,
            &DATABASE,
            &NETWORK,
            &RUNTIME,
            &MACHINE,
            &["crate::clock", "Utc::now", "SystemTime::now"],
        ],
        but: &[],
    },
    Room {
        name: "plan",
        uses: &[
            "config",
            "destination",
            "filter",
            "fold",
            "post",
            "store",
            "story",
        ],
        never: &[&CHAT, &DATABASE, &NETWORK, &RUNTIME, &MACHINE, &CLOCK],
        but: &[],
    },
    Room {
        name: "ingest",
        uses: &[
            "item",
            "post",
            "source",
            "store",
            "config",
            "clock",
            "story",
            "destination",
            "fold",
            "plan",
            "filter",
        ],
        never: &[&CHAT, &DATABASE, &NETWORK, &MACHINE],
        but: &[],
    },
    Room {
        name: "publish",
        uses: &[
            "item",
            "story",
            "post",
            "issue",
            "store",
            "config",
            "destination",
            "fold",
            "plan",
        ],
        never: &[
            &CHAT,
            &DATABASE,
            &NETWORK,
            &["std::env", "std::fs", "std::process"],
            &CLOCK,
        ],
        but: &[],
    },
    Room {
        // The editors' desk checks rights, edits, publishes, and renders the draft for platforms.
        name: "web",
        uses: &[
            "item", "story", "post", "issue", "store", "clock", "mailing", "rate", "filter",
            "chat", "channel", "live", "publish",
        ],
        never: &[&CHAT, &DATABASE, &["reqwest"], &MACHINE],
        but: &[],
    },
    Room {
        name: "deliver",
        uses: &["store", "channel", "config", "clock", "destination", "post"],
        never: &[&CHAT, &DATABASE, &NETWORK, &MACHINE],
        but: &[],
    },
    Room {
        // It knows no platform: `deliver` has them.
        name: "live",
        uses: &[
            "chat",
            "store",
            "config",
            "clock",
            "destination",
            "ingest",
            "deliver",
            "post",
        ],
        never: &[&CHAT, &DATABASE, &NETWORK, &MACHINE],
        but: &[],
    },
    Room {
        name: "app",
        uses: &[
            "chat",
            "clock",
            "config",
            "store",
            "ingest",
            "deliver",
            "channel",
            "post",
            "live",
            "destination",
            "publish",
            "mailing",
            "source",
        ],
        never: &[&CHAT, &DATABASE, &NETWORK],
        but: &[],
    },
    Room {
        name: "demo",
        uses: &["clock", "config", "item", "story", "issue", "filter"],
        never: &[&CHAT, &DATABASE, &["reqwest", "hyper"]],
        but: &[],
    },
    Room {
        name: "cli",
        uses: &[
            "app",
            "chat",
            "clock",
            "config",
            "item",
            "post",
            "store",
            "ingest",
            "deliver",
            "channel",
            "source",
            "demo",
            "story",
            "live",
            "command",
            "issue",
            "publish",
            "web",
            "fold",
            "filter",
            "mailing",
            "destination",
        ],
        never: &[&CHAT, &DATABASE, &["reqwest", "axum", "hyper"]],
        but: &[],
    },
];

/// The most lines of a file without its tests.
const LINES_MAX: usize = 420;

/// Files that are too long, with their limits. The numbers may only become smaller.
const LONG: [(&str, usize); 1] = [("demo/facts.rs", 445)];

/// A file of the program: its path below `src`, its lines, and the number of lines before its tests.
struct Source {
    path: String,
    lines: Vec<String>,
    code: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders: Vec<PathBuf> = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder that can be read") {
            let path = entry.expect("an entry that can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                sources.push(source(&root, &path));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 20, "the sources are where they were");
    sources
}

fn source(root: &Path, path: &Path) -> Source {
    let below = path.strip_prefix(root).expect("it lies below the root");
    let text = fs::read_to_string(path).expect("a file that can be read");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let is_test_file = below.ends_with("tests.rs");
    let tests = lines.windows(2).position(|pair| {
        let opens = |line: &str| line.starts_with("mod tests {");
        pair[0] == "#[cfg(test)]" && opens(&pair[1])
    });
    let code = match tests {
        _ if is_test_file => 0,
        Some(first) => first,
        None => lines.len(),
    };
    Source {
        path: below.to_string_lossy().replace('\\', "/"),
        lines,
        code,
    }
}

/// The code of a line, without its comment and without quoted text.
fn code(line: &str) -> String {
    let line = line.trim_start();
    if line.starts_with("//") {
        return String::new();
    }
    let mut code = String::new();
    let (mut quoted, mut escaped, mut last) = (false, false, ' ');
    for c in line.chars() {
        if escaped {
            escaped = false;
        } else if quoted && c == '\\' {
            escaped = true;
        } else if c == '"' && last != '\'' {
            quoted = !quoted;
        } else if !quoted {
            code.push(c);
        }
        if code.ends_with("//") {
            break;
        }
        last = c;
    }
    code
}

/// Whether `name` (a crate, or a path) is used in a line of code.
fn is_used(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        let starts = before.is_none_or(|c| !is_word(c) && c != ':');
        let is_path = name.contains("::") || after.starts_with("::") || after.starts_with(';');
        starts && is_path && !after.starts_with(is_word)
    })
}

/// The rooms of ours that a line names: `crate::item::…`, `crate::{item, post}`, `bpfnews::item`.
fn rooms_in(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, opening) in code.match_indices("crate::") {
        let rest = &code[at + opening.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let is_group = rest.starts_with('{');
        for name in names.split(',').take(if is_group { usize::MAX } else { 1 }) {
            let name: String = name
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            rooms.push(name);
        }
    }
    rooms
}

fn room_of(path: &str) -> &str {
    let end = path.find(['/', '.']).unwrap_or(path.len());
    &path[..end]
}

fn check(problems: &[String], rule: &str) {
    assert!(problems.is_empty(), "{rule}:\n{}", problems.join("\n"));
}

/// The other rooms that each room uses, with one place for each.
fn uses() -> BTreeMap<String, BTreeMap<String, String>> {
    let mut uses: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for source in sources() {
        let name = room_of(&source.path);
        for (number, line) in source.lines[..source.code].iter().enumerate() {
            for used in rooms_in(&code(line)) {
                if used != name && ROOMS.iter().any(|room| room.name == used) {
                    let place = format!("{}:{}", source.path, number + 1);
                    let of_room = uses.entry(name.to_owned()).or_default();
                    of_room.entry(used).or_insert(place);
                }
            }
        }
    }
    uses
}

/// The rooms of `graph` that take part in a cycle. The function repeatedly removes rooms that use none of the others, and
/// rooms that none of the others use; the rest is the result.
fn in_cycles(graph: &BTreeMap<String, BTreeMap<String, String>>) -> BTreeSet<String> {
    let mut left: BTreeSet<String> = graph.keys().cloned().collect();
    loop {
        let uses = |room: &String, other: &String| graph[room].contains_key(other);
        let stays = |room: &&String| {
            left.iter().any(|other| uses(room, other)) && left.iter().any(|other| uses(other, room))
        };
        let next: BTreeSet<String> = left.iter().filter(stays).cloned().collect();
        if next == left {
            return left;
        }
        left = next;
    }
}

#[test]
fn no_cycle_of_rooms() {
    let mut graph = uses();
    // `main` and `lib` are not rooms. A room without uses is in no cycle.
    graph.retain(|name, _| ROOMS.iter().any(|room| room.name == name));
    let in_cycles = in_cycles(&graph);
    let edges = graph
        .iter()
        .filter(|(name, _)| in_cycles.contains(*name))
        .flat_map(|(name, used)| {
            let inside = used.iter().filter(|(other, _)| in_cycles.contains(*other));
            inside.map(move |(other, place)| format!("{name} uses {other}: {place}"))
        });
    check(&edges.collect::<Vec<_>>(), "rooms that use each other");
}

#[test]
fn every_allowance_is_used() {
    let graph = uses();
    let mut unused = Vec::new();
    for room in &ROOMS {
        for allowed in room.uses {
            if !graph
                .get(room.name)
                .is_some_and(|used| used.contains_key(*allowed))
            {
                unused.push(format!("{} does not use {allowed}", room.name));
            }
        }
    }
    check(&unused, "allowances without a use; remove them from ROOMS");
}

#[test]
fn every_room_keeps_to_its_own() {
    let mut problems = Vec::new();
    for source in sources() {
        let name = room_of(&source.path);
        if ["main", "lib"].contains(&name) {
            continue;
        }
        let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
            problems.push(format!(
                "{}: a room without a rule; give it one here",
                source.path
            ));
            continue;
        };
        let is_free = room.but.iter().any(|but| source.path.starts_with(but));
        for (number, line) in source.lines[..source.code].iter().enumerate() {
            let code = code(line);
            let place = format!("{}:{}", source.path, number + 1);
            for used in rooms_in(&code) {
                let is_room = ROOMS.iter().any(|room| room.name == used);
                if is_room && used != room.name && !room.uses.contains(&used.as_str()) {
                    problems.push(format!("{place}: {name} must not use {used}"));
                }
            }
            for banned in room.never.iter().copied().flatten().filter(|_| !is_free) {
                if is_used(&code, banned) {
                    problems.push(format!("{place}: {name} must not touch {banned}"));
                }
            }
        }
    }
    check(
        &problems,
        "a room uses what it must not (see ARCHITECTURE.md)",
    );
}

#[test]
fn every_file_explains_its_purpose() {
    let problems: Vec<String> = sources()
        .into_iter()
        .filter(|source| {
            !source
                .lines
                .first()
                .is_some_and(|line| line.starts_with("//!"))
        })
        .map(|source| source.path)
        .collect();
    check(&problems, "files that do not open with `//!`");
}

#[test]
fn no_file_is_too_long() {
    let mut problems = Vec::new();
    for source in sources() {
        let allowed = LONG.iter().find(|(path, _)| *path == source.path);
        match (source.code, allowed) {
            (lines, None) if lines > LINES_MAX => problems.push(format!(
                "{}: {lines} lines without tests; at most {LINES_MAX}",
                source.path
            )),
            (lines, Some((_, most))) if lines > *most => problems.push(format!(
                "{}: {lines} lines without tests; it had {most} and may only shrink",
                source.path
            )),
            (lines, Some(_)) if lines <= LINES_MAX => {
                problems.push(format!(
                    "{}: is short now; take it out of LONG",
                    source.path
                ));
            }
            (_, _) => {}
        }
    }
    for (path, _) in LONG {
        if !sources().iter().any(|source| source.path == path) {
            problems.push(format!(
                "{path}: is not there any more; take it out of LONG"
            ));
        }
    }
    check(&problems, "files of the wrong length");
}

#[test]
fn nothing_is_unwrapped() {
    let mut problems = Vec::new();
    for source in sources() {
        for (number, line) in source.lines[..source.code].iter().enumerate() {
            if code(line).contains(".unwrap()") {
                problems.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    check(
        &problems,
        "`.unwrap()`; say with `expect` why it cannot fail",
    );
}

#[test]
fn cycles_are_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry((*to).to_owned()).or_default();
            let used = graph.entry((*from).to_owned()).or_default();
            used.insert((*to).to_owned(), String::new());
        }
        in_cycles(&graph).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), [""; 0]);
    assert_eq!(
        graph(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]),
        ["b", "c"]
    );
    assert_eq!(
        graph(&[("a", "b"), ("b", "c"), ("c", "a")]),
        ["a", "b", "c"]
    );
}

#[test]
fn the_rules_are_read_right() {
    assert_eq!(rooms_in("use crate::item::{self, Item};"), ["item"]);
    assert_eq!(rooms_in("use crate::{item, post::Post};"), ["item", "post"]);
    assert_eq!(rooms_in("let x = crate::store::Store;"), ["store"]);
    assert!(is_used("use tokio::sync::Mutex;", "tokio"));
    assert!(is_used("let x = std::env::var(y);", "std::env"));
    assert!(is_used("    now: Utc::now(),", "Utc::now"));
    assert!(!is_used("use tokio_util::sync;", "tokio"));
    assert!(!is_used("let tokio = 1;", "tokio"));
    assert!(!is_used("use crate::source::reqwest_like;", "reqwest"));
    assert_eq!(
        code("let a = \"tokio::x \\\" sqlx::y\"; // reqwest::z").trim(),
        "let a = ; //"
    );
    assert_eq!(code("    //! sqlx::x"), "");
    assert_eq!(room_of("source/fetch/mod.rs"), "source");
    assert_eq!(room_of("post.rs"), "post");
}
