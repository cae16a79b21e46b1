//! The subsystems to which a file belongs, found without comparing every pattern.

use std::collections::HashMap;

use super::value::folder_of;

/// The places of the sections that may have a file.
#[derive(Debug, Default)]
pub(super) struct FileOwners {
    /// By the folder in which an `F:` pattern begins: the parts before its last one, and before the first one with a wildcard.
    by_folder: HashMap<String, Vec<usize>>,
    /// Those with `N:` lines, which are compared with every path.
    by_name: Vec<usize>,
}

impl FileOwners {
    /// Adds the section at a place, which is behind those that were added, with its `F:` patterns.
    pub(super) fn add(&mut self, place: usize, files: &[String], has_names: bool) {
        for pattern in files {
            let places = self.by_folder.entry(folder_of(pattern)).or_default();
            if places.last() != Some(&place) {
                places.push(place);
            }
        }
        if has_names {
            self.by_name.push(place);
        }
    }

    /// The places of the sections that a file's path may belong to, in the order of the file MAINTAINERS.
    pub(super) fn candidates(&self, file: &str) -> Vec<usize> {
        let ends = file.match_indices('/').map(|(at, _)| at);
        let folders = std::iter::once(0).chain(ends).map(|end| &file[..end]);
        let found = folders.filter_map(|folder| self.by_folder.get(folder));
        let mut places: Vec<usize> = found.flatten().chain(&self.by_name).copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }
}
