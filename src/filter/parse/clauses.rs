//! Reads the clauses of a filter: names, signs and values.

use super::super::clause::{
    Clause, Comparison, FIELDS, FieldKind, NumberField, TextField, TextPattern, TextTest, WordField,
};
use super::super::error::FilterError;
use super::super::{CLAUSES_MAX, PATTERNS_MAX};
use super::FilterReader;

/// The largest number, in either direction.
const NUMBER_MAX: i64 = 1_000_000_000;
/// How near a name must be to be suggested.
const NEAR: f64 = 0.75;

impl FilterReader<'_> {
    pub(super) fn clause(&mut self) -> Result<Clause, FilterError> {
        let start = self.at;
        self.clauses += 1;
        if self.clauses > CLAUSES_MAX {
            return Err(self.error(
                start,
                format!("there are more than {CLAUSES_MAX} clauses"),
                "use fewer, for example a regular expression: title:/one|two/",
            ));
        }
        if matches!(self.peek(), Some('"' | '\'')) {
            let text = self.quoted()?;
            return Ok(Clause::Text(TextField::Title, TextTest::like(&text)));
        }
        let word = self.word();
        let letters = word
            .chars()
            .take_while(|c| !matches!(c, ':' | '=' | '<' | '>'));
        let name: String = letters.collect();
        let has_sign = name.len() < word.len();
        let length = name.chars().count();
        let field = FIELDS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(&name));
        match field {
            Some((_, FieldKind::Number(field))) if has_sign || self.sign_follows(length) => {
                self.at += length;
                self.number(*field)
            }
            Some((_, FieldKind::Text(field))) if has_sign => {
                self.at += length;
                self.text(*field)
            }
            Some((_, FieldKind::Word(field))) if has_sign => {
                self.at += length;
                self.one_of(*field)
            }
            Some(_) | None if !has_sign => {
                self.at += length;
                self.check_end()?;
                Ok(Clause::Text(TextField::Title, TextTest::like(&name)))
            }
            Some(_) | None => Err(self.no_such_name(start, &name, &word)),
        }
    }

    fn no_such_name(&self, start: usize, name: &str, word: &str) -> FilterError {
        let typed = name.to_lowercase();
        let near = FIELDS
            .iter()
            .map(|(known, _)| (strsim::jaro_winkler(&typed, known), *known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(near, _)| *near >= NEAR);
        let known = match near {
            Some((_, known)) => format!("write {known}"),
            None => {
                let known: Vec<&str> = FIELDS.iter().map(|(known, _)| *known).collect();
                format!("the names are {}", known.join(", "))
            }
        };
        let wrong = match name {
            "" => "a name is missing before this sign".to_owned(),
            name => format!("there is no name {name:?}"),
        };
        let right = format!("{known}; to search titles for {word:?}, put it in quotation marks");
        self.error(start, wrong, right)
    }

    /// Whether a comparison follows the name of that length, perhaps after spaces.
    fn sign_follows(&self, length: usize) -> bool {
        let rest = self.chars[self.at + length..].iter();
        let mut rest = rest.skip_while(|c| c.is_whitespace());
        rest.next().is_some_and(|c| matches!(c, '<' | '>' | '='))
    }

    fn number(&mut self, field: NumberField) -> Result<Clause, FilterError> {
        let name = FieldKind::Number(field).word();
        self.skip_spaces();
        let start = self.at;
        let rest: String = self.chars[start..].iter().take(2).collect();
        let sign = Comparison::SIGNS
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign));
        let Some((sign, comparison)) = sign else {
            return Err(self.error(
                start,
                format!("{name} is a number, and `:` compares no numbers"),
                format!("write {name}=3, {name}>=3 or {name}<3"),
            ));
        };
        self.at += sign.len();
        self.skip_spaces();
        let (at, typed) = (self.at, self.word());
        self.at += typed.chars().count();
        let digits = typed.strip_prefix('-').unwrap_or(&typed);
        let is_whole = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let number = typed.parse::<i64>().ok().filter(|_| is_whole);
        let Some(number) = number.filter(|number| number.abs() <= NUMBER_MAX) else {
            return Err(self.error(
                at,
                format!("{typed:?} is not a whole number"),
                format!("write digits, such as {name}{sign}3"),
            ));
        };
        self.check_end()?;
        Ok(Clause::Number(field, comparison, number))
    }

    fn one_of(&mut self, field: WordField) -> Result<Clause, FilterError> {
        let name = FieldKind::Word(field).word();
        self.take_sign(name)?;
        let at = self.at;
        let typed = match self.peek() {
            Some('"' | '\'') => self.quoted()?,
            _ => self.bare(name)?,
        };
        let found = Clause::of_word(field, &typed);
        found.ok_or_else(|| {
            let words = field.words();
            let lower = typed.to_lowercase();
            let near = words
                .iter()
                .map(|word| (strsim::jaro_winkler(&lower, word), word))
                .max_by(|a, b| a.0.total_cmp(&b.0))
                .filter(|(near, _)| *near >= NEAR);
            let near = near.map_or_else(String::new, |(_, word)| format!("write {name}:{word}; "));
            let right = format!("{near}the words are {}", words.join(", "));
            self.error(at, format!("{typed:?} is no {name}"), right)
        })
    }

    fn text(&mut self, field: TextField) -> Result<Clause, FilterError> {
        let name = FieldKind::Text(field).word();
        let is_whole = self.take_sign(name)?;
        let test = match self.peek() {
            Some('"' | '\'') => TextTest::like(&self.quoted()?),
            Some('/') if !is_whole => TextTest::Pattern(self.pattern(field)?),
            _ => TextTest::like(&self.bare(name)?),
        };
        let test = match test {
            TextTest::Like { text, .. } if is_whole && field.has_whole() => TextTest::Whole(text),
            test => test,
        };
        Ok(Clause::Text(field, test))
    }

    /// Takes `:` or `=`; returns whether it was `=`.
    fn take_sign(&mut self, name: &str) -> Result<bool, FilterError> {
        let is_whole = match self.peek() {
            Some(':') => false,
            Some('=') => true,
            _ => {
                return Err(self.error(
                    self.at,
                    format!("{name} is no number"),
                    format!("write {name}: and a value"),
                ));
            }
        };
        self.at += 1;
        Ok(is_whole)
    }

    fn bare(&mut self, name: &str) -> Result<String, FilterError> {
        let word = self.word();
        if word.is_empty() {
            return Err(self.error(
                self.at,
                format!("the value of {name} is missing"),
                format!(
                    "write it at once behind the sign, such as {name}:word or {name}:\"two words\""
                ),
            ));
        }
        self.at += word.chars().count();
        self.check_end()?;
        Ok(word)
    }

    /// A text in quotation marks of either form. A backslash before a mark or a backslash stands for that character.
    fn quoted(&mut self) -> Result<String, FilterError> {
        let start = self.at;
        let mark = self.peek();
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match (c, self.peek()) {
                (c, _) if Some(c) == mark && text.is_empty() => {
                    return Err(self.error(
                        start,
                        "there is nothing between the quotation marks",
                        "write a text between them",
                    ));
                }
                (c, _) if Some(c) == mark => {
                    self.check_end()?;
                    return Ok(text);
                }
                ('\\', Some(next @ ('"' | '\'' | '\\'))) => {
                    self.at += 1;
                    text.push(next);
                }
                (c, _) => text.push(c),
            }
        }
        Err(self.error(
            start,
            "this quotation mark is not closed",
            "add the same mark at the end of the text",
        ))
    }

    /// A regular expression between slashes; `\/` stands for a slash.
    fn pattern(&mut self, field: TextField) -> Result<TextPattern, FilterError> {
        let start = self.at;
        self.patterns += 1;
        if self.patterns > PATTERNS_MAX {
            return Err(self.error(
                start,
                format!("there are more than {PATTERNS_MAX} regular expressions"),
                "join some of them: /one|two/",
            ));
        }
        self.at += 1;
        let mut source = String::new();
        loop {
            let Some(c) = self.peek() else {
                let right = match field {
                    TextField::Path => {
                        "a path begins without a slash; add a `/` at the end of a regular expression"
                    }
                    _ => {
                        "add a `/` at its end; to search for a text that begins with a slash, put it in quotation marks"
                    }
                };
                return Err(self.error(start, "this regular expression is not closed", right));
            };
            self.at += 1;
            match (c, self.peek()) {
                ('/', _) => break,
                ('\\', Some('/')) => {
                    self.at += 1;
                    source.push('/');
                }
                ('\\', Some(next)) => {
                    self.at += 1;
                    source.extend(['\\', next]);
                }
                (c, _) => source.push(c),
            }
        }
        let any_case = self.peek() == Some('i');
        self.at += usize::from(any_case);
        self.check_end()?;
        if source.is_empty() {
            return Err(self.error(
                start,
                "there is nothing between the slashes",
                "write a regular expression between them",
            ));
        }
        TextPattern::new(&source, any_case).map_err(|why| {
            let right = "write one of Rust's regex crate, such as /verif(y|ier)/i";
            self.error(
                start,
                format!("this regular expression is wrong: {why}"),
                right,
            )
        })
    }

    /// A value is followed by white space, a closing parenthesis, or nothing.
    fn check_end(&self) -> Result<(), FilterError> {
        match self.peek() {
            Some(c) if !c.is_whitespace() && c != ')' => Err(self.error(
                self.at,
                format!("{c:?} follows a value at once"),
                "put a space between them, or the whole value in quotation marks",
            )),
            _ => Ok(()),
        }
    }
}
