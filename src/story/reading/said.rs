//! The statements in an item's text. They are read at the first use and then cached, because a long story is built again with
//! each mail.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::{Reading, mentions_in};
use crate::item::Person;
use crate::item::trailer::trailers;
use crate::story::bot::{self, Claim, Notice, Share, Word};
use crate::story::key::{self, Key};
use crate::story::summary;

/// The statements that were read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    title: OnceLock<String>,
    titled: OnceLock<Vec<Key>>,
    mentions: OnceLock<BTreeSet<Key>>,
    signed: OnceLock<Vec<Signed>>,
    thanks: OnceLock<Option<Notice>>,
    claim: OnceLock<Option<Claim>>,
    /// By its author, and by somebody else.
    words: [OnceLock<Option<(Word, Share)>>; 2],
    /// Of which version it was asked for.
    change: OnceLock<(u32, Option<String>)>,
}

/// A trailer `…-by`.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Its name, as written.
    pub name: String,
    /// The name of the person in the trailer.
    pub person: String,
    /// That person.
    pub whom: Person,
}

impl Reading {
    /// Its title as titles are compared; see [`key::normal`].
    pub fn title(&self) -> &str {
        let title = || key::normal(&self.subject.title);
        self.said.title.get_or_init(title)
    }

    /// The keys of its title, one for each spelling of its author; see [`key::titled`].
    pub fn titled(&self) -> &[Key] {
        self.said.titled.get_or_init(|| {
            let authors = self.authors.iter();
            authors
                .map(|author| key::titled(author, &self.subject.title))
                .collect()
        })
    }

    /// The other things that the text mentions: commits that it fixes or reverts, patches that a pull request lists, mails that
    /// an article links.
    pub fn mentions(&self) -> &BTreeSet<Key> {
        self.said.mentions.get_or_init(|| mentions_in(self))
    }

    /// Its trailers `…-by`.
    pub fn signed(&self) -> &[Signed] {
        self.said.signed.get_or_init(|| {
            trailers(&self.kept.text)
                .filter(|trailer| trailer.name.to_ascii_lowercase().ends_with("-by"))
                .map(|trailer| Signed {
                    name: trailer.name.to_owned(),
                    person: trailer.person().to_owned(),
                    whom: trailer.whom(),
                })
                .collect()
        })
    }

    /// See [`bot::thanks`].
    pub fn thanks(&self) -> Option<Notice> {
        let thanks = || bot::thanks(&self.kept);
        self.said.thanks.get_or_init(thanks).clone()
    }

    /// See [`bot::claim`].
    pub fn claim(&self) -> Option<Claim> {
        let claim = || bot::claim(&self.kept);
        self.said.claim.get_or_init(claim).clone()
    }

    /// See [`bot::word`].
    pub fn word(&self, is_author: bool) -> Option<(Word, Share)> {
        let word = || bot::word(&self.kept, is_author);
        self.said.words[usize::from(is_author)]
            .get_or_init(word)
            .clone()
    }

    /// See [`summary::change`].
    pub fn change(&self, version: u32) -> Option<String> {
        let change = || summary::change(&self.kept.text, version);
        match self.said.change.get_or_init(|| (version, change())) {
            (known, said) if *known == version => said.clone(),
            _ => change(),
        }
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        /// Bytes of one key in a set or a list, with its share of the container.
        const EACH: usize = 24;
        let kept = &self.kept;
        let headers = kept.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + value.len() + 2 * EACH)
            .sum();
        let paths: usize = self.paths.iter().map(|path| path.len() + EACH).sum();
        let mentions = self.said.mentions.get().map_or(0, BTreeSet::len);
        let lists = self.keys().len() + self.above.len() + mentions + kept.feeds.len() * 8;
        let lists = lists + self.lines.hashes.len();
        size_of::<Self>()
            + 2 * (kept.title.len() + kept.reference.len())
            + kept.text.len()
            + headers
            + paths
            + (lists + self.authors.len() * 3) * EACH
    }
}
