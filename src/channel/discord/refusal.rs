//! The meaning of Discord's error responses. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::channel::{Scope, SendError};

/// The longest delay accepted from a server.
pub(super) const DELAY_MAX: Duration = Duration::from_hours(1);
/// The shortest delay, so that a delay of zero makes no busy loop.
const DELAY_MIN: Duration = Duration::from_millis(100);
/// The delay if the server names none that can be parsed.
pub(super) const DELAY_UNREADABLE: Duration = Duration::from_secs(5);
/// The delay after a slow-mode response without one.
const SLOW_DOWN: Duration = Duration::from_mins(1);
/// The platform's wait after a proxy before Discord's API refused a request.
const TURNED_AWAY: Duration = Duration::from_mins(5);
/// Characters repeated of the server's message.
const WORDS_CHARS_MAX: usize = 200;

/// The purpose of a request: the same response means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Read,
    /// Posts a message.
    Send,
    /// Creates or changes something other than a message: a thread, the commands.
    Around,
    /// Opens the channel of direct messages to a person.
    Person,
    /// Answers an interaction. The bot's global limit does not apply.
    Answer,
    /// Edits or removes a message.
    Change {
        /// Whether the message is in a forum post's thread, which can be gone or archived while the channel works.
        in_thread: bool,
    },
}

/// An error response.
#[derive(Debug, Default)]
pub(super) struct ErrorResponse {
    pub(super) status: u16,
    pub(super) retry_after: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) body: Option<Value>,
}

impl ErrorResponse {
    /// Discord's error code; zero if there is none.
    pub(super) fn code(&self) -> u64 {
        let code = self.body.as_ref().and_then(|body| body.get("code"));
        code.and_then(Value::as_u64).unwrap_or_default()
    }

    /// Whether a 429 applies to all routes. This includes a 429 of a proxy before Discord's API.
    pub(super) fn is_for_all(&self) -> bool {
        let is_global = |body: &Value| body.get("global").and_then(Value::as_bool) == Some(true);
        match (self.scope.as_deref(), &self.body) {
            (Some("global"), _) => true,
            (_, Some(body)) => is_global(body),
            (None, None) => true,
            (Some(_), None) => false,
        }
    }

    /// The longer one of the delays in header and body, if one can be parsed.
    pub(super) fn delay(&self) -> Option<Duration> {
        let header = self.retry_after.as_deref();
        let header = header.and_then(|text| text.trim().parse::<f64>().ok());
        let body = self.body.as_ref().and_then(|body| body.get("retry_after"));
        let body = body.and_then(Value::as_f64);
        header
            .into_iter()
            .chain(body)
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
            .map(|seconds| Duration::from_secs_f64(seconds.min(DELAY_MAX.as_secs_f64())))
            .max()
            .map(|delay| delay.max(DELAY_MIN))
    }

    fn words(&self) -> String {
        let message = self.body.as_ref().and_then(|body| body.get("message"));
        let message = message.and_then(Value::as_str).unwrap_or_default();
        let mut words = crate::post::plain(message);
        if let Some(errors) = self.body.as_ref().and_then(|body| body.get("errors")) {
            words = format!("{words} {}", crate::post::plain(&errors.to_string()));
        }
        let words: String = words.trim().chars().take(WORDS_CHARS_MAX).collect();
        match (words.is_empty(), self.code()) {
            (true, _) => format!("Discord answered {}", self.status),
            (false, code) => format!("Discord answered {} ({code}): {words}", self.status),
        }
    }
}

/// The error for a response with a status other than 2xx.
pub(super) fn verdict(aim: Aim, answer: &ErrorResponse) -> SendError {
    match (aim, bare_verdict(aim, answer)) {
        // A refused answer says nothing about posts in that channel.
        (
            Aim::Answer,
            SendError::Never {
                scope: Scope::Channel,
                why,
            },
        ) => SendError::Never {
            scope: Scope::Delivery,
            why,
        },
        (_, verdict) => verdict,
    }
}

fn bare_verdict(aim: Aim, answer: &ErrorResponse) -> SendError {
    let in_thread = aim == Aim::Change { in_thread: true };
    let words = answer.words();
    let never = |scope, advice: &str| SendError::Never {
        scope,
        why: match advice {
            "" => words.clone(),
            advice => format!("{advice} [{words}]"),
        },
    };
    let later = |scope, after| SendError::Later {
        after,
        scope,
        why: words.clone(),
    };
    // The whole platform waits. One bad request could be the cause, so it counts as an attempt.
    let turned_away = || SendError::Failed {
        after: TURNED_AWAY,
        scope: Scope::Platform,
        why: words.clone(),
    };
    let is_change = matches!(aim, Aim::Change { .. });
    // An archived or missing thread says nothing about its forum.
    let thread_scope = match in_thread {
        true => Scope::Delivery,
        false => Scope::Channel,
    };
    match (answer.status, answer.code()) {
        (500.., _) | (408, _) => SendError::Unknown { why: words },
        (_, 30046) => later(Scope::Delivery, DELAY_MAX),
        (_, 20016 | 20022 | 20028) => later(Scope::Channel, answer.delay().unwrap_or(SLOW_DOWN)),
        // So it is for all people whose channels are not open yet, but not for the others.
        (_, 40003) => later(Scope::Delivery, answer.delay().unwrap_or(SLOW_DOWN)),
        (_, 50007 | 50278) => never(
            Scope::Channel,
            "the person takes no direct messages from the bot: they are closed, or the bot is blocked, or it shares no server",
        ),
        (429, _) => later(
            match answer.is_for_all() {
                true => Scope::Platform,
                false => Scope::Channel,
            },
            answer.delay().unwrap_or(DELAY_UNREADABLE),
        ),
        // The interaction's token, valid for fifteen minutes.
        (_, 10015 | 10062 | 40060 | 50027) => never(Scope::Delivery, ""),
        (401, _) => never(
            Scope::Platform,
            "Discord does not accept the bot's token: set a valid one",
        ),
        (_, 10008) => match aim {
            Aim::Change { .. } => SendError::Gone,
            Aim::Send => never(
                Scope::Delivery,
                "an earlier attempt made the message, and somebody deleted it since",
            ),
            Aim::Read | Aim::Around | Aim::Person | Aim::Answer => never(Scope::Delivery, ""),
        },
        (_, 10003) if in_thread => SendError::Gone,
        (_, 10003) => never(
            Scope::Channel,
            "there is no such channel: check its id, and that the bot was invited to its server",
        ),
        (_, 10004) => never(
            Scope::Channel,
            "the bot is not in the channel's server: invite it",
        ),
        (_, 50001) => never(
            Scope::Channel,
            "the bot does not see the channel: give it View Channel and Read Message History there",
        ),
        (_, 50013) => never(
            Scope::Channel,
            "the bot lacks a permission: give it View Channel, Send Messages, Embed Links and Read Message History \
             in the channel (in threads, Send Messages in Threads)",
        ),
        (_, 50083) => never(thread_scope, "the thread is archived: open it again"),
        (_, 160_005) => never(thread_scope, "the thread is locked: unlock it"),
        (_, 160_006) => never(
            thread_scope,
            "the server has as many active threads as it can have: archive some",
        ),
        (_, 40333) => never(
            Scope::Platform,
            "Discord refuses the bot's User-Agent: set the project's page",
        ),
        (_, 40067) => never(
            Scope::Delivery,
            "the forum requires a tag on every post: add tags to it, or turn that off in its settings",
        ),
        (_, 200_000 | 200_001 | 240_000) => never(
            Scope::Delivery,
            "the server's AutoMod or Discord's link filter refuses the text",
        ),
        (403, 0) if answer.body.is_none() => turned_away(),
        // There is no such person, or the bot may not write to it.
        (400 | 403 | 404, _) if aim == Aim::Person => never(Scope::Channel, ""),
        // Discord names no reason that concerns the channel.
        (403 | 404, _) if is_change => never(Scope::Delivery, ""),
        // A filter may forbid one message.
        (403 | 404, _) if aim == Aim::Send => SendError::Refused { why: words },
        (403, _) => never(
            Scope::Channel,
            "Discord forbids it: give the bot View Channel, Send Messages, Embed Links and Read Message History",
        ),
        (404, _) => never(
            Scope::Channel,
            "Discord does not know the channel: check its id, and that the bot was invited",
        ),
        (300..=399, _) => turned_away(),
        _ => never(Scope::Delivery, ""),
    }
}
