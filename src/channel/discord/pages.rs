//! The buttons that turn pages. A button's id contains the person who may press it and the whole call, so that it works
//! after a restart. A call that is too long is kept in memory under a short key.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::{Value, json};
use serenity::all::{ButtonStyle, CreateActionRow, CreateButton};

use crate::chat::{Audience, Call, PageCalls, grammar};
use crate::post::story::{Post, Suggestion};

/// Discord's limit for a button's id, in code points.
const ID_MAX: usize = 100;
/// The most long calls kept; the oldest goes first.
const LONG_MAX: usize = 1000;
/// The person of a button that everybody with the right to its command may press.
pub(super) const ANYBODY: &str = "0";
/// The prefixes of ids that contain the call, and of those with a key.
const CARRIED: &str = "page";
const REMEMBERED: &str = "long";

/// The content of a button's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageButton {
    /// The person who may press it.
    pub(super) person: String,
    /// `None` if its call was forgotten.
    pub(super) call: Option<Call>,
}

/// The calls that are too long for a button's id.
#[derive(Debug, Default)]
pub(super) struct LongCalls(Mutex<VecDeque<(String, Audience, String)>>);

impl LongCalls {
    /// The row of buttons below a reply, or no rows.
    pub(super) fn buttons(&self, pages: &PageCalls, person: &str) -> Value {
        let button = |call: &Call, label: &str| {
            CreateButton::new(self.id(call, person))
                .label(label)
                .style(ButtonStyle::Secondary)
        };
        let back = pages.back.as_ref().map(|call| button(call, "Back"));
        let on = pages.next.as_ref().map(|call| button(call, "Next"));
        let buttons: Vec<CreateButton> = back.into_iter().chain(on).collect();
        match buttons.is_empty() {
            true => json!([]),
            false => {
                let rows = [CreateActionRow::Buttons(buttons)];
                serde_json::to_value(rows).expect("buttons are plain data")
            }
        }
    }

    fn id(&self, call: &Call, person: &str) -> String {
        let audience = call.spec.audience;
        let words = call.words();
        let id = format!("{CARRIED}:{}:{person}:{words}", letter(audience));
        let is_read_back = grammar::parse(audience, &words).as_ref() == Ok(call);
        if is_read_back && id.chars().count() <= ID_MAX {
            return id;
        }
        let key = format!("{:x}", fastrand::u64(..));
        let mut long = self.0.lock().expect("no holder of the calls panics");
        if long.len() >= LONG_MAX {
            long.pop_front();
        }
        long.push_back((key.clone(), audience, words));
        format!("{REMEMBERED}:{}:{person}:{key}", letter(audience))
    }

    /// Parses a button's id; `None` if it is not ours.
    pub(super) fn read(&self, id: &str) -> Option<PageButton> {
        let mut parts = id.splitn(4, ':');
        let (kind, audience) = (parts.next()?, parts.next()?);
        let (person, rest) = (parts.next()?, parts.next()?);
        let audience = Audience::ALL
            .into_iter()
            .find(|one| letter(*one) == audience)?;
        let words = match kind {
            CARRIED => Some(rest.to_owned()),
            REMEMBERED => {
                let long = self.0.lock().expect("no holder of the calls panics");
                let known = long
                    .iter()
                    .find(|(key, of, _)| key == rest && *of == audience);
                known.map(|(_, _, words)| words.clone())
            }
            _ => return None,
        };
        Some(PageButton {
            person: person.to_owned(),
            call: words.and_then(|words| grammar::parse(audience, &words).ok()),
        })
    }
}

/// The button below a post by which everybody follows its story. Its id has the story's id, which never changes its meaning.
pub(super) fn follow(post: &Post) -> Value {
    let id = format!(
        "{CARRIED}:{}:{ANYBODY}:follow {}",
        letter(Audience::Readers),
        post.mark
    );
    let button = CreateButton::new(id)
        .label("Follow")
        .style(ButtonStyle::Secondary);
    serde_json::to_value([CreateActionRow::Buttons(vec![button])]).expect("buttons are plain data")
}

/// The buttons of a suggestion for editors; none after the decision.
pub(super) fn choices(suggested: &Suggestion) -> Value {
    if !suggested.decided.is_empty() {
        return json!([]);
    }
    let button = |label: &str, style: ButtonStyle| {
        let call = format!("{} {}", label.to_lowercase(), suggested.number);
        let id = format!("{CARRIED}:{}:{ANYBODY}:{call}", letter(Audience::Editors));
        CreateButton::new(id).label(label).style(style)
    };
    let buttons = vec![
        button("Accept", ButtonStyle::Success),
        button("Decline", ButtonStyle::Secondary),
    ];
    let rows = [CreateActionRow::Buttons(buttons)];
    serde_json::to_value(rows).expect("buttons are plain data")
}

fn letter(audience: Audience) -> &'static str {
    match audience {
        Audience::Readers => "r",
        Audience::Editors => "e",
        Audience::Maintainers => "m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: &str = "18446744073709551615";

    fn ids(rows: &Value) -> Vec<String> {
        let buttons = rows[0]["components"].as_array().cloned();
        let ids = buttons.unwrap_or_default();
        let ids = ids.iter().map(|button| button["custom_id"].as_str());
        ids.map(|id| id.expect("a button has one").to_owned())
            .collect()
    }

    #[test]
    fn a_button_carries_its_call_or_a_key_to_it() {
        let long = "private stack ".repeat(20);
        for words in [
            "latest page=2",
            "search page=7 a:b \"c d\"",
            &format!("search page=2 {}", long.trim()),
        ] {
            let call = grammar::parse(Audience::Readers, words).expect("a command");
            let calls = LongCalls::default();
            let pages = PageCalls {
                back: Some(call.at_page(1)),
                next: Some(call.at_page(3)),
            };
            let ids = ids(&calls.buttons(&pages, PERSON));
            assert_eq!(ids.len(), 2);
            assert_ne!(ids[0], ids[1]);
            for (id, page) in ids.iter().zip([1, 3]) {
                assert!(id.chars().count() <= ID_MAX, "{id}");
                let turn = PageButton {
                    person: PERSON.to_owned(),
                    call: Some(call.at_page(page)),
                };
                assert_eq!(calls.read(id), Some(turn.clone()), "{id}");
                // After a restart, only the calls in ids are left.
                let is_carried = id.starts_with(CARRIED);
                let forgotten = PageButton {
                    call: turn.call.clone().filter(|_| is_carried),
                    ..turn
                };
                assert_eq!(LongCalls::default().read(id), Some(forgotten));
            }
            assert_eq!(ids[0].starts_with(CARRIED), words.len() < 40, "{words}");
        }
    }

    #[test]
    fn other_buttons_are_none_of_ours() {
        let calls = LongCalls::default();
        for id in [
            "",
            "page",
            "page:r:1",
            "page:x:1:latest",
            "other:r:1:latest",
        ] {
            assert_eq!(calls.read(id), None, "{id}");
        }
        let turn = calls.read("page:r:1:dance").expect("it has the shape");
        assert_eq!(turn.call, None);
        assert_eq!(calls.buttons(&PageCalls::default(), PERSON), json!([]));
    }
}
