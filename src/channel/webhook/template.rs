//! An operator's template, which makes the JSON that another program wants. Every `{{ value }}` is written as JSON, so no text
//! of a stranger can leave its string.

use anyhow::{Context as _, bail, ensure};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::event::HookEvent;

/// The most bytes of a template, and of the JSON that it makes.
pub(super) const TEMPLATE_BYTES_MAX: u64 = 64 << 10;
const BODY_BYTES_MAX: usize = 256 << 10;
/// The most steps of one rendering.
const STEPS_MAX: u64 = 100_000;
/// The deepest nesting.
const DEPTH_MAX: usize = 50;
const NAME: &str = "template";

/// A compiled template.
pub struct HookTemplate(Environment<'static>);

impl HookTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    ///
    /// Returns an error with its line if it is no template.
    pub fn compile(source: String) -> anyhow::Result<Self> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_recursion_limit(DEPTH_MAX);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::Json);
        environment.add_filter("slack", |text: String| slack(&text));
        environment.add_filter("markdown", |text: String| markdown(&text));
        environment.add_template_owned(NAME, source)?;
        Ok(Self(environment))
    }

    /// The JSON for an event; `None` if the template makes nothing but space, so that the event is not sent.
    pub(super) fn render(&self, event: &HookEvent) -> anyhow::Result<Option<Vec<u8>>> {
        let template = self.0.get_template(NAME)?;
        let text = template
            .render(Value::from(minijinja::value::Serde(event)))
            .context("the template fails")?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        ensure!(
            text.len() <= BODY_BYTES_MAX,
            "the template makes {} bytes; at most {BODY_BYTES_MAX} are sent",
            text.len()
        );
        if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
            bail!("the template makes no JSON: {error}");
        }
        Ok(Some(text.as_bytes().to_vec()))
    }
}

/// Text for Slack's mrkdwn: without links, channels and mentions (`<!channel>`), which all begin with `<`.
fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Text for Markdown as Mattermost and Zulip have it. A word joiner behind `@` and `#` keeps them from naming anybody.
fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        if "\\`*_{}[]()<>#+-.!|~:$".contains(c) {
            out.push('\\');
        }
        out.push(c);
        if matches!(c, '@' | '#') {
            out.push('\u{2060}');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::channel::{Act, Work};
    use crate::post::story::Content;

    fn event(title: &str) -> HookEvent {
        let content = Content::Notice {
            title: title.to_owned(),
            text: "a\nb".to_owned(),
            mark: "m".to_owned(),
        };
        let work = Work {
            address: "hook".to_owned(),
            act: Act::Send {
                content,
                under: None,
            },
            key: "1-0".to_owned(),
            is_retry: false,
            person: None,
            tried_ago: None,
        };
        super::super::event::event_of(&work).0
    }

    fn render(source: &str, title: &str) -> anyhow::Result<Option<serde_json::Value>> {
        let template = HookTemplate::compile(source.to_owned())?;
        let body = template.render(&event(title))?;
        Ok(body.map(|body| serde_json::from_slice(&body).expect("JSON")))
    }

    #[test]
    fn a_strangers_text_stays_in_its_string() {
        let evil = "\", \"x\": \"y\\ </script> <!channel> @all {{ 7 * 7 }} \u{2028}";
        let made = render("{\"text\": {{ content.title }}}", evil).expect("rendered");
        assert_eq!(made, Some(json!({"text": evil})));
        let made = render(
            "{\"text\": {{ (content.title | slack) ~ \"!\" }}}",
            "<!channel> & a>b",
        )
        .expect("rendered");
        assert_eq!(
            made,
            Some(json!({"text": "&lt;!channel&gt; &amp; a&gt;b!"}))
        );
        let made = render(
            "{\"text\": {{ content.title | markdown }}}",
            "@all *x* [a](b) #z",
        )
        .expect("rendered");
        let made = made.expect("JSON");
        let text = made["text"].as_str().expect("a text");
        assert!(
            text.starts_with("@\u{2060}all \\*x\\* \\[a\\]\\(b\\) \\#\u{2060}z"),
            "{text}"
        );
    }

    #[test]
    fn a_template_is_bounded_and_its_errors_are_named() {
        for (source, words) in [
            ("{{", "syntax error"),
            ("{\"a\": {{ nothing }}}", "undefined"),
            ("{{ content.title }} {{ content.title }}", "makes no JSON"),
            (
                "{% for a in range(99999) %}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}",
                "fuel",
            ),
            (
                "[{% for a in range(9000) %}{{ content.title }},{% endfor %}1]",
                "",
            ),
        ] {
            let failed = render(source, &"x".repeat(600)).expect_err(source);
            assert!(
                format!("{failed:#}").contains(words),
                "{source}: {failed:#}"
            );
        }
        assert_eq!(
            render("{% if event == \"removed\" %}{}{% endif %}\n", "t").expect("rendered"),
            None
        );
    }
}
