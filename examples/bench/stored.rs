//! The floor of a poll's writes: new entries with their texts, the feeds that carry them, and the cursor.
//!
//! It writes by hand, in a thread of its own; polls that end at the same time share a transaction. This is less than any display
//! needs: no title, no time and no length of a text is stored, no entity read, no story made. No feed waits until its poll is on
//! the disk.

use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use axum::body::Bytes;
use bpfnews::item::ItemKey;
use chrono::Utc;
use quick_xml::events::Event;
use reqwest::header::HeaderMap;
use rusqlite::{Connection, Transaction, params};
use zstd::bulk::Compressor;

use crate::world;

/// The compression level of `bpfnews`.
const LEVEL: i32 = 3;
/// The most polls of one transaction, and how long it waits for as many.
const TOGETHER: usize = 64;
const WAIT: Duration = Duration::from_millis(25);

const FILE: &str = "stored.sqlite";
/// The schema, and the settings of each connection.
const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE items (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, at INTEGER NOT NULL, text_id INTEGER NOT NULL);
    CREATE TABLE texts (id INTEGER PRIMARY KEY, packed BLOB NOT NULL);
    CREATE TABLE sightings (feed_id INTEGER, item_id INTEGER, PRIMARY KEY (feed_id, item_id)) WITHOUT ROWID;
    CREATE TABLE feeds (id INTEGER PRIMARY KEY, validators TEXT NOT NULL, polled_at INTEGER NOT NULL);
";
const SETTINGS: &str = "PRAGMA synchronous = FULL";

/// The answer of a feed; without a document nothing has changed.
pub(crate) struct Answer {
    pub(crate) feed: usize,
    pub(crate) validators: HeaderMap,
    pub(crate) document: Option<Bytes>,
}

struct Poll {
    feed: i64,
    validators: String,
    entries: Option<Vec<Entry>>,
}

struct Entry {
    key: [u8; 16],
    text: String,
}

/// How many polls were written, and the counts of the database after them.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) polls: u64,
    pub(crate) items: u64,
    pub(crate) shown: u64,
}

pub(crate) struct Keeper {
    is_shared: bool,
    polls: mpsc::Sender<Poll>,
    writer: JoinHandle<anyhow::Result<Kept>>,
}

impl Keeper {
    /// Begins an empty database. If names are shared, as those of mails, entries of two feeds with one name are one item.
    pub(crate) fn open(scratch: &Path, is_shared: bool) -> anyhow::Result<Self> {
        world::empty(scratch)?;
        let database = Connection::open(scratch.join(FILE))?;
        database.execute_batch(TABLES)?;
        Self::over(database, is_shared)
    }

    /// Goes on in the database that is there.
    pub(crate) fn reopen(scratch: &Path) -> anyhow::Result<Self> {
        Self::over(Connection::open(scratch.join(FILE))?, false)
    }

    fn over(database: Connection, is_shared: bool) -> anyhow::Result<Self> {
        database.execute_batch(SETTINGS)?;
        let (polls, waiting) = mpsc::channel();
        let writer = std::thread::spawn(move || write(database, &waiting));
        Ok(Self {
            is_shared,
            polls,
            writer,
        })
    }

    /// Reads an answer and has it written; gives how many entries it has.
    pub(crate) fn keep(&self, answer: Answer) -> anyhow::Result<u64> {
        let within = (!self.is_shared).then_some(answer.feed);
        let entries = match &answer.document {
            Some(document) => Some(entries(std::str::from_utf8(document)?, within)?),
            None => None,
        };
        let many = entries.as_ref().map_or(0, Vec::len) as u64;
        let headers = answer.validators.iter();
        let validators = headers
            .map(|(name, value)| Ok(format!("{name}: {}\n", value.to_str()?)))
            .collect::<anyhow::Result<_>>()?;
        let poll = Poll {
            feed: i64::try_from(answer.feed)?,
            validators,
            entries,
        };
        self.polls
            .send(poll)
            .map_err(|_| anyhow!("the database takes nothing more"))?;
        Ok(many)
    }

    /// Waits until everything is on the disk.
    pub(crate) fn end(self) -> anyhow::Result<Kept> {
        drop(self.polls);
        let ended = self.writer.join();
        ended.map_err(|_| anyhow!("writing panicked"))?
    }
}

fn write(mut database: Connection, waiting: &mpsc::Receiver<Poll>) -> anyhow::Result<Kept> {
    let mut compressor = Compressor::new(LEVEL)?;
    let mut kept = Kept::default();
    while let Ok(first) = waiting.recv() {
        let (until, mut polls) = (Instant::now() + WAIT, vec![first]);
        while polls.len() < TOGETHER
            && let Ok(poll) = waiting.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            polls.push(poll);
        }
        let tx = database.transaction()?;
        let now = Utc::now().timestamp();
        for poll in polls {
            kept.polls += 1;
            match poll.entries {
                Some(entries) => {
                    put(&tx, &mut compressor, poll.feed, &entries, now)?;
                    tx.prepare_cached("INSERT OR REPLACE INTO feeds VALUES (?1, ?2, ?3)")?
                        .execute(params![poll.feed, poll.validators, now])?;
                }
                None => {
                    let many = tx
                        .prepare_cached("UPDATE feeds SET polled_at = ?2 WHERE id = ?1")?
                        .execute(params![poll.feed, now])?;
                    ensure!(many == 1, "a feed that was not polled before is unchanged");
                }
            }
        }
        tx.commit()?;
    }
    let count = |table: &str| {
        let asked = format!("SELECT COUNT(*) FROM {table}");
        database.query_row(&asked, [], |row| row.get(0))
    };
    (kept.items, kept.shown) = (count("items")?, count("sightings")?);
    Ok(kept)
}

/// Stores the new entries of a page, their texts together.
fn put(
    tx: &Transaction<'_>,
    compressor: &mut Compressor<'_>,
    feed: i64,
    entries: &[Entry],
    now: i64,
) -> anyhow::Result<()> {
    let mut asked = tx.prepare_cached("SELECT id FROM items WHERE key = ?1")?;
    let mut shown = tx.prepare_cached("INSERT OR IGNORE INTO sightings VALUES (?1, ?2)")?;
    let mut put = tx.prepare_cached("INSERT INTO items (key, at, text_id) VALUES (?1, ?2, ?3)")?;
    let mut put_text = tx.prepare_cached("INSERT INTO texts (packed) VALUES (?1)")?;
    let mut fresh = Vec::new();
    for entry in entries {
        match asked.query([entry.key])?.next()? {
            Some(row) => {
                shown.execute(params![feed, row.get::<_, i64>(0)?])?;
            }
            None => fresh.push(entry),
        }
    }
    if fresh.is_empty() {
        return Ok(());
    }
    let texts: String = fresh.iter().map(|entry| entry.text.as_str()).collect();
    let text = put_text.insert([compressor.compress(texts.as_bytes())?])?;
    for entry in &fresh {
        let item = put.insert(params![entry.key, now, text])?;
        shown.execute(params![feed, item])?;
    }
    Ok(())
}

/// A document's entries: the name of each and its whole text. The name identifies it within the feed or, if names are shared, is
/// the mail that its link names.
fn entries(document: &str, within: Option<usize>) -> anyhow::Result<Vec<Entry>> {
    let mut reader = quick_xml::Reader::from_str(document);
    let mut entries = Vec::new();
    // The text of the open entry so far, and its name; `None` outside of entries.
    let (mut open, mut is_name) = (None::<(String, Option<[u8; 16]>)>, false);
    loop {
        match reader.read_event()? {
            Event::Start(tag) => match tag.local_name().into_inner() {
                "entry" | "item" => open = Some(Default::default()),
                name => is_name = matches!(name, "id" | "guid"),
            },
            Event::Text(text) => match &mut open {
                Some((_, name)) if is_name => {
                    if let Some(feed) = within {
                        *name = Some(ItemKey::guid(&format!("{feed} {}", &*text)).digest());
                    }
                }
                Some((said, _)) => said.push_str(&text),
                None => {}
            },
            Event::Empty(tag) if within.is_none() => {
                if let Some((_, name)) = &mut open
                    && tag.local_name().into_inner() == "link"
                    && let Some(href) = tag.try_get_attribute("href")?
                {
                    let mail = href.value.trim_end_matches('/').rsplit('/').next();
                    *name = Some(ItemKey::guid(mail.unwrap_or_default()).digest());
                }
            }
            Event::GeneralRef(entity) => {
                if let Some((said, _)) = &mut open {
                    said.push_str(&entity);
                }
            }
            Event::End(tag) => {
                is_name = false;
                if matches!(tag.local_name().into_inner(), "entry" | "item")
                    && let Some((text, key)) = open.take()
                {
                    let key = key.context("an entry without a name")?;
                    entries.push(Entry { key, text });
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    Ok(entries)
}
