//! The pages: issues, stories, search, feeds of both, and what a watcher asks. Served without a script, readable without a
//! style; nothing on them leads a browser to another host by itself.

mod answer;
mod article;
mod atom;
mod metrics;
mod pages;
mod serve;

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::clock::Clock;
use crate::issue::Issue;
use crate::issue::markdown::Correction;
use crate::store::Store;

/// Pages that are made side by side: the loops read the database too.
const PAGES_AT_ONCE_MAX: usize = 2;

/// What is served, and where readers find it.
#[derive(Clone)]
pub struct Site {
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    /// What the newsletter is called.
    pub name: String,
    /// Where readers find the pages; ends with a slash.
    pub home: String,
}

/// An issue as one page that needs nothing else.
pub fn standalone(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    article::standalone(issue, corrections, home)
}

/// Opens the door. The address is known from then on.
///
/// # Errors
///
/// When the address cannot be listened on.
pub async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("listening on {listen} for the pages; [web] in the configuration has the address")
    })
}

/// Serves the pages until `stop` is cancelled; requests that are under way are answered.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    info!("the pages are at {}", site.home);
    serve::serve(listener, router(site), serve::LIMITS, &stop).await;
}

/// What the pages are made from.
#[derive(Clone)]
struct Served {
    site: Arc<Site>,
    seats: Arc<Semaphore>,
}

impl Deref for Served {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

fn router(site: Site) -> Router {
    let served = Served {
        site: Arc::new(site),
        seats: Arc::new(Semaphore::new(PAGES_AT_ONCE_MAX)),
    };
    Router::new()
        .route("/", get(pages::latest))
        .route("/issues", get(pages::archive))
        .route("/issues/{number}", get(pages::issue))
        .route("/story/{id}", get(pages::story))
        .route("/search", get(pages::search))
        .route("/issues.atom", get(atom::issues))
        .route("/stories.atom", get(atom::stories))
        .route("/style.css", get(pages::style))
        .route("/healthz", get(metrics::healthz))
        .route("/metrics", get(metrics::metrics))
        .fallback(pages::nothing)
        .layer(axum::middleware::from_fn_with_state(
            served.clone(),
            answer::seated,
        ))
        .layer(axum::middleware::map_response(answer::guarded))
        .with_state(served)
}
