//! Publishing, correcting and withdrawing an issue.

use super::context::{Answer, CommandContext, CommandError, refuse};
use super::editors::{editor, written};
use super::wording::requester_name;
use crate::chat::Audience;
use crate::destination::for_issues;
use crate::publish::edit::{Desk, PublishAnswer};
use crate::publish::{self, Rules, files};

/// Publishes the coming issue. If there are doubts, the editor must confirm with a second command.
pub(super) async fn publish(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let number: u32 = ctx.required("number").parse().unwrap_or_default();
    let rules = Rules::of(&ctx.generation.effective.config);
    let destinations = ctx.generation.ingest.destinations();
    let desk = Desk {
        by: &editor(ctx),
        destinations: &destinations,
        now: ctx.now,
    };
    let mut tx = ctx.live.store.write().await?;
    let is_sure = ctx.call.get("sure").is_some();
    let issue = match desk.publish(&mut tx, rules, number, is_sure).await? {
        Ok(PublishAnswer::Out(issue)) => issue,
        Ok(PublishAnswer::Asked(doubts)) => {
            tx.rollback().await;
            let sure = ctx.typed(Audience::Editors, &format!("publish {number} sure=yes"));
            return ctx.message(
                format!("Issue {number} is not published yet"),
                format!("{}\nTo publish it anyway: {sure}", doubts.join("\n")),
            );
        }
        Err(why) => return refuse(format!("The issue was not published: {why}.")),
    };
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    let channels = for_issues(&destinations).count();
    let channels = match channels {
        0 => "No channel posts issues; set issues = true for one.".to_owned(),
        1 => "It is queued for one channel.".to_owned(),
        many => format!("It is queued for {many} channels."),
    };
    let kept = write_files(ctx, rules).await;
    ctx.message(
        format!("{} is published", issue.title()),
        format!("{channels}{kept}"),
    )
}

/// Withdraws the newest issue.
pub(super) async fn withdraw(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let number: u32 = ctx.required("number").parse().unwrap_or_default();
    let rules = Rules::of(&ctx.generation.effective.config);
    let mut tx = ctx.live.store.write().await?;
    let by = requester_name(ctx);
    let out = publish::withdraw(&mut tx, rules, number, &by, ctx.now).await?;
    let withdrawn = match out {
        Ok(withdrawn) => withdrawn,
        Err(why) => return refuse(format!("The issue was not withdrawn: {why}.")),
    };
    let what = format!("withdrew issue {number}");
    ctx.commit(tx, &what).await?;
    ctx.live.wake();
    let posts = match withdrawn.posts {
        0 => "It had no posts.".to_owned(),
        1 => "Its one post is being removed.".to_owned(),
        many => format!("Its {many} posts are being removed."),
    };
    let kept = write_files(ctx, rules).await;
    ctx.message(
        format!("{} is withdrawn", withdrawn.title),
        format!("{posts} Its number is free again, and its decisions now count for the coming issue.{kept}"),
    )
}

/// Adds a correction to a published issue.
pub(super) async fn correct(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let number: u32 = ctx.required("number").parse().unwrap_or_default();
    let text = written(ctx, "text");
    let rules = Rules::of(&ctx.generation.effective.config);
    let desk = Desk {
        by: &editor(ctx),
        destinations: &[],
        now: ctx.now,
    };
    let mut tx = ctx.live.store.write().await?;
    if let Err(why) = desk.correct(&mut tx, number, &text).await? {
        return refuse(why.to_string());
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    let kept = write_files(ctx, rules).await;
    ctx.message(
        format!("Issue {number} is corrected"),
        format!("The correction is at the top of the issue, marked as such. The rest is unchanged.{kept}"),
    )
}

/// Writes the files of issues. Returns a note for each file that somebody changed by hand.
async fn write_files(ctx: &CommandContext<'_>, rules: Rules<'_>) -> String {
    let kept = files::write(&ctx.live.store, rules).await;
    kept.iter().map(|kept| format!("\n{kept}")).collect()
}
