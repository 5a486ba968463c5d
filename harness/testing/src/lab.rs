//! One lab for all test targets of one `cargo test`.
//!
//! They are processes that cargo starts one after the other, so none of them can own the lab. It belongs to cargo, to the
//! outermost where one is started by another's test: it is named after that process, whoever needs it first makes it, and
//! a guard (this program again, in the background) takes it down when cargo is gone, however it went. A target that was
//! started by hand owns its lab itself. `LOOPDRILL_TEST_LAB=NAME` uses a lab that stays, and makes it where it is missing.

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

/// How long another target may have the lab, or take to build it.
pub(crate) const TURN: Duration = Duration::from_secs(20 * 60);
/// Tells this program to be a guard: `OWNER LAB`.
const GUARD: &str = "LOOPDRILL_LAB_GUARD";
/// What names of labs for tests begin with.
const PREFIX: &str = "test-";

/// Why no drill can be run.
#[derive(Debug, Clone)]
pub(crate) enum Unready {
    /// This machine lacks something.
    Lacking(String),
    /// Something that should work does not.
    Broken(String),
}

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
    pub(crate) async fn enter(binary: PathBuf, cancel: &CancellationToken) -> Result<Self, Unready> {
        let (name, owner, lifetime) = whose();
        let lease = wait_for_turn(&name, cancel).await?;
        let lab = match Lab::attach(&name).await {
            Ok(mut lab) => lab.refresh(&binary).await.map(|()| lab),
            Err(LabError::NotFound { .. }) => {
                if lifetime != Lifetime::Users {
                    spawn_guard(&owner, &name)
                        .map_err(|e| Unready::Broken(format!("cannot start a guard: {e}")))?;
                }
                make(&name, binary, cancel).await
            }
            Err(e) => Err(e),
        }?;
        Ok(Self { lab, lease, lifetime })
    }

    /// Lets the next target in.
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
    let (pid, lifetime) = match outermost_cargo() {
        Some(cargo) => (cargo, Lifetime::Cargos),
        None => (std::process::id(), Lifetime::Ours),
    };
    let owner = owner::of(pid);
    // Number and start: a process that has the number later has another lab.
    let mut parts = owner.split(':').take(2);
    let name = format!("{PREFIX}{}-{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    (name, owner, lifetime)
}

/// The cargo for which this process works.
fn outermost_cargo() -> Option<u32> {
    let is_cargo = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|command| command.starts_with("cargo"))
    };
    std::iter::successors(Some(parent_id()), |pid| owner::parent_of(*pid)).filter(is_cargo).last()
}

/// The `loopdrill` that goes onto the nodes and into the pods: what `LOOPDRILL_BIN` names (an optimised one, say), what
/// the test names, or what a shell would find.
pub(crate) fn binary(named: Option<PathBuf>) -> Result<PathBuf, Unready> {
    let set = env::var_os("LOOPDRILL_BIN").filter(|b| !b.is_empty()).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = || env::split_paths(&path).map(|dir| dir.join("loopdrill")).find(|file| file.is_file());
    set.or(named).or_else(on_path).ok_or_else(|| {
        Unready::Lacking("there is no `loopdrill` on PATH; install it, or name one in LOOPDRILL_BIN".into())
    })
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

async fn make(name: &str, binary: PathBuf, cancel: &CancellationToken) -> Result<Lab, LabError> {
    loopdrill_lab::sweep().await?;
    // Libtest's format has no place for progress; standard error has.
    let progress: Progress = Arc::new(|line: &str| eprintln!("  lab: {line}"));
    let options = UpOptions {
        node_image: env::var("LOOPDRILL_NODE_IMAGE").ok().filter(|i| !i.is_empty()),
        binary,
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
        // Cargo may go first when both are interrupted; the target still cleans up then.
        let _lease = wait_for_turn(name, &CancellationToken::new()).await.ok();
        Lab::down(name).await
    });
    Some(if removed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
