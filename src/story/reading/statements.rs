//! The cache of the statements in an item's text.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::item::Person;
use crate::story::bot::{AnswerEffect, Claim, Notice, Share};
use crate::story::key::JoinKey;

/// The statements that were read so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Statements {
    pub(super) title: OnceLock<String>,
    pub(super) titled: OnceLock<Vec<JoinKey>>,
    pub(super) mentions: OnceLock<BTreeSet<JoinKey>>,
    pub(super) signed: OnceLock<Vec<Signed>>,
    pub(super) thanks: OnceLock<Option<Notice>>,
    pub(super) claim: OnceLock<Option<Claim>>,
    pub(super) requests_changes: OnceLock<bool>,
    pub(super) says_pulled: OnceLock<bool>,
    /// By its author, and by somebody else.
    pub(super) words: [OnceLock<Option<(AnswerEffect, Share)>>; 2],
    /// Of which version it was asked for.
    pub(super) change: OnceLock<(u32, Option<String>)>,
}

/// A trailer `…-by`.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Its name, as written.
    pub name: String,
    /// The name of the person in the trailer.
    pub person: String,
    pub identity: Person,
}
