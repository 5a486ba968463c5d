//! Ctrl-C: the first stops and cleans up, the second leaves at once and says what is left.

use loopdrill_faults::journal;
use loopdrill_model::ExitStatus;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that the first SIGINT or SIGTERM cancels. The second ends the process.
pub(crate) fn token() -> std::io::Result<CancellationToken> {
    let (mut int, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let cancel = token.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = int.recv() => {}
                _ = term.recv() => {}
            }
        };
        next().await;
        eprintln!("\ninterrupted: undoing and cleaning up; once more to leave now");
        cancel.cancel();
        next().await;
        leave_now();
    });
    Ok(token)
}

fn leave_now() -> ! {
    let dirty = journal::list(&journal::state_dir()).unwrap_or_default();
    eprintln!("left at once.");
    for path in &dirty {
        eprintln!("  {} lists changes that may be in force", path.display());
    }
    if !dirty.is_empty() {
        eprintln!(
            "Faults on nodes end by themselves within their deadline; `loopdrill undo` removes the rest."
        );
    }
    eprintln!("`loopdrill lab list` shows labs that are left, `loopdrill lab down --name NAME` removes one.");
    std::process::exit(i32::from(ExitStatus::Interrupted.code()))
}
