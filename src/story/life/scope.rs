//! The files and addresses of a story, for filters.

use std::collections::BTreeSet;

use super::StoryBuilder;
use super::parts::{author_address, lead_of};
use crate::story::StoryKind;
use crate::story::machine::Machines;
use crate::story::reading::{self, Reading, Role};
use crate::story::scope::{StoryExtent, add_address, addresses, whole_path};

impl StoryBuilder<'_> {
    pub(super) fn scope(&self, kind: StoryKind, machines: &Machines) -> StoryExtent {
        let mut scope = StoryExtent::default();
        let own = self.own_readings(kind);
        let of_request: BTreeSet<String> = own
            .iter()
            .filter(|reading| reading.role == Role::Pull)
            .flat_map(|reading| reading::paths(&reading.item.text))
            .collect();
        let listed = own.iter().flat_map(|reading| &reading.paths);
        let files: Vec<String> = listed
            .chain(&of_request)
            .filter_map(|name| whole_path(name))
            .collect();
        scope.set_files(files.iter().map(String::as_str).collect());
        let authors = own.iter().filter(|reading| reading.role != Role::Machine);
        let lead = lead_of(self.group);
        for reading in authors.copied().chain([lead]) {
            add_address(&mut scope.authors, &author_address(reading));
        }
        for (_, signed) in self.signers(machines) {
            if !scope
                .authors
                .contains(&signed.identity.email.to_ascii_lowercase())
            {
                add_address(&mut scope.people, &signed.identity.email);
            }
        }
        for reading in &own {
            for (name, into) in [("To", &mut scope.to), ("Cc", &mut scope.cc)] {
                for address in addresses(reading.item.header(name).unwrap_or_default()) {
                    add_address(into, address);
                }
            }
        }
        scope.lists = lists(&own);
        scope
    }
}

/// The names of the lists that carry the items, and their List-Ids.
fn lists(own: &[&Reading]) -> Vec<String> {
    let mut lists = Vec::new();
    for reading in own {
        for feed in &reading.item.feeds {
            if feed.kind != "archive" {
                continue;
            }
            let url = feed.url.as_deref().unwrap_or_default();
            let path = url.split(['?', '#']).next().unwrap_or_default();
            let name = path.trim_end_matches('/').rsplit('/').next();
            let name = name.unwrap_or_default();
            if url.starts_with("nntp") {
                // A newsgroup is named like its List-Id, from the other end.
                let labels: Vec<&str> = name.rsplit('.').collect();
                add_address(&mut lists, &labels.join("."));
            } else {
                add_address(&mut lists, name);
            }
        }
        let id = reading.item.header("List-Id").unwrap_or_default();
        let id = id.rsplit_once('<').map_or(id, |(_, id)| id);
        add_address(&mut lists, id.trim_end_matches('>').trim());
    }
    lists
}
