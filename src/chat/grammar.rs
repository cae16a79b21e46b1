//! Parses the text of a command, and writes a call as text. Pure.

use std::collections::BTreeMap;

use super::spec::{Arg, ArgKind, Audience, CommandSpec};
use super::table::PAGE;
use super::table::find;

/// Characters repeated of a wrong text.
const TYPED_CHARS_MAX: usize = 40;

/// A command with valid arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub spec: &'static CommandSpec,
    /// The given arguments, trimmed and not empty.
    pub args: BTreeMap<&'static str, String>,
}

/// Why a text is no valid command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongCall {
    /// There is no text after the name.
    #[error("there is no command after the name")]
    Nothing(Audience),
    #[error("there is no command {word:?}")]
    Unknown { audience: Audience, word: String },
    /// An argument is missing, unknown or invalid.
    #[error("{what}")]
    Argument {
        spec: &'static CommandSpec,
        /// The problem and its solution.
        what: String,
    },
}

impl CommandSpec {
    /// The syntax: `feeds add <name> <url> [kind=…]`.
    pub fn usage(&self) -> String {
        let args = self.args.iter().map(|arg| {
            if arg.is_required {
                format!(" <{}>", arg.name)
            } else {
                format!(" [{}=…]", arg.name)
            }
        });
        format!("{}{}", self.path, args.collect::<String>())
    }

    /// Makes a call from arguments by name.
    pub fn call(
        &'static self,
        given: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Call, WrongCall> {
        let wrong = |what: String| WrongCall::Argument { spec: self, what };
        let mut args = BTreeMap::new();
        for (name, value) in given {
            let Some(arg) = self.args.iter().find(|arg| arg.name == name) else {
                let known: Vec<&str> = self.args.iter().map(|arg| arg.name).collect();
                return Err(wrong(format!(
                    "{} has no argument {:?}; it has {}",
                    self.path,
                    short(&name),
                    known.join(", ")
                )));
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            arg.check(value).map_err(wrong)?;
            args.insert(arg.name, value.to_owned());
        }
        let missing = self
            .args
            .iter()
            .find(|arg| arg.is_required && !args.contains_key(arg.name));
        match missing {
            Some(arg) => Err(wrong(format!(
                "{} needs {}: {}",
                self.path, arg.name, arg.about
            ))),
            None => Ok(Call { spec: self, args }),
        }
    }
}

impl Arg {
    fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            ArgKind::Number(least, most) => match value.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(format!(
                    "{} must be an integer in the allowed range, not {:?}",
                    self.name,
                    short(value)
                )),
            },
            ArgKind::OneOf(words) if !words.contains(&value) => Err(format!(
                "{} must be one of {}, not {:?}",
                self.name,
                words.join(", "),
                short(value)
            )),
            ArgKind::OneOf(_) | ArgKind::Text | ArgKind::Known(_) | ArgKind::Room => Ok(()),
        }
    }
}

impl Call {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.args.get(name).map(String::as_str)
    }

    /// The requested page; the first is 1.
    pub fn page(&self) -> i64 {
        self.get("page")
            .and_then(|page| page.parse().ok())
            .unwrap_or(1)
    }

    /// The same call for another page.
    pub fn at_page(&self, page: i64) -> Call {
        let mut call = self.clone();
        call.args.insert(PAGE.name, page.to_string());
        call
    }

    /// The call as text for [`parse`].
    pub fn words(&self) -> String {
        let mut words = self.spec.path.to_owned();
        let given = |arg: &Arg| self.args.get(arg.name);
        // Optional arguments by name, then the required ones by position, since the last one takes the rest of the text.
        for arg in self.spec.args.iter().filter(|arg| !arg.is_required) {
            if let Some(value) = given(arg) {
                words.push_str(&format!(" {}={}", arg.name, quote(value)));
            }
        }
        let required: Vec<&Arg> = self
            .spec
            .args
            .iter()
            .filter(|arg| arg.is_required)
            .collect();
        for (place, arg) in required.iter().enumerate() {
            let value = given(arg).map_or("", String::as_str);
            words.push(' ');
            if place + 1 == required.len() {
                words.push_str(value);
            } else {
                words.push_str(&quote(value));
            }
        }
        words
    }
}

fn short(typed: &str) -> String {
    match typed.char_indices().nth(TYPED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &typed[..end]),
        None => typed.to_owned(),
    }
}

/// Quotes a value with spaces.
fn quote(value: &str) -> String {
    if value.contains(|c: char| c.is_whitespace() || c == '"') {
        format!("\"{}\"", value.replace('"', "'"))
    } else {
        value.to_owned()
    }
}

/// Parses a command: the text after `!bpfnews`.
///
/// Optional arguments are written `name=value`, with quotes around a value with spaces. Required arguments are given by
/// position or by name; the last one takes the rest of the text. If a command has optional arguments only, the first of
/// them takes the rest.
pub fn parse(audience: Audience, text: &str) -> Result<Call, WrongCall> {
    let text = text.trim();
    if text.is_empty() {
        return Err(WrongCall::Nothing(audience));
    }
    let (spec, rest) = split_path(audience, text).ok_or_else(|| WrongCall::Unknown {
        audience,
        word: text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .chars()
            .take(TYPED_CHARS_MAX)
            .collect(),
    })?;
    let mut given: Vec<(String, String)> = Vec::new();
    let mut rest = rest.trim_start();
    let mut loose = String::new();
    let mut gap = String::new();
    while !rest.is_empty() {
        let named = named(spec, rest).filter(|_| !has_text_begun(spec, &given, &loose));
        if let Some((arg, value, after)) = named {
            given.push((arg.name.to_owned(), value));
            rest = after.trim_start();
            continue;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        if !loose.is_empty() {
            loose.push_str(&gap);
        }
        loose.push_str(&rest[..end]);
        let after = rest[end..].trim_start();
        gap = between(&rest[end..rest.len() - after.len()]);
        rest = after;
    }
    let is_open = |arg: &&Arg| !given.iter().any(|(name, _)| name == arg.name);
    let mut places: Vec<&Arg> = spec
        .args
        .iter()
        .filter(|arg| arg.is_required)
        .filter(is_open)
        .collect();
    if places.is_empty() {
        places = spec
            .args
            .iter()
            .filter(|arg| !arg.is_required)
            .filter(is_open)
            .take(1)
            .collect();
    } else if let [first, second, ..] = spec.args
        && first.is_required
        && !second.is_required
        && second.kind == ArgKind::Text
        && matches!(first.name, "url")
        && is_open(&second)
    {
        // `suggest URL some words`: an address has no spaces, so the rest is the note.
        places.push(second);
    }
    let mut loose = loose.as_str();
    for (place, arg) in places.iter().enumerate() {
        if loose.is_empty() {
            break;
        }
        let (value, after) = if place + 1 == places.len() {
            (unquote(loose), "")
        } else {
            word(loose)
        };
        given.push((arg.name.to_owned(), value));
        loose = after.trim_start();
    }
    if !loose.is_empty() {
        return Err(WrongCall::Argument {
            spec,
            what: format!("{} has no argument for {:?}", spec.path, short(loose)),
        });
    }
    spec.call(given)
}

/// Whether the text of an editor has begun, in which `name=value` is text like any other.
fn has_text_begun(spec: &CommandSpec, given: &[(String, String)], loose: &str) -> bool {
    let is_open = |arg: &&Arg| !given.iter().any(|(name, _)| name == arg.name);
    let required = spec.args.iter().filter(|arg| arg.is_required);
    let open: Vec<&Arg> = required.filter(is_open).collect();
    let Some((text, before)) = open.split_last().filter(|(last, _)| last.name == "text") else {
        return false;
    };
    let mut loose = loose;
    for _ in before {
        loose = word(loose).1.trim_start();
    }
    text.kind == ArgKind::Text && !loose.is_empty()
}

/// The separator of two words: one space, or the line breaks with their indentation, which Markdown needs.
fn between(blank: &str) -> String {
    match blank.find('\n') {
        Some(at) => blank[at..].replace('\r', ""),
        None => " ".to_owned(),
    }
}

/// The command at the start of a text, and the rest. `feeds add` is tried before `feeds`.
fn split_path(audience: Audience, text: &str) -> Option<(&'static CommandSpec, &str)> {
    let (first, rest) = word_bare(text);
    let (second, after) = word_bare(rest);
    let both = format!("{} {}", first.to_lowercase(), second.to_lowercase());
    let grouped = find(audience, &both).map(|spec| (spec, after));
    grouped.or_else(|| find(audience, &first.to_lowercase()).map(|spec| (spec, rest)))
}

fn word_bare(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// A leading `name=value` with the name of an argument.
fn named<'t>(spec: &'static CommandSpec, text: &'t str) -> Option<(&'static Arg, String, &'t str)> {
    let (name, rest) = text.split_once('=')?;
    let arg = spec.args.iter().find(|arg| arg.name == name)?;
    let (value, after) = word(rest);
    Some((arg, value, after))
}

/// The first word of a text, or its leading quoted part.
fn word(text: &str) -> (String, &str) {
    if let Some(quoted) = text.strip_prefix('"')
        && let Some((value, after)) = quoted.split_once('"')
    {
        return (value.to_owned(), after);
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (text[..end].to_owned(), &text[end..])
}

/// Removes the brackets around a link, which keep a chat client from showing a preview.
fn unquote(text: &str) -> String {
    let inner = text
        .strip_prefix('<')
        .and_then(|text| text.strip_suffix('>'));
    inner
        .filter(|inner| inner.contains("://"))
        .unwrap_or(text)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::table::COMMANDS;
    use super::*;

    #[test]
    fn words_of_a_text_are_no_arguments() {
        let read = |text: &str| {
            let call = parse(Audience::Editors, text).unwrap_or_else(|why| panic!("{text}: {why}"));
            let get = |name: &str| call.get(name).unwrap_or("-").to_owned();
            [get("story"), get("text"), get("version"), get("over")]
        };
        #[rustfmt::skip]
        let table = [
            ("intro With version=3 and over=yes.", ["-", "With version=3 and over=yes.", "-", "-"]),
            ("intro version=3 With over=yes.", ["-", "With over=yes.", "3", "-"]),
            ("note \"bpf: a leak\" over=yes See text=1\nversion=2", ["bpf: a leak", "See text=1\nversion=2", "-", "yes"]),
            ("note over=yes abc one version=2", ["abc", "one version=2", "-", "yes"]),
            ("note text=\"one version=2\" abc", ["abc", "one version=2", "-", "-"]),
        ];
        for (text, right) in table {
            assert_eq!(read(text), right, "{text}");
        }
    }

    #[test]
    fn the_table_keeps_discords_rules() {
        for spec in COMMANDS {
            assert!(spec.about.chars().count() <= 100, "{}", spec.path);
            assert!(spec.args.len() <= 25, "{}", spec.path);
            let words: Vec<&str> = spec.path.split(' ').collect();
            assert!(words.len() <= 2, "{}", spec.path);
            let names = words
                .into_iter()
                .chain(spec.args.iter().map(|arg| arg.name));
            for name in names {
                let is_plain = |c: char| c.is_ascii_lowercase() || c == '_' || c == '-';
                assert!(name.len() <= 32 && name.chars().all(is_plain), "{name}");
            }
            let may = spec.args.iter().skip_while(|arg| arg.is_required);
            assert!(may.clone().all(|arg| !arg.is_required), "{}", spec.path);
            for arg in spec.args {
                assert!(
                    arg.about.chars().count() <= 100,
                    "{} {}",
                    spec.path,
                    arg.name
                );
            }
            let same = COMMANDS
                .iter()
                .filter(|other| (other.audience, other.path) == (spec.audience, spec.path));
            assert_eq!(same.count(), 1, "{}", spec.path);
        }
        // On Discord, a group cannot be a command itself.
        for spec in COMMANDS {
            if let Some((group, _)) = spec.path.split_once(' ') {
                assert!(find(spec.audience, group).is_none(), "{group}");
            }
        }
    }

    fn read(audience: Audience, text: &str) -> String {
        match parse(audience, text) {
            Ok(call) => format!("{} {:?}", call.spec.path, call.args),
            Err(wrong) => format!("! {wrong}"),
        }
    }

    #[test]
    fn texts_are_read() {
        #[rustfmt::skip]
        let table = [
            ("latest", r#"latest {}"#),
            ("Latest 2", r#"latest {"page": "2"}"#),
            ("latest page=2", r#"latest {"page": "2"}"#),
            ("issue 7", r#"issue {"number": "7"}"#),
            ("search private stack", r#"search {"words": "private stack"}"#),
            ("search \"private stack\" page=3", r#"search {"page": "3", "words": "\"private stack\""}"#),
            ("search page=2 a=b", r#"search {"page": "2", "words": "a=b"}"#),
            ("story <https://lore.kernel.org/bpf/x@y/>", r#"story {"story": "https://lore.kernel.org/bpf/x@y/"}"#),
            ("suggest https://a.example/ two words", r#"suggest {"note": "two words", "url": "https://a.example/"}"#),
            ("suggest https://a.example/", r#"suggest {"url": "https://a.example/"}"#),
            ("help search", r#"help {"command": "search"}"#),
            ("", "! there is no command after the name"),
            ("dance", r#"! there is no command "dance""#),
            ("issue x", r#"! number must be an integer in the allowed range, not "x""#),
            ("issue", "! issue needs number: its number"),
            ("search", "! search needs words: the words to search for"),
            ("status now", r#"! status has no argument for "now""#),
            ("latest page=0", r#"! page must be an integer in the allowed range, not "0""#),
        ];
        for (text, right) in table {
            assert_eq!(read(Audience::Readers, text), right, "{text}");
        }
        #[rustfmt::skip]
        let table = [
            ("feeds add libbpf https://x.example/a.atom gives=releases",
             r#"feeds add {"gives": "releases", "name": "libbpf", "url": "https://x.example/a.atom"}"#),
            ("feeds add", "! feeds add needs name: a name: letters, digits and -"),
            ("feeds", r#"! there is no command "feeds""#),
            ("route add news words=\"private stack,arena\" score_min=3",
             r#"route add {"name": "news", "score_min": "3", "words": "private stack,arena"}"#),
            ("route add a b", r#"route add {"name": "a b"}"#),
            ("mute author A. B.", r#"mute author {"name": "A. B."}"#),
            ("suggest ban @m:x", r#"suggest ban {"person": "@m:x"}"#),
            ("feeds add a u kind=ftp", r#"! kind must be one of tree, archive, lwn, feed, not "ftp""#),
        ];
        for (text, right) in table {
            assert_eq!(read(Audience::Maintainers, text), right, "{text}");
        }
    }

    #[test]
    fn texts_of_editors_keep_their_lines() {
        #[rustfmt::skip]
        let table = [
            ("intro One  word.\n\nTwo:\r\n- a\n  - b", r#"intro {"text": "One word.\n\nTwo:\n- a\n  - b"}"#),
            ("intro\nOne.\n", r#"intro {"text": "One."}"#),
            ("note \"a story\" One.  \nTwo.", r#"note {"story": "a story", "text": "One.\nTwo."}"#),
            ("correct 1\nOne.\nTwo.", r#"correct {"number": "1", "text": "One.\nTwo."}"#),
            ("publish 2 sure=yes", r#"publish {"number": "2", "sure": "yes"}"#),
            ("publish 2 yes", r#"! number must be an integer in the allowed range, not "2 yes""#),
        ];
        for (text, right) in table {
            assert_eq!(read(Audience::Editors, text), right, "{text}");
        }
    }

    #[test]
    fn a_written_call_is_read_again() {
        for text in [
            "latest page=2",
            "search page=2 private stack",
            "route add words=\"a b\" news",
            "feeds add gives=releases libbpf https://x.example/",
        ] {
            let audience = match text.starts_with("latest") || text.starts_with("search") {
                true => Audience::Readers,
                false => Audience::Maintainers,
            };
            let call = parse(audience, text).expect("a command");
            assert_eq!(parse(audience, &call.words()), Ok(call.clone()), "{text}");
        }
        let call = parse(Audience::Readers, "search a")
            .expect("a command")
            .at_page(3);
        assert_eq!(
            (call.page(), call.words()),
            (3, "search page=3 a".to_owned())
        );
    }
}
