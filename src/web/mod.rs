//! The pages: issues, stories, search, the kernel cycle, Atom feeds, and monitoring. They need no script and are readable without
//! style. They load nothing from other hosts.

mod answer;
mod api;
mod article;
mod atom;
mod client;
mod cursor;
mod cycle;
mod desk;
mod figures;
mod front;
mod layout;
mod links;
mod lists;
mod mail;
mod mail_pages;
mod metrics;
mod numbers;
mod pages;
mod pictures;
mod plot;
mod serve;
mod site;
mod story;
mod subsystem_files;
mod subsystems;
mod validate;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::info;

pub use self::api::{ApiAllowance, StoryJson};
pub use self::mail_pages::MailPages;
use self::site::Served;
pub use self::site::Site;
use crate::issue::Issue;
use crate::issue::markdown::Correction;
use crate::live::Live;

/// Pages rendered at once. It is low because polling reads the same database.
const PAGES_AT_ONCE_MAX: usize = 2;

/// An issue as one page without external files.
pub fn standalone(issue: &Issue, corrections: &[Correction], home: Option<&str>) -> String {
    article::standalone(issue, corrections, home)
}

/// Binds the address.
///
/// # Errors
///
/// Returns an error if the address cannot be bound.
pub async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.with_context(|| {
        format!("listening on {listen} for the pages; [web] in the configuration has the address")
    })
}

/// Serves the pages until `stop` is cancelled, and then finishes the requests in progress.
pub async fn serve(listener: TcpListener, site: Site, stop: CancellationToken) {
    serve_at_rate(listener, site, ApiAllowance::default(), stop).await;
}

/// The same with another rate limit of the API.
pub async fn serve_at_rate(
    listener: TcpListener,
    site: Site,
    rate: ApiAllowance,
    stop: CancellationToken,
) {
    info!("the pages are at {}", site.home);
    serve::serve(listener, router(site, rate, None), serve::LIMITS, &stop).await;
}

/// The same with the editors' desk.
pub async fn serve_with_desk(
    listener: TcpListener,
    site: Site,
    live: Arc<Live>,
    stop: CancellationToken,
) {
    info!("the pages are at {}", site.home);
    let router = router(site, ApiAllowance::default(), Some(live));
    serve::serve(listener, router, serve::LIMITS, &stop).await;
}

fn router(site: Site, rate: ApiAllowance, live: Option<Arc<Live>>) -> Router {
    let served = Served {
        site: Arc::new(site),
        seats: Arc::new(Semaphore::new(PAGES_AT_ONCE_MAX)),
        numbers: Arc::default(),
        subsystem_files: Arc::default(),
        live: live.clone(),
    };
    let mail_pages = match served.site.mail {
        Some(_) => mail::routes(),
        None => Router::new(),
    };
    let pages = Router::new()
        .route("/", get(front::front))
        .route("/issues", get(pages::archive))
        .route("/issues/{number}", get(pages::issue))
        .route("/story/{id}", get(story::story))
        .route("/stories", get(lists::all))
        .route("/person/{name}", get(lists::person))
        .route("/tree/{name}", get(lists::tree))
        .route("/folder/{*name}", get(lists::folder))
        .route("/subsystem/{name}", get(subsystems::subsystem))
        .route(links::SUBSYSTEMS, get(subsystems::all))
        .route("/search", get(lists::search))
        .nest("/api", api::router(&served, rate))
        .route(cycle::CYCLE, get(cycle::cycle))
        .route("/cycle.ics", get(cycle::calendar))
        .route("/stats", get(numbers::numbers))
        .route("/issues.atom", get(atom::issues))
        .route("/stories.atom", get(atom::stories))
        .route("/style.css", get(pages::style))
        .route("/icon.svg", get(pages::icon))
        .route("/pictures/{file}", get(pictures::picture))
        .route("/robots.txt", get(pages::robots))
        .route("/healthz", get(metrics::healthz))
        .route("/metrics", get(metrics::metrics))
        .fallback(pages::nothing)
        .layer(axum::middleware::from_fn_with_state(
            served.clone(),
            answer::limit_concurrency,
        ))
        // A form may arrive slowly, and must keep nobody from the pages meanwhile.
        .merge(mail_pages)
        .with_state(served.clone());
    // The desk is for a few people, so no reader waits for their uploads.
    let pages = match live {
        Some(live) => pages.merge(desk::router(served, live)),
        None => pages,
    };
    pages
        .layer(axum::middleware::map_response(answer::add_security_headers))
        .layer(axum::middleware::from_fn(validate::validate))
}
