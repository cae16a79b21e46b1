//! Reads a MAINTAINERS file line by line.

use super::section::{LazyPattern, Subsystem};
use crate::story::key::normal;

/// The most subsystems, and the most patterns of all of them.
const SECTIONS_MAX: usize = 20_000;
const PATTERNS_MAX: usize = 200_000;
/// The most bytes of a pattern.
const PATTERN_BYTES_MAX: usize = 500;

/// Reads the lines of a MAINTAINERS file.
#[derive(Default)]
pub(super) struct MaintainersReader {
    pub(super) sections: Vec<Subsystem>,
    section: Subsystem,
    patterns: usize,
}

impl MaintainersReader {
    /// Reads the next line.
    pub(super) fn read(&mut self, line: &str) -> Result<(), String> {
        let Some((letter, value)) = entry(line) else {
            self.end_section();
            let name = line.trim();
            // The file begins with an explanation, whose lines become names without patterns.
            if !line.starts_with([' ', '\t']) && name.len() <= PATTERN_BYTES_MAX {
                self.section.words = format!(" {} ", normal(name));
                self.section.name = name.to_owned();
            }
            return Ok(());
        };
        if !"FXNK".contains(letter) || self.section.name.is_empty() {
            return Ok(());
        }
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX || self.sections.len() >= SECTIONS_MAX {
            return Err(format!(
                "it has more than {SECTIONS_MAX} subsystems or {PATTERNS_MAX} patterns"
            ));
        }
        if value.is_empty() || value.len() > PATTERN_BYTES_MAX {
            return Ok(());
        }
        match letter {
            'F' => self.section.files.push(value.to_owned()),
            'X' => self.section.excluded.push(value.to_owned()),
            'N' => self.section.names.push(LazyPattern::new(value)),
            _ => self.section.content.push(LazyPattern::new(value)),
        }
        Ok(())
    }

    /// Keeps the section that was read, if anything can belong to it.
    pub(super) fn end_section(&mut self) {
        let section = std::mem::take(&mut self.section);
        let has_patterns =
            !section.files.is_empty() || !section.names.is_empty() || !section.content.is_empty();
        if has_patterns {
            self.sections.push(section);
        }
    }
}

/// The letter and the value of a line such as `F: kernel/bpf/`.
fn entry(line: &str) -> Option<(char, &str)> {
    let (letter, value) = line.split_once(':')?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    (letters.next().is_none() && value.starts_with(['\t', ' '])).then(|| (letter, value.trim()))
}
