//! The fields of a form, from a bounded body.

use std::collections::HashMap;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use url::form_urlencoded;

use super::refusal::refusal;
use crate::issue::SectionKind;

/// The most bytes of a form without a picture. Percent-encoding takes nine bytes for some characters.
const FORM_BYTES_MAX: usize = 128 << 10;

/// The fields of a form.
#[derive(Debug, Default)]
pub(super) struct DeskForm(HashMap<String, String>);

impl DeskForm {
    /// Reads the fields, or refuses a body that is too large.
    pub(super) async fn read(body: Body) -> Result<Self, Response> {
        let bytes = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| {
            refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "That is too much text",
                "Nothing was changed. Make the text shorter.",
            )
        })?;
        Ok(Self(form_urlencoded::parse(&bytes).into_owned().collect()))
    }

    pub(super) fn put(&mut self, name: String, value: String) {
        self.0.insert(name, value);
    }

    /// The value of a field; empty if it is missing.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(super) fn section(&self) -> Option<SectionKind> {
        SectionKind::of(self.get("section"))
    }
}

/// A list to pick a section from. `here` is picked at first.
pub(super) fn section_list(id: &str, here: Option<SectionKind>) -> Markup {
    html! {
        select id=(id) name="section" {
            @for kind in SectionKind::ALL {
                option value=(kind.word()) selected[here == Some(kind)] { (kind.heading()) }
            }
        }
    }
}
