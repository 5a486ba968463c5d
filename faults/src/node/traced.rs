//! Processes that another process traces: one stands still, or its syncs to disk take longer. The kernel lets it go on as before
//! when the tracing thread ends, however that ends.

use nix::{
    errno::Errno,
    sys::{
        ptrace,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// Why a process is not traced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    #[error("there is no process {0} beside the node's first one")]
    NoProcess(&'static str),
    #[error("no process of the node has a log of etcd open (…/member/wal/*.wal)")]
    NoEtcd,
    #[error("{} processes of the node have a log of etcd open, and which is the cluster's is not known", .0.len())]
    SeveralEtcds(Vec<i32>),
    #[error("the kernel does not let thread {thread} of process {pid} be traced: {why}")]
    Refused { pid: i32, thread: i32, why: Errno },
    #[error("reading /proc: {0}")]
    Proc(#[from] io::Error),
    #[error("its tracer died")]
    Died,
}

/// A process that stands still until this is dropped.
#[derive(Debug)]
pub(crate) struct Frozen {
    pid: i32,
    tracer: Option<(mpsc::Sender<()>, thread::JoinHandle<()>)>,
}

impl Frozen {
    /// Stops all threads of the process.
    pub(crate) fn freeze(pid: i32) -> Result<Self, TraceError> {
        let (release, released) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let tracer = thread::spawn(move || {
            let stopped = stop_all(pid);
            let holds = stopped.is_ok();
            if tell.send(stopped).is_ok() && holds {
                // Until the other end is dropped.
                let _ = released.recv();
            }
        });
        told.recv().map_err(|_| TraceError::Died)??;
        Ok(Self { pid, tracer: Some((release, tracer)) })
    }

    /// How many of its threads are stopped by a tracer, and how many there are.
    pub(crate) fn stopped(&self) -> io::Result<(usize, usize)> {
        let threads = threads(self.pid)?;
        let stopped = threads.iter().filter(|thread| is_traced(self.pid, **thread)).count();
        Ok((stopped, threads.len()))
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Some((release, tracer)) = self.tracer.take() {
            drop(release);
            let _ = tracer.join();
        }
    }
}

/// The process of this name in the process namespace of the node's first one: in a node that is a container of a machine, the
/// machine has such processes, too.
pub(crate) fn process_of_node(name: &'static str) -> Result<i32, TraceError> {
    let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let of_node = space("1");
    for entry in fs::read_dir("/proc")? {
        let entry = entry?.file_name();
        let Some(pid) = entry.to_str().filter(|pid| pid.parse::<i32>().is_ok()) else { continue };
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        if comm.trim_end() == name && space(pid) == of_node {
            return Ok(pid.parse().expect("it is a number"));
        }
    }
    Err(TraceError::NoProcess(name))
}

/// The process that writes etcd's log, whatever it is called: etcd itself, or what has it built in.
pub(crate) fn etcd_of_node() -> Result<i32, TraceError> {
    let is_log = |fd: io::Result<fs::DirEntry>| {
        let file = fd.and_then(|fd| fs::read_link(fd.path())).unwrap_or_default();
        let in_log = file.parent().is_some_and(|folder| folder.ends_with("member/wal"));
        in_log && file.extension().is_some_and(|ending| ending == "wal")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has just ended has no files.
        if fs::read_dir(format!("/proc/{pid}/fd")).is_ok_and(|mut fds| fds.any(is_log)) {
            found.push(pid);
        }
    }
    match found[..] {
        [] => Err(TraceError::NoEtcd),
        [pid] => Ok(pid),
        _ => Err(TraceError::SeveralEtcds(found)),
    }
}

fn threads(pid: i32) -> io::Result<Vec<i32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?.collect::<Result<Vec<_>, _>>()?;
    Ok(entries.iter().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

fn is_traced(pid: i32, thread: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('t'))
}

/// Stops the threads, and those that they had begun meanwhile: who stands still begins none.
fn stop_all(pid: i32) -> Result<(), TraceError> {
    let mut seen = BTreeSet::new();
    loop {
        let new: Vec<i32> = threads(pid)?.into_iter().filter(|thread| !seen.contains(thread)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for thread in new {
            stop(Pid::from_raw(thread), ptrace::Options::empty()).map_err(|why| TraceError::Refused {
                pid,
                thread,
                why,
            })?;
            seen.insert(thread);
        }
    }
}

fn stop(thread: Pid, options: ptrace::Options) -> Result<(), Errno> {
    let stopped = ptrace::seize(thread, options)
        .and_then(|()| ptrace::interrupt(thread))
        .and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)));
    match stopped {
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ESRCH | Errno::ECHILD) => Ok(()),
        other => other.map(drop),
    }
}

/// How often new threads are looked for.
const LOOK: Duration = Duration::from_millis(100);

/// A process whose syncs to disk take longer, until this process ends: each of its threads has a thread here that traces it.
#[derive(Debug)]
pub(crate) struct Delayed {
    pid: i32,
    syncs: Arc<AtomicU64>,
}

impl Delayed {
    /// Lets each `fsync` and `fdatasync` of the process begin so much later.
    pub(crate) fn delay(pid: i32, by: Duration) -> Result<Self, TraceError> {
        let syncs = Arc::new(AtomicU64::new(0));
        let mut tracers = Tracers { pid, by, syncs: Arc::clone(&syncs), of: BTreeMap::new() };
        tracers.trace_new()?;
        thread::spawn(move || {
            while Path::new(&format!("/proc/{pid}")).exists() {
                thread::sleep(LOOK);
                // A thread that cannot be traced is one that has just ended.
                let _ = tracers.trace_new();
            }
        });
        Ok(Self { pid, syncs })
    }

    /// How many of its threads are traced, and how many there are.
    pub(crate) fn traced(&self) -> io::Result<(usize, usize)> {
        let threads = threads(self.pid)?;
        let traced = threads.iter().filter(|thread| has_tracer(self.pid, **thread)).count();
        Ok((traced, threads.len()))
    }

    /// How many syncs have begun later.
    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }
}

fn has_tracer(pid: i32, thread: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/task/{thread}/status")).unwrap_or_default();
    status.lines().filter_map(|line| line.strip_prefix("TracerPid:")).any(|tracer| tracer.trim() != "0")
}

/// The threads that trace, by the thread that each traces.
struct Tracers {
    pid: i32,
    by: Duration,
    syncs: Arc<AtomicU64>,
    of: BTreeMap<i32, thread::JoinHandle<()>>,
}

impl Tracers {
    /// Traces the threads that are not traced yet.
    fn trace_new(&mut self) -> Result<(), TraceError> {
        // Numbers of threads come again.
        self.of.retain(|_, tracer| !tracer.is_finished());
        for thread in
            threads(self.pid)?.into_iter().filter(|thread| !self.of.contains_key(thread)).collect::<Vec<_>>()
        {
            let (tell, told) = mpsc::channel();
            let (pid, by, syncs) = (self.pid, self.by, Arc::clone(&self.syncs));
            let tracer = thread::spawn(move || {
                let at = Pid::from_raw(thread);
                let stopped = stop(at, ptrace::Options::PTRACE_O_TRACESYSGOOD);
                let calls = File::open(format!("/proc/{pid}/task/{thread}/syscall"));
                let traces = stopped.is_ok();
                if tell.send(stopped).is_ok()
                    && traces
                    && let Ok(calls) = calls
                {
                    delay_syncs(at, &calls, by, &syncs);
                }
            });
            self.of.insert(thread, tracer);
            let pid = self.pid;
            told.recv().map_err(|_| TraceError::Died)?.map_err(|why| TraceError::Refused {
                pid,
                thread,
                why,
            })?;
        }
        Ok(())
    }
}

/// Lets the thread go from one system call to the next until it ends, and holds it for a while before each sync.
fn delay_syncs(thread: Pid, calls: &File, by: Duration, syncs: &AtomicU64) {
    let (mut signal, mut in_sync) = (None, false);
    while ptrace::syscall(thread, signal.take()).is_ok() {
        let stopped = loop {
            match waitpid(thread, Some(WaitPidFlag::__WALL)) {
                Err(Errno::EINTR) => {}
                other => break other,
            }
        };
        match stopped {
            // A call stops when it begins and when it is over.
            Ok(WaitStatus::PtraceSyscall(_)) => {
                let begins = !in_sync && is_sync(calls);
                if begins {
                    syncs.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(by);
                }
                in_sync = begins;
            }
            Ok(WaitStatus::Stopped(_, other)) => signal = Some(other),
            Ok(WaitStatus::PtraceEvent(..)) => {}
            _ => return,
        }
    }
}

/// Whether the call in which a stopped thread is, by its number, is a sync.
fn is_sync(calls: &File) -> bool {
    let mut text = [0; 24];
    let read = calls.read_at(&mut text, 0).unwrap_or_default();
    let number = text[..read].split(|byte| *byte == b' ').next().and_then(|word| str::from_utf8(word).ok());
    let number = number.and_then(|word| word.parse::<i64>().ok());
    number.is_some_and(|number| {
        [nix::libc::SYS_fsync, nix::libc::SYS_fdatasync].map(i64::from).contains(&number)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::{Child, Command, Stdio},
        time::Instant,
    };

    /// A process of a few threads.
    struct Running(Child);

    impl Running {
        fn start() -> Self {
            let script = "import threading,time\n\
                          for _ in range(4): threading.Thread(target=lambda: [time.sleep(0.01) for _ in iter(int, 1)]).start()";
            let running = Self::python(script, &[]);
            running.until("five threads", || threads(running.pid()).is_ok_and(|t| t.len() == 5));
            running
        }

        fn python(script: &str, args: &[&str]) -> Self {
            let child = Command::new("python3").args(["-c", script]).args(args).stdout(Stdio::null()).spawn();
            Self(child.expect("python3 runs"))
        }

        fn pid(&self) -> i32 {
            i32::try_from(self.0.id()).expect("a process id")
        }

        fn is_stopped(&self) -> usize {
            threads(self.pid()).expect("it lives").iter().filter(|t| is_traced(self.pid(), **t)).count()
        }

        fn until(&self, what: &str, holds: impl Fn() -> bool) {
            let end = Instant::now() + Duration::from_secs(60);
            while !holds() {
                assert!(Instant::now() < end, "{what}");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.kill().expect("it is ours");
            // Its tracer, a thread of this process, may have waited for its end already.
            let _ = self.0.wait();
        }
    }

    #[test]
    fn all_threads_stand_still_until_it_is_dropped() {
        let process = Running::start();
        let frozen = Frozen::freeze(process.pid()).expect("it is ours");
        assert_eq!(frozen.stopped().expect("it lives"), (5, 5));
        assert_eq!(process.is_stopped(), 5);
        drop(frozen);
        process.until("all run again", || process.is_stopped() == 0);
    }

    #[test]
    fn what_is_killed_in_its_sleep_is_gone() {
        let process = Running::start();
        let frozen = Frozen::freeze(process.pid()).expect("it is ours");
        nix::sys::signal::kill(Pid::from_raw(process.pid()), nix::sys::signal::SIGKILL).expect("it is ours");
        process.until("no thread is left that runs", || {
            frozen.stopped().map_or(true, |(stopped, _)| stopped == 0)
        });
    }

    #[test]
    fn what_is_not_there_or_not_ours_is_refused() {
        let why = Frozen::freeze(i32::MAX).expect_err("there is none").to_string();
        assert!(why.contains("/proc"), "{why}");
        let why = process_of_node("no-such-name").expect_err("there is none").to_string();
        assert!(why.contains("no-such-name"), "{why}");
        // Nobody traces himself.
        let own = i32::try_from(std::process::id()).expect("a process id");
        let why = Frozen::freeze(own).expect_err("it is the tracer's own").to_string();
        assert!(why.contains("EPERM"), "{why}");
    }

    /// Writes to the file of its first argument and syncs it, and tells in the second how many milliseconds each sync took. After
    /// ten of them, another thread does the next ones.
    const SYNCS: &str = r"
import os, sys, threading, time
log, told = (os.open(path, os.O_CREAT | os.O_WRONLY) for path in sys.argv[1:])
def ten():
    time.sleep(0.3)
    for _ in range(10):
        os.write(log, b'.')
        began = time.monotonic()
        os.fdatasync(log)
        os.write(told, b'%d\n' % ((time.monotonic() - began) * 1000))
while True:
    thread = threading.Thread(target=ten)
    thread.start()
    thread.join()
";

    #[test]
    fn each_sync_of_any_thread_is_counted_and_begins_later() {
        const BY: Duration = Duration::from_millis(50);
        let dir = tempfile::tempdir().expect("a folder");
        let (log, told) = (dir.path().join("log"), dir.path().join("told"));
        let process = Running::python(SYNCS, &[&log.to_string_lossy(), &told.to_string_lossy()]);
        let times = || {
            let text = fs::read_to_string(&told).unwrap_or_default();
            text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u64>>()
        };
        process.until("some syncs", || times().len() > 10);
        let delayed = Delayed::delay(process.pid(), BY).expect("it is ours");
        process.until("syncs of three threads", || delayed.syncs() >= 25);
        process.until("the end of the last one", || {
            times().iter().filter(|ms| u128::from(**ms) >= BY.as_millis()).count() >= 25
        });
        let (traced, of) = delayed.traced().expect("it lives");
        assert!(traced > 0 && traced <= of, "{traced} of {of}");
    }

    #[test]
    fn etcd_is_who_has_its_log_open() {
        let dir = tempfile::tempdir().expect("a folder");
        let wal = dir.path().join("etcd/member/wal");
        fs::create_dir_all(&wal).expect("created");
        let log = wal.join("0000000000000000-0000000000000000.wal").display().to_string();
        let opens = "import sys,time; f = open(sys.argv[1], 'w'); print('', file=open(sys.argv[2], 'w')); time.sleep(600)";
        let told = dir.path().join("told");
        let process = Running::python(opens, &[&log, &told.display().to_string()]);
        process.until("an open log", || told.exists());
        match etcd_of_node() {
            Ok(found) => assert_eq!(found, process.pid()),
            // A machine with a lab on it has others.
            Err(TraceError::SeveralEtcds(found)) => assert!(found.contains(&process.pid()), "{found:?}"),
            Err(other) => panic!("{other}"),
        }
    }
}
