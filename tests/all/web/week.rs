//! The demo's real week as a whole site: pages, desk, sign-up for mail, subsystems.

use std::path::PathBuf;
use std::sync::Arc;

use bpfnews::app::letters::MailDesk;
use bpfnews::chat::Requester;
use bpfnews::cli::edit_the_demo;
use bpfnews::clock::Clock;
use bpfnews::demo;
use bpfnews::publish::{self, Rules};
use bpfnews::web::MailPages;
use tempfile::TempDir;

use crate::command::house::{House, NEWS, SERVER, discord, reader};
use crate::issue::demo::play;
use crate::issue::pages::PageCalls;

const CONFIG: &str = "discord_users = [\"111111\"]\ncooldown_s = 0\n\n\
    [issue]\ndiscord_users = [\"333333\", \"444444\"]\n\n\
    [web]\nlisten = \"127.0.0.1:8080\"\nurl = \"https://news.example/\"\n\n\
    [mail]\nfrom = \"news@bpf.example\"\nname = \"BPF updates\"\nbounces = \"bounces@bpf.example\"\n\
    host = \"127.0.0.1\"\nport = 9\ntls = \"none\"\n\n\
    [subsystems]\nmaintainers = \"MAINTAINERS\"\n";

/// Sections as in the kernel's file.
const MAINTAINERS: &str = "BPF [CORE]\nF:\tinclude/linux/bpf*\nF:\tkernel/bpf/core.c\nF:\tkernel/bpf/verifier.c\n\
    F:\tkernel/bpf/syscall.c\nF:\tkernel/bpf/helpers.c\n\n\
    BPF [GENERAL] (Safe Dynamic Programs and Tools)\nF:\tDocumentation/bpf/\nF:\tinclude/uapi/linux/bpf*\n\
    F:\tkernel/bpf/\nF:\tlib/test_bpf.c\nF:\tsamples/bpf/\nF:\ttools/bpf/\nF:\ttools/lib/bpf/\n\
    F:\ttools/testing/selftests/bpf/\n\n\
    BPF [LIBRARY] (libbpf)\nF:\ttools/lib/bpf/\n\n\
    BPF [NETWORKING] (tcx & tc BPF, sock_addr)\nF:\tnet/core/filter.c\nF:\tnet/sched/act_bpf.c\n\n\
    BPF [SELFTESTS] (Test Runners & Infrastructure)\nF:\ttools/testing/selftests/bpf/\n\n\
    NETWORKING [GENERAL]\nF:\tinclude/net/\nF:\tnet/\nX:\tnet/bluetooth/\n\n\
    NETWORKING DRIVERS\nF:\tdrivers/net/\n\n\
    TRACING\nF:\tinclude/linux/trace*\nF:\tkernel/trace/\n\n\
    XDP SOCKETS (AF_XDP)\nF:\tinclude/net/xdp_sock*\nF:\tnet/xdp/\n\n\
    THE REST\nF:\t*\nF:\t*/\n";

pub(super) struct DemoWeek {
    pub(super) house: House,
    pub(super) pages: PageCalls,
}

impl DemoWeek {
    /// The week whose first issue is out, and whose second one is on the desk.
    pub(super) async fn new() -> Self {
        let home = TempDir::new().expect("a folder");
        play(home.path()).await.close().await;
        let at = |name: &str| -> PathBuf { home.path().join(name) };
        std::fs::rename(at("demo.sqlite"), at("bpfnews.sqlite")).expect("one folder");
        std::fs::write(at("MAINTAINERS"), MAINTAINERS).expect("room on the disk");
        let house = House::over(home, CONFIG, demo::period().to).await;
        let week = Self {
            pages: serve(&house).await,
            house,
        };
        week.publish(1, demo::period_before()).await;
        let suggest = "suggest https://blog.example/maps note=\"A long look at maps\"";
        week.house.ask(&reader(), suggest).await;
        week
    }

    /// The second issue is out, with the decisions of the demo's editor and of nobody else.
    pub(super) async fn publish_the_week(&self) {
        let (store, now) = (&self.house.live.store, self.house.now());
        let mut tx = store.write().await.expect("a transaction");
        let forgotten = sqlx::query("DELETE FROM edits").execute(&mut *tx).await;
        forgotten.expect("a good database");
        tx.commit().await.expect("a commit");
        edit_the_demo(store, now).await.expect("decisions");
        self.publish(2, demo::period()).await;
    }

    async fn publish(&self, number: u32, period: bpfnews::issue::Period) {
        let live = &self.house.live;
        let generation = live.now();
        let rules = Rules::of(&generation.effective.config);
        let mut tx = live.store.write().await.expect("a transaction");
        let now = self.house.now();
        let out = publish::publish(&mut tx, &[], rules, number, Some(period), "x", now).await;
        out.expect("a database").expect("an issue");
        tx.commit().await.expect("a commit");
    }

    pub(super) fn editors() -> [Requester; 2] {
        ["333333", "444444"].map(|person| discord(person, NEWS, SERVER))
    }

    /// The paths of pages about this week: each kind of page, its name for files first.
    pub(super) async fn paths(&self) -> Vec<(String, String)> {
        let json = |text: &str| serde_json::from_str(text).expect("JSON");
        let stories: serde_json::Value = json(&self.pages.text("api/stories?limit=100").await);
        let stories = stories["stories"].as_array().expect("a list").clone();
        let of = |worth: &dyn Fn(&serde_json::Value) -> i64| {
            let best = stories.iter().max_by_key(|story| worth(story));
            format!(
                "story/{}",
                best.expect("a story")["id"].as_str().expect("an id")
            )
        };
        let patches = |story: &serde_json::Value| story["patches"].as_i64().unwrap_or(0);
        let versions = |story: &serde_json::Value| story["version"].as_i64().unwrap_or(0);
        let articles = |story: &serde_json::Value| i64::from(story["kind"] == "article");
        let author = stories[0]["author"].as_str().unwrap_or_default();
        let author = url::form_urlencoded::byte_serialize(author.as_bytes());
        let author: String = author.collect::<String>().replace('+', "%20");
        let paths = [
            ("front", String::new()),
            ("issues", "issues".to_owned()),
            ("issue", "issues/2".to_owned()),
            ("issue-first", "issues/1".to_owned()),
            ("stories", "stories".to_owned()),
            ("story-long", of(&patches)),
            ("story-versions", of(&versions)),
            ("story-article", of(&articles)),
            ("tree", "tree/net-next".to_owned()),
            ("tree-empty", "tree/nowhere".to_owned()),
            ("person", format!("person/{author}")),
            ("person-empty", "person/Nobody".to_owned()),
            ("folder", "folder/kernel/bpf".to_owned()),
            ("subsystems", "subsystems".to_owned()),
            ("subsystem", "subsystem/BPF%20%5BCORE%5D".to_owned()),
            ("subsystem-unknown", "subsystem/None".to_owned()),
            ("search", "search".to_owned()),
            ("search-words", "search?q=xdp".to_owned()),
            (
                "search-filter",
                "search?q=state%3Amainline%20tree%3Anet-next".to_owned(),
            ),
            ("search-none", "search?q=zebra".to_owned()),
            (
                "search-wrong",
                "search?q=kind%3Aseries%20autor%3Ax%20and%20something%20longer".to_owned(),
            ),
            ("numbers", "stats".to_owned()),
            ("cycle", "cycle".to_owned()),
            ("mail", "mail".to_owned()),
            ("no-page", "nothing".to_owned()),
            ("no-story", "story/none".to_owned()),
        ];
        paths.map(|(name, path)| (name.to_owned(), path)).into()
    }
}

async fn serve(house: &House) -> PageCalls {
    let live = Arc::clone(&house.live);
    let clock: Arc<dyn Clock> = Arc::clone(&live.clock);
    let mail = MailDesk::of(&live.now().effective.config, &live.store, &clock);
    let mail = mail.expect("random bytes").expect("there is a [mail]");
    let mail = MailPages::new(mail.mailing.clone(), Arc::new(|| ()));
    PageCalls::serve_all(live, Some(mail)).await
}
