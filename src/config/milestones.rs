//! The keys of a channel that choose its milestones: `tell` and `how`, or the older `milestones`.

use chrono::TimeDelta;

use super::reader::{Field, Table, quoted};
use crate::chat::PlatformKind;
use crate::post::milestone::{MilestoneKind, MilestoneWay, MilestoneWays};

const WAYS: [(&str, MilestoneWay); 3] = [
    ("edit", MilestoneWay::Edit),
    ("reply", MilestoneWay::Reply),
    ("thread", MilestoneWay::Thread),
];
/// The most entries of `tell`.
const ENTRIES_MAX: usize = 50;
/// After so many days a channel is warned of a pull request, unless it says otherwise.
pub(super) const PULL_WAITS_DAYS: i64 = 7;
const PULL_WAITS_DAYS_MAX: u64 = 90;

const RIGHT: &str = "a list such as [\"applied\", \"v2+\"], or a table such as { applied = \"reply\", \"v2+\" = \"thread\" }";

/// Reads the milestones of a channel. `quiet` channels, such as the terminal and lists, announce none unless a key says so.
pub(super) fn read_milestones(table: &mut Table<'_, '_>, is_quiet: bool) -> MilestoneWays {
    let (older, tell, how) = (
        table.take("milestones"),
        table.take("tell"),
        table.take("how"),
    );
    let usual = match is_quiet {
        true => MilestoneWay::Edit,
        false => MilestoneWay::Reply,
    };
    if let Some(older) = older {
        if tell.is_some() || how.is_some() {
            older.note("tell and how replace this key; remove it");
        }
        let way = older.one_of(&WAYS);
        return way.map_or_else(MilestoneWays::default, MilestoneWays::of_older_key);
    }
    let way = how.as_ref().and_then(|how| how.one_of(&WAYS));
    let Some(tell) = tell else {
        return MilestoneWays::usual(way.unwrap_or(usual));
    };
    // A person who lists milestones wants to see them.
    let way = way.unwrap_or(MilestoneWay::Reply);
    if !tell.is_table() {
        return read_list(tell, way);
    }
    if let Some(how) = how {
        how.note("tell has a way for each milestone; remove this key");
    }
    let mut ways = Vec::new();
    for (word, field) in tell.entries(RIGHT, ENTRIES_MAX).unwrap_or_default() {
        if let (Some(kind), Some(way)) = (kind_of(&field, &word), field.one_of(&WAYS)) {
            put(&field, &mut ways, kind, way);
        }
    }
    MilestoneWays::new(ways)
}

fn read_list(tell: Field<'_, '_>, way: MilestoneWay) -> MilestoneWays {
    let mut ways = Vec::new();
    for member in tell.list(RIGHT, ENTRIES_MAX).unwrap_or_default() {
        let Some(word) = member.text("the word of a milestone").map(str::to_owned) else {
            continue;
        };
        if let Some(kind) = kind_of(&member, &word) {
            put(&member, &mut ways, kind, way);
        }
    }
    MilestoneWays::new(ways)
}

fn put(
    field: &Field<'_, '_>,
    ways: &mut Vec<(MilestoneKind, MilestoneWay)>,
    kind: MilestoneKind,
    way: MilestoneWay,
) {
    if ways.iter().any(|(other, _)| *other == kind) {
        field.note(format!("{} is there twice", kind.word()));
    } else if kind == MilestoneKind::PullWaits && way == MilestoneWay::Edit {
        field.note(
            "pull-waits is a message of its own; use \"reply\" or \"thread\", or leave it out",
        );
    }
    ways.push((kind, way));
}

fn kind_of(field: &Field<'_, '_>, word: &str) -> Option<MilestoneKind> {
    let kind = MilestoneKind::parse(word);
    if kind.is_none() {
        let known: Vec<String> = MilestoneKind::NAMED
            .iter()
            .map(|kind| kind.word())
            .collect();
        field.note(format!(
            "{} is not a milestone; expected v2+ to v99+, or one of {}",
            quoted(word),
            known.join(", ")
        ));
    }
    kind
}

/// The age of a pull request at which a channel is warned.
pub(super) fn read_pull_waits(table: &mut Table<'_, '_>) -> TimeDelta {
    let days = table.take("pull_waits_days");
    let days = days.and_then(|field| field.whole("days", 1..=PULL_WAITS_DAYS_MAX));
    let days = days.and_then(|days| i64::try_from(days).ok());
    TimeDelta::days(days.unwrap_or(PULL_WAITS_DAYS))
}

/// Whether a channel announces no milestones unless it asks for them: printed text is no news twice, and a list has its times.
pub(super) fn is_quiet(platform: Option<PlatformKind>, is_digest: bool) -> bool {
    is_digest || platform == Some(PlatformKind::Terminal)
}
