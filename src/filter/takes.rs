//! Compares the clauses of a filter with a story.

use std::cell::OnceCell;

use super::Subsystems;
use super::clause::{Clause, FilterTopic, NumberField, TextField, TextTest, json_word};
use super::value::{is_address, is_list, is_path};
use crate::item::prose;
use crate::story::relevance::REASONS;
use crate::story::{Story, StoryKind};

/// The most characters of a value in an explanation.
const VALUE_CHARS_MAX: usize = 160;
/// The most members of a list in an explanation.
const MEMBERS_SHOWN: usize = 4;

/// A story before a filter, with the values that several clauses need.
pub(super) struct Asked<'a> {
    story: &'a Story,
    subsystems: &'a Subsystems,
    /// The title in lower case.
    title: OnceCell<String>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(story: &'a Story, subsystems: &'a Subsystems) -> Self {
        Self {
            story,
            subsystems,
            title: OnceCell::new(),
        }
    }

    /// Whether a clause takes the story.
    pub(super) fn holds(&self, clause: &Clause) -> bool {
        let story = self.story;
        match clause {
            Clause::Text(field, test) => self.text_holds(*field, test),
            Clause::Number(field, comparison, than) => {
                let number = self.number(*field);
                number.is_some_and(|number| comparison.holds(number, *than))
            }
            Clause::Kind(kind) => story.kind == *kind,
            Clause::State(state) => story.state == *state,
            Clause::Reason(place) => REASONS[*place].weight_in(&story.why).is_some(),
            Clause::About(FilterTopic::Bpf) => story.relevant,
            Clause::About(FilterTopic::Anything) => true,
        }
    }

    fn text_holds(&self, field: TextField, test: &TextTest) -> bool {
        if field == TextField::Subsystem {
            return self.subsystems.take(self.story, test);
        }
        let texts = self.texts(field);
        match test {
            TextTest::Pattern(pattern) => texts.iter().any(|text| pattern.is_match(text)),
            TextTest::Whole(wanted) => match field {
                // A tree's name has a case, as the paths of git have.
                TextField::Tree => texts
                    .iter()
                    .any(|tree| is_tree(tree, |name| name == wanted)),
                TextField::Title => self.lower_title() == wanted.to_lowercase(),
                _ => texts.iter().any(|text| text.eq_ignore_ascii_case(wanted)),
            },
            TextTest::Like { text, lower } => match field {
                TextField::Title => self.lower_title().contains(lower.as_str()),
                TextField::Author | TextField::People if text.contains('@') => {
                    texts.iter().any(|address| is_address(address, text))
                }
                TextField::Author | TextField::People => {
                    let names = self.names(field);
                    names.iter().any(|name| name.to_lowercase().contains(lower))
                }
                TextField::Path => texts.iter().any(|file| is_path(file, text)),
                TextField::To | TextField::Cc => texts.iter().any(|to| is_address(to, text)),
                TextField::List => self.is_on_list(&texts, text),
                TextField::Tree => {
                    let is = |name: &str| name.eq_ignore_ascii_case(text);
                    texts.iter().any(|tree| is_tree(tree, is))
                }
                TextField::Feed => texts.contains(&text.as_str()),
                TextField::Subsystem => false,
            },
        }
    }

    fn is_on_list(&self, lists: &[&str], wanted: &str) -> bool {
        let scope = &self.story.scope;
        let mut addresses = scope.to.iter().chain(&scope.cc);
        lists.iter().any(|list| is_list(list, wanted))
            || addresses.any(|address| is_address(address, wanted))
    }

    fn lower_title(&self) -> &str {
        self.title.get_or_init(|| self.story.title.to_lowercase())
    }

    /// The names of people.
    pub(super) fn names(&self, field: TextField) -> Vec<&'a str> {
        let author = self.story.author.as_deref().into_iter();
        let people = self.story.people.iter().map(|part| part.name.as_str());
        match field {
            TextField::People => author.chain(people).collect(),
            _ => author.collect(),
        }
    }

    /// All that the story has for a field.
    pub(super) fn texts(&self, field: TextField) -> Vec<&'a str> {
        let (story, scope) = (self.story, &self.story.scope);
        let all = |texts: &'a [String]| texts.iter().map(String::as_str);
        match field {
            TextField::Path => all(&scope.files).collect(),
            TextField::Author => {
                let names = self.names(field).into_iter();
                names.chain(all(&scope.authors)).collect()
            }
            TextField::People => {
                let names = self.names(field).into_iter();
                let addresses = all(&scope.authors).chain(all(&scope.people));
                names.chain(addresses).collect()
            }
            TextField::To => all(&scope.to).collect(),
            TextField::Cc => all(&scope.cc).collect(),
            TextField::List => all(&scope.lists).collect(),
            TextField::Tree => {
                let applied = story.applied.iter().map(|applied| applied.tree.as_str());
                story.tree.as_deref().into_iter().chain(applied).collect()
            }
            TextField::Title => vec![&story.title],
            TextField::Feed => all(&story.feeds).collect(),
            TextField::Subsystem => Vec::new(),
        }
    }

    pub(super) fn number(&self, field: NumberField) -> Option<i64> {
        let story = self.story;
        let newest = story.revisions.last();
        match field {
            NumberField::Score => Some(story.score.into()),
            NumberField::Replies => Some(story.follow_ups.into()),
            NumberField::Version => newest.map(|newest| newest.version.into()),
            NumberField::Parts => match (newest, story.kind) {
                (Some(newest), _) => Some(newest.total.max(1).into()),
                (None, StoryKind::Commit) => Some(1),
                (None, _) => None,
            },
        }
    }

    /// The story's value where a clause looks, for people. Addresses of people are counted and not shown.
    pub(super) fn value(&self, clause: &Clause) -> String {
        let story = self.story;
        let value = match clause {
            Clause::Text(TextField::Title, _) => format!("the title is {:?}", story.title),
            Clause::Text(TextField::To | TextField::Cc, _) => self.addresses(clause),
            Clause::Text(TextField::Subsystem, _) => {
                let names = self.subsystems.names_of(story, MEMBERS_SHOWN + 1);
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                listed("subsystem", &names)
            }
            Clause::Text(field @ (TextField::Author | TextField::People), _) => {
                listed(word_of(*field), &self.names(*field))
            }
            Clause::Text(field, _) => {
                let listed = listed(word_of(*field), &self.texts(*field));
                match (field, story.scope.files_left_out) {
                    (TextField::Path, left @ 1..) => format!("{listed}; {left} are not stored"),
                    _ => listed,
                }
            }
            Clause::Number(field, ..) => match self.number(*field) {
                Some(number) => number.to_string(),
                None => "it has no such number".to_owned(),
            },
            Clause::Kind(_) => json_word(&story.kind),
            Clause::State(_) => json_word(&story.state),
            Clause::Reason(_) => {
                let reasons = REASONS.iter();
                let held = reasons.filter(|reason| reason.weight_in(&story.why).is_some());
                let names: Vec<&str> = held.map(|reason| reason.name).collect();
                listed("reason", &names)
            }
            Clause::About(_) => match story.why.first() {
                Some(why) => why.clone(),
                None => "nothing says what it is about".to_owned(),
            },
        };
        prose::shorten(&value, VALUE_CHARS_MAX)
    }

    fn addresses(&self, clause: &Clause) -> String {
        let many = match clause {
            Clause::Text(field, _) => self.texts(*field).len(),
            _ => 0,
        };
        match many {
            0 => "no address is stored".to_owned(),
            1 => "1 address".to_owned(),
            many => format!("{many} addresses"),
        }
    }
}

/// Whether a tree is meant: by its path without `.git`, or by the last part of that.
fn is_tree(tree: &str, is: impl Fn(&str) -> bool) -> bool {
    let tree = tree.trim_end_matches(".git");
    let short = tree.rsplit('/').next().unwrap_or(tree);
    is(tree) || is(short)
}

fn word_of(field: TextField) -> &'static str {
    match field {
        TextField::Path => "file",
        TextField::Author => "author",
        TextField::People => "person",
        TextField::To | TextField::Cc => "address",
        TextField::List => "list",
        TextField::Tree => "tree",
        TextField::Title => "title",
        TextField::Feed => "feed",
        TextField::Subsystem => "subsystem",
    }
}

/// `a, b and 3 more`, or `no file`.
fn listed(what: &str, members: &[&str]) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for member in members {
        if !unique.contains(member) {
            unique.push(member);
        }
    }
    let shown = unique[..unique.len().min(MEMBERS_SHOWN)].join(", ");
    match unique.len() {
        0 => format!("no {what}"),
        many if many > MEMBERS_SHOWN => format!("{shown} and {} more", many - MEMBERS_SHOWN),
        _ => shown,
    }
}
