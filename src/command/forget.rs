//! Erases everything that is stored about a person.

use super::context::{Answer, CommandContext, CommandError};
use crate::plan;
use crate::post::story::Content;
use crate::store::{outbox, personal};

/// Erases the requester, and lists the erased data.
pub(super) async fn forget_me(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let (platform, person) = (ctx.by.platform.word(), &ctx.by.person);
    let mut tx = ctx.live.store.write().await?;
    let forgotten = personal::forget(&mut tx, platform, person).await?;
    // Messages to maintainers that name an editor.
    for post in personal::posts_that_name(&mut tx, person).await? {
        let mut content = outbox::post(&mut tx, post).await?.content;
        if let Content::Suggestion(suggestion) = &mut content {
            suggestion.decided = suggestion.decided.replace(person, personal::SOMEBODY);
            plan::replace_content(&mut tx, post, content, ctx.now).await?;
        }
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    // The write-ahead log still has the erased data.
    ctx.live.store.checkpoint().await?;
    ctx.live.wake();
    let counts = [
        (forgotten.follows, "follow", "follows"),
        (
            forgotten.news,
            "piece of news that waited for you",
            "pieces of news that waited for you",
        ),
        (
            forgotten.messages,
            "record of a message to you",
            "records of messages to you",
        ),
        (
            forgotten.recipients,
            "address for direct messages",
            "addresses for direct messages",
        ),
        (
            forgotten.suggestions,
            "name beside a link that you suggested",
            "names beside links that you suggested",
        ),
        (
            forgotten.changes,
            "name beside a change that you made",
            "names beside changes that you made",
        ),
        (
            forgotten.bans,
            "ban, which is only a checksum now",
            "bans, which are only checksums now",
        ),
    ];
    let lines: Vec<String> = counts
        .into_iter()
        .filter(|(many, _, _)| *many > 0)
        .map(|(many, one, more)| format!("- {many} {}", if many == 1 { one } else { more }))
        .collect();
    let said = match lines.is_empty() {
        true => "Nothing was stored about you.".to_owned(),
        false => format!("This was stored about you:\n{}", lines.join("\n")),
    };
    let title = match lines.is_empty() {
        true => "Nothing to erase",
        false => "Erased",
    };
    ctx.message(
        title,
        format!(
            "{said}\nBackups and logs of the operator keep older data for a while. Messages that were sent stay in their rooms. If \
             the operator named you in the configuration, only the operator can change that."
        ),
    )
}
