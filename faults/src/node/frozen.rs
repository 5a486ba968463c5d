//! A process that stands still for as long as another thread traces it: the kernel lets it go on when that thread ends,
//! however it ends.

use nix::{
    errno::Errno,
    sys::{
        ptrace,
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{collections::BTreeSet, fs, io, sync::mpsc, thread};

/// Why a process does not stand still.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FreezeError {
    #[error("there is no process {0} beside the node's first one")]
    NoProcess(&'static str),
    #[error("the kernel does not let thread {thread} of process {pid} be stopped: {why}")]
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
    pub(crate) fn freeze(pid: i32) -> Result<Self, FreezeError> {
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
        told.recv().map_err(|_| FreezeError::Died)??;
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
pub(crate) fn process_of_node(name: &'static str) -> Result<i32, FreezeError> {
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
    Err(FreezeError::NoProcess(name))
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
fn stop_all(pid: i32) -> Result<(), FreezeError> {
    let mut seen = BTreeSet::new();
    loop {
        let new: Vec<i32> = threads(pid)?.into_iter().filter(|thread| !seen.contains(thread)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for thread in new {
            stop(Pid::from_raw(thread)).map_err(|why| FreezeError::Refused { pid, thread, why })?;
            seen.insert(thread);
        }
    }
}

fn stop(thread: Pid) -> Result<(), Errno> {
    let stopped = ptrace::seize(thread, ptrace::Options::empty())
        .and_then(|()| ptrace::interrupt(thread))
        .and_then(|()| waitpid(thread, Some(WaitPidFlag::__WALL)));
    match stopped {
        Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) | Err(Errno::ESRCH | Errno::ECHILD) => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::{Child, Command, Stdio},
        time::{Duration, Instant},
    };

    /// A process of a few threads.
    struct Running(Child);

    impl Running {
        fn start() -> Self {
            let script = "import threading,time\n\
                          for _ in range(4): threading.Thread(target=lambda: [time.sleep(0.01) for _ in iter(int, 1)]).start()";
            let child = Command::new("python3").args(["-c", script]).stdout(Stdio::null()).spawn();
            let running = Self(child.expect("python3 runs"));
            running.until("five threads", || threads(running.pid()).is_ok_and(|t| t.len() == 5));
            running
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
            self.0.wait().expect("it is ours");
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
}
