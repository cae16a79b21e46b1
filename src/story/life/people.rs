//! The people who took part in a story.

use std::collections::BTreeSet;

use super::StoryBuilder;
use super::parts::{author_of, named_author};
use crate::story::key::clean_name;
use crate::story::machine::Machines;
use crate::story::reading::{Reading, Role, Signed};
use crate::story::{Participant, PersonRole};

impl StoryBuilder<'_> {
    /// The people with their roles. Machines are left out, as senders and in trailers.
    pub(super) fn people(&self, lead: &Reading, machines: &Machines) -> Vec<Participant> {
        let mut people = BTreeSet::new();
        let mut put = |role: PersonRole, name: &str| {
            let name = clean_name(name);
            if !name.is_empty() {
                people.insert(Participant { role, name });
            }
        };
        if lead.role != Role::Machine {
            put(PersonRole::Author, &named_author(lead).unwrap_or_default());
        }
        for &at in self.main_mails() {
            put(PersonRole::Author, &author_of(self.group.readings[at]));
        }
        for (role, signed) in self.signers(machines) {
            put(role, &signed.person);
        }
        for applied in &self.applied {
            put(PersonRole::Applier, &applied.by);
        }
        people.into_iter().collect()
    }

    /// The people in trailers, with their roles. Machines are left out.
    pub(super) fn signers(
        &self,
        machines: &Machines,
    ) -> impl Iterator<Item = (PersonRole, &Signed)> {
        const ROLES: [(&str, PersonRole); 8] = [
            ("Reviewed-by", PersonRole::Reviewer),
            ("Acked-by", PersonRole::Acker),
            ("Tested-by", PersonRole::Tester),
            ("Nacked-by", PersonRole::Nacker),
            ("Reported-by", PersonRole::Reporter),
            ("Suggested-by", PersonRole::Suggester),
            ("Co-developed-by", PersonRole::Author),
            ("NAKed-by", PersonRole::Nacker),
        ];
        let readings = self.group.readings.iter().copied();
        let readings = readings.filter(|reading| reading.role != Role::Machine);
        readings.flat_map(Reading::signed).filter_map(|signed| {
            let is_it = |(name, _): &&(&str, _)| signed.name.eq_ignore_ascii_case(name);
            let (_, role) = ROLES.iter().find(is_it)?;
            (!machines.is_machine(&signed.identity)).then_some((*role, signed))
        })
    }

    /// The mails of the newest posting of the whole effort.
    pub(super) fn main_mails(&self) -> &[usize] {
        self.main
            .map_or(&[], |main| &self.group.postings[main].mails)
    }
}
