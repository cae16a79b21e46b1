//! The `[commands]` table: maintainers, and limits on commands.

use super::channel::is_snowflake;
use super::platform::is_account;
use super::reader::{Field, Table};

/// The most people or roles of one list.
const PEOPLE_MAX: usize = 1000;
/// The longest pause between two commands of a person.
const COOLDOWN_S_MAX: u64 = 600;
const COOLDOWN_S_DEFAULT: u32 = 3;
/// The most suggestions of a day.
const SUGGESTIONS_MAX: u64 = 10_000;
const SUGGESTIONS_PERSON_DEFAULT: u32 = 5;
const SUGGESTIONS_SERVER_DEFAULT: u32 = 50;

/// Maintainers, and limits on commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandsConfig {
    /// Ids of maintainers on Discord.
    pub discord_users: Vec<String>,
    /// Ids of roles on Discord that make a maintainer.
    pub discord_roles: Vec<String>,
    /// Accounts of maintainers on Matrix.
    pub matrix_users: Vec<String>,
    /// Whether managers of the servers and rooms of the file's channels are maintainers too.
    pub managers: bool,
    /// Seconds between two commands of a person, after the first few (`cooldown_s`).
    pub cooldown_s: u32,
    /// Suggestions per person and day.
    pub suggestions_person_max: u32,
    /// Suggestions per day in a server, or in a room on Matrix.
    pub suggestions_server_max: u32,
}

impl Default for CommandsConfig {
    fn default() -> Self {
        Self {
            discord_users: Vec::new(),
            discord_roles: Vec::new(),
            matrix_users: Vec::new(),
            managers: true,
            cooldown_s: COOLDOWN_S_DEFAULT,
            suggestions_person_max: SUGGESTIONS_PERSON_DEFAULT,
            suggestions_server_max: SUGGESTIONS_SERVER_DEFAULT,
        }
    }
}

/// Reads `[commands]`.
pub(super) fn read_commands(mut table: Table<'_, '_>) -> CommandsConfig {
    const USER: &str = "a list of people's ids on Discord, such as \"123456789012345678\": copy them from their menus";
    const ROLE: &str = "a list of roles' ids on Discord, such as \"123456789012345678\": copy them from their menus";
    const ACCOUNT: &str = "a list of accounts on Matrix, such as \"@alice:example.org\"";
    let default = CommandsConfig::default();
    let discord_users = read_ids(&mut table, "discord_users", USER, is_snowflake);
    let discord_roles = read_ids(&mut table, "discord_roles", ROLE, is_snowflake);
    let matrix_users = read_ids(&mut table, "matrix_users", ACCOUNT, is_account);
    let managers = table.take("managers").and_then(|field| field.truth());
    let mut whole = |key: &str, unit: &str, range: std::ops::RangeInclusive<u64>, default: u32| {
        let number = table.take(key).and_then(|field| field.whole(unit, range));
        number
            .and_then(|number| u32::try_from(number).ok())
            .unwrap_or(default)
    };
    let cooldown_s = whole(
        "cooldown_s",
        "seconds",
        0..=COOLDOWN_S_MAX,
        default.cooldown_s,
    );
    let suggestions_person_max = whole(
        "suggestions_person_max",
        "suggestions",
        0..=SUGGESTIONS_MAX,
        default.suggestions_person_max,
    );
    let suggestions_server_max = whole(
        "suggestions_server_max",
        "suggestions",
        0..=SUGGESTIONS_MAX,
        default.suggestions_server_max,
    );
    table.finish();
    CommandsConfig {
        discord_users,
        discord_roles,
        matrix_users,
        managers: managers.unwrap_or(default.managers),
        cooldown_s,
        suggestions_person_max,
        suggestions_server_max,
    }
}

pub(super) fn read_ids(
    table: &mut Table<'_, '_>,
    key: &str,
    right: &str,
    is_good: fn(&str) -> bool,
) -> Vec<String> {
    let members = table.take(key);
    let members = members.and_then(|field| field.list(right, PEOPLE_MAX));
    let read = |member: Field<'_, '_>| {
        let text = member.text(right)?;
        if !is_good(text) {
            member.expected(right);
            return None;
        }
        Some(text.to_owned())
    };
    members
        .unwrap_or_default()
        .into_iter()
        .filter_map(read)
        .collect()
}
