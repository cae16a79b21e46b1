//! The statements in an item's text. They are read at the first use and then cached, because a long story is built again with
//! each mail.

use std::collections::BTreeSet;

use super::statements::Signed;
use super::text::{KEYS_MAX, mended, shortlog};
use super::{Reading, Role};
use crate::item::trailer::{linked_mails, trailers};
use crate::story::bot::{self, AnswerEffect, Claim, Notice, Share};
use crate::story::key::{self, JoinKey};
use crate::story::summary;

impl Reading {
    /// Its title as titles are compared; see [`key::normal`].
    pub fn title(&self) -> &str {
        let title = || key::normal(&self.subject.title);
        self.statements.title.get_or_init(title)
    }

    /// The keys of its title, one for each spelling of its author; see [`key::titled`].
    pub fn titled(&self) -> &[JoinKey] {
        self.statements.titled.get_or_init(|| {
            let authors = self.authors.iter();
            authors
                .map(|author| key::titled(author, &self.subject.title))
                .collect()
        })
    }

    /// The other things that the text mentions: commits that it fixes or reverts, patches that a pull request lists, mails that
    /// an article links.
    pub fn mentions(&self) -> &BTreeSet<JoinKey> {
        self.statements.mentions.get_or_init(|| mentions_in(self))
    }

    /// Its trailers `…-by`.
    pub fn signed(&self) -> &[Signed] {
        self.statements.signed.get_or_init(|| {
            trailers(&self.item.text)
                .filter(|trailer| trailer.name.to_ascii_lowercase().ends_with("-by"))
                .map(|trailer| Signed {
                    name: trailer.name.to_owned(),
                    person: trailer.person().to_owned(),
                    identity: trailer.identity(),
                })
                .collect()
        })
    }

    /// See [`bot::thanks`].
    pub fn thanks(&self) -> Option<Notice> {
        let thanks = || bot::thanks(&self.item);
        self.statements.thanks.get_or_init(thanks).clone()
    }

    /// See [`bot::claim`].
    pub fn claim(&self) -> Option<Claim> {
        let claim = || bot::claim(&self.item);
        self.statements.claim.get_or_init(claim).clone()
    }

    /// See [`bot::requests_changes`].
    pub fn requests_changes(&self) -> bool {
        let requests = || bot::requests_changes(&self.item);
        *self.statements.requests_changes.get_or_init(requests)
    }

    /// See [`bot::says_pulled`].
    pub fn says_pulled(&self) -> bool {
        let says = || bot::says_pulled(&self.item);
        *self.statements.says_pulled.get_or_init(says)
    }

    /// See [`bot::answer_effect`].
    pub fn answer_effect(&self, is_author: bool) -> Option<(AnswerEffect, Share)> {
        let effect = || bot::answer_effect(&self.item, is_author);
        self.statements.words[usize::from(is_author)]
            .get_or_init(effect)
            .clone()
    }

    /// See [`summary::change`].
    pub fn change(&self, version: u32) -> Option<String> {
        let change = || summary::change(&self.item.text, version);
        match self.statements.change.get_or_init(|| (version, change())) {
            (known, said) if *known == version => said.clone(),
            _ => change(),
        }
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        /// Bytes of one key in a set or a list, with its share of the container.
        const EACH: usize = 24;
        let item = &self.item;
        let headers = item.headers.iter();
        let headers: usize = headers
            .map(|(name, value)| name.len() + value.len() + 2 * EACH)
            .sum();
        let paths: usize = self.paths.iter().map(|path| path.len() + EACH).sum();
        let mentions = self.statements.mentions.get().map_or(0, BTreeSet::len);
        let lists = self.keys().len() + self.above.len() + mentions + item.feeds.len() * 8;
        let lists = lists + self.lines.hashes.len();
        size_of::<Self>()
            + 2 * (item.title.len() + item.reference.len())
            + item.text.len()
            + headers
            + paths
            + (lists + self.authors.len() * 3) * EACH
    }
}

/// See [`Reading::mentions`].
fn mentions_in(reading: &Reading) -> BTreeSet<JoinKey> {
    let text = &reading.item.text;
    match reading.role {
        Role::Commit if !reading.is_merge() => mended(text)
            .iter()
            .filter_map(|hash| key::commit(hash))
            .collect(),
        Role::Pull => shortlog(text),
        Role::Lone => linked_mails(text)
            .iter()
            .map(key::mail)
            .take(KEYS_MAX)
            .collect(),
        Role::Talk if bot::cve(&reading.item).is_some() => bot::cve_fixes(text)
            .iter()
            .filter_map(|hash| key::commit(hash))
            .collect(),
        Role::Commit | Role::Talk | Role::Machine | Role::Patch | Role::Backport => BTreeSet::new(),
    }
}
