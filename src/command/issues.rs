//! Published issues for readers, and the draft of the coming one for editors.

use chrono::{DateTime, Utc};

use super::context::{Answer, CommandContext, CommandError, Listing, refuse};
use crate::chat::Audience;
use crate::issue::{Issue, post};
use crate::post::story::{self as story_post, IssuePost, Line};
use crate::publish::{self, Rules, schedule};
use crate::store::{issues, stories, suggestions};
use crate::story::Story;

/// The latest issue, or the best of the week before the first issue.
pub(super) async fn latest(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    if let Some(last) = issues::last_issue(readers.into()).await?
        && let Some(issue) = issues::issue(readers.into(), last.number).await?
    {
        return show(ctx, &issue).await;
    }
    let best = stories::best_of_the_week(readers, ctx.now).await?;
    let line = |story: &Story| story_post::line_of_list(story, story_post::standing(story));
    Ok(Answer::List(Listing {
        title: "The best of the last seven days".to_owned(),
        lines: best.iter().map(line).collect(),
        nothing: "There was no news about BPF in the last seven days.",
    }))
}

pub(super) async fn issue(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let readers = ctx.live.store.read();
    let number: i64 = ctx.required("number").parse().unwrap_or_default();
    if let Some(issue) = issues::issue(readers.into(), number).await? {
        return show(ctx, &issue).await;
    }
    refuse(match issues::last_issue(readers.into()).await? {
        Some(last) => format!(
            "There is no issue {number}; the last one is {}.",
            last.number
        ),
        None => format!(
            "There is no issue {number}: none has come out yet. {} shows the best of the week.",
            ctx.typed(Audience::Readers, "latest")
        ),
    })
}

/// A published issue with its corrections.
async fn show(ctx: &CommandContext<'_>, issue: &Issue) -> Result<Answer, CommandError> {
    let rules = Rules::of(&ctx.generation.effective.config);
    let page = rules.page(issue.number);
    let mut shown = post::whole(issue, page.as_deref());
    let readers = ctx.live.store.read();
    for correction in issues::corrections(readers.into(), i64::from(issue.number)).await? {
        shown.lead = format!("{}\n{}", post::corrected(&correction), shown.lead);
    }
    Ok(Answer::Issue(Box::new(shown)))
}

/// The coming issue so far.
pub(super) async fn draft(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let config = &ctx.generation.effective.config;
    let rules = Rules::of(config);
    let mut tx = ctx.live.store.snapshot().await?;
    let compiled = publish::draft(&mut tx, rules, ctx.now).await?;
    tx.rollback().await;
    let open = suggestions::open_suggestions(ctx.live.store.read(), suggestions::OPEN_MAX).await?;
    let number = compiled.issue.number;
    let sizes = compiled
        .issue
        .sections
        .iter()
        .map(|section| format!("{} {}", section.kind.word(), section.entries.len()));
    let mut sizes: Vec<String> = sizes.collect();
    let posted: usize = compiled
        .issue
        .patches
        .iter()
        .map(|patches| patches.posted.len())
        .sum();
    sizes.push(format!("patches {posted}"));
    let history = schedule::IssueHistory::of(&ctx.live.store).await?;
    let day = |at: DateTime<Utc>| at.format("%A, %-d %B at %H:%M UTC").to_string();
    let publish = ctx.typed(Audience::Editors, &format!("publish {number}"));
    let due = match schedule::due_at(rules, &history, ctx.now) {
        Some(at) if at <= ctx.now => format!(
            "It was due on {}. If it is held back, {publish} shows the reasons.",
            day(at)
        ),
        Some(at) => format!(
            "It will be published on {}, or now with {publish}.",
            day(at)
        ),
        None => format!("{publish} publishes it."),
    };
    let mut shown = post::whole(&compiled.issue, None);
    shown.title = format!("Draft of {}", shown.title);
    let mut above = vec![due, format!("Sections: {}.", sizes.join(", "))];
    if !open.is_empty() {
        above.push(format!(
            "{} without a decision: {}",
            crate::post::words::counted(
                u32::try_from(open.len()).unwrap_or(u32::MAX),
                "suggestion"
            ),
            ctx.typed(Audience::Editors, "suggestions")
        ));
    }
    shown.lead = format!("{}\n{}", above.join("\n"), shown.lead);
    with_ids(&mut shown);
    Ok(Answer::Issue(Box::new(shown)))
}

/// Shows the id before each story, which editors use to name it.
fn with_ids(shown: &mut IssuePost) {
    for part in &mut shown.parts {
        for line in &mut part.lines {
            show_id(line);
        }
    }
}

fn show_id(line: &mut Line) {
    line.what = match (line.mark.as_str(), line.what.as_str()) {
        ("", _) => return,
        (id, "") => id.to_owned(),
        (id, what) => format!("{id} · {what}"),
    };
}
