//! Reading as a whole: feeds that misbehave end in a clear recorded state and harm no other, nothing is missed, nothing
//! is kept or told twice.

mod breaks;
mod failures;
mod identity;
mod order;
mod posts;
mod seeds;
mod strange;
mod together;
mod windows;

use crate::documents::{mail, public_inbox};
use crate::world::World;

/// Lets the archive at `/bpf/` hold so many mails, one every twelve minutes, and show five on a page.
fn serve_mails(world: &World, count: i64) {
    let mails: Vec<_> = (0..count)
        .map(|n| mail(&format!("m{n}"), 12 * n - 500, &format!("mail {n:03}"), ""))
        .collect();
    world.put_folder("/bpf/", move |path| public_inbox("/bpf/", &mails, 5, path));
}
