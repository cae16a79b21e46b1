//! The operator, as the author of changes on the command line.

use crate::store::audit::Actor;

/// The editor's name for issues published and withdrawn here.
pub(super) const BY: &str = "command line";

/// The operator in the audit log.
pub(super) fn hand() -> Actor {
    Actor {
        platform: BY.to_owned(),
        person: "operator".to_owned(),
        room: String::new(),
        community: None,
    }
}
