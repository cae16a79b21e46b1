//! The sentences of a story worth showing: extracted from what its author wrote, never invented.

/// The sentences of a summary: two or three, the first prose of a cover letter, a merge message, a commit or a mail.
pub fn summary(_text: &str) -> Vec<String> {
    Vec::new()
}

/// What changed in revision `version`, in one line; `None` where its author does not say.
pub fn change(_text: &str, _version: u32) -> Option<String> {
    None
}
