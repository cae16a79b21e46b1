//! Runs a program within limits of time, output and disk. It has a process group of its own, which is killed as a whole.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// The most bytes that are kept of the messages of a program.
const MESSAGES_BYTES_MAX: u64 = 16 * 1024;
/// The pauses between two looks at a program, and between two looks at its folder.
const LOOK_PAUSE_MIN: Duration = Duration::from_millis(1);
const LOOK_PAUSE_MAX: Duration = Duration::from_millis(20);
const FOLDER_PAUSE: Duration = Duration::from_millis(150);
/// The most files and folders that are counted at one look.
const ENTRIES_MAX: usize = 200_000;

/// The limits of one run.
#[derive(Debug, Clone)]
pub(super) struct ChildLimits {
    /// The longest time.
    pub(super) time: Duration,
    /// The most bytes of standard output.
    pub(super) output_bytes: u64,
    /// A folder, and the most bytes that may be in it.
    pub(super) folder: Option<(PathBuf, u64)>,
}

/// Why a program gave no result.
#[derive(Debug)]
pub(super) enum ChildFailure {
    /// It could not be started, or its streams could not be read.
    Io(io::Error),
    TookTooLong(Duration),
    TooMuchOutput(u64),
    /// Its folder grew beyond so many bytes.
    TooMuchDisk(u64),
    /// Nobody waits for it any more.
    Cancelled,
    /// It ended with an error, and said this.
    Failed {
        status: ExitStatus,
        said: String,
    },
}

/// The output of a program that succeeded, and the messages beside it.
#[derive(Debug)]
pub(super) struct ChildOutput {
    pub(super) bytes: Vec<u8>,
    pub(super) said: String,
}

/// Runs a program to its end. It blocks, so it needs a thread of its own.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    limits: &ChildLimits,
    is_cancelled: &AtomicBool,
) -> Result<ChildOutput, ChildFailure> {
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut group = ChildGroup {
        child: spawned.map_err(ChildFailure::Io)?,
        is_over: false,
    };
    let stdin = group.child.stdin.take();
    let stdout = group.child.stdout.take();
    let stderr = group.child.stderr.take();
    let is_full = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that ends early has its own message for that.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let output = scope.spawn(|| {
            let mut bytes = Vec::new();
            let read = stdout.map_or(Ok(0), |out| {
                out.take(limits.output_bytes + 1).read_to_end(&mut bytes)
            });
            is_full.store(bytes.len() as u64 > limits.output_bytes, Ordering::Release);
            read.map(|_| bytes)
        });
        let messages = scope.spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stderr) = stderr {
                let _ = (&mut stderr)
                    .take(MESSAGES_BYTES_MAX)
                    .read_to_end(&mut bytes);
                // The rest is read too, or else the program would wait.
                let _ = io::copy(&mut stderr, &mut io::sink());
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let status = group.wait(limits, &is_full, is_cancelled);
        // After a failure, this closes the streams that the threads read.
        drop(group);
        let bytes = output.join().unwrap_or_else(|_| Ok(Vec::new()));
        let said = messages.join().unwrap_or_default();
        let status = status?;
        match status.success() {
            true => Ok(ChildOutput {
                bytes: bytes.map_err(ChildFailure::Io)?,
                said,
            }),
            false => Err(ChildFailure::Failed { status, said }),
        }
    })
}

/// A program with all that it started.
struct ChildGroup {
    child: Child,
    is_over: bool,
}

impl ChildGroup {
    /// Waits until the program ends, or until a limit is passed.
    fn wait(
        &mut self,
        limits: &ChildLimits,
        is_full: &AtomicBool,
        is_cancelled: &AtomicBool,
    ) -> Result<ExitStatus, ChildFailure> {
        let started_at = Instant::now();
        let mut looked_at = started_at;
        let mut pause = LOOK_PAUSE_MIN;
        loop {
            if is_full.load(Ordering::Acquire) {
                return Err(ChildFailure::TooMuchOutput(limits.output_bytes));
            }
            if let Some(status) = self.child.try_wait().map_err(ChildFailure::Io)? {
                self.is_over = true;
                return Ok(status);
            }
            if is_cancelled.load(Ordering::Acquire) {
                return Err(ChildFailure::Cancelled);
            }
            if started_at.elapsed() > limits.time {
                return Err(ChildFailure::TookTooLong(limits.time));
            }
            if let Some((folder, most)) = &limits.folder
                && looked_at.elapsed() > FOLDER_PAUSE
            {
                if size_of_folder(folder) > *most {
                    return Err(ChildFailure::TooMuchDisk(*most));
                }
                looked_at = Instant::now();
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
        }
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // Fails only if all of them have ended.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The bytes of all files below a folder; 0 if there is none. Symbolic links are not followed.
pub(super) fn size_of_folder(folder: &Path) -> u64 {
    let (mut bytes, mut entries) = (0_u64, 0);
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(listed) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in listed.flatten() {
            entries += 1;
            if entries > ENTRIES_MAX {
                return u64::MAX;
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) => bytes = bytes.saturating_add(found.len()),
                Err(_) => {}
            }
        }
    }
    bytes
}

/// How a program ended, for messages.
pub(super) fn ending(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ChildLimits {
        ChildLimits {
            time: Duration::from_secs(20),
            output_bytes: 1 << 20,
            folder: None,
        }
    }

    fn shell(script: &str, limits: &ChildLimits) -> Result<ChildOutput, ChildFailure> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(&mut command, b"input", limits, &AtomicBool::new(false))
    }

    #[test]
    fn output_and_messages_are_read() {
        let output = shell("cat; echo beside >&2", &limits()).expect("it succeeds");
        assert_eq!(
            (&output.bytes[..], &*output.said),
            (&b"input"[..], "beside\n")
        );
        let failure = shell("echo why >&2; exit 3", &limits()).expect_err("it fails");
        assert!(
            matches!(&failure, ChildFailure::Failed { status, said } if status.code() == Some(3) && said == "why\n"),
            "{failure:?}"
        );
    }

    #[test]
    fn each_limit_ends_the_whole_group() {
        let started_at = Instant::now();
        let short = ChildLimits {
            time: Duration::from_millis(100),
            ..limits()
        };
        let failure = shell("sleep 60 | sleep 60", &short).expect_err("it takes too long");
        assert!(
            matches!(failure, ChildFailure::TookTooLong(_)),
            "{failure:?}"
        );
        let failure = shell("cat /dev/zero | cat", &limits()).expect_err("it never ends");
        assert!(
            matches!(failure, ChildFailure::TooMuchOutput(_)),
            "{failure:?}"
        );
        let folder = tempfile::TempDir::new().expect("a temporary folder");
        let script = format!(
            "cat /dev/zero | head -c 900000 >{}/f; sleep 60",
            folder.path().display()
        );
        let small = ChildLimits {
            folder: Some((folder.path().to_owned(), 100_000)),
            ..limits()
        };
        let failure = shell(&script, &small).expect_err("the folder is full");
        assert!(
            matches!(failure, ChildFailure::TooMuchDisk(100_000)),
            "{failure:?}"
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "sleep 60"]);
        let failure = run(&mut command, b"", &limits(), &AtomicBool::new(true));
        assert!(
            matches!(failure, Err(ChildFailure::Cancelled)),
            "{failure:?}"
        );
        assert!(started_at.elapsed() < Duration::from_secs(15));
    }
}
