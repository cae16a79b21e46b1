//! Stopping on signals within a time limit.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The longest stop. Service managers send SIGKILL some time after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(9);
/// The exit status of a stop that waited for nothing.
const BROKEN_OFF: i32 = 130;

/// A token that SIGINT (Ctrl-C) or SIGTERM cancels. A second signal, or a stop longer than nine seconds, ends the
/// process at once; committed data is safe. Signals have their own thread because all others may be blocked.
///
/// # Errors
///
/// Returns an error if the signal handlers cannot be installed.
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
