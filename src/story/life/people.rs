//! The people who took part in a story.

use std::collections::BTreeSet;

use super::Teller;
use super::parts::{author_of, named_author};
use crate::story::Part;
use crate::story::key::clean_name;
use crate::story::machine::Machines;
use crate::story::reading::{Reading, Role};

impl Teller<'_> {
    /// The people with their roles. Machines are left out, as senders and in trailers.
    pub(super) fn people(&self, lead: &Reading, machines: &Machines) -> Vec<Part> {
        const ROLES: [(&str, &str); 8] = [
            ("Reviewed-by", "reviewer"),
            ("Acked-by", "acker"),
            ("Tested-by", "tester"),
            ("Nacked-by", "nacker"),
            ("Reported-by", "reporter"),
            ("Suggested-by", "suggester"),
            ("Co-developed-by", "author"),
            ("NAKed-by", "nacker"),
        ];
        let mut people = BTreeSet::new();
        let mut put = |role: &str, name: &str| {
            let name = clean_name(name);
            if !name.is_empty() {
                people.insert(Part {
                    role: role.to_owned(),
                    name,
                });
            }
        };
        if lead.role != Role::Machine {
            put("author", &named_author(lead).unwrap_or_default());
        }
        for &at in self.main_mails() {
            put("author", &author_of(self.group.readings[at]));
        }
        for reading in &self.group.readings {
            if reading.role == Role::Machine {
                continue;
            }
            for signed in reading.signed() {
                let is_it = |(name, _): &&(&str, _)| signed.name.eq_ignore_ascii_case(name);
                if let Some((_, role)) = ROLES.iter().find(is_it)
                    && !machines.is_machine(&signed.whom)
                {
                    put(role, &signed.person);
                }
            }
        }
        for applied in &self.applied {
            put("applier", &applied.by);
        }
        people.into_iter().collect()
    }

    /// The mails of the newest posting of the whole effort.
    pub(super) fn main_mails(&self) -> &[usize] {
        self.main
            .map_or(&[], |main| &self.group.postings[main].mails)
    }
}
