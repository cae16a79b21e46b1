//! Problems of a configuration, as values and as text.

use std::fmt;
use std::path::PathBuf;

/// A problem in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The path as the caller gave it.
    pub file: PathBuf,
    /// The line, counted from 1; `None` for the whole file.
    pub line: Option<usize>,
    /// The key with its table, such as `feed[3] "bpf-next": poll_gap_s` (feeds count from 1); may be empty.
    pub key: String,
    /// The problem, and how to solve it.
    pub message: String,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

/// All problems of a configuration, in the order of lines; never empty.
///
/// Its text has one line per problem, and then their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    pub problems: Vec<ConfigProblem>,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        match self.problems.len() {
            1 => write!(f, "1 problem in the configuration"),
            many => write!(f, "{many} problems in the configuration"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
