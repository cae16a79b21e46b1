//! What could not be delivered: maintainers look it through, have it tried again, or drop it.

use chrono::DateTime;

use super::answer::{Answer, Ask, Listing, Told, mistake};
use super::readers::shortened;
use crate::config::PlatformKind;
use crate::item::prose;
use crate::post::plain;
use crate::post::story::{Line, Tone};
use crate::store::audit;
use crate::store::outbox::{self, Letter, LetterDecision, LetterFate};

/// The most letters that are listed.
const LETTERS_MAX: i64 = 200;
/// The most characters of why something failed.
const WHY_CHARS_MAX: usize = 160;

/// What could not be delivered.
pub(super) async fn list(ask: &Ask<'_>) -> Told {
    let letters = outbox::letters(ask.live.store.read(), LETTERS_MAX).await?;
    Ok(Answer::Lists(Listing {
        title: "What could not be delivered".to_owned(),
        lines: letters.iter().map(line).collect(),
        nothing: "Nothing is set aside.",
    }))
}

fn line(letter: &Letter) -> Line {
    let at = DateTime::from_timestamp(letter.since, 0).unwrap_or_default();
    let state = match letter.is_aside {
        true => "set aside",
        false => "still tried; failing",
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
        mark: String::new(),
    }
}

/// Tries again.
pub(super) async fn retry(ask: &Ask<'_>) -> Told {
    decide(ask, LetterFate::Retry).await
}

/// Gives up.
pub(super) async fn drop(ask: &Ask<'_>) -> Told {
    decide(ask, LetterFate::Drop).await
}

async fn decide(ask: &Ask<'_>, fate: LetterFate) -> Told {
    let typed = ask.needed("number");
    let which = match typed {
        "all" => None,
        number => match number.trim_start_matches('#').parse::<i64>() {
            Ok(number) => Some(number),
            Err(_) => {
                return mistake(format!(
                    "{:?} is no number; say the number in the list, or all.",
                    shortened(typed)
                ));
            }
        },
    };
    let mut tx = ask.live.store.write().await?;
    let many = match outbox::decide_letters(&mut tx, which, fate, ask.now).await? {
        LetterDecision::Done(many) => many,
        LetterDecision::Unknown => {
            return mistake(format!(
                "Nothing that could not be delivered has the number {}.",
                shortened(typed)
            ));
        }
        LetterDecision::NoChannel(channel) => {
            return mistake(format!(
                "{} is no longer told, or its room was replaced; this can only be dropped.",
                plain(&channel)
            ));
        }
    };
    let verb = match fate {
        LetterFate::Retry => "tries again",
        LetterFate::Drop => "dropped",
    };
    if many > 0 {
        let what = format!("{verb} what could not be delivered: {typed}");
        audit::record(&mut tx, &ask.hand(), &what, ask.now).await?;
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    ask.live.wake();
    if fate == LetterFate::Retry && many > 0 {
        // What failed or was refused there need not wait.
        for platform in PlatformKind::ALL {
            ask.live.try_again(platform, None).await?;
        }
    }
    let said = match (many, fate) {
        (0, _) => "There is none for which that can be done.".to_owned(),
        (1, LetterFate::Retry) => "One message is on its way again.".to_owned(),
        (many, LetterFate::Retry) => format!("{many} messages are on their way again."),
        (1, LetterFate::Drop) => "One message is given up.".to_owned(),
        (many, LetterFate::Drop) => format!("{many} messages are given up."),
    };
    ask.says("Dead letters", said)
}
