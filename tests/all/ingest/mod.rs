//! Polls as a whole: a feed that misbehaves ends in a clear stored state and does not affect others. Nothing is missed, and
//! nothing is stored or posted twice.

mod breaks;
mod failures;
mod floods;
mod identity;
mod order;
mod posts;
mod seeds;
mod strange;
mod together;
mod windows;

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::documents::{mail, public_inbox};
use crate::rude::answer;
use crate::world::World;

/// The archive at `/bpf/` has this many mails, one every twelve minutes, and shows five on a page.
fn serve_mails(world: &World, count: i64) {
    serve_mails_failing(world, count, usize::MAX);
}

/// The same, on a server that fails after this many answers.
fn serve_mails_failing(world: &World, count: i64, after: usize) {
    let mails: Vec<_> = (0..count)
        .map(|n| mail(&format!("m{n}"), 12 * n - 500, &format!("mail {n:03}"), ""))
        .collect();
    let answered = AtomicUsize::new(0);
    world.put_folder("/bpf/", move |path| {
        match answered.fetch_add(1, Ordering::Relaxed) < after {
            true => public_inbox("/bpf/", &mails, 5, path),
            false => answer("503 Service Unavailable", &[], "Busy"),
        }
    });
}
