//! Mails and commits of our own in any order, folded into a real database.

use bpfnews::fold;
use bpfnews::item::{CommitHash, Detail, Item, ItemData, ItemKey, Linked, Person};
use bpfnews::source::mail;
use bpfnews::store::items::{self, LoadedItems};
use bpfnews::store::stories::{self, StoryFilter};
use bpfnews::store::{Store, Tx};
use bpfnews::story::Story;
use bpfnews::story::machine::Machines;
use bpfnews::story::reading::{Reading, read_early};
use bpfnews::story::relevance::FoldRules;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

/// The start of every scenario: 2 May 2017, noon.
pub(crate) fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_493_726_400, 0).expect("a time")
}

/// Items, each with the name of the feed that carries it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scenario {
    pub(crate) items: Vec<(Item, &'static str)>,
    /// The fold's part of the configuration.
    pub(crate) words: FoldRules,
}

impl Scenario {
    /// A mail: `id` is the part before the `@`. Then its sender (`Ann Author`), the hours after the start, the subject, the
    /// ids of the mails above (nearest last), and the text.
    pub(crate) fn mail(
        mut self,
        id: &str,
        who: &str,
        hours: i64,
        subject: &str,
        above: &[&str],
        text: &str,
    ) -> Self {
        let at = begin() + TimeDelta::hours(hours);
        let address = match who.split_once('<') {
            Some(_) => who.to_owned(),
            None => format!(
                "{who} <{}@example.org>",
                who.to_lowercase().replace(' ', ".")
            ),
        };
        let full = |id: &&str| format!("<{}>", full_id(id));
        let mut raw = format!(
            "From: {address}\nMessage-ID: <{}>\nDate: {}\nSubject: {subject}\n",
            full_id(id),
            at.to_rfc2822()
        );
        if let Some(parent) = above.last() {
            let above: Vec<String> = above.iter().map(full).collect();
            raw.push_str(&format!(
                "In-Reply-To: {}\nReferences: {}\n",
                full(parent),
                above.join(" ")
            ));
        }
        raw.push_str(&format!("\n{text}\n"));
        let item = mail::message(raw.as_bytes(), Some(at)).expect("a mail");
        self.items.push((item, "list"));
        self
    }

    /// The last mail came on the list that announces CVEs.
    pub(crate) fn announced(mut self) -> Self {
        self.items.last_mut().expect("a mail").1 = "cve";
        self
    }

    /// Gives the last mail another header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let (last, _) = self.items.last_mut().expect("a mail");
        last.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A commit in a tree (`next`, `mainline` or `stable`).
    pub(crate) fn commit(
        mut self,
        hash: &str,
        who: &str,
        hours: i64,
        title: &str,
        tree: &'static str,
        text: &str,
    ) -> Self {
        let at = begin() + TimeDelta::hours(hours);
        self.items.push((
            Item {
                what: ItemData::Commit {
                    hash: CommitHash::parse(&long(hash)).expect("a hash"),
                },
                title: title.to_owned(),
                author: Person {
                    name: who.to_owned(),
                    email: format!("{}@example.org", who.to_lowercase().replace(' ', ".")),
                },
                url: None,
                at: Some(at),
                written_at: Some(begin()),
                text: text.to_owned(),
                headers: Vec::new(),
                detail: Detail::Whole,
            },
            tree,
        ));
        self
    }

    /// An article.
    pub(crate) fn article(mut self, link: &str, hours: i64, title: &str, text: &str) -> Self {
        self.items.push((
            Item {
                what: ItemData::Article {
                    key: ItemKey::link(link),
                    linked: Linked::default(),
                    paid: None,
                },
                title: title.to_owned(),
                author: Person::default(),
                url: Some(link.to_owned()),
                at: Some(begin() + TimeDelta::hours(hours)),
                written_at: None,
                text: text.to_owned(),
                headers: Vec::new(),
                detail: Detail::Entry,
            },
            "list",
        ));
        self
    }

    /// The stories after folds in the given order, backwards, and one by one in several shuffled orders. All must agree.
    #[track_caller]
    pub(crate) fn stories(&self) -> Vec<Story> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let first = runtime.block_on(fold_all(&self.items, self.items.len(), &self.words));
        let mut random = fastrand::Rng::with_seed(7);
        let mut order = self.items.clone();
        order.reverse();
        for batch in [self.items.len(), 1, 2, 1] {
            let again = runtime.block_on(fold_all(&order, batch, &self.words));
            assert_eq!(first, again, "another order gives other stories");
            random.shuffle(&mut order);
        }
        first
    }

    /// The stories in short form: see [`sketch`].
    #[track_caller]
    pub(crate) fn sketches(&self) -> Vec<String> {
        self.stories().iter().map(sketch).collect()
    }
}

/// `2` → `2@example.org`; an id with an `@` is whole.
pub(crate) fn full_id(id: &str) -> String {
    if id.contains('@') {
        id.to_owned()
    } else {
        format!("{id}@example.org")
    }
}

/// A short hash, repeated to 40 digits.
pub(crate) fn long(hash: &str) -> String {
    hash.chars().cycle().take(40).collect()
}

/// A database in a folder of its own, with the feeds that the scenario's items come from.
pub(crate) struct FoldStore {
    pub(crate) store: Store,
    pub(crate) feeds: Vec<(&'static str, i64)>,
    /// The fold's part of the configuration.
    words: FoldRules,
    home: TempDir,
}

impl FoldStore {
    pub(crate) async fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let store = Store::open(&home.path().join("bpfnews.sqlite"))
            .await
            .expect("a database");
        let config = "[[feed]]\nname = \"list\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/bpf/\"\n\
             [[feed]]\nname = \"cve\"\nkind = \"archive\"\nurl = \"https://lore.kernel.org/linux-cve-announce/\"\n\
             [[feed]]\nname = \"next\"\nkind = \"tree\"\nrole = \"next\"\nurl = \"https://git.kernel.org/pub/scm/linux/kernel/git/bpf/bpf-next.git\"\n\
             [[feed]]\nname = \"mainline\"\nkind = \"tree\"\nrole = \"mainline\"\nurl = \"https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git\"\n\
             [[feed]]\nname = \"stable\"\nkind = \"tree\"\nrole = \"stable\"\nbranch = \"linux-4.11.y\"\nurl = \"https://git.kernel.org/pub/scm/linux/kernel/git/stable/linux.git\"\n";
        let config = bpfnews::config::Config::parse(config, std::path::Path::new("config.toml"))
            .expect("a configuration");
        let mut tx = store.write().await.expect("a transaction");
        bpfnews::store::feeds::sync_feeds(&mut tx, &config.feeds, begin())
            .await
            .expect("feeds");
        tx.commit().await.expect("a commit");
        let rows = bpfnews::store::feeds::list_feeds(store.read())
            .await
            .expect("feeds");
        let number = |name: &str| rows.iter().find(|row| row.name == name).expect("a feed").id;
        Self {
            feeds: ["list", "cve", "next", "mainline", "stable"]
                .map(|name| (name, number(name)))
                .to_vec(),
            store,
            words: FoldRules::default(),
            home,
        }
    }

    /// The database's file.
    pub(crate) fn file(&self) -> std::path::PathBuf {
        self.home.path().join("bpfnews.sqlite")
    }

    /// The same database, opened again as another process opens it.
    pub(crate) async fn again(&self) -> Store {
        Store::open(&self.file()).await.expect("a database")
    }

    /// Stores and folds a batch in one transaction.
    pub(crate) async fn take(&self, batch: &[(Item, &'static str)]) {
        let mut tx = self.store.write().await.expect("a transaction");
        let (mut touched, mut at_hand) = (Vec::new(), LoadedItems::new());
        let page = |name: &str| {
            let mine = batch.iter().filter(|(_, feed)| *feed == name);
            let page: Vec<Item> = mine.map(|(item, _)| item.clone()).collect();
            let readings = read_early(&page, 0..page.len(), &self.words.machines);
            (page, readings)
        };
        let pages = self.feeds.iter().map(|(name, number)| (number, page(name)));
        let pages: Vec<_> = pages.collect();
        for (number, (page, readings)) in &pages {
            let stored = items::put_items(&mut tx, **number, page, begin() + TimeDelta::days(900))
                .await
                .expect("stored");
            touched.extend(stored.touched());
            stored.add_loaded(page, readings, &mut at_hand);
        }
        same_as_stored(&mut tx, &touched, &at_hand, &self.words.machines).await;
        fold::fold_items(&mut tx, &touched, &at_hand, &self.words)
            .await
            .expect("folded");
        tx.commit().await.expect("a commit");
    }

    /// All stories, oldest first, without their earlier ids.
    pub(crate) async fn all(&self) -> Vec<Story> {
        let mut all =
            stories::list_stories(self.store.read(), &StoryFilter::default(), 0, i64::MAX, 0)
                .await
                .expect("stories");
        for story in &mut all {
            story.aliases.clear();
        }
        all.sort_by(|a, b| (a.first_at, &a.id).cmp(&(b.first_at, &b.id)));
        all
    }
}

async fn fold_all(items: &[(Item, &'static str)], batch: usize, words: &FoldRules) -> Vec<Story> {
    let mut store = FoldStore::new().await;
    store.words = words.clone();
    for batch in items.chunks(batch.max(1)) {
        store.take(batch).await;
    }
    store.all().await
}

/// A story in one line: kind, state, title; its revisions as `v2 0+2/3` (cover, stored patches, total); the ids of its
/// mails and commits.
pub(crate) fn sketch(story: &Story) -> String {
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let revisions: Vec<String> = story
        .revisions
        .iter()
        .map(|revision| {
            let cover = if revision.cover { "0+" } else { "" };
            format!(
                "v{} {cover}{}/{}",
                revision.version,
                revision.patches.len(),
                revision.total
            )
        })
        .collect();
    let mut ids: Vec<String> = story
        .messages
        .iter()
        .map(|id| id.replace("@example.org", ""))
        .collect();
    ids.extend(
        story
            .commits
            .iter()
            .map(|hash| hash.chars().take(4).collect()),
    );
    let head = format!(
        "{} {}: {}",
        word(serde_json::to_value(story.kind).expect("a word")),
        word(serde_json::to_value(story.state).expect("a word")),
        story.title
    );
    let revisions = if revisions.is_empty() {
        String::new()
    } else {
        format!(" | {}", revisions.join(", "))
    };
    format!("{head}{revisions} | {}", ids.join(" "))
}

/// Clusters in memory equal those that a read from the database gives, and so do the readings of their items.
async fn same_as_stored(
    tx: &mut Tx,
    touched: &[i64],
    at_hand: &LoadedItems<'_>,
    machines: &Machines,
) {
    stories::add_members(tx, touched).await.expect("added");
    let known = stories::members_by_number(tx, touched, at_hand).await;
    let read = stories::members_by_number(tx, touched, &LoadedItems::new()).await;
    let (known, read) = (known.expect("read"), read.expect("read"));
    assert_eq!(format!("{known:?}"), format!("{read:?}"));
    for member in read {
        if let Some(loaded) = at_hand.get(&member.item.id) {
            let early = loaded.reading.stored(member.item.clone());
            let late = Reading::of(member.item, machines);
            assert_eq!(all_of(&early), all_of(&late));
        }
    }
}

/// A reading as text, with all values that are computed at the first use.
fn all_of(reading: &Reading) -> String {
    reading.keys();
    reading.mentions();
    reading.signed();
    reading.thanks();
    reading.title();
    reading.titled();
    format!("{reading:?}")
}
