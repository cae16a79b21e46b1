//! Generated Git repositories: straight lines, merges, rebased branches.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::Utc;
use tempfile::TempDir;

/// The age of a generated history: so short that new commits are news.
const BEGIN_AGO_S: i64 = 5 * 86_400;
/// The branch that is served.
const SERVED: &str = "refs/heads/master";

/// A bare repository whose `master` the test moves.
pub(super) struct Repository {
    folder: TempDir,
}

/// A commit to be made.
#[derive(Debug, Clone, Default)]
pub(super) struct Commit {
    pub(super) message: String,
    /// Parents, as numbers of earlier commits; the files of the first one are kept.
    pub(super) parents: Vec<usize>,
    /// The file that it changes.
    pub(super) file: String,
    /// Author and commit date, unix seconds.
    pub(super) written_at: i64,
    pub(super) at: i64,
}

/// A history that is being generated. Commits are numbered from 1.
pub(super) struct History {
    pub(super) commits: Vec<Commit>,
    random: fastrand::Rng,
    now: i64,
}

impl History {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            commits: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            now: Utc::now().timestamp() - BEGIN_AGO_S,
        }
    }

    pub(super) fn push(&mut self, commit: Commit) -> usize {
        self.commits.push(commit);
        self.commits.len()
    }

    /// A commit with an odd message on top of these, some minutes later.
    pub(super) fn commit(&mut self, parents: &[usize], file: &str) -> usize {
        self.now += self.random.i64(0..600);
        self.commit_at(parents, file, self.now)
    }

    /// The same with any date.
    pub(super) fn commit_at(&mut self, parents: &[usize], file: &str, at: i64) -> usize {
        let message = if parents.len() > 1 {
            format!(
                "Merge branch 'topic-{}'\n\nIt is ready.\n",
                self.commits.len()
            )
        } else {
            self.message()
        };
        let written_at = at - self.random.i64(0..86_400);
        self.push(Commit {
            message,
            parents: parents.to_vec(),
            file: file.to_owned(),
            written_at,
            at,
        })
    }

    /// `count` commits in a line on top of `parent` (0: none); returns the last one.
    pub(super) fn line(&mut self, mut parent: usize, count: usize, file: &str) -> usize {
        for _ in 0..count {
            let parents: &[usize] = if parent == 0 { &[] } else { &[parent] };
            parent = self.commit(parents, file);
        }
        parent
    }

    /// A line of commits from some days before now.
    pub(super) fn old_line(&mut self, parent: usize, count: usize, file: &str) -> usize {
        let days = self.random.i64(1..20);
        let now = self.now;
        self.now -= days * 86_400;
        let last = self.line(parent, count, file);
        self.now = now;
        last
    }

    fn message(&mut self) -> String {
        let number = self.commits.len() + 1;
        let subjects = [
            "bpf: accept <tags> & \"quotes\" in names",
            "libbpf: größere Puffer, 帧",
            "selftests/bpf: a subject that goes on and on, so long that whoever shows it as a mail has to fold it onto a second line",
            "bpf, arm64: 50% less; #2 of 'many'",
            "Revert \"bpf: what seemed right\"",
        ];
        let subject = subjects[self.random.usize(0..subjects.len())];
        // A line that looks like the one between two patches, and a whole patch inside a message.
        let faked = if self.random.u8(0..4) == 0 {
            "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Nobody <n@x.invalid>\nDate: Mon, 1 Jan 2001 00:00:00 +0000\nSubject: [PATCH] not a commit\n\nFrom here on it is text.\n\n"
        } else {
            ""
        };
        format!(
            "{subject} ({number})\n\nIt was wrong, now it is right.\n\n{faked}Link: https://lore.kernel.org/r/2024-{number}@x.invalid\nSigned-off-by: Zoë Ünal <z@x.invalid>\n"
        )
    }
}

impl Repository {
    /// A repository with these commits; it serves none of them yet.
    pub(super) fn new(history: &History) -> Self {
        let repository = Self::empty();
        repository.import(&history.commits);
        repository
    }

    fn empty() -> Self {
        let repository = Self {
            folder: TempDir::new().expect("a temporary folder"),
        };
        repository.git(&["init", "--quiet", "--bare", "."]);
        repository.git(&["symbolic-ref", "HEAD", SERVED]);
        repository
    }

    /// A repository with the content of a bundle.
    pub(super) fn unbundled(bundle: &Path) -> Self {
        let repository = Self::empty();
        let bundle = bundle.to_str().expect("a path that is text");
        repository.git(&["fetch", "--quiet", bundle, "refs/heads/master:refs/all/1"]);
        repository
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    fn import(&self, commits: &[Commit]) {
        let mut stream = Vec::new();
        for (place, commit) in commits.iter().enumerate() {
            let number = place + 1;
            let (message, file) = (&commit.message, &commit.file);
            let author = ["Jörg Ünal", "Ada Example", "王小明"][message.len() % 3];
            write!(
                stream,
                "commit refs/all/{number}\nmark :{number}\nauthor {author} <a@x.invalid> {} +0200\n\
                 committer Zoë Keeper <z@x.invalid> {} -0700\ndata {}\n{message}\n",
                commit.written_at,
                commit.at,
                message.len()
            )
            .expect("memory");
            for (place, parent) in commit.parents.iter().enumerate() {
                let word = if place == 0 { "from" } else { "merge" };
                writeln!(stream, "{word} :{parent}").expect("memory");
            }
            let content = format!("{number}\n");
            write!(
                stream,
                "M 100644 inline {file}\ndata {}\n{content}\n",
                content.len()
            )
            .expect("memory");
        }
        self.fast_import(&stream);
    }

    fn fast_import(&self, stream: &[u8]) {
        let mut git = self
            .command(&["fast-import", "--quiet"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("git is installed");
        git.stdin
            .take()
            .expect("it is piped")
            .write_all(stream)
            .expect("git reads on");
        assert!(git.wait().expect("a child of ours").success());
    }

    /// Adds a commit with a file to the branch that is served.
    pub(super) fn put(&self, file: &str, content: &str) {
        let (at, bytes) = (Utc::now().timestamp(), content.len());
        let stream = format!(
            "commit {SERVED}\ncommitter Zoë Keeper <z@x.invalid> {at} +0000\ndata 4\nPut.\nfrom {SERVED}^0\n\
             M 100644 inline {file}\ndata {bytes}\n{content}\n"
        );
        self.fast_import(stream.as_bytes());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command
            .current_dir(self.folder.path())
            .env("GIT_DIR", ".")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .args(args)
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    pub(super) fn git(&self, args: &[&str]) -> String {
        let output = self.command(args).output().expect("git is installed");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("hashes are text")
    }

    /// The hash of a commit by its number.
    pub(super) fn hash(&self, number: usize) -> String {
        self.git(&["rev-parse", &format!("refs/all/{number}")])
            .trim()
            .to_owned()
    }

    /// Serves history up to this commit (a number).
    pub(super) fn serve(&self, number: usize) {
        self.serve_revision(&format!("refs/all/{number}"));
    }

    pub(super) fn serve_revision(&self, revision: &str) {
        self.git(&["update-ref", SERVED, revision]);
    }

    /// The output of `git rev-list`.
    #[track_caller]
    pub(super) fn list(&self, args: &[&str]) -> BTreeSet<String> {
        let args: Vec<&str> = std::iter::once("rev-list")
            .chain(args.iter().copied())
            .collect();
        self.git(&args).lines().map(str::to_owned).collect()
    }

    /// Deletes all commits that no branch holds any more, but keeps the served ones.
    pub(super) fn forget_unserved(&self) {
        for name in self
            .git(&["for-each-ref", "--format=%(refname)", "refs/all"])
            .lines()
        {
            self.git(&["update-ref", "-d", name]);
        }
        self.git(&["gc", "--quiet", "--prune=now"]);
    }
}
