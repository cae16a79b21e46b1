//! Dead letters: messages that could not be delivered. Maintainers list them, retry them or drop them.

use chrono::DateTime;

use super::context::{Answer, CommandContext, CommandError, Listing, refuse};
use super::wording::shortened;
use crate::config::PlatformKind;
use crate::item::prose;
use crate::post::plain;
use crate::post::story::{Line, Tone};
use crate::store::audit;
use crate::store::outbox::{self, Letter, LetterDecision, LetterFate};

const LETTERS_MAX: i64 = 200;
/// Characters shown of the reason of a failure.
const WHY_CHARS_MAX: usize = 160;

/// Lists dead letters, and messages that keep failing.
pub(super) async fn list(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    let letters = outbox::letters(ctx.live.store.read(), LETTERS_MAX).await?;
    Ok(Answer::List(Listing {
        title: "Messages that could not be delivered".to_owned(),
        lines: letters.iter().map(line).collect(),
        nothing: "There are none.",
    }))
}

fn line(letter: &Letter) -> Line {
    let at = DateTime::from_timestamp(letter.since, 0).unwrap_or_default();
    let state = match letter.is_aside {
        true => "set aside",
        false => "failing, still retried",
    };
    let what = format!(
        "{} · {} · {} · {state} since {}",
        letter.id,
        letter.channel,
        letter.verb.word(),
        at.format("%-d %b %H:%M")
    );
    let why = prose::shorten(&plain(&letter.why), WHY_CHARS_MAX);
    Line {
        what: plain(&what),
        title: format!("{} ({why})", plain(&letter.title())),
        link: letter.link(),
        tone: Tone::Ended,
        ..Line::default()
    }
}

pub(super) async fn retry(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    decide(ctx, LetterFate::Retry).await
}

pub(super) async fn drop(ctx: &CommandContext<'_>) -> Result<Answer, CommandError> {
    decide(ctx, LetterFate::Drop).await
}

async fn decide(ctx: &CommandContext<'_>, fate: LetterFate) -> Result<Answer, CommandError> {
    let typed = ctx.required("number");
    let which = match typed {
        "all" => None,
        number => match number.trim_start_matches('#').parse::<i64>() {
            Ok(number) => Some(number),
            Err(_) => {
                return refuse(format!(
                    "{:?} is not a number. Give the number in the list, or all.",
                    shortened(typed)
                ));
            }
        },
    };
    let mut tx = ctx.live.store.write().await?;
    let many = match outbox::decide_letters(&mut tx, which, fate, ctx.now).await? {
        LetterDecision::Done(many) => many,
        LetterDecision::Unknown => {
            return refuse(format!("There is no dead letter {}.", shortened(typed)));
        }
        LetterDecision::NoChannel(channel) => {
            return refuse(format!(
                "The channel {} is no longer configured, or its room was replaced. This message can only be dropped.",
                plain(&channel)
            ));
        }
    };
    let verb = match fate {
        LetterFate::Retry => "retried",
        LetterFate::Drop => "dropped",
    };
    if many > 0 {
        let what = format!("{verb} dead letters: {typed}");
        audit::record(&mut tx, &ctx.actor(), &what, ctx.now).await?;
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    ctx.live.wake();
    if fate == LetterFate::Retry && many > 0 {
        // A retry by hand also ends the waits and refusals of channels.
        for platform in PlatformKind::ALL {
            ctx.live.try_again(platform, None).await?;
        }
    }
    let said = match (many, fate) {
        (0, _) => "There is no such message.".to_owned(),
        (1, LetterFate::Retry) => "One message is queued again.".to_owned(),
        (many, LetterFate::Retry) => format!("{many} messages are queued again."),
        (1, LetterFate::Drop) => "One message was dropped.".to_owned(),
        (many, LetterFate::Drop) => format!("{many} messages were dropped."),
    };
    ctx.message("Dead letters", said)
}
