//! Questions on a terminal.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;

use crate::cli::style::DIM;

/// Asks on the terminal, if there is one. Questions go to standard error.
pub(super) struct TerminalPrompt {
    pub(super) is_terminal: bool,
}

/// A question, or one part of it.
pub(super) struct SetupQuestion<'q> {
    /// The sentences above the prompt; may be empty.
    pub(super) text: &'q str,
    /// The word before the answer.
    pub(super) label: &'q str,
    /// The answer if the person only presses Enter.
    pub(super) default: Option<&'q str>,
    /// The flag that answers it.
    pub(super) flag: &'static str,
}

impl TerminalPrompt {
    pub(super) fn new() -> Self {
        Self {
            is_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// The answer of the flag, or of the person. A wrong answer of the person is asked for again.
    ///
    /// # Errors
    ///
    /// Returns an error that names the flag if its answer is wrong, or if it is missing and there is no terminal.
    pub(super) fn ask<T>(
        &self,
        question: &SetupQuestion<'_>,
        given: Option<&str>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> anyhow::Result<T> {
        if let Some(given) = given {
            return read(given).map_err(|why| anyhow::anyhow!("{}: {why}", question.flag));
        }
        anyhow::ensure!(
            self.is_terminal,
            "there is no terminal to ask on: give {}",
            question.flag
        );
        let mut out = anstream::stderr();
        if !question.text.is_empty() {
            writeln!(out, "\n{}", question.text)?;
        }
        loop {
            match question.default {
                Some(default) => write!(out, "{} {DIM}[{default}]{DIM:#}: ", question.label)?,
                None => write!(out, "{}: ", question.label)?,
            }
            out.flush()?;
            let mut line = String::new();
            let read_bytes = std::io::stdin().lock().read_line(&mut line);
            if read_bytes.context("reading from the terminal")? == 0 {
                anyhow::bail!("stopped; nothing was written");
            }
            let typed = match (line.trim(), question.default) {
                ("", Some(default)) => default,
                (typed, _) => typed,
            };
            match read(typed) {
                Ok(answer) => return Ok(answer),
                Err(why) => writeln!(out, "{why}")?,
            }
        }
    }
}
