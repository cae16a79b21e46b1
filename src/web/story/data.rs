//! What the page of a story shows beside the story itself: links, sizes and trailers of its mails. All of it is stored, and
//! bounded.

use std::collections::{BTreeMap, HashMap};

use super::related::{Related, related};
use super::thread::{PatchAnswer, answered};
use crate::item::diffstat::Diffstat;
use crate::item::prose;
use crate::item::trailer::{commit_in_link, trailers};
use crate::post::{is_for_readers, plain};
use crate::store::Readers;
use crate::store::items::{self, PageItem, PageText};
use crate::story::key::{HASH_DIGITS, clean_name};
use crate::story::machine::Machines;
use crate::story::{Patch, PersonRole, Revision, Step, Story};

/// The most items of a story whose links are read; the last to arrive count.
const ITEMS_MAX: i64 = 600;
/// The most further mails and commits that a story names.
const NAMES_MAX: usize = 100;
/// The most patches that are listed.
pub(super) const PATCHES_MAX: usize = 100;
/// The most answers whose trailers are read.
const ANSWERS_MAX: usize = 150;
/// The most notices whose links to commits are read.
const NOTICES_MAX: usize = 12;
/// The most versions that are compared, newest first.
pub(super) const VERSIONS_MAX: usize = 12;
/// The most people of one role at a patch.
const PEOPLE_MAX: usize = 12;

/// A story with everything that its page links.
pub(super) struct StoryData {
    pub(super) story: Story,
    /// Its items, and items of other stories that it names, by Message-ID or hash.
    items: HashMap<String, PageItem>,
    texts: HashMap<i64, PageText>,
    /// The pages of commits as notices give them, by the first digits of the hash.
    commit_pages: HashMap<String, String>,
    /// The patches of the newest version.
    pub(super) patches: Vec<PatchData>,
    /// The trailers for the newest version as a whole.
    pub(super) reviews: Reviews,
    /// The size of the newest version, if its cover letter or its only mail has it.
    pub(super) size: Option<Diffstat>,
    pub(super) related: Vec<Related>,
}

/// A patch of the newest version.
pub(super) struct PatchData {
    pub(super) patch: Patch,
    pub(super) size: Option<Diffstat>,
    pub(super) reviews: Reviews,
}

/// Names of people by their roles, from trailers.
#[derive(Default)]
pub(super) struct Reviews(pub(super) BTreeMap<PersonRole, Vec<String>>);

impl Reviews {
    /// Adds the people that the trailers of a text name. Machines are left out.
    fn add(&mut self, text: &str, machines: &Machines) {
        for trailer in trailers(text) {
            let Some(role) = PersonRole::of_trailer(trailer.name) else {
                continue;
            };
            let name = plain(&clean_name(trailer.person()));
            let names = self.0.entry(role).or_default();
            let is_new = !name.is_empty() && !names.contains(&name);
            if is_new && names.len() < PEOPLE_MAX && !machines.is_machine(&trailer.identity()) {
                names.push(name);
            }
        }
        self.0.retain(|_, names| !names.is_empty());
    }
}

/// The place of a version's range-diff.
pub(super) enum RangeDiff {
    /// A page that the mail links.
    At(String),
    /// The mail itself has it.
    InMail,
}

impl StoryData {
    pub(super) async fn gather(
        readers: &Readers,
        story: Story,
        today: i64,
    ) -> anyhow::Result<Self> {
        let own = items::items_on_page(readers, &story.id, ITEMS_MAX).await?;
        let named = |item: PageItem| (item.reference.clone(), item);
        let mut items: HashMap<String, PageItem> = own.into_iter().map(named).collect();
        let others: Vec<&str> = names(&story)
            .filter(|name| !items.contains_key(*name))
            .take(NAMES_MAX)
            .collect();
        let others = items::items_by_name(readers, others.into_iter()).await?;
        items.extend(others.into_iter().map(named));
        let answers = answered(&story, &items);
        let wanted = wanted_texts(&story, &items, &answers);
        let texts = items::texts_on_page(readers, &wanted).await?;
        let related = related(readers, &story, &items, today).await?;
        let mut data = Self {
            commit_pages: commit_pages(&story, &items, &texts),
            story,
            items,
            texts,
            patches: Vec::new(),
            reviews: Reviews::default(),
            size: None,
            related,
        };
        data.add_patches(&answers);
        Ok(data)
    }

    /// Adds the patches of the newest version with their sizes, and everybody's trailers.
    fn add_patches(&mut self, answers: &[PatchAnswer]) {
        let machines = Machines::default();
        let Some(newest) = self.story.revisions.last() else {
            return;
        };
        let patches = newest.patches.iter().take(PATCHES_MAX);
        let mut patches: Vec<PatchData> = patches
            .map(|patch| {
                let mut reviews = Reviews::default();
                let text = self.text(&patch.message_id);
                if let Some(text) = text {
                    reviews.add(&text.text, &machines);
                }
                PatchData {
                    patch: patch.clone(),
                    size: text.and_then(|text| Diffstat::read(&text.headers, &text.text)),
                    reviews,
                }
            })
            .collect();
        let mut whole = Reviews::default();
        let lead = self.text(&newest.root);
        if let Some(lead) = lead.filter(|_| newest.cover) {
            whole.add(&lead.text, &machines);
        }
        for answer in answers {
            let Some(text) = self.texts.get(&answer.item) else {
                continue;
            };
            let of_patch = answer.patch.and_then(|place| patches.get_mut(place));
            let reviews = of_patch.map_or(&mut whole, |patch| &mut patch.reviews);
            reviews.add(&text.text, &machines);
        }
        self.size = lead.and_then(|lead| Diffstat::read(&lead.headers, &lead.text));
        (self.patches, self.reviews) = (patches, whole);
    }

    /// The page of a mail or a commit, by its Message-ID or its hash.
    pub(super) fn page(&self, name: &str) -> Option<&str> {
        let item = self.items.get(name).and_then(|item| item.link.as_deref());
        let by_notice = || {
            let digits = name.get(..HASH_DIGITS)?;
            self.commit_pages.get(digits).map(String::as_str)
        };
        item.or_else(by_notice).filter(|link| is_for_readers(link))
    }

    /// The id of the story that has an item, if it is another one.
    pub(super) fn other_story(&self, name: &str) -> Option<&str> {
        let story = self.items.get(name)?.story.as_deref()?;
        (story != self.story.id).then_some(story)
    }

    fn text(&self, name: &str) -> Option<&PageText> {
        self.texts.get(&self.items.get(name)?.id)
    }

    /// The range-diff that the first mail of a version has or links.
    pub(super) fn range_diff(&self, revision: &Revision) -> Option<RangeDiff> {
        let text = &self.text(&revision.root)?.text;
        let mut is_announced = false;
        for line in prose::lines(text).filter(|line| !line.starts_with('>')) {
            let lower = line.to_ascii_lowercase();
            let names_it = lower.contains("range-diff") || lower.contains("interdiff");
            let link = line
                .split_whitespace()
                .find(|word| word.starts_with("https://"));
            let link = link.map(|link| link.trim_end_matches(['.', ',', ')', '>']));
            let is_comparison =
                |link: &&str| link.contains("/compare/") || names_it || is_announced;
            if let Some(link) = link
                .filter(is_comparison)
                .filter(|link| is_for_readers(link))
            {
                return Some(RangeDiff::At(link.to_owned()));
            }
            if lower.trim_start().starts_with("range-diff ") || lower.starts_with("interdiff ") {
                return Some(RangeDiff::InMail);
            }
            is_announced = names_it && lower.trim_end().ends_with(':');
        }
        None
    }
}

/// The names of the mails and commits that a page links.
fn names(story: &Story) -> impl Iterator<Item = &str> {
    let steps = story.events.iter().map(|event| event.source.as_str());
    let newest = story.revisions.last();
    let patches = newest.into_iter().flat_map(|newest| &newest.patches);
    let patches = patches.map(|patch| patch.message_id.as_str());
    let roots = story.revisions.iter().rev();
    let roots = roots.map(|revision| revision.root.as_str());
    let applied = story.applied.iter().flat_map(|applied| &applied.commits);
    let applied = applied.map(|commit| commit.hash.as_str());
    let landed = story.mainline.iter().map(|landed| landed.hash.as_str());
    let stable = story.stable.iter().map(|backport| backport.hash.as_str());
    let commits = story.commits.iter().map(String::as_str);
    let all = steps.chain(roots).chain(patches).chain(applied);
    all.chain(landed).chain(stable).chain(commits)
}

/// The items whose texts the page reads: patches, first mails of versions, notices, and answers to the newest version.
fn wanted_texts(
    story: &Story,
    items: &HashMap<String, PageItem>,
    answers: &[PatchAnswer],
) -> Vec<i64> {
    let number = |name: &String| items.get(name).map(|item| item.id);
    let newest = story.revisions.last();
    let patches = newest.into_iter().flat_map(|newest| &newest.patches);
    let patches = patches.take(PATCHES_MAX).map(|patch| &patch.message_id);
    let roots = story.revisions.iter().rev().take(VERSIONS_MAX);
    let roots = roots.map(|revision| &revision.root);
    let notices = story.events.iter().filter(|event| {
        matches!(
            event.state,
            Step::Applied | Step::PartlyApplied | Step::Claimed
        )
    });
    let notices = notices.rev().take(NOTICES_MAX).map(|event| &event.source);
    let mut wanted: Vec<i64> = patches
        .chain(roots)
        .chain(notices)
        .filter_map(number)
        .collect();
    let answers = answers.iter().take(ANSWERS_MAX);
    wanted.extend(answers.map(|answer| answer.item));
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}

/// The addresses of commits in notices that a bot sent or a commit confirmed, each on a line of its own. Anybody can write
/// another mail.
fn commit_pages(
    story: &Story,
    items: &HashMap<String, PageItem>,
    texts: &HashMap<i64, PageText>,
) -> HashMap<String, String> {
    let confirmed = story
        .events
        .iter()
        .filter(|event| matches!(event.state, Step::Applied | Step::PartlyApplied));
    let notices = confirmed.filter_map(|event| texts.get(&items.get(&event.source)?.id));
    let mut pages = HashMap::new();
    for notice in notices {
        let lines = prose::lines(&notice.text).map(str::trim);
        for line in lines.filter(|line| line.starts_with("https://")) {
            if let Some(digits) = commit_in_link(line).and_then(|hash| hash.get(..HASH_DIGITS)) {
                pages.insert(digits.to_owned(), line.to_owned());
            }
        }
    }
    pages
}
