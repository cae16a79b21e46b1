//! The stored files of each subsystem, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use crate::filter::SubsystemTable;
use crate::store::{Readers, stories};

/// The stored files of each subsystem. Paths are only ever added, so new ones are read and old ones stay.
#[derive(Debug, Default)]
pub(super) struct SubsystemFiles {
    /// The subsystems for which this was made.
    subsystems: Arc<SubsystemTable>,
    /// The number of the last path that was read.
    read_to: i64,
    /// The numbers of files, by the place of their subsystem.
    files: HashMap<usize, Vec<i64>>,
}

impl SubsystemFiles {
    /// Reads the paths that are new. After a change of the subsystems, that is all of them.
    pub(super) async fn update(
        &mut self,
        readers: &Readers,
        subsystems: &Arc<SubsystemTable>,
    ) -> anyhow::Result<()> {
        if !Arc::ptr_eq(&self.subsystems, subsystems) {
            *self = Self {
                subsystems: Arc::clone(subsystems),
                ..Self::default()
            };
        }
        loop {
            let paths = stories::paths_after(readers, self.read_to).await?;
            let Some((last, _)) = paths.last() else {
                return Ok(());
            };
            self.read_to = *last;
            for (file, path) in &paths {
                for place in subsystems.of_file(path).iter() {
                    self.files.entry(*place).or_default().push(*file);
                }
            }
            // Many paths are new after a start; others get the thread meanwhile.
            tokio::task::yield_now().await;
        }
    }

    /// The files of the subsystem at a place.
    pub(super) fn of_place(&self, place: usize) -> &[i64] {
        self.files.get(&place).map_or(&[], Vec::as_slice)
    }

    /// The places of the subsystems that have files.
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.files.keys().copied()
    }
}
