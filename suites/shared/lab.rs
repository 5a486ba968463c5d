//! One lab for all suites of one `cargo test`.
//!
//! Suites are processes that cargo starts one after the other, so none of them can own the lab. It belongs to cargo:
//! it is named after that process, whoever needs it first makes it, and a guard (this program again, in the
//! background) takes it down when cargo is gone, however it went. A suite that was started by hand owns its lab
//! itself. `LOOPDRILL_TEST_LAB=NAME` uses a lab that stays, and makes it where it is missing.

use super::world::Unready;
use loopdrill_lab::{Lab, LabError, LabSpec, Progress, UpOptions, lease, owner};
use std::{
    env, fs,
    os::unix::process::{CommandExt, parent_id},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long another suite may have the lab, or take to build it.
const TURN: Duration = Duration::from_secs(20 * 60);
/// Tells this program to be a guard: `OWNER LAB`.
const GUARD: &str = "LOOPDRILL_SUITE_GUARD";
/// What names of labs for suites begin with.
const PREFIX: &str = "test-";

/// A lab, for this process alone until it is left.
pub(crate) struct SharedLab {
    pub(crate) lab: Lab,
    lease: lease::Lease,
    lifetime: Lifetime,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    /// It was named by the user, and stays.
    Users,
    /// Its guard takes it down when cargo ends.
    Cargos,
    /// It goes when this process leaves it.
    Ours,
}

impl SharedLab {
    /// Waits for the lab's turn, and makes the lab where it is missing.
    pub(crate) async fn enter(cancel: &CancellationToken) -> Result<Self, Unready> {
        let (name, owner, lifetime) = whose();
        let lease = wait_for_turn(&name, cancel).await?;
        let lab = match Lab::attach(&name).await {
            Ok(mut lab) => lab.refresh(&binary()).await.map(|()| lab),
            Err(LabError::NotFound { .. }) => {
                if lifetime != Lifetime::Users {
                    spawn_guard(&owner, &name)
                        .map_err(|e| Unready::Broken(format!("cannot start a guard: {e}")))?;
                }
                make(&name, cancel).await
            }
            Err(e) => Err(e),
        }?;
        Ok(Self { lab, lease, lifetime })
    }

    /// Lets the next suite in.
    pub(crate) async fn leave(self) -> Result<(), String> {
        let name = self.lease.name();
        let gone = self.lifetime != Lifetime::Ours || Lab::down(name).await.map_err(|e| e.to_string())?;
        if gone { Ok(()) } else { Err(format!("lab {name} was gone before it was left")) }
    }
}

impl From<LabError> for Unready {
    fn from(e: LabError) -> Self {
        match e {
            LabError::NoEngine { .. } | LabError::EngineDenied { .. } | LabError::EngineTooWeak { .. } => {
                Unready::Lacking(e.to_string())
            }
            other => Unready::Broken(other.to_string()),
        }
    }
}

/// The lab's name, the process that it must not outlive, and how it ends.
fn whose() -> (String, String, Lifetime) {
    if let Some(name) = env::var("LOOPDRILL_TEST_LAB").ok().filter(|n| !n.is_empty()) {
        return (name, String::new(), Lifetime::Users);
    }
    let parent = parent_id();
    let command = fs::read_to_string(format!("/proc/{parent}/comm")).unwrap_or_default();
    let (pid, lifetime) = match command.starts_with("cargo") {
        true => (parent, Lifetime::Cargos),
        false => (std::process::id(), Lifetime::Ours),
    };
    let owner = owner::of(pid);
    // Number and start: a process that has the number later has another lab.
    let mut parts = owner.split(':').take(2);
    let name = format!("{PREFIX}{}-{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (name, owner, lifetime)
}

/// The binary under test, which goes onto the nodes and into the pods: the one that cargo built for us, or another
/// one (an optimised one, say) that `LOOPDRILL_BIN` names.
fn binary() -> PathBuf {
    let named = env::var_os("LOOPDRILL_BIN").filter(|b| !b.is_empty());
    named.unwrap_or_else(|| env!("CARGO_BIN_EXE_loopdrill").into()).into()
}

async fn wait_for_turn(name: &str, cancel: &CancellationToken) -> Result<lease::Lease, Unready> {
    let deadline = Instant::now() + TURN;
    loop {
        match lease::exclusive(name) {
            Err(LabError::Busy { .. }) if Instant::now() < deadline && !cancel.is_cancelled() => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => return other.map_err(Unready::from),
        }
    }
}

async fn make(name: &str, cancel: &CancellationToken) -> Result<Lab, LabError> {
    loopdrill_lab::sweep().await?;
    // Libtest's format has no place for progress; standard error has.
    let progress: Progress = Arc::new(|line: &str| eprintln!("  lab: {line}"));
    let options = UpOptions {
        node_image: env::var("LOOPDRILL_NODE_IMAGE").ok().filter(|i| !i.is_empty()),
        binary: binary(),
        cancel: cancel.clone(),
        ..UpOptions::new(progress)?
    };
    Lab::up(&LabSpec::named(name), &options).await
}

/// Starts the guard in a process group of its own, so that Ctrl-C does not reach it.
fn spawn_guard(owner: &str, name: &str) -> std::io::Result<()> {
    let mut guard = Command::new(env::current_exe()?);
    guard.env(GUARD, format!("{owner} {name}")).process_group(0);
    guard.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    guard.spawn().map(drop)
}

/// The guard's `main`, when this process is one.
pub(crate) fn guard() -> Option<ExitCode> {
    let task = env::var(GUARD).ok()?;
    let (owner, name) = task.split_once(' ')?;
    while owner::alive(owner) {
        std::thread::sleep(Duration::from_millis(500));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let removed = runtime.block_on(async {
        // Cargo may go first when both are interrupted; the suite still cleans up then.
        let _lease = wait_for_turn(name, &CancellationToken::new()).await.ok();
        Lab::down(name).await
    });
    Some(if removed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
