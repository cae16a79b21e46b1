//! Git's copy of a repository: a folder beside the database. It is bare, and has commits and folders but no files of a tree,
//! and no history beyond a horizon. It may be deleted at any time.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::child::{self, ChildLimits, ChildOutput, size_of_folder};
use super::failure::GitFailure;
use super::program::{GitRemote, Program};
use crate::item::CommitHash;

/// The file with [`CopyState`].
const STATE: &str = "bpfnews.json";
/// Files of blobs for one answer; they are removed after it.
const EXTRA: &str = "extra";
/// The longest time until a pause notices that nobody waits.
const PAUSE_STEP: Duration = Duration::from_millis(50);
/// With so many packs a copy is made anew, because git becomes slow …
const PACKS_MAX: usize = 200;
/// … and with so many if it takes more than half of the allowed bytes.
const PACKS_MAX_IF_LARGE: usize = 20;

/// What every run needs.
#[derive(Clone, Copy)]
pub(super) struct GitRun<'a> {
    pub(super) program: &'a Program,
    pub(super) remote: &'a GitRemote,
    pub(super) user_agent: &'a str,
    pub(super) is_cancelled: &'a AtomicBool,
    /// The pause between two connections.
    pub(super) gap: Duration,
    /// The longest time of a run that only asks, and of a fetch.
    pub(super) ask_time: Duration,
    pub(super) fetch_time: Duration,
    /// The most bytes of an answer, and of a copy on disk.
    pub(super) output_bytes: u64,
    pub(super) disk_bytes: u64,
}

impl GitRun<'_> {
    /// Runs git with a connection, outside a repository.
    pub(super) fn ask(&self, args: &[&str]) -> Result<ChildOutput, GitFailure> {
        let nowhere = Path::new("/dev/null");
        let mut command = self
            .program
            .remote(nowhere, self.remote, self.user_agent, args);
        let limits = ChildLimits {
            time: self.ask_time,
            output_bytes: self.output_bytes,
            folder: None,
        };
        Ok(child::run(&mut command, b"", &limits, self.is_cancelled)?)
    }
}

/// What a copy has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct CopyState {
    /// Commits since then are there, in unix seconds; `None` before the first fetch.
    since: Option<i64>,
    /// Whether the server sends files though none are asked for.
    has_files: bool,
}

/// Which objects a copy has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyKind {
    /// Commits and folders.
    WithoutFiles,
    /// All.
    Whole,
}

/// Git's copy of a repository.
pub(super) struct Copy<'a> {
    run: GitRun<'a>,
    folder: PathBuf,
    kind: CopyKind,
    state: CopyState,
    /// When the next connection may begin; `None`: at once.
    ready_at: Cell<Option<Instant>>,
}

impl<'a> Copy<'a> {
    /// Opens the copy in `folder`, or makes it. `hash`: one of the repository's, which shows its format.
    pub(super) fn open(
        run: GitRun<'a>,
        folder: &Path,
        kind: CopyKind,
        hash: &CommitHash,
    ) -> Result<Self, GitFailure> {
        let state = fs::read(folder.join(STATE)).ok();
        let state: Option<CopyState> = state.and_then(|json| serde_json::from_slice(&json).ok());
        let packs = packs(folder);
        let is_worn = packs > PACKS_MAX
            || (packs > PACKS_MAX_IF_LARGE && size_of_folder(folder) > run.disk_bytes / 2);
        let mut copy = Self {
            run,
            folder: folder.to_owned(),
            kind,
            state: state.clone().unwrap_or_default(),
            ready_at: Cell::new(None),
        };
        if state.is_none() || is_worn {
            copy.make(hash)?;
        }
        remove(&copy.extra())?;
        copy.remove_leftovers();
        Ok(copy)
    }

    /// Makes an empty repository in place of whatever is there.
    pub(super) fn make(&mut self, hash: &CommitHash) -> Result<(), GitFailure> {
        // A git that was left behind may still write: it keeps its folder, which has no name any more.
        let old = self.folder.with_extension("old");
        remove(&old)?;
        match fs::rename(&self.folder, &old) {
            Ok(()) => remove(&old)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        fs::create_dir_all(self.folder.join("refs"))?;
        fs::create_dir_all(self.folder.join("objects"))?;
        // No commit is checked out, and none of the server's files has a say.
        fs::write(self.folder.join("HEAD"), "ref: refs/heads/none\n")?;
        fs::write(self.folder.join("config"), self.config(hash))?;
        self.state = CopyState::default();
        self.save()
    }

    fn config(&self, hash: &CommitHash) -> String {
        let mut config =
            "[core]\n\trepositoryformatversion = 1\n\tbare = true\n\tlogAllRefUpdates = false\n"
                .to_owned();
        // Nothing is ever checked out, so odd names do no harm; a strict check would refuse histories that exist.
        config.push_str("[fetch]\n\tfsckObjects = false\n\tunpackLimit = 1\n");
        config.push_str("[extensions]\n");
        if hash.as_str().len() == 64 {
            config.push_str("\tobjectFormat = sha256\n");
        }
        if self.kind == CopyKind::WithoutFiles {
            config.push_str("\tpartialClone = origin\n");
        }
        // The address comes with each run, since the server's own address may change.
        config.push_str("[remote \"origin\"]\n");
        if self.kind == CopyKind::WithoutFiles {
            config.push_str("\tpromisor = true\n\tpartialclonefilter = blob:none\n");
        }
        config
    }

    fn save(&self) -> Result<(), GitFailure> {
        let json = serde_json::to_vec(&self.state).expect("a state is plain data");
        let next = self.folder.join("bpfnews.next");
        fs::write(&next, json)?;
        Ok(fs::rename(next, self.folder.join(STATE))?)
    }

    /// Removes locks and unfinished packs of a git that was killed. No other git works in this folder.
    fn remove_leftovers(&self) {
        let is_left = |name: &str| name.ends_with(".lock") || name.starts_with("tmp_");
        for folder in ["", "refs/bpfnews", "objects/pack"] {
            let entries = fs::read_dir(self.folder.join(folder));
            for entry in entries.into_iter().flatten().flatten() {
                if is_left(&entry.file_name().to_string_lossy()) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    fn extra(&self) -> PathBuf {
        self.folder.join(EXTRA)
    }

    /// The beginning of the history that is there, in unix seconds; `None` before the first fetch.
    pub(super) fn since(&self) -> Option<i64> {
        self.state.since
    }

    /// Whether files are there without being asked for.
    pub(super) fn has_files(&self) -> bool {
        self.state.has_files || self.kind == CopyKind::Whole
    }

    pub(super) fn set_since(&mut self, since: i64) -> Result<(), GitFailure> {
        self.state.since = Some(since);
        self.save()
    }

    /// Runs git without a connection.
    pub(super) fn local(&self, args: &[&str], input: &str) -> Result<Vec<u8>, GitFailure> {
        let mut command = self.run.program.local(&self.folder, args);
        self.with_extra(&mut command);
        let limits = ChildLimits {
            time: self.run.ask_time,
            output_bytes: self.run.output_bytes,
            folder: None,
        };
        let output = child::run(
            &mut command,
            input.as_bytes(),
            &limits,
            self.run.is_cancelled,
        )?;
        Ok(output.bytes)
    }

    /// The lines of a run without a connection.
    pub(super) fn lines(&self, args: &[&str], input: &str) -> Result<Vec<String>, GitFailure> {
        let bytes = self.local(args, input)?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Whether a commit is there.
    pub(super) fn has(&self, hash: &CommitHash) -> bool {
        let wanted = format!("{hash}^{{commit}}");
        self.local(&["cat-file", "-e", &wanted], "").is_ok()
    }

    /// The commit date, in unix seconds.
    pub(super) fn date(&self, hash: &CommitHash) -> Result<i64, GitFailure> {
        let args = [
            "rev-list",
            "--no-walk",
            "--no-commit-header",
            "--format=%ct",
            hash.as_str(),
        ];
        let lines = self.lines(&args, "")?;
        let date = lines.first().and_then(|line| line.trim().parse().ok());
        date.ok_or_else(|| GitFailure::Odd(format!("the commit {hash} has no date")))
    }

    /// The commits whose parents are beyond the horizon.
    pub(super) fn boundary(&self) -> HashSet<String> {
        let shallow = fs::read_to_string(self.folder.join("shallow"));
        let shallow = shallow.unwrap_or_default();
        shallow.lines().map(str::to_owned).collect()
    }

    /// Fetches a commit under a name of ours, with as much history as `depth` says (`--depth=1`, `--shallow-since=…`).
    pub(super) fn fetch(
        &mut self,
        hash: &CommitHash,
        name: &str,
        depth: &str,
    ) -> Result<(), GitFailure> {
        let place = format!("+{hash}:refs/bpfnews/{name}");
        let mut args = vec![depth];
        if self.kind == CopyKind::WithoutFiles {
            args.push("--filter=blob:none");
        }
        let output = self.fetched(&args, &[&place], "", false);
        let output = output.map_err(|failure| match failure.is_unknown_commit() {
            true => GitFailure::NoSuchCommit(hash.to_string()),
            false => failure,
        })?;
        if output.said.contains("filtering not recognized") && !self.state.has_files {
            self.state.has_files = true;
            self.save()?;
        }
        Ok(())
    }

    /// Fetches blobs for the runs that follow; the next [`Copy::open`] removes them.
    pub(super) fn fetch_blobs(&mut self, blobs: &HashSet<String>) -> Result<(), GitFailure> {
        fs::create_dir_all(self.extra())?;
        let input: String = blobs.iter().map(|blob| format!("{blob}\n")).collect();
        let args = ["-c", "fetch.negotiationAlgorithm=noop"];
        self.fetched(&args, &["--filter=blob:none", "--stdin"], &input, true)
            .map(drop)
    }

    fn fetched(
        &self,
        before: &[&str],
        wanted: &[&str],
        input: &str,
        is_extra: bool,
    ) -> Result<ChildOutput, GitFailure> {
        let url = format!("remote.origin.url={}", self.run.remote.address);
        let mut args = vec!["-c", &*url];
        let (settings, options) = before.split_at(if is_extra { before.len() } else { 0 });
        args.extend(settings);
        args.extend([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--recurse-submodules=no",
        ]);
        args.extend(options);
        args.push("origin");
        args.extend(wanted);
        let run = &self.run;
        let mut command = run
            .program
            .remote(&self.folder, run.remote, run.user_agent, &args);
        if is_extra {
            self.with_extra(&mut command);
        }
        let limits = ChildLimits {
            time: run.fetch_time,
            output_bytes: run.output_bytes,
            folder: Some((self.folder.clone(), run.disk_bytes)),
        };
        self.pause();
        let output = child::run(&mut command, input.as_bytes(), &limits, run.is_cancelled);
        self.ready_at.set(Some(Instant::now() + run.gap));
        Ok(output?)
    }

    /// Waits between two connections to the host, as between two requests.
    fn pause(&self) {
        let Some(ready_at) = self.ready_at.get() else {
            return;
        };
        while Instant::now() < ready_at && !self.run.is_cancelled.load(Ordering::Acquire) {
            let left = ready_at.saturating_duration_since(Instant::now());
            std::thread::sleep(left.min(PAUSE_STEP));
        }
    }

    /// Lets a run use the extra blobs. A fetch writes there too.
    fn with_extra(&self, command: &mut Command) {
        let extra = self.extra();
        if extra.exists() {
            command.env("GIT_OBJECT_DIRECTORY", extra).env(
                "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                self.folder.join("objects"),
            );
        }
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        // What is left is removed at the next opening.
        let _ = remove(&self.extra());
    }
}

/// Removes a folder, if it is there.
pub(super) fn remove(folder: &Path) -> Result<(), std::io::Error> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn packs(folder: &Path) -> usize {
    let packs = fs::read_dir(folder.join("objects/pack"));
    let packs = packs.into_iter().flatten().flatten();
    let is_pack = |path: PathBuf| path.extension().is_some_and(|ending| ending == "pack");
    packs.filter(|entry| is_pack(entry.path())).count()
}
