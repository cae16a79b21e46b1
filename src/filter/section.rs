//! A section of a MAINTAINERS file: which files, names and words belong to one subsystem.

use std::sync::OnceLock;

use regex::Regex;

use super::clause::compile;
use super::value::is_path;
use crate::story::Story;

/// A section of the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subsystem {
    /// Its title: `BPF [CORE]`.
    pub(super) name: String,
    /// The words of its name, in lower case, with a space before and behind each.
    pub(super) words: String,
    /// `F:` and `X:`: files that belong to it, and files that do not.
    pub(super) files: Vec<String>,
    pub(super) excluded: Vec<String>,
    /// `N:`: regular expressions for paths.
    pub(super) names: Vec<LazyPattern>,
    /// `K:`: regular expressions for the content.
    pub(super) content: Vec<LazyPattern>,
}

/// A regular expression that is compiled when it is first used. One that cannot be compiled matches nothing.
#[derive(Debug)]
pub(super) struct LazyPattern {
    source: String,
    regex: OnceLock<Option<Regex>>,
}

impl LazyPattern {
    pub(super) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            regex: OnceLock::new(),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        let regex = self.regex.get_or_init(|| compile(&self.source, false).ok());
        regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

impl PartialEq for LazyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for LazyPattern {}

impl Subsystem {
    /// Whether it has a changed file, or its words are in the story's text.
    pub(super) fn takes<'s>(&self, story: &Story, said: impl Fn() -> &'s str) -> bool {
        let mut files = story.scope.files.iter();
        files.any(|file| self.has(file)) || self.content.iter().any(|words| words.is_match(said()))
    }

    /// Whether a path belongs to it.
    pub(super) fn has(&self, file: &str) -> bool {
        let is_there = self.files.iter().any(|path| is_path(file, path));
        (is_there || self.names.iter().any(|name| name.is_match(file))) && !self.excludes(file)
    }

    fn excludes(&self, file: &str) -> bool {
        self.excluded.iter().any(|path| is_path(file, path))
    }
}
