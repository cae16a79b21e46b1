//! Reads the text of a filter.

mod clauses;

use super::clause::FIELDS;
use super::error::FilterError;
use super::{CHARS_MAX, DEPTH_MAX, Expr};

/// How deep parentheses and `not` may lie in each other in a text. More than [`DEPTH_MAX`], since some of them mean nothing.
const NESTED_MAX: usize = 4 * DEPTH_MAX;

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Expr, FilterError> {
    let count = text.chars().count();
    if count > CHARS_MAX {
        return Err(FilterError::new(
            text,
            CHARS_MAX,
            format!("the filter has {count} characters"),
            format!("write at most {CHARS_MAX}"),
        ));
    }
    let mut parser = FilterReader {
        text,
        chars: text.chars().collect(),
        at: 0,
        nested: 0,
        clauses: 0,
        patterns: 0,
    };
    let expr = parser.alternatives()?;
    parser.skip_spaces();
    if parser.at < parser.chars.len() {
        return Err(parser.error(
            parser.at,
            "this `)` closes nothing",
            "remove it, or add the `(` before it",
        ));
    }
    parser.check_bounds(expr)
}

/// Whether a word of a text is a name of the language with a sign behind it, other than those that full text has too.
pub(super) fn names_field(text: &str) -> bool {
    text.split(ends_word).any(|word| {
        let word = word.trim_start_matches('-');
        let mut fields = FIELDS.iter().map(|(known, _)| *known);
        fields.any(|known| {
            let sign = word.get(known.len()..).and_then(|rest| rest.chars().next());
            let is_it = word
                .get(..known.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(known));
            let is_full_text = sign == Some(':') && matches!(known, "title" | "people");
            is_it && !is_full_text && matches!(sign, Some(':' | '=' | '<' | '>'))
        })
    })
}

/// The words between clauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
    Not,
}

struct FilterReader<'t> {
    text: &'t str,
    chars: Vec<char>,
    at: usize,
    nested: usize,
    clauses: usize,
    patterns: usize,
}

impl FilterReader<'_> {
    fn error(&self, at: usize, wrong: impl Into<String>, right: impl Into<String>) -> FilterError {
        FilterError::new(self.text, at, wrong, right)
    }

    fn check_bounds(&self, expr: Expr) -> Result<Expr, FilterError> {
        if expr.depth() > DEPTH_MAX {
            return Err(self.error(
                0,
                "parentheses and `not` are nested too deep",
                format!("use at most {DEPTH_MAX} levels"),
            ));
        }
        // It must be readable again as it is printed.
        let printed = expr.to_string().chars().count();
        if printed > CHARS_MAX {
            return Err(self.error(
                0,
                format!("the filter has {printed} characters when each clause is written in full"),
                format!("write at most {CHARS_MAX}"),
            ));
        }
        Ok(expr)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// The bare word at the present place: up to white space, a parenthesis or a quotation mark.
    fn word(&self) -> String {
        let rest = self.chars[self.at..].iter();
        rest.take_while(|c| !ends_word(**c)).collect()
    }

    /// The joint at the present place, if the word there is one.
    fn joint(&self) -> Option<(Joint, usize)> {
        let word = self.word();
        let joint = match word.to_ascii_lowercase().as_str() {
            "and" => Joint::And,
            "or" => Joint::Or,
            "not" => Joint::Not,
            _ => return None,
        };
        Some((joint, word.len()))
    }

    fn take_joint(&mut self, wanted: Joint) -> bool {
        self.skip_spaces();
        match self.joint() {
            Some((joint, length)) if joint == wanted => {
                self.at += length;
                true
            }
            _ => false,
        }
    }

    fn alternatives(&mut self) -> Result<Expr, FilterError> {
        let mut any = vec![self.sequence()?];
        while self.take_joint(Joint::Or) {
            any.push(self.sequence()?);
        }
        Ok(Expr::any_of(any))
    }

    fn sequence(&mut self) -> Result<Expr, FilterError> {
        let mut all = vec![self.unary()?];
        loop {
            if self.take_joint(Joint::And) {
                all.push(self.unary()?);
                continue;
            }
            let is_end = self.peek().is_none_or(|c| c == ')')
                || self.joint().is_some_and(|(joint, _)| joint == Joint::Or);
            if is_end {
                return Ok(Expr::all_of(all));
            }
            all.push(self.unary()?);
        }
    }

    fn unary(&mut self) -> Result<Expr, FilterError> {
        self.skip_spaces();
        let start = self.at;
        self.nested += 1;
        if self.nested > NESTED_MAX {
            return Err(self.error(
                start,
                "parentheses and `not` are nested too deep",
                format!("use at most {DEPTH_MAX} levels"),
            ));
        }
        let expr = self.unary_at(start);
        self.nested -= 1;
        expr
    }

    fn unary_at(&mut self, start: usize) -> Result<Expr, FilterError> {
        if self.take_joint(Joint::Not) {
            return Ok(Expr::not(self.unary()?));
        }
        if let Some((_, length)) = self.joint() {
            let word: String = self.chars[start..start + length].iter().collect();
            return Err(self.error(
                start,
                format!("a clause is missing before `{word}`"),
                format!("put a clause there, or write \"{word}\" in quotation marks to search titles for it"),
            ));
        }
        match self.peek() {
            None => Err(self.missing(start)),
            Some(')') => Err(self.error(
                start,
                "a clause is missing before `)`",
                "put a clause there, such as kind:series",
            )),
            Some('(') => {
                self.at += 1;
                let expr = self.alternatives()?;
                self.skip_spaces();
                if self.peek() != Some(')') {
                    return Err(self.error(
                        start,
                        "this `(` is not closed",
                        "add a `)` behind its last clause",
                    ));
                }
                self.at += 1;
                Ok(expr)
            }
            Some('-') if self.is_minus() => {
                self.at += 1;
                Ok(Expr::not(self.unary()?))
            }
            Some(_) => self.clause().map(Expr::Clause),
        }
    }

    /// Whether the hyphen at the present place stands for `not`: something follows it at once.
    fn is_minus(&self) -> bool {
        let next = self.chars.get(self.at + 1);
        next.is_some_and(|c| !c.is_whitespace() && *c != ')')
    }

    fn missing(&self, at: usize) -> FilterError {
        let wrong = if self.text.trim().is_empty() {
            "the filter is empty"
        } else {
            "a clause is missing at the end"
        };
        self.error(at, wrong, "write a clause, such as kind:series or score>=3")
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}
