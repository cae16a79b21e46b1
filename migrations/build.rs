//! Applies the migrations to a temporary SQLite file and passes its URL to sqlx's macros. So every query is checked
//! at compile time, and nobody needs to set up a database. Also makes the linker produce a smaller program, if this
//! machine's glibc can run it.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

/// The first glibc that applies packed relocations.
const PACKED_SINCE: (u32, u32) = (2, 36);

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
    pack_relocations();
    name_commit();
}

/// The folder of the profile is among so many folders above the build script's output.
const PROFILE_WITHIN: usize = 5;

/// Passes the commit to `--version`, in builds for users only: elsewhere each commit would compile everything again. An
/// environment variable overrides it, for packages that are built outside a repository.
fn name_commit() {
    println!("cargo::rerun-if-env-changed=BPFNEWS_COMMIT");
    if env::var_os("BPFNEWS_COMMIT").is_some() {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let is_for_users =
        |folder: &std::path::Path| folder.ends_with("release") || folder.ends_with("dist");
    // The profile's folder is a few levels up: `target/release/build/bpfnews-…/out`.
    if !out.ancestors().take(PROFILE_WITHIN).any(is_for_users) {
        return;
    }
    let git = |arguments: &[&str]| {
        let told = Command::new("git").args(arguments).output().ok()?;
        let told = told.status.success().then_some(told.stdout)?;
        Some(String::from_utf8(told).ok()?.trim().to_owned())
    };
    // A package in a folder of some other repository has no commit of its own.
    let is_ours = git(&["ls-files", "migrations/build.rs"]).is_some_and(|file| !file.is_empty());
    if let (true, Some(commit)) = (is_ours, git(&["rev-parse", "--short=12", "HEAD"])) {
        println!("cargo::rustc-env=BPFNEWS_COMMIT={commit}");
        // Cargo would run this each time for a file that does not exist.
        let log = git(&["rev-parse", "--git-path", "logs/HEAD"]);
        if let Some(log) = log.filter(|log| PathBuf::from(log).exists()) {
            println!("cargo::rerun-if-changed={log}");
        }
    }
}

/// Packs relocations: 3 MB of the program, read at each start, shrink to 32 KB. Skipped for another target, whose
/// glibc is unknown, and if the environment sets compiler or linker flags, because not every linker supports it.
fn pack_relocations() {
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_for_here = of("TARGET") == of("HOST") && of("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_usual = of("CARGO_ENCODED_RUSTFLAGS").is_empty() && of("RUSTC_LINKER").is_empty();
    println!("cargo::rerun-if-env-changed=RUSTFLAGS");
    if of("PROFILE") == "release" && is_for_here && is_usual && glibc() >= Some(PACKED_SINCE) {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}

/// The version of this machine's glibc, from `getconf`: `glibc 2.36`.
fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let told = String::from_utf8(told.ok()?.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    let minor = minor.split('.').next()?;
    Some((major.parse().ok()?, minor.parse().ok()?))
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
