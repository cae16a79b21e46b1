//! Trees behind a server that misbehaves.

use bpfnews::source::{Answer, Body, FetchError, Goal, Request};

use super::repository::{Reader, Repository, good};

type Fetched = Result<Answer, FetchError>;

const HOUR: i64 = 3600;

fn honest(_: &Request, answer: Fetched) -> Fetched {
    answer
}

fn is_log(request: &Request) -> bool {
    request.url.path().starts_with("/o/r/log/")
}

fn later() -> Fetched {
    Err(FetchError::Later {
        after: None,
        why: "it did not answer in time".to_owned(),
    })
}

fn walled() -> Fetched {
    Err(FetchError::Walled {
        why: "it answers with an HTML page".to_owned(),
    })
}

struct World {
    repository: Repository,
    reader: Reader,
    /// The tip at the seed.
    seed: usize,
    now: i64,
}

impl World {
    fn new(is_github: bool) -> Self {
        let mut repository = Repository::new();
        repository.push(60);
        let mut world = Self {
            seed: repository.tip,
            now: repository.now(),
            repository,
            reader: Reader::new(is_github),
        };
        world.poll(honest).expect("an honest server");
        world
    }

    fn poll(&mut self, proxy: impl FnMut(&Request, Fetched) -> Fetched) -> Result<(), FetchError> {
        self.now = self.now.max(self.repository.now());
        let mut proxy = proxy;
        for _ in 0..30 {
            self.now += 10;
            let cut_short = self
                .reader
                .poll(&mut self.repository, self.now, &mut proxy)?;
            if !cut_short {
                return Ok(());
            }
        }
        panic!("a poll without end");
    }

    fn lost(&self) -> usize {
        self.reader.lost(&self.repository, self.seed).len()
    }

    /// Polls every quarter of an hour.
    fn run(&mut self, for_s: i64, mut proxy: impl FnMut(&Request, Fetched) -> Fetched) {
        let until = self.now + for_s;
        while self.now < until {
            self.now += HOUR / 4;
            // An error ends a poll, and the next one goes on.
            let _ = self.poll(&mut proxy);
        }
    }

    #[track_caller]
    fn check_whole(&self) {
        assert_eq!(self.lost(), 0, "commits were lost");
        assert!(self.reader.gaps.is_empty(), "{:?}", self.reader.gaps);
    }
}

/// Cuts a page in the middle and keeps its status and length right.
fn cut(answer: Fetched, share: usize) -> Fetched {
    let answer = answer?;
    let Body::Bytes { mut bytes, .. } = answer.body else {
        panic!("a page")
    };
    bytes.truncate(bytes.len() * share / 100);
    Ok(good(&answer.url, bytes))
}

#[test]
fn an_honest_poll_costs_no_more_than_before() {
    let mut world = World::new(false);
    world.repository.push(120);
    world.repository.requests.clear();
    world.poll(honest).expect("an honest server");
    // The feed, the log in the other direction, three pages of the log, and the patches.
    assert_eq!(world.repository.requests.len(), 6);
    world.repository.requests.clear();
    world.run(24 * HOUR, honest);
    assert!((94..=96).contains(&world.repository.requests.len()));
    world.check_whole();
}

#[test]
fn a_log_page_that_ends_early_is_asked_for_again() {
    for share in [1, 40, 60, 99] {
        let mut world = World::new(false);
        world.repository.push(1_000);
        world.repository.merge(30, 200);
        let mut pages = 0;
        let ended = world.poll(|request, answer| {
            pages += usize::from(is_log(request));
            if is_log(request) && pages == 16 {
                return cut(answer, share);
            }
            answer
        });
        // After the pager, no commit is missing.
        assert!(ended.is_err() || share == 99, "{share}");
        world.poll(honest).expect("an honest server");
        world.poll(honest).expect("an honest server");
        world.check_whole();
    }
}

#[test]
fn a_log_that_answers_wrongly_once_costs_nothing() {
    let wrong: [fn(&Request) -> Fetched; 3] = [
        |_| walled(),
        |request| {
            let empty = "<html><div id='cgit'><table class='list'></table></div></html>";
            Ok(good(&request.url, empty))
        },
        |_| {
            Err(FetchError::Missing {
                why: "404".to_owned(),
                page: String::new(),
            })
        },
    ];
    for wrong in wrong {
        let mut world = World::new(false);
        world.repository.push(3);
        world.repository.merge(50, 40);
        world
            .poll(|request, answer| {
                if is_log(request) {
                    wrong(request)
                } else {
                    answer
                }
            })
            .expect("the feed is well");
        assert!(world.lost() > 0 && world.reader.gaps.is_empty());
        world.now += HOUR / 4;
        world.poll(honest).expect("an honest server");
        world.check_whole();
    }
}

#[test]
fn a_log_that_stays_away_is_a_gap_and_heals() {
    let mut world = World::new(false);
    world.repository.push(3);
    world.repository.merge(50, 40);
    let wall = |request: &Request, answer| if is_log(request) { walled() } else { answer };
    world.run(5 * HOUR, wall);
    assert!(world.lost() > 0);
    let [gap] = &world.reader.gaps[..] else {
        panic!("one gap: {:?}", world.reader.gaps)
    };
    assert!(gap.from_at > 0 && gap.to_at > gap.from_at, "{gap:?}");
    world.run(3 * HOUR, honest);
    world.check_whole();
    world.repository.requests.clear();
    world.run(2 * HOUR, honest);
    assert_eq!(world.repository.requests.len(), 8, "it asks no more");
}

#[test]
fn a_backfill_closes_the_gap() {
    let mut world = World::new(false);
    world.repository.merge(50, 40);
    let wall = |request: &Request, answer| if is_log(request) { walled() } else { answer };
    world.run(5 * HOUR, wall);
    let since = world.reader.gaps[0].from_at;
    let since = chrono::DateTime::from_timestamp(since, 0).expect("a time");
    let goal = Goal::Backfill { since };
    let (now, repository) = (world.now, &mut world.repository);
    let ended = world.reader.walk(repository, goal, now, &mut honest);
    assert_eq!(ended, Ok(false));
    world.check_whole();
}

#[test]
fn a_log_that_fails_for_good_in_a_later_page_loses_nothing_on_a_line() {
    let mut world = World::new(false);
    world.repository.push(200);
    let wall = |request: &Request, answer| {
        if request.url.as_str().contains("ofs=") {
            return walled();
        }
        answer
    };
    world.poll(wall).expect("the feed is well");
    assert_eq!(world.lost(), 0);
    world.run(2 * HOUR, honest);
    world.check_whole();
}

#[test]
fn a_mirror_that_steps_back_is_no_gap() {
    let mut world = World::new(false);
    let mut tips = vec![world.repository.tip];
    for round in 0..8 {
        world.repository.push(4);
        world.repository.merge(40 + round, 6);
        world.repository.push(2);
        tips.push(world.repository.tip);
    }
    let newest = world.repository.tip;
    for steps in [1, 2, 3, 5, 2, 4, 7, 5, 3, 8] {
        world.repository.tip = tips[steps];
        world.poll(honest).expect("an honest server");
        assert!(world.reader.gaps.is_empty(), "{:?}", world.reader.gaps);
    }
    world.repository.tip = newest;
    world.poll(honest).expect("an honest server");
    world.run(2 * HOUR, honest);
    world.check_whole();
    world.repository.requests.clear();
    world.repository.tip = tips[7];
    world.poll(honest).expect("an honest server");
    assert_eq!(world.repository.requests.len(), 1);
}

#[test]
fn a_log_that_times_out_for_good_is_passed_by_hash() {
    let mut world = World::new(false);
    world.repository.push(100);
    let slow = |request: &Request, answer| if is_log(request) { later() } else { answer };
    assert!(world.poll(slow).is_err());
    world.run(5 * HOUR, slow);
    let brief = world.repository.requests.iter().rev();
    let brief = brief.filter(|url| url.contains("/log/"));
    assert!(brief.take(3).all(|url| !url.contains("showmsg")));
    world.run(3 * HOUR, slow);
    world.check_whole();
    world.repository.push(5);
    world.repository.merge(70, 30);
    world.run(8 * HOUR, slow);
    world.repository.push(5);
    world.run(8 * HOUR, slow);
    assert!(!world.reader.gaps.is_empty(), "behind a merge");
    world.run(24 * HOUR, honest);
    world.check_whole();
}

#[test]
fn a_log_that_ignores_its_range_ends() {
    let mut world = World::new(false);
    world.repository.push(300);
    let ignores = |request: &Request, answer: Fetched| {
        if is_log(request) {
            let mut whole = Repository::new();
            whole.push(400);
            let mut first = request.clone();
            first
                .url
                .set_query(Some(&format!("q={}", super::repository::hash(360))));
            return whole.answer(&first);
        }
        answer
    };
    world.poll(ignores).expect("the feed is well");
    world.run(HOUR / 2, ignores);
    assert_eq!(world.lost(), 0);
    world.run(3 * HOUR, honest);
    world.check_whole();
}

#[test]
fn merges_on_github_bring_all_their_commits() {
    let mut world = World::new(true);
    for round in 0..10 {
        world.repository.push(7);
        world.repository.merge(35 + round, 30);
        world.poll(honest).expect("an honest server");
        assert_eq!(world.lost(), 0, "round {round}");
    }
    world.check_whole();
    world.repository.requests.clear();
    world.run(6 * HOUR, honest);
    assert_eq!(world.repository.requests.len(), 24);
}

#[test]
fn a_merge_on_github_that_cannot_be_read_is_a_gap() {
    let mut world = World::new(true);
    world.repository.merge(40, 30);
    let is_patch = |request: &Request| request.url.path().ends_with(".patch");
    world
        .poll(|request, answer| if is_patch(request) { later() } else { answer })
        .expect("the feed is well");
    assert!(world.lost() > 0 && world.reader.gaps.is_empty(), "it waits");
    world
        .poll(|request, answer| match is_patch(request) {
            true => Ok(good(&request.url, "")),
            false => answer,
        })
        .expect("the feed is well");
    assert_eq!(world.reader.gaps.len(), 1);
}
