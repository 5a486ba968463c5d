//! Who made a container: a process, named so that it cannot be confused with a later one of the same number.

use std::fs;

/// This process, as `pid:start:boot:namespace`.
#[must_use]
pub fn current() -> String {
    of(std::process::id())
}

/// The process of that number, likewise; never alive where there is no such process.
#[must_use]
pub fn of(pid: u32) -> String {
    format!("{pid}:{}:{}:{}", start_of(pid).unwrap_or_default(), boot(), namespace())
}

/// Whether the process that `owner` names may still live. What cannot be judged from here (another machine,
/// another process namespace) is taken for alive: a sweep must never hit a stranger.
#[must_use]
pub fn alive(owner: &str) -> bool {
    let mut parts = owner.split(':');
    let (Some(pid), Some(start), Some(booted), Some(space)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return true;
    };
    if booted != boot() {
        // After a restart of this machine no process is left; on another machine nobody can tell.
        return !same_machine_restarted(booted);
    }
    if space != namespace() {
        return true;
    }
    let Ok(pid) = pid.parse::<u32>() else { return true };
    start_of(pid).is_some_and(|found| found == start)
}

/// Remembers this boot, so that an owner from an earlier boot of this same machine is known to be gone.
fn same_machine_restarted(booted: &str) -> bool {
    let file = crate::state::dir().join("boots");
    fs::read_to_string(file).is_ok_and(|known| known.lines().any(|line| line == booted))
}

/// Notes the present boot in the state folder; called whenever something is created.
pub(crate) fn remember_boot() -> std::io::Result<()> {
    let (file, boot) = (crate::state::dir().join("boots"), boot());
    let known = fs::read_to_string(&file).unwrap_or_default();
    if known.lines().any(|line| line == boot) {
        return Ok(());
    }
    let recent: Vec<_> = known.lines().rev().take(50).collect();
    let text: String =
        recent.into_iter().rev().chain([boot.as_str()]).map(|line| format!("{line}\n")).collect();
    fs::write(file, text)
}

/// The process that started a process, while both live.
#[must_use]
pub fn parent_of(pid: u32) -> Option<u32> {
    fields_of(pid)?.get(1)?.parse().ok().filter(|parent| *parent > 0)
}

/// Clock ticks between boot and the start of a process; absent when there is no such process, or only its corpse.
fn start_of(pid: u32) -> Option<String> {
    fields_of(pid)?.into_iter().nth(19)
}

/// What the kernel tells of a process, from its state on.
fn fields_of(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything, spaces and brackets included, so count from its end.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
    (fields.first()? != "Z").then_some(fields)
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().replace('-', "")
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().replace(':', "-"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives() {
        assert!(alive(&current()));
    }

    #[test]
    fn the_parent_of_this_process_lives() {
        let parent = parent_of(std::process::id()).expect("somebody started it");
        assert_eq!(parent, std::os::unix::process::parent_id());
        assert_eq!(parent_of(u32::MAX), None);
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let mine = current();
        let mut parts: Vec<_> = mine.split(':').collect();
        parts[1] = "1";
        assert!(!alive(&parts.join(":")));
    }

    #[test]
    fn a_dead_child_is_dead() {
        let mut child = std::process::Command::new("true").spawn().expect("`true` starts");
        let owner = format!("{}:{}:{}:{}", child.id(), "1", boot(), namespace());
        child.wait().expect("`true` ends");
        assert!(!alive(&owner));
    }

    #[test]
    fn strangers_are_never_judged_dead() {
        assert!(alive("1:1:another-boot:pid-1"));
        assert!(alive("nonsense"));
    }
}
