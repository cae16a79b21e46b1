//! A claimed delivery as a request to its platform.

use crate::channel::{Act, Below, Receipt};
use crate::store::outbox::{Claimed, Verb};

/// The request to the platform; `None` if it would change a message that was never sent.
pub(super) fn act(claimed: &Claimed, receipt: Option<Receipt>) -> Option<Act> {
    let content = claimed.content.clone();
    match claimed.verb {
        Verb::Send => Some(Act::Send {
            content: content?,
            under: None,
        }),
        Verb::Reply => Some(Act::Send {
            content: content?,
            under: Some(match claimed.in_thread || claimed.addressee.is_some() {
                false => Below::Answer(receipt?),
                true => Below::Thread(receipt?),
            }),
        }),
        Verb::Edit => Some(Act::Edit {
            receipt: receipt?,
            content: content?,
        }),
        Verb::Remove => Some(Act::Remove { receipt: receipt? }),
    }
}
