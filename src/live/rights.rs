//! The rights of the person who gives a command. Pure.
//!
//! - **Maintainers** are listed under `[commands]`, by ids that nobody can choose: people and roles on Discord,
//!   accounts on Matrix. They may do everything, wherever the bot reads commands.
//! - **Editors** are listed under `[issue]` in the same way. They finish the issue, and change nothing else.
//! - **Managers** manage one of our places, according to its platform: a server on Discord, a room in Matrix. A place
//!   is ours if the *file* names a channel in it. A channel that was added in chat makes no place ours: otherwise a
//!   manager could add a channel on any server and make its managers, themselves included, managers of this bot.
//!   Managers have the rights of maintainers, but add and remove channels only where they manage.
//!
//! On Matrix, the place is the room of the command. On Discord, it is the server. The bot learns a channel's server
//! from the first command given in that channel.

use crate::chat::Requester;
use crate::config::{CommandsConfig, IssueConfig, PlatformKind};
use crate::store::outbox::ChannelPlace;

/// The rights of a person; each includes the ones above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Ask questions.
    Reader,
    /// Finish the issue.
    Editor,
    /// Change feeds, mutes and the channels of the place that they manage.
    Manager,
    /// Change everything.
    Maintainer,
}

/// The rights of a person. `ours` are the places of the channels in the file.
pub(super) fn of(
    by: &Requester,
    config: &CommandsConfig,
    issue: &IssueConfig,
    ours: &[&ChannelPlace],
) -> Right {
    let is_maintainer = is_named(
        by,
        &config.discord_users,
        &config.discord_roles,
        &config.matrix_users,
    );
    if is_maintainer {
        return Right::Maintainer;
    }
    if config.managers && by.is_manager && ours.iter().any(|place| is_in(by, place)) {
        return Right::Manager;
    }
    let is_editor = is_named(
        by,
        &issue.discord_users,
        &issue.discord_roles,
        &issue.matrix_users,
    );
    if is_editor {
        Right::Editor
    } else {
        Right::Reader
    }
}

/// Whether the configuration lists a person, by an id that nobody can choose.
fn is_named(by: &Requester, users: &[String], roles: &[String], accounts: &[String]) -> bool {
    match by.platform {
        PlatformKind::Discord => {
            users.contains(&by.person) || by.roles.iter().any(|role| roles.contains(role))
        }
        PlatformKind::Matrix => accounts.contains(&by.person),
        PlatformKind::Terminal | PlatformKind::Mail | PlatformKind::Webhook => false,
    }
}

/// Whether a command comes from this place: from its room, or from another room of its server.
pub fn is_in(by: &Requester, place: &ChannelPlace) -> bool {
    let is_same_server = by.community.is_some() && by.community == place.community;
    by.platform.word() == place.platform && (by.room == place.address || is_same_server)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(platform: &str, address: &str, community: Option<&str>) -> ChannelPlace {
        ChannelPlace {
            name: "a".to_owned(),
            platform: platform.to_owned(),
            address: address.to_owned(),
            community: community.map(str::to_owned),
        }
    }

    fn asker(
        platform: PlatformKind,
        room: &str,
        community: Option<&str>,
        person: &str,
    ) -> Requester {
        Requester {
            platform,
            room: room.to_owned(),
            community: community.map(str::to_owned),
            person: person.to_owned(),
            roles: Vec::new(),
            is_manager: false,
            is_alone: false,
        }
    }

    #[test]
    fn rights_follow_from_ids_and_places_of_ours() {
        use Right::{Editor, Maintainer, Manager, Reader};
        let config = CommandsConfig {
            discord_users: vec!["11111".to_owned()],
            discord_roles: vec!["22222".to_owned()],
            matrix_users: vec!["@a:b".to_owned()],
            ..CommandsConfig::default()
        };
        let issue = IssueConfig {
            discord_users: vec!["33333".to_owned()],
            discord_roles: vec!["44444".to_owned()],
            matrix_users: vec!["@e:b".to_owned()],
            ..IssueConfig::default()
        };
        let known = place("discord", "100", Some("9"));
        let unknown = place("discord", "101", None);
        let room = place("matrix", "!r:b", None);
        let ours = [&known, &unknown, &room];
        let with = |mut by: Requester, is_manager: bool, roles: &[&str]| {
            by.is_manager = is_manager;
            by.roles = roles.iter().map(|&role| role.to_owned()).collect();
            by
        };
        let discord = |room: &str, server: Option<&str>, person: &str| {
            asker(PlatformKind::Discord, room, server, person)
        };
        let matrix = |room: &str, person: &str| asker(PlatformKind::Matrix, room, None, person);
        #[rustfmt::skip]
        let table = [
            ("anybody", with(discord("100", Some("9"), "5"), false, &[]), Reader),
            ("a maintainer anywhere", with(discord("7", Some("8"), "11111"), false, &[]), Maintainer),
            ("a maintainer in a direct message", with(discord("7", None, "11111"), false, &[]), Maintainer),
            ("a role", with(discord("7", Some("9"), "5"), false, &["1", "22222"]), Maintainer),
            ("another role", with(discord("100", Some("9"), "5"), false, &["1"]), Reader),
            ("a role named like a person", with(discord("100", Some("9"), "5"), false, &["11111"]), Reader),
            ("a manager in the channel", with(discord("100", Some("9"), "5"), true, &[]), Manager),
            ("a manager elsewhere on the server", with(discord("55", Some("9"), "5"), true, &[]), Manager),
            ("a manager of a foreign server", with(discord("55", Some("8"), "5"), true, &[]), Reader),
            ("a manager of no server", with(discord("55", None, "5"), true, &[]), Reader),
            ("a manager in a channel whose server is not known yet", with(discord("101", Some("8"), "5"), true, &[]), Manager),
            ("an account", with(matrix("!x:y", "@a:b"), false, &[]), Maintainer),
            ("a Discord id on Matrix", with(matrix("!x:y", "11111"), false, &[]), Reader),
            ("a moderator of our room", with(matrix("!r:b", "@c:d"), true, &[]), Manager),
            ("a moderator of a foreign room", with(matrix("!x:y", "@c:d"), true, &[]), Reader),
            ("a room's address on the other platform", with(discord("!r:b", None, "5"), true, &[]), Reader),
            ("an editor anywhere", with(discord("7", Some("8"), "33333"), false, &[]), Editor),
            ("an editor by role", with(discord("7", Some("9"), "5"), false, &["44444"]), Editor),
            ("an editor who manages the server", with(discord("100", Some("9"), "33333"), true, &[]), Manager),
            ("an editor on Matrix", with(matrix("!x:y", "@e:b"), false, &[]), Editor),
            ("an editor's id as a role", with(discord("7", Some("9"), "5"), false, &["33333"]), Reader),
            ("the terminal", with(asker(PlatformKind::Terminal, "100", Some("9"), "11111"), true, &["22222"]), Reader),
        ];
        for (who, by, right) in table {
            assert_eq!(of(&by, &config, &issue, &ours), right, "{who}");
        }
        let closed = CommandsConfig {
            managers: false,
            ..config
        };
        let manager = with(discord("100", Some("9"), "5"), true, &[]);
        assert_eq!(
            of(&manager, &closed, &issue, &ours),
            Reader,
            "managers = false"
        );
    }
}
