//! The subsystems of a MAINTAINERS file: which files, names and words belong to each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use super::clause::TextTest;
use super::maintainers::MaintainersReader;
use super::owners::FileOwners;
use super::section::Subsystem;
use crate::story::Story;
use crate::story::key::normal;

/// The most bytes of a MAINTAINERS file; the kernel's has one million.
pub const MAINTAINERS_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// The most different names in filters whose subsystems stay in memory.
const LOOKUPS_MAX: usize = 256;
/// The most paths whose subsystems stay in memory.
const PATHS_MAX: usize = 20_000;
/// The most similar names in an error.
const NEAR_MAX: usize = 4;

/// The subsystems of a MAINTAINERS file. Clones share them, also what is read later.
#[derive(Debug, Clone, Default)]
pub struct Subsystems {
    shared: Arc<SubsystemSource>,
}

#[derive(Debug, Default)]
struct SubsystemSource {
    /// The feed from whose tree the file comes; `None`: it comes from a file, or there is none.
    feed: Option<String>,
    table: RwLock<Arc<SubsystemTable>>,
}

/// The subsystems of one reading of the file.
#[derive(Debug, Default)]
pub struct SubsystemTable {
    sections: Vec<Subsystem>,
    owners: FileOwners,
    /// The places of the sections that a path belongs to.
    paths: Mutex<HashMap<String, Arc<[usize]>>>,
    /// The places of the sections that a name in a filter means.
    lookups: Mutex<HashMap<String, Arc<[usize]>>>,
}

impl PartialEq for Subsystems {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
            || (self.feed() == other.feed() && self.table().sections == other.table().sections)
    }
}

impl Eq for Subsystems {}

impl Subsystems {
    /// Reads a MAINTAINERS file, in time proportional to its length.
    ///
    /// # Errors
    ///
    /// If it has no subsystem with a pattern, or too many.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = MaintainersReader::default();
        for line in text.lines() {
            reader.read(line)?;
        }
        reader.end_section();
        if reader.sections.is_empty() {
            return Err("it has no subsystem with F:, N: or K: lines".to_owned());
        }
        let mut owners = FileOwners::default();
        for (place, section) in reader.sections.iter().enumerate() {
            owners.add(place, &section.files, !section.names.is_empty());
        }
        let shared = SubsystemTable {
            owners,
            sections: reader.sections,
            paths: Mutex::default(),
            lookups: Mutex::default(),
        };
        Ok(Self::of(None, shared))
    }

    /// Subsystems that are read from the tree of a feed later; none until then.
    pub fn of_feed(name: &str) -> Self {
        Self::of(Some(name.to_owned()), SubsystemTable::default())
    }

    fn of(feed: Option<String>, table: SubsystemTable) -> Self {
        let table = RwLock::new(Arc::new(table));
        Self {
            shared: Arc::new(SubsystemSource { feed, table }),
        }
    }

    /// The subsystems as they are now. What is read later makes another table.
    pub fn table(&self) -> Arc<SubsystemTable> {
        let table = self.shared.table.read();
        Arc::clone(&table.unwrap_or_else(PoisonError::into_inner))
    }

    /// The feed from whose tree they are read.
    pub fn feed(&self) -> Option<&str> {
        self.shared.feed.as_deref()
    }

    /// Takes over the subsystems that were read from a feed's tree, unless they come from elsewhere.
    pub fn fill(&self, feed: &str, read: &Self) {
        if self.feed() == Some(feed) {
            let table = self.shared.table.write();
            *table.unwrap_or_else(PoisonError::into_inner) = read.table();
        }
    }

    /// How many subsystems there are.
    pub fn len(&self) -> usize {
        self.table().sections.len()
    }

    /// Whether there are none: no file is configured, or it was not read yet.
    pub fn is_empty(&self) -> bool {
        self.table().is_empty()
    }

    /// Whether a story belongs to a subsystem that the test names.
    pub(super) fn take(&self, story: &Story, test: &TextTest) -> bool {
        let table = self.table();
        let named = table.named(test);
        if named.is_empty() {
            return false;
        }
        let said = OnceLock::new();
        let mut sections = named.iter().map(|place| &table.sections[*place]);
        sections.any(|section| section.takes(story, || said.get_or_init(|| content(story))))
    }

    /// The names of the first subsystems to which a story's files belong.
    pub(super) fn names_of(&self, story: &Story, most: usize) -> Vec<String> {
        let table = self.table();
        let files = story.scope.files.iter();
        let places: BTreeSet<usize> = files
            .flat_map(|file| table.of_file(file).to_vec())
            .collect();
        let names = places.into_iter().filter_map(|place| table.name(place));
        names.take(most).map(str::to_owned).collect()
    }

    /// Checks that a test means a subsystem.
    ///
    /// # Errors
    ///
    /// The fault, and the right form.
    pub(super) fn check(&self, test: &TextTest) -> Result<(), (String, String)> {
        let table = self.table();
        let has_none = table.is_empty();
        match self.feed() {
            Some(feed) if has_none => Err((
                format!("the MAINTAINERS file of the feed {feed} was not read yet"),
                "it is read with the next poll of that feed; the log says if that fails".to_owned(),
            )),
            None if has_none => Err((
                "no file with subsystems is configured".to_owned(),
                "set maintainers = \"FILE\" in [subsystems] to a kernel's MAINTAINERS file"
                    .to_owned(),
            )),
            Some(_) | None => table.check(test),
        }
    }
}

impl SubsystemTable {
    /// Whether there are none: no file is configured, or it was not read yet.
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty()
    }

    /// The subsystems to which a story's files belong: those with the most files first. Sections for the whole kernel are left
    /// out.
    pub fn of_story(&self, story: &Story) -> Vec<&str> {
        let mut files: BTreeMap<usize, usize> = BTreeMap::new();
        for file in &story.scope.files {
            for place in self.of_file(file).iter() {
                *files.entry(*place).or_default() += 1;
            }
        }
        let mut places: Vec<(usize, usize)> = files.into_iter().collect();
        places.sort_by_key(|(place, files)| (Reverse(*files), *place));
        let places = places.into_iter().map(|(place, _)| place);
        places
            .filter(|place| !self.is_whole_kernel(*place))
            .filter_map(|place| self.name(place))
            .collect()
    }

    /// The places of the subsystems to which a path belongs by `F:`, `X:` and `N:` lines.
    pub fn of_file(&self, file: &str) -> Arc<[usize]> {
        let paths = || self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = paths().get(file) {
            return Arc::clone(known);
        }
        let places = self.owners.candidates(file).into_iter();
        let found: Arc<[usize]> = places
            .filter(|place| self.sections[*place].has(file))
            .collect();
        let mut paths = paths();
        if paths.len() >= PATHS_MAX {
            paths.clear();
        }
        paths.insert(file.to_owned(), Arc::clone(&found));
        found
    }

    /// The name of the subsystem at a place.
    pub fn name(&self, place: usize) -> Option<&str> {
        self.sections
            .get(place)
            .map(|section| section.name.as_str())
    }

    /// The places of the subsystems of this name, in any case.
    pub fn places(&self, name: &str) -> Vec<usize> {
        let sections = self.sections.iter().enumerate();
        let named = sections.filter(|(_, section)| section.name.eq_ignore_ascii_case(name));
        named.map(|(place, _)| place).collect()
    }

    /// Whether a section takes files of any folder: `THE REST`.
    pub fn is_whole_kernel(&self, place: usize) -> bool {
        let section = self.sections.get(place);
        section.is_some_and(|section| section.files.iter().any(|path| path == "*" || path == "*/"))
    }

    /// Checks that a test means one of them.
    fn check(&self, test: &TextTest) -> Result<(), (String, String)> {
        if !self.named(test).is_empty() {
            return Ok(());
        }
        let wanted = match test {
            TextTest::Like { text, .. } | TextTest::Whole(text) => text.to_lowercase(),
            TextTest::Pattern(_) => {
                let wrong = "no subsystem has a name that this regular expression matches";
                let right = "names are as in MAINTAINERS: \"BPF [CORE]\"";
                return Err((wrong.to_owned(), right.to_owned()));
            }
        };
        let sections = self.sections.iter();
        let near = sections.map(|section| {
            let name = section.name.to_lowercase();
            (strsim::jaro_winkler(&name, &wanted), section.name.as_str())
        });
        let mut near: Vec<(f64, &str)> = near.collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near: Vec<String> = near
            .iter()
            .take(NEAR_MAX)
            .map(|(_, name)| format!("{name:?}"))
            .collect();
        Err((
            "MAINTAINERS has no subsystem of this name".to_owned(),
            format!("similar names are {}", near.join(", ")),
        ))
    }

    /// The places of the sections that a test names.
    fn named(&self, test: &TextTest) -> Arc<[usize]> {
        let key = match test {
            TextTest::Like { text, .. } => format!(":{text}"),
            TextTest::Whole(text) => format!("={text}"),
            // Rare, and the names are short.
            TextTest::Pattern(_) => return self.find(test),
        };
        let lookups = || {
            let lookups = self.lookups.lock();
            lookups.unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(known) = lookups().get(&key) {
            return known.clone();
        }
        let found = self.find(test);
        let mut lookups = lookups();
        if lookups.len() >= LOOKUPS_MAX {
            lookups.clear();
        }
        lookups.insert(key, found.clone());
        found
    }

    fn find(&self, test: &TextTest) -> Arc<[usize]> {
        let words = match test {
            TextTest::Like { text, .. } => format!(" {} ", normal(text)),
            TextTest::Whole(_) | TextTest::Pattern(_) => String::new(),
        };
        let is_named = |section: &Subsystem| match test {
            TextTest::Like { .. } => words != "  " && section.words.contains(&words),
            TextTest::Whole(text) => section.name.eq_ignore_ascii_case(text),
            TextTest::Pattern(pattern) => pattern.is_match(&section.name),
        };
        let sections = self.sections.iter().enumerate();
        let found = sections.filter(|(_, section)| is_named(section));
        found.map(|(place, _)| place).collect()
    }
}

/// The stored content of a story: titles and the summary. Diffs are not stored.
fn content(story: &Story) -> String {
    let patches = story.revisions.last().map(|newest| newest.patches.iter());
    let patches = patches.into_iter().flatten();
    let titles = std::iter::once(story.title.as_str()).chain(patches.map(|patch| &*patch.subject));
    let all = titles.chain(story.summary.iter().map(String::as_str));
    all.collect::<Vec<_>>().join("\n")
}
