//! Who had a part in a story.

use std::collections::BTreeSet;

use super::Teller;
use super::parts::author_of;
use crate::item::trailer::trailers;
use crate::story::Part;
use crate::story::key::clean_name;
use crate::story::machine::Machines;
use crate::story::reading::{Reading, Role};

impl Teller<'_> {
    /// People by what they did. Machines are none, whether they send or are named.
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
            put("author", &author_of(lead));
        }
        for reading in &self.group.readings {
            if reading.role == Role::Machine {
                continue;
            }
            for trailer in trailers(&reading.kept.text) {
                if let Some((_, role)) = ROLES.iter().find(|(name, _)| trailer.is(name))
                    && !machines.is_machine(&trailer.whom())
                {
                    put(role, trailer.person());
                }
            }
        }
        for applied in &self.applied {
            put("applier", &applied.by);
        }
        people.into_iter().collect()
    }
}
