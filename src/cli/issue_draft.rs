//! `issue edit draft`: the coming issue as editors see it, with ids and versions.

use std::io::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::issue::{EditKind, EditSubject, Entry, subject_of_id, suggestion_id};
use crate::post::plain;
use crate::publish::edit::{Editable, PresentText, present_text};
use crate::publish::{self, Rules};
use crate::store::edits::{self, EditRow};
use crate::store::{Store, Tx, stories, suggestions};

/// Prints the coming issue for editors.
pub(super) async fn print(
    store: &Store,
    rules: Rules<'_>,
    now: DateTime<Utc>,
    is_json: bool,
) -> anyhow::Result<()> {
    let mut tx = store.snapshot().await?;
    let issue = publish::draft(&mut tx, rules, now).await?.issue;
    let rows = edits::edits_of_issue(&mut tx, None).await?;
    let intro = present_text(&rows, &Editable::intro(), EditKind::Intro);
    let mut sections = Vec::new();
    for section in &issue.sections {
        let mut entries = Vec::new();
        for entry in &section.entries {
            let texts = texts_of(&mut tx, &rows, entry).await?;
            entries.push((entry, texts));
        }
        sections.push((section, entries));
    }
    tx.rollback().await;
    let open = suggestions::open_suggestions(store.read(), suggestions::OPEN_MAX).await?;
    if is_json {
        let as_json = |(entry, texts): &(&Entry, EntryTexts)| {
            json!({
                "id": entry.name(),
                "title": entry.title,
                "title_version": texts.title.version,
                "link": entry.link,
                "note": texts.note.text,
                "note_version": texts.note.version,
                "picture": entry.picture,
            })
        };
        let sections = sections.iter().map(|(section, entries)| {
            let entries: Vec<Value> = entries.iter().map(as_json).collect();
            json!({ "section": section.kind.word(), "entries": entries, "left_out": section.left_out })
        });
        let open = open.iter().map(|row| {
            json!({ "id": suggestion_id(row.id), "number": row.id, "link": row.shown, "note": row.note })
        });
        let value = json!({
            "number": issue.number,
            "title": issue.title(),
            "intro": intro.text,
            "intro_version": intro.version,
            "sections": sections.collect::<Vec<_>>(),
            "suggestions": open.collect::<Vec<_>>(),
        });
        let text = serde_json::to_string_pretty(&value)?;
        writeln!(anstream::stdout(), "{text}")?;
        return Ok(());
    }
    let mut out = anstream::stdout().lock();
    writeln!(out, "Draft of {}\n", issue.title())?;
    writeln!(out, "Introduction{}", version(&intro))?;
    writeln!(out, "{}", indented(&intro.text))?;
    for (section, entries) in &sections {
        writeln!(
            out,
            "\n{} ({})",
            section.kind.heading(),
            section.kind.word()
        )?;
        for (place, (entry, texts)) in entries.iter().enumerate() {
            let title = format!("{}{}", plain(&entry.title), version(&texts.title));
            writeln!(out, "{:>3}. {:<12} {title}", place + 1, entry.name())?;
            if !texts.note.text.is_empty() {
                writeln!(out, "     note{}", version(&texts.note))?;
                writeln!(out, "{}", indented(&texts.note.text))?;
            }
        }
    }
    if !open.is_empty() {
        writeln!(out, "\nSuggestions without a decision")?;
    }
    for row in &open {
        let (link, note) = (plain(&row.shown), plain(&row.note));
        writeln!(out, "     {:<12} {link} {note}", suggestion_id(row.id))?;
    }
    Ok(())
}

/// The texts of an entry that editors wrote.
struct EntryTexts {
    title: PresentText,
    note: PresentText,
}

async fn texts_of(tx: &mut Tx, rows: &[EditRow], entry: &Entry) -> anyhow::Result<EntryTexts> {
    let all = match (&entry.story, subject_of_id(&entry.id)) {
        (Some(id), _) => {
            let items = stories::items_of_story(tx, id).await?;
            items.into_iter().map(EditSubject::Story).collect()
        }
        (None, Some(subject)) => vec![subject],
        (None, None) => Vec::new(),
    };
    let subject = Editable::new(all, entry.name().to_owned(), &entry.title);
    Ok(EntryTexts {
        title: present_text(rows, &subject, EditKind::Title),
        note: present_text(rows, &subject, EditKind::Note),
    })
}

fn version(text: &PresentText) -> String {
    match text.version {
        0 => String::new(),
        version => format!(" (version {version}, by {})", plain(&text.by)),
    }
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("       {}", plain(line)));
    lines.collect::<Vec<_>>().join("\n")
}
