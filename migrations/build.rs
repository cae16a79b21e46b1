//! Applies the migrations to a throwaway SQLite file and hands its URL to sqlx's macros, so that every
//! query is checked while the crate compiles, without a database to set up.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let file = out.join("schema.sqlite");
    for stale in ["", "-wal", "-shm", "-journal"] {
        let _ = fs::remove_file(out.join(format!("schema.sqlite{stale}")));
    }
    let url = format!("sqlite://{}", file.display());
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime for the build script")
        .block_on(apply(&url));
    println!("cargo::rustc-env=DATABASE_URL={url}");
}

async fn apply(url: &str) {
    use sqlx::ConnectOptions as _;
    use std::str::FromStr as _;
    let mut database = sqlx::sqlite::SqliteConnectOptions::from_str(url)
        .expect("a path that SQLite can open")
        .create_if_missing(true)
        .connect()
        .await
        .expect("SQLite creates the schema file");
    sqlx::migrate::Migrator::new(PathBuf::from("migrations").as_path())
        .await
        .expect("the migrations can be read")
        .run(&mut database)
        .await
        .expect("the migrations apply to an empty database");
}
