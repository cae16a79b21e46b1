//! Databases of every earlier version, with rows in them, are brought up to date and lose nothing.

use std::path::{Path, PathBuf};

use bpfnews::fold;
use bpfnews::store::backup;
use bpfnews::store::schema::{self, Schema};
use bpfnews::store::{Store, items, stories};
use bpfnews::story::relevance::FoldRules;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// Rows for the tables of a migration, by its version. A version without rows is not tested as a start.
const ROWS: [(i64, &str); 5] = [
    (
        1,
        "INSERT INTO feeds (id, name, kind, url, added_at, state, seeded_at, last_polled_at, last_ok_at, items, cursor)
         VALUES (1, 'bpf', 'archive', 'https://list.example/bpf/', 100, 'ok', 100, 200, 200, 2, '{}'),
                (2, 'blog', 'feed', 'https://blog.example/rss', 100, 'gone', NULL, 200, NULL, 0, NULL);
         INSERT INTO items (id, kind, ref, title, author, email, at, seen_at, detail)
         VALUES (1, 2, 'a@x.example', '[PATCH bpf-next] bpf: Do it', 'A. Author', 'a@x.example', 150, 160, 1),
                (2, 2, 'b@x.example', '[PATCH bpf] bpf: Do that', 'B. Author', 'b@x.example', 151, 160, 1);
         INSERT INTO item_keys (kind, digest, item_id)
         VALUES (2, x'00112233445566778899aabbccddeeff', 1), (2, x'ff112233445566778899aabbccddeeff', 2);
         INSERT INTO texts (item_id, body) VALUES (2, x'28b52ffd200c6100007b2274223a226b657074227d');
         INSERT INTO sightings (item_id, feed_id) VALUES (1, 1), (2, 1);
         INSERT INTO gaps (feed_id, from_at, to_at, why, found_at) VALUES (1, 10, 20, 'it moved on', 160);
         INSERT INTO faults (feed_id, what, first_at, last_at) VALUES (1, 'no date', 160, 160)",
    ),
    (
        2,
        "INSERT INTO stories (number, id, item_id, cluster, kind, state, first_at, last_at, score, relevant, told)
         VALUES (1, '0000000001', 1, 1, 'series', 'posted', 150, 150, 1, 0, x'28b52ffd2000010000'),
                (2, '0000000002', 2, 2, 'series', 'posted', 151, 151, 1, 0, x'28b52ffd2000010000');
         INSERT INTO members (item_id, cluster, story) VALUES (1, 1, 1), (2, 2, 2);
         INSERT INTO join_keys (key, item_id) VALUES (5, 1), (6, 2);
         INSERT INTO story_aliases (alias, item_id) VALUES ('0000000009', 1)",
    ),
    (
        3,
        "INSERT INTO channels (id, name, platform, address, added_at) VALUES (1, 'news', 'discord', '123', 100);
         INSERT INTO posts (id, channel_id, item_id, opened_at, content, receipt)
         VALUES (1, 1, 1, 160, '{\"is\":\"notice\",\"title\":\"t\",\"text\":\"\",\"mark\":\"m1\"}', '{\"message\":\"9\"}'),
                (2, 1, 2, 161, '{\"is\":\"notice\",\"title\":\"t\",\"text\":\"\",\"mark\":\"m2\"}', NULL);
         INSERT INTO deliveries (id, channel_id, post_id, verb, nonce, due_at, state, attempts, first_tried_at)
         VALUES (1, 1, 1, 'send', 11, 160, 'done', 1, 160), (2, 1, 2, 'send', 12, 161, 'owed', 1, 161)",
    ),
    (
        5,
        "INSERT INTO troubles (subject, kind, since_at) VALUES ('feed blog', 'gone', 200);
         INSERT INTO standing (channel_id, mark, receipt, title, found_at) VALUES (1, 'm2', '{\"message\":\"10\"}', '', 200)",
    ),
    (
        8,
        "INSERT INTO issues (number, from_at, to_at, published_at, published_by, told) VALUES (1, 10, 20, 21, 'ed', x'00');
         INSERT INTO suggestions (id, url, shown, note, platform, person, place, at, room, state, title, section, decided_at,
                                  decided_by, issue)
         VALUES (1, 'https://a.example/', 'https://a.example/', 'n', 'discord', '5', '1', 100, '1', 'accepted', 'On a', 'videos',
                 110, 'ed', 1),
                (2, 'https://b.example/', 'https://b.example/', '', 'discord', '5', '1', 101, '1', 'declined', '', NULL, 111, 'ed',
                 NULL),
                (3, 'https://c.example/', 'https://c.example/', '', 'discord', '5', '1', 102, '1', 'open', '', NULL, NULL, NULL,
                 NULL);
         INSERT INTO edits (id, kind, item_id, section, text, at, person, issue)
         VALUES (1, 'intro', NULL, NULL, 'Words.', 105, 'ed', 1), (2, 'note', 1, NULL, 'One.', 106, 'ed', NULL),
                (3, 'note', 1, NULL, 'Two.', 107, 'flo', NULL), (4, 'pin', 2, 'missed', '', 108, 'ed', NULL)",
    ),
];

/// The data that must be unchanged, if the version had it: a question and the version that it needs.
const KEPT: [(i64, &str); 8] = [
    (
        1,
        "SELECT group_concat(name || ' ' || state || ' ' || coalesce(cursor, '-')) FROM (SELECT * FROM feeds ORDER BY id)",
    ),
    (
        1,
        "SELECT group_concat(title || ' ' || at) FROM (SELECT * FROM items ORDER BY id)",
    ),
    (
        1,
        "SELECT count(*) || ' ' || (SELECT count(*) FROM gaps) || ' ' || (SELECT count(*) FROM faults) FROM item_keys",
    ),
    (
        2,
        "SELECT group_concat(alias || ' ' || item_id) FROM story_aliases",
    ),
    (
        3,
        "SELECT group_concat(id || ' ' || coalesce(receipt, '-')) FROM (SELECT * FROM posts ORDER BY id)",
    ),
    (
        3,
        "SELECT group_concat(nonce || ' ' || state || ' ' || attempts) FROM (SELECT * FROM deliveries ORDER BY id)",
    ),
    (
        8,
        "SELECT group_concat(id || kind || coalesce(item_id, '-') || coalesce(section, '-') || text || person || coalesce(issue, '-'))
         FROM (SELECT * FROM edits WHERE kind NOT IN ('accept', 'decline') ORDER BY id)",
    ),
    (
        8,
        "SELECT group_concat(id || shown || state || coalesce(decided_by, '-')) FROM (SELECT * FROM suggestions ORDER BY id)",
    ),
];

/// The migrations up to a version, in a folder of their own.
fn migrations_to(version: i64, folder: &Path) -> PathBuf {
    let below = folder.join(format!("migrations-{version}"));
    std::fs::create_dir(&below).expect("room on the disk");
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    for entry in std::fs::read_dir(all).expect("the migrations") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let number = name
            .split('_')
            .next()
            .and_then(|number| number.parse().ok());
        if number.is_some_and(|number: i64| number <= version) && name.ends_with(".sql") {
            std::fs::copy(&path, below.join(name)).expect("room on the disk");
        }
    }
    below
}

async fn connect(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true);
    options.connect().await.expect("a database")
}

async fn ask(database: &mut SqliteConnection, question: &'static str) -> Option<String> {
    let answer: Option<String> = sqlx::query_scalar(question)
        .fetch_one(database)
        .await
        .expect(question);
    answer
}

/// A database as it was at a version, with rows.
pub(super) async fn at_version(version: i64, folder: &Path) -> PathBuf {
    let file = folder.join(format!("at-{version}.sqlite"));
    let migrations = migrations_to(version, folder);
    let migrator = sqlx::migrate::Migrator::new(migrations.as_path());
    let mut database = connect(&file).await;
    let migrator = migrator.await.expect("migrations");
    migrator.run(&mut database).await.expect("they apply");
    for (_, rows) in ROWS.iter().filter(|(from, _)| *from <= version) {
        sqlx::raw_sql(*rows)
            .execute(&mut database)
            .await
            .expect("they fit");
    }
    database.close().await.expect("it closes");
    file
}

#[tokio::test]
async fn every_earlier_version_is_brought_up_to_date_and_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    for (version, _) in ROWS {
        let file = at_version(version, folder.path()).await;
        let mut before = Vec::new();
        let mut old = connect(&file).await;
        for (_, question) in KEPT.iter().filter(|(from, _)| *from <= version) {
            before.push((question, ask(&mut old, question).await));
        }
        old.close().await.expect("it closes");
        let store = Store::open(&file).await.expect("it is brought up to date");
        let mut new = connect(&file).await;
        for (question, answer) in before {
            assert!(answer.is_some(), "{version}: {question}");
            assert_eq!(
                ask(&mut new, question).await,
                answer,
                "{version}: {question}"
            );
        }
        let broken: Vec<(String,)> =
            sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_check")
                .fetch_all(&mut new)
                .await
                .expect("an answer");
        assert!(broken.is_empty(), "{version}: {broken:?}");
        // The program can use the database.
        let all = items::all_numbers(store.read()).await.expect("an answer");
        let text = items::text_of(store.read(), 2).await.expect("an answer");
        assert_eq!(text, "kept", "{version}");
        let mut tx = store.write().await.expect("a transaction");
        fold::refold(&mut tx, &all, &FoldRules::default(), |_| ())
            .await
            .expect("it folds");
        let (count, _) = stories::digest(&mut tx).await.expect("an answer");
        tx.commit().await.expect("it commits");
        assert_eq!(count, 2, "{version}");
        store.close().await;
        assert_eq!(
            backup::check(&file).await.expect("it is whole").schema,
            Schema::Current
        );
        let copy = backup::beside(&file, &format!(".schema-{version}.backup"));
        match version == schema::newest() {
            true => assert!(!copy.exists(), "{version}"),
            false => {
                let copy = backup::check(&copy).await.expect("a whole copy");
                assert_eq!(copy.schema, Schema::Older(version));
            }
        }
    }
}

#[tokio::test]
async fn the_last_two_copies_are_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = at_version(3, folder.path()).await;
    for version in [1, 2] {
        let old = backup::beside(&file, &format!(".schema-{version}.backup"));
        std::fs::write(old, "old").expect("room on the disk");
    }
    let another = folder.path().join("other.sqlite.schema-1.backup");
    std::fs::write(&another, "old").expect("room on the disk");
    Store::open(&file)
        .await
        .expect("it is brought up to date")
        .close()
        .await;
    let is_there =
        |version: i64| backup::beside(&file, &format!(".schema-{version}.backup")).exists();
    assert_eq!([1, 2, 3].map(is_there), [false, true, true]);
    assert!(another.exists(), "another database's");
}

#[tokio::test]
async fn an_older_backup_is_brought_up_to_date_and_its_channels_are_looked_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = at_version(3, folder.path()).await;
    let database = folder.path().join("bpfnews.sqlite");
    let ready = backup::prepare(&database, &old)
        .await
        .expect("a good backup");
    // The last time that the database knows is 200. A queued delivery was tried at 161. The margin is an hour.
    assert_eq!(ready.recall_from, 161 - 3600);
    let was_there = ready.put_in_place(&folder.path().join("aside")).await;
    assert!(!was_there.expect("files can be renamed"));
    let store = Store::open(&database).await.expect("a database");
    let from: (i64,) = sqlx::query_as("SELECT recall_from FROM channels")
        .fetch_one(&mut *store.read().acquire().await.expect("a connection"))
        .await
        .expect("an answer");
    assert_eq!(from.0, 161 - 3600);
}
