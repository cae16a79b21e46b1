//! The stored objects: one [`Item`] per commit, mail, article, release or video, whichever feeds carry it.
//!
//! Pure: no IO, no clock. [`ItemKey`] alone defines identity.

pub mod diff;
pub mod diffstat;
pub mod link;
pub mod prose;
pub mod subject;
pub mod trailer;

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The kind of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// A commit of a kernel tree; its hash is its identity.
    Commit,
    /// A mail; its Message-ID is its identity.
    Message,
    /// An article of LWN or of a blog.
    Article,
    /// A release of a project.
    Release,
    Video,
}

impl ItemKind {
    /// Every kind, in the order of their numbers in the database.
    pub const ALL: [Self; 5] = [
        Self::Commit,
        Self::Message,
        Self::Article,
        Self::Release,
        Self::Video,
    ];

    /// The word for it, in JSON, on the command line and on the terminal.
    pub fn word(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Message => "message",
            Self::Article => "article",
            Self::Release => "release",
            Self::Video => "video",
        }
    }

    /// The number that stands for it in the database.
    pub fn code(self) -> i64 {
        match self {
            Self::Commit => 1,
            Self::Message => 2,
            Self::Article => 3,
            Self::Release => 4,
            Self::Video => 5,
        }
    }

    /// The kind with that number in the database.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The identity of an item, as text: `commit:<hash>`, `message:<Message-ID>`, `id:<guid>`, `link:<canonical link>`
/// or `hash:<hex>`. Two entries with one key are one item, whichever feeds they came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey(String);

impl ItemKey {
    /// The key of a commit.
    pub fn commit(hash: &CommitHash) -> Self {
        Self(format!("commit:{hash}"))
    }

    /// The key of a mail.
    pub fn message(id: &MessageId) -> Self {
        Self(format!("message:{id}"))
    }

    /// The key of an entry that names itself by a globally unique identifier.
    pub fn guid(guid: &str) -> Self {
        Self(format!("id:{guid}"))
    }

    /// The key of an entry that is known by where it links to; `link` is canonical.
    pub fn link(link: &str) -> Self {
        Self(format!("link:{link}"))
    }

    /// The key of an entry without identifier and link: a hash of its text.
    pub fn content(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        Self(format!("hash:{}", hex(&digest[..16])))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 16 bytes that stand for the key in the database's clustered index: the first half of SHA-256 of the text.
    pub fn digest(&self) -> [u8; 16] {
        let mut digest = [0; 16];
        digest.copy_from_slice(&Sha256::digest(self.0.as_bytes())[..16]);
        digest
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    let digits = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    text.extend(digits);
    text
}

/// A Message-ID without its angle brackets, such as `20170502.1@example.org`: 1 to 900 visible ASCII or UTF-8
/// characters, no white space, no brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageId(String);

/// RFC 5322 allows lines of 998 bytes; a longer identifier is garbage.
const MESSAGE_ID_BYTES_MAX: usize = 900;

impl MessageId {
    /// Reads a Message-ID with or without brackets and surrounding white space.
    pub fn parse(raw: &str) -> Option<Self> {
        let inner = raw
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>')
            .trim();
        let good = !inner.is_empty()
            && inner.len() <= MESSAGE_ID_BYTES_MAX
            && !inner
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || c == '<' || c == '>');
        good.then(|| Self(inner.to_owned()))
    }

    /// The identifier without brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The hash of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CommitHash(String);

impl CommitHash {
    /// Reads a whole hash; an abbreviated one is not an identity.
    pub fn parse(raw: &str) -> Option<Self> {
        let whole = matches!(raw.len(), 40 | 64) && raw.bytes().all(|b| b.is_ascii_hexdigit());
        whole.then(|| Self(raw.to_ascii_lowercase()))
    }

    /// All of its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The author of an item. Either part may be unknown (empty).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The name as written, or empty.
    pub name: String,
    /// The mail address, or empty.
    pub email: String,
}

/// The header that `source/mail` adds to a mail if its archive's server judged the DKIM signatures and found no valid one of
/// the sender's domain. Anybody may have sent such a mail.
pub const DKIM_HEADER: &str = "Bpfnews-DKIM";

/// How much of an item its feed carried. More replaces less, never the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Read off a list of commits: no address, no author date.
    Brief,
    /// An entry of an Atom, RSS or JSON document.
    Entry,
    /// The whole: a raw mail with its headers, a formatted patch.
    Whole,
}

impl Detail {
    /// The number that stands for it in the database.
    pub fn code(self) -> i64 {
        match self {
            Self::Brief => 0,
            Self::Entry => 1,
            Self::Whole => 2,
        }
    }
}

/// One thing that a feed published, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The kind, with the data of that kind.
    pub what: ItemData,
    /// The title, subject line or name: plain text on one line, as written (tags such as `[PATCH v2 1/3]` included).
    pub title: String,
    pub author: Person,
    /// The page for people; `None` if the feed's address and the identity determine it (mail, commits).
    pub url: Option<String>,
    /// When it became news: a mail's arrival, a commit's commit date, an entry's publication. `None` where no date
    /// was given or it could not be read; the store then keeps when it was first seen.
    pub at: Option<DateTime<Utc>>,
    /// When its author wrote it: the `Date:` of a mail, the author date of a commit.
    pub written_at: Option<DateTime<Utc>>,
    /// The plain text: prose without diffs, at most [`prose::TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// Headers worth keeping, in order, of a mail that was read whole.
    pub headers: Vec<(String, String)>,
    /// How much of it is known.
    pub detail: Detail,
}

/// The kind of an item, with the data of that kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemData {
    Commit {
        /// Its identity.
        hash: CommitHash,
    },
    /// A mail.
    Message {
        /// Its identity.
        id: MessageId,
        /// The mail it answers.
        in_reply_to: Option<MessageId>,
    },
    Article {
        /// Its identity.
        key: ItemKey,
        /// Whether its link identifies the article.
        linked: Linked,
        /// Whether it is for subscribers for now, and until when.
        paid: Option<Paid>,
    },
    Release {
        /// Its identity.
        key: ItemKey,
        /// Whether its link identifies the release.
        linked: Linked,
    },
    Video {
        /// Its identity.
        key: ItemKey,
        /// Whether its link identifies the video.
        linked: Linked,
    },
}

/// Whether the link of an entry identifies the item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Linked {
    /// It does: an entry with that link is this item, whatever guid it has.
    #[default]
    Own,
    /// Several entries of its feed have that link, and their guids distinguish them. To other feeds the link means the first.
    Several,
    /// It says nothing: it leads to a site's front page, or all entries of its feed lead there.
    Nothing,
}

/// An article for subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// The day (UTC) on which everybody may read it, computed from the date of publication.
    pub free_on: Option<NaiveDate>,
}

impl Item {
    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter();
        let headers =
            headers.map(|(name, value)| name.len() + value.len() + size_of::<(String, String)>());
        size_of::<Self>() + self.title.len() + self.text.len() + headers.sum::<usize>()
    }

    /// The kind of this item.
    pub fn kind(&self) -> ItemKind {
        match self.what {
            ItemData::Commit { .. } => ItemKind::Commit,
            ItemData::Message { .. } => ItemKind::Message,
            ItemData::Article { .. } => ItemKind::Article,
            ItemData::Release { .. } => ItemKind::Release,
            ItemData::Video { .. } => ItemKind::Video,
        }
    }

    /// Its identity.
    pub fn key(&self) -> ItemKey {
        match &self.what {
            ItemData::Commit { hash } => ItemKey::commit(hash),
            ItemData::Message { id, .. } => ItemKey::message(id),
            ItemData::Article { key, .. }
            | ItemData::Release { key, .. }
            | ItemData::Video { key, .. } => key.clone(),
        }
    }
}
