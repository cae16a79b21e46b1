//! Stopping in time, whatever is under way.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a stop may take in all; who runs services sends SIGKILL some time after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(9);
/// The exit status of an end that waits for nothing.
const BROKEN_OFF: i32 = 130;

/// A token that SIGINT (Ctrl-C) or SIGTERM cancels. A second signal ends the process at once, and so does a stop that takes
/// more than nine seconds: what was committed is not lost. Both are heard on a thread of their own, for all others may be
/// busy or blocked.
///
/// # Errors
///
/// When the signals cannot be listened to.
pub fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let (sender, listens) = mpsc::channel();
    let listener = std::thread::Builder::new().name("signals".to_owned());
    listener
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(listen(&token, &sender)),
                Err(error) => drop(sender.send(Err(error))),
            }
        })
        .context("starting a thread for signals")?;
    let listens = listens.recv().context("starting to listen to signals")?;
    listens.context("listening to SIGINT and SIGTERM")?;
    Ok(stop)
}

async fn listen(token: &CancellationToken, listens: &mpsc::Sender<std::io::Result<()>>) {
    let (mut interrupt, mut terminate) = match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        (Err(error), _) | (_, Err(error)) => return drop(listens.send(Err(error))),
    };
    let _ = listens.send(Ok(()));
    let mut heard = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    heard().await;
    token.cancel();
    let _ = tokio::time::timeout(STOP_MAX, heard()).await;
    std::process::exit(BROKEN_OFF);
}
