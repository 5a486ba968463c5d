//! Holding a change on the node, so that it ends whatever happens to the harness.
//!
//! Invariants:
//! - the state file (the change with its snapshot) is on disk before anything is touched, and is removed only
//!   after the restoration was verified;
//! - the change is in force only while the unit `loopdrill-ID` is: its end, however it comes, runs
//!   `loopdrill node restore ID` (`ExecStopPost=`);
//! - the holder ends on silence of the heartbeat; the service manager ends it at the deadline.

use super::{
    error::{StepError, run},
    held::Held,
};
use nix::{
    fcntl::{Flock, FlockArg},
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, UnixAddr, sendto, socket},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::{
        fd::AsRawFd,
        unix::{fs::OpenOptionsExt, net::UnixDatagram},
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// Survives a restart of the node, as a changed file does.
const STATE: &str = "/var/lib/loopdrill";
/// Sockets of the holders.
const RUN: &str = "/run/loopdrill";
/// The harness needs a moment between the start of the holder and its first beat.
const FIRST_BEAT: Duration = Duration::from_secs(20);
/// Datagrams to the holder.
const BEAT: &[u8] = b"+";
const END: &[u8] = b"-";

/// Hands the change to the service manager and waits until it is in force.
pub(super) fn start(id: &str, held: &Held) -> Result<(), StepError> {
    write_state(id, held)?;
    let own = std::env::current_exe().map_err(StepError::io("/proc/self/exe"))?;
    let own = own.to_string_lossy();
    let argv = [
        "systemd-run".to_owned(),
        "--quiet".into(),
        "--collect".into(),
        format!("--unit={}", unit(id)),
        format!("--description=loopdrill holds a fault ({id})"),
        "--service-type=notify".into(),
        format!("--property=RuntimeMaxSec={}", held.limits.deadline_s),
        "--property=TimeoutStartSec=60".into(),
        "--property=TimeoutStopSec=60".into(),
        "--property=Restart=no".into(),
        format!("--property=ExecStopPost={own} node restore {id}"),
        own.clone().into_owned(),
        "node".into(),
        "hold".into(),
        id.into(),
    ];
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let started = run(&argv, None);
    if started.is_ok() && is_active(id) {
        return Ok(());
    }
    // The service manager has restored already; its own message says less than the holder's.
    let words = fs::read_to_string(error_file(id)).unwrap_or_default();
    let failure = match started {
        Err(other) if words.is_empty() => other,
        _ => StepError::Unfit(format!("the holder {} ended at once: {words}", unit(id))),
    };
    match undo(id, held) {
        Ok(()) => Err(failure),
        Err(also) => Err(StepError::Unfit(format!("{failure}; and it could not be taken back: {also}"))),
    }
}

/// The unit's main process: applies the steps, says so, and waits for the end of the heartbeat.
pub(super) fn hold(id: &str) -> Result<(), StepError> {
    let work = || {
        let held =
            read_state(id)?.ok_or_else(|| StepError::Unfit(format!("there is no state file for {id}")))?;
        let socket = listen(id)?;
        for planned in &held.steps {
            let step = planned.saved();
            step.apply()?;
            if step.read()?.is_none() {
                return Err(StepError::Unfit(format!("the kernel does not show it after: {step}")));
            }
        }
        notify_ready()?;
        wait_for_silence(&socket, Duration::from_secs(held.limits.heartbeat_s))
    };
    work().inspect_err(|error| {
        let _ = fs::write(error_file(id), error.to_string());
    })
}

/// The unit's stop command: restores from the state file. Without one there is nothing to restore.
pub(super) fn restore(id: &str) -> Result<(), StepError> {
    let _lock = lock()?;
    let _ = fs::remove_file(socket_file(id));
    if let Some(held) = read_state(id)? {
        restore_verified(id, &held)?;
    }
    let _ = fs::remove_dir(RUN);
    Ok(())
}

/// Ends the unit and restores by the harness's own copy of the change.
pub(super) fn undo(id: &str, held: &Held) -> Result<(), StepError> {
    if is_loaded(id) {
        let stopped = run(&["systemctl", "stop", &unit(id)], None);
        // One that had just ended by itself may be forgotten between the question and the stop.
        if is_loaded(id) {
            stopped?;
        }
    }
    let _lock = lock()?;
    restore_verified(id, held)?;
    tidy(id);
    Ok(())
}

fn restore_verified(id: &str, held: &Held) -> Result<(), StepError> {
    held.restore()?;
    let differences = held.differences()?;
    if !differences.is_empty() {
        return Err(StepError::foreign("what was restored", differences.join("; ")));
    }
    remove_state(id)
}

/// Passes the harness's heartbeat on to the holder, byte by byte; the end of input ends the change.
pub(super) fn beat(id: &str) -> Result<(), StepError> {
    let path = socket_file(id);
    let socket = UnixDatagram::unbound().map_err(StepError::io(&path))?;
    let send = |message: &[u8]| socket.send_to(message, &path).map(drop).map_err(StepError::io(&path));
    let mut buffer = [0; 64];
    loop {
        match io::stdin().read(&mut buffer) {
            Ok(0) => return send(END),
            Ok(_) => send(BEAT)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return send(END).and(Err(StepError::io("standard input")(error))),
        }
    }
}

fn listen(id: &str) -> Result<UnixDatagram, StepError> {
    let path = socket_file(id);
    fs::create_dir_all(RUN).map_err(StepError::io(RUN))?;
    let _ = fs::remove_file(&path);
    UnixDatagram::bind(&path).map_err(StepError::io(&path))
}

fn wait_for_silence(socket: &UnixDatagram, patience: Duration) -> Result<(), StepError> {
    let mut buffer = [0; 1];
    let mut timeout = patience.max(FIRST_BEAT);
    loop {
        socket.set_read_timeout(Some(timeout)).map_err(StepError::io(RUN))?;
        match socket.recv(&mut buffer) {
            Ok(1) if buffer == *BEAT => timeout = patience,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => return Ok(()),
        }
    }
}

/// Tells the service manager that the change is in force.
fn notify_ready() -> Result<(), StepError> {
    let Ok(path) = std::env::var("NOTIFY_SOCKET") else { return Ok(()) };
    let send = || -> nix::Result<()> {
        let address = match path.strip_prefix('@') {
            Some(name) => UnixAddr::new_abstract(name.as_bytes())?,
            None => UnixAddr::new(path.as_str())?,
        };
        let fd = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
        sendto(fd.as_raw_fd(), b"READY=1", &address, MsgFlags::empty()).map(drop)
    };
    send().map_err(|errno| StepError::io(&path)(errno.into()))
}

fn unit(id: &str) -> String {
    format!("loopdrill-{id}.service")
}

fn is_active(id: &str) -> bool {
    run(&["systemctl", "is-active", "--quiet", &unit(id)], None).is_ok()
}

fn is_loaded(id: &str) -> bool {
    let shown = run(&["systemctl", "show", "--property=LoadState", "--value", &unit(id)], None);
    shown.is_ok_and(|state| state.trim() != "not-found")
}

fn state_file(id: &str) -> PathBuf {
    Path::new(STATE).join(format!("{id}.json"))
}

fn error_file(id: &str) -> PathBuf {
    Path::new(RUN).join(format!("{id}.error"))
}

fn socket_file(id: &str) -> PathBuf {
    Path::new(RUN).join(format!("{id}.socket"))
}

/// Two restorations at once (the stop command and an undo) must not mix. The lock is on this binary itself, so
/// that no file is left behind.
fn lock() -> Result<Flock<File>, StepError> {
    let path = "/proc/self/exe";
    let file = File::open(path).map_err(StepError::io(path))?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| StepError::io(path)(errno.into()))
}

/// What the holder left beside its state: its socket, its last words, and their folder.
fn tidy(id: &str) {
    let _ = fs::remove_file(socket_file(id));
    let _ = fs::remove_file(error_file(id));
    let _ = fs::remove_dir(RUN);
}

fn write_state(id: &str, held: &Held) -> Result<(), StepError> {
    let (path, new) = (state_file(id), state_file(id).with_extension("new"));
    let put = || {
        fs::create_dir_all(STATE)?;
        if path.exists() {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec(held).expect("plain data serialises"))?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(STATE)?.sync_all()
    };
    put().map_err(StepError::io(&path))
}

fn read_state(id: &str) -> Result<Option<Held>, StepError> {
    let path = state_file(id);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StepError::io(&path)(error)),
    };
    let held = serde_json::from_slice(&text);
    held.map(Some)
        .map_err(|e| StepError::Unfit(format!("{} is not a state file of this version: {e}", path.display())))
}

fn remove_state(id: &str) -> Result<(), StepError> {
    match fs::remove_file(state_file(id)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StepError::io(state_file(id))(error)),
        _ => {
            // The directory goes with its last file; another change may still need it.
            let _ = fs::remove_dir(STATE);
            Ok(())
        }
    }
}
