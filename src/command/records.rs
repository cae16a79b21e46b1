//! Suggestions of readers, bans, and the audit log.

use chrono::DateTime;

use super::context::{Answer, CommandContext, CommandError, Listing, plain_line, refuse};
use super::wording::{requester_name, shortened};
use crate::item::prose;
use crate::post::plain;
use crate::post::story::{Line, Tone};
use crate::store::{audit, suggestions};

/// Rows shown; there may be years of them.
const ROWS_MAX: i64 = 200;
/// Characters shown of a note.
const NOTE_CHARS_MAX: usize = 160;
/// Matrix' limit for a person's id, in bytes.
const PERSON_BYTES_MAX: usize = 255;

/// Lists the suggestions of readers, and the banned people.
pub(super) async fn suggestions(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    let rows = suggestions::list_suggestions(readers, ROWS_MAX).await?;
    let line = |row: &suggestions::SuggestionRow| {
        let what = format!("{} · {} on {}", day(row.at), row.person, row.platform);
        suggestion_line(row, &what)
    };
    let mut lines: Vec<Line> = rows.iter().map(line).collect();
    let banned = suggestions::list_bans(readers).await?;
    let banned = banned.iter().map(|person| {
        let title = format!("{} cannot suggest links", plain(person));
        plain_line("banned", title, Tone::Ended)
    });
    lines.extend(banned);
    Ok(Answer::List(Listing {
        title: "Suggestions, the newest first".to_owned(),
        lines,
        nothing: "Nothing yet.",
    }))
}

/// A suggestion in a list: its note, or its address if it has none.
pub(super) fn suggestion_line(row: &suggestions::SuggestionRow, what: &str) -> Line {
    Line {
        what: plain(what),
        title: match row.note.as_str() {
            "" => plain(&row.shown),
            note => prose::shorten(&plain(note), NOTE_CHARS_MAX),
        },
        link: Some(row.shown.clone()),
        tone: Tone::Reading,
        ..Line::default()
    }
}

/// Bans a person from suggesting links.
pub(super) async fn ban(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let Some(person) = person(ctx.required("person")) else {
        return refuse(
            "That is not a person's id. An id is a number on Discord and @name:server on Matrix.",
        );
    };
    let mut tx = ctx.live.store.write().await?;
    if !suggestions::ban(&mut tx, &person, &requester_name(ctx), ctx.now).await? {
        return refuse(format!("{person} is already banned."));
    }
    let what = format!("banned {person} from suggestions");
    ctx.commit(tx, &what).await?;
    ctx.message(
        "Banned",
        format!("{person} can no longer suggest links. Earlier suggestions stay."),
    )
}

/// Lifts a ban.
pub(super) async fn lift(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let typed = ctx.required("person");
    let person = person(typed).unwrap_or_default();
    let mut tx = ctx.live.store.write().await?;
    if !suggestions::lift_ban(&mut tx, &person).await? {
        return refuse(format!(
            "Nobody with the id {:?} is banned.",
            shortened(typed)
        ));
    }
    let what = format!("lifted the ban of {person}");
    ctx.commit(tx, &what).await?;
    ctx.message("Lifted", format!("{person} can suggest links again."))
}

/// A person's id, without Discord's mention syntax.
fn person(typed: &str) -> Option<String> {
    let inner = typed.strip_prefix("<@").and_then(|id| id.strip_suffix('>'));
    let id = inner.map_or(typed, |id| id.trim_start_matches('!'));
    let is_number = (5..=20).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let is_account =
        id.starts_with('@') && id.contains(':') && id.bytes().all(|b| b.is_ascii_graphic());
    ((is_number || is_account) && id.len() <= PERSON_BYTES_MAX).then(|| id.to_owned())
}

/// Lists changes made in chat, the newest first.
pub(super) async fn audit(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let rows = audit::list_changes(ctx.live.store.read(), ROWS_MAX).await?;
    let line = |row: &audit::AuditRow| {
        let at = DateTime::from_timestamp(row.at, 0).unwrap_or_default();
        let what = at.format("%-d %b %Y %H:%M").to_string();
        let title = format!(
            "{} on {} in {} {}",
            row.person, row.platform, row.room, row.what
        );
        plain_line(what, prose::shorten(&plain(&title), 200), Tone::Reading)
    };
    Ok(Answer::List(Listing {
        title: "Changes made in chat, the newest first".to_owned(),
        lines: rows.iter().map(line).collect(),
        nothing: "There are none yet.",
    }))
}

fn day(at: i64) -> String {
    let day = DateTime::from_timestamp(at, 0).unwrap_or_default();
    day.format("%-d %b %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_by_ids() {
        #[rustfmt::skip]
        let table = [
            ("123456789012345678", Some("123456789012345678")),
            ("<@123456789012345678>", Some("123456789012345678")),
            ("<@!123456789012345678>", Some("123456789012345678")),
            ("@a:b.example", Some("@a:b.example")),
            ("alice", None),
            ("@everyone", None),
            ("", None),
            ("@a:b c", None),
        ];
        for (typed, right) in table {
            assert_eq!(person(typed).as_deref(), right, "{typed}");
        }
    }
}
