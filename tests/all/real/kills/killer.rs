//! The program as a child process, and its killer: SIGKILL at a step of a poll or a send that the seed chooses.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A step of the program, as its servers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    /// A feed got a request and has not answered.
    PollAsked,
    /// The feed has answered: the program reads, folds and commits the page about now.
    PollAnswered,
    /// A message is to be sent and has not reached the chat.
    SendAsked,
    /// The chat has the message and has not answered.
    SendDone,
    /// The chat has answered: the program settles the outcome about now.
    SendAnswered,
    /// Any moment.
    Sometime,
}

impl Moment {
    pub(super) const ALL: [Self; 6] = [
        Self::PollAsked,
        Self::PollAnswered,
        Self::SendAsked,
        Self::SendDone,
        Self::SendAnswered,
        Self::Sometime,
    ];
}

/// A planned kill: at which step, how many of its kind happen before, and how long after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    pub(super) moment: Moment,
    pub(super) passes: u32,
    pub(super) after: Duration,
}

#[derive(Default)]
struct Inside {
    child: Option<Child>,
    /// Counts starts, so that a delayed kill does not hit the next process.
    starts: u32,
    aim: Option<Aim>,
    killed: BTreeMap<Moment, usize>,
}

/// The program and its killer. Dropping it kills the program too.
#[derive(Clone, Default)]
pub(super) struct Killer(Arc<Mutex<Inside>>);

impl Killer {
    fn inside(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.0.lock().expect("no holder panics")
    }

    /// Starts the program; its output is appended to a file.
    pub(super) fn start(&self, home: &Path) {
        let said = std::fs::File::options()
            .create(true)
            .append(true)
            .open(home.join("said"))
            .expect("a file in a temporary folder");
        let child = Command::new(env!("CARGO_BIN_EXE_bpfnews"))
            .args(["-v", "run", "--config"])
            .arg(home.join("config.toml"))
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("the program starts");
        let mut inside = self.inside();
        inside.child = Some(child);
        inside.starts += 1;
        inside.aim = None;
    }

    /// Kills the program at that step.
    pub(super) fn aim(&self, aim: Aim) {
        self.inside().aim = Some(aim);
        if aim.moment == Moment::Sometime {
            self.passes(Moment::Sometime);
        }
    }

    /// A step happens. Returns whether it is the step of the kill, and whether the kill is immediate.
    pub(super) fn passes(&self, moment: Moment) -> bool {
        let mut inside = self.inside();
        let Some(aim) = inside.aim.as_mut().filter(|aim| aim.moment == moment) else {
            return false;
        };
        if aim.passes > 0 {
            aim.passes -= 1;
            return false;
        }
        let (after, starts) = (aim.after, inside.starts);
        inside.aim = None;
        drop(inside);
        if after.is_zero() {
            self.kill(moment);
            return true;
        }
        let killer = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            if killer.inside().starts == starts {
                killer.kill(moment);
            }
        });
        false
    }

    /// SIGKILL. Returns whether the program was still running.
    pub(super) fn kill(&self, moment: Moment) -> bool {
        let mut inside = self.inside();
        let Some(mut child) = inside.child.take() else {
            return false;
        };
        let was_alive = child.try_wait().expect("a child of ours").is_none();
        // It may have ended in between.
        let _ = child.kill();
        child.wait().expect("a child of ours");
        if was_alive {
            *inside.killed.entry(moment).or_default() += 1;
        }
        was_alive
    }

    /// Ends the program. This does not count as a kill.
    pub(super) fn stop(&self) {
        if let Some(mut child) = self.inside().child.take() {
            // The program may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether the program runs. If it ended without a kill, the test fails.
    pub(super) fn is_running(&self) -> bool {
        let mut inside = self.inside();
        match &mut inside.child {
            None => false,
            Some(child) => {
                let ended = child.try_wait().expect("a child of ours");
                assert!(ended.is_none(), "the program ended by itself: {ended:?}");
                true
            }
        }
    }

    /// The number of kills at each step.
    pub(super) fn killed(&self) -> BTreeMap<Moment, usize> {
        self.inside().killed.clone()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
