//! The effective configuration: the file, plus the feeds and channels that were added in chat. The caller stores the
//! additions.
//!
//! An addition is the TOML of its table. It is parsed as if it were at the end of the file, so the same rules apply.

use std::path::{Path, PathBuf};

use super::file::{self, Config, TableLines};
use super::problem::ConfigErrors;

/// The table of an addition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableKind {
    Feed,
    /// `[[channel]]`, which may name feeds.
    Channel,
}

impl TableKind {
    pub fn word(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Channel => "channel",
        }
    }
}

/// A feed or a channel that was added in chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub kind: TableKind,
    pub name: String,
    /// The table, including its header.
    pub toml: String,
    /// Unix seconds.
    pub at: i64,
    pub by: String,
}

impl Addition {
    /// Creates an addition from a table.
    pub fn new(kind: TableKind, name: &str, table: &toml::Table, at: i64, by: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            toml: format!("[[{}]]\n{table}", kind.word()),
            at,
            by: by.to_owned(),
        }
    }
}

/// The origin of a feed or a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File {
        line: usize,
    },
    Chat {
        /// Unix seconds.
        at: i64,
        by: String,
    },
}

/// The configuration that is in effect.
#[derive(Debug, Clone)]
pub struct EffectiveConfig {
    pub config: Config,
    /// Additions that no longer fit the file, and why.
    pub left_out: Vec<(Addition, String)>,
    file: PathBuf,
    text: String,
    lines: TableLines,
    additions: Vec<Addition>,
}

impl EffectiveConfig {
    /// Reads a configuration file without additions.
    ///
    /// # Errors
    ///
    /// Returns all problems of the file, or why it cannot be read.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        Self::parse(file::read_text(path)?, path)
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    ///
    /// Returns all problems of the text.
    pub fn parse(text: String, path: &Path) -> Result<Self, ConfigErrors> {
        let (config, lines) = file::parse_with_lines(&text, path)?;
        Ok(Self {
            config,
            left_out: Vec::new(),
            file: path.to_owned(),
            text,
            lines,
            additions: Vec::new(),
        })
    }

    /// The file with these additions instead of the earlier ones. An addition that does not fit is left out.
    pub fn with(&self, additions: &[Addition]) -> Self {
        if additions.is_empty() && self.additions.is_empty() && self.left_out.is_empty() {
            return self.clone();
        }
        let mut all = additions.to_vec();
        // Channels may name feeds, so feeds come first.
        all.sort_by(|a, b| (a.kind, a.at, &a.name).cmp(&(b.kind, b.at, &b.name)));
        let bare = Self {
            additions: Vec::new(),
            left_out: Vec::new(),
            ..self.clone()
        };
        if let Ok(config) = bare.read(&all) {
            return bare.holding(config, all);
        }
        let mut kept = bare.read(&[]).map_or_else(
            |_| bare.clone(),
            |config| bare.clone().holding(config, Vec::new()),
        );
        for addition in all {
            match kept.adding(&addition) {
                Ok(with) => kept = with,
                Err(why) => kept.left_out.push((addition, why.join("; "))),
            }
        }
        kept
    }

    /// Adds one more addition.
    ///
    /// # Errors
    ///
    /// Returns its problems, a line each: `url: expected …`.
    pub fn adding(&self, addition: &Addition) -> Result<Self, Vec<String>> {
        let mut all = self.additions.clone();
        all.push(addition.clone());
        let config = self.read(&all).map_err(|errors| {
            let said = errors.problems.iter().map(|problem| {
                let key = problem.key.rsplit_once(": ").map(|(_, key)| key);
                match key {
                    Some(key) => format!("{key}: {}", problem.message),
                    None => problem.message.clone(),
                }
            });
            said.collect::<Vec<_>>()
        })?;
        Ok(self.clone().holding(config, all))
    }

    /// The origin of a feed or a channel; `None` if there is none of that name.
    pub fn origin(&self, kind: TableKind, name: &str) -> Option<Origin> {
        let lines = match kind {
            TableKind::Feed => &self.lines.feeds,
            TableKind::Channel => &self.lines.channels,
        };
        if let Some(line) = lines.get(name) {
            return Some(Origin::File { line: *line });
        }
        let mut added = self.additions.iter();
        let added = added.find(|added| added.kind == kind && added.name == name)?;
        Some(Origin::Chat {
            at: added.at,
            by: added.by.clone(),
        })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    fn read(&self, additions: &[Addition]) -> Result<Config, ConfigErrors> {
        let mut text = self.text.clone();
        for addition in additions {
            text.push('\n');
            text.push_str(&addition.toml);
        }
        Config::parse(&text, &self.file)
    }

    fn holding(self, config: Config, additions: Vec<Addition>) -> Self {
        let of_chat = additions.iter().filter(|one| one.kind == TableKind::Feed);
        let from_chat = of_chat.map(|added| added.name.clone()).collect();
        Self {
            config: Config {
                from_chat,
                ..config
            },
            additions,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "[discord]\ntoken_file = \"token\"\n\n[[feed]]\nname = \"a\"\nkind = \"lwn\"\n\
                        url = \"https://lwn.net/headlines/rss\"\n\n[[channel]]\nname = \"c\"\nplatform = \"discord\"\nid = \"123456\"";

    fn file(text: &str) -> EffectiveConfig {
        EffectiveConfig::parse(text.to_owned(), Path::new("config.toml")).expect("a good file")
    }

    fn addition(kind: TableKind, name: &str, keys: &[(&str, &str)]) -> Addition {
        let mut table = toml::Table::new();
        table.insert("name".to_owned(), name.into());
        for (key, value) in keys {
            table.insert((*key).to_owned(), (*value).into());
        }
        Addition::new(kind, name, &table, 7, "somebody")
    }

    fn feed(name: &str, url: &str) -> Addition {
        addition(TableKind::Feed, name, &[("kind", "feed"), ("url", url)])
    }

    #[test]
    fn additions_stand_beside_the_file() {
        let one = feed("b", "https://b.example/");
        let keys = [("platform", "discord"), ("id", "1234567")];
        let mut channel = addition(TableKind::Channel, "d", &keys);
        channel.toml.push_str("feeds = [\"b\"]\n");
        let both = file(FILE).with(&[channel, one]);
        let names: Vec<&str> = both
            .config
            .feeds
            .iter()
            .map(|feed| feed.name.as_str())
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(both.config.channels[1].route.feeds, ["b"]);
        assert_eq!(both.config.from_chat.iter().collect::<Vec<_>>(), ["b"]);
        assert_eq!(
            both.origin(TableKind::Feed, "a"),
            Some(Origin::File { line: 5 })
        );
        assert_eq!(
            both.origin(TableKind::Channel, "c"),
            Some(Origin::File { line: 9 })
        );
        let chat = Origin::Chat {
            at: 7,
            by: "somebody".to_owned(),
        };
        assert_eq!(both.origin(TableKind::Channel, "d"), Some(chat));
        assert_eq!(both.origin(TableKind::Feed, "d"), None);
        assert!(both.left_out.is_empty());
        assert_eq!(both.with(&[]).config, file(FILE).config);
    }

    #[test]
    fn only_additions_that_no_longer_fit_are_left_out() {
        let two = file(FILE).with(&[
            feed("a", "https://b.example/"),
            feed("ok", "https://c.example/"),
            addition(
                TableKind::Channel,
                "d",
                &[("platform", "matrix"), ("id", "!a:b")],
            ),
        ]);
        assert_eq!(two.config.feeds.len(), 2);
        let why: Vec<&str> = two.left_out.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(why.len(), 2, "{why:?}");
        assert!(
            why[0].contains("the feed on line 5 has the name \"a\" too"),
            "{why:?}"
        );
        assert!(why[1].contains("there is no [matrix]"), "{why:?}");
    }

    #[test]
    fn typed_text_stays_one_value() {
        let hostile = "x\"\n[[feed]]\nname = \"y\"\nkind = \"lwn\"\nurl = \"https://lwn.net/\"\n#";
        for hostile in [hostile, "'''", "\"\"\"", "\\\"", "a\u{0}b", "\u{202e}"] {
            let wrong = file(FILE).adding(&feed(hostile, "https://b.example/"));
            let why = wrong.expect_err(hostile);
            assert!(
                why[0].starts_with("name: expected a name of 1 to 64"),
                "{why:?}"
            );
            let wrong = file(FILE).adding(&feed("b", hostile));
            let why = wrong.expect_err(hostile);
            assert!(
                why[0].starts_with("url: expected an http or https URL"),
                "{why:?}"
            );
        }
    }
}
