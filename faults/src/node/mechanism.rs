//! What every mechanism does, dispatched by step. Runs on the node only.
//!
//! Each mechanism keeps the same rules: a snapshot refuses a foreign state; `restore` is idempotent and
//! touches only what still shows our value; what vanished together with its carrier (a device, a control
//! group) is restored already.

use super::{
    error::StepError,
    filter::Rule,
    step::{Before, Planned, Step},
    {block_io, file, filter, links, unit},
};

/// Reads what the step's undo will need.
pub(super) fn snapshot(step: Step) -> Result<Planned, StepError> {
    let before = match &step {
        Step::LinkMtu { link, mtu } => links::mtu::snapshot(link, *mtu),
        Step::VxlanDf { link, on } => links::df::snapshot(link, *on),
        Step::RouteMtu { peer, .. } => links::route::snapshot(*peer),
        Step::DropFragNeeded { tag } => filter::snapshot(tag, &Rule::FragNeeded),
        Step::DropOutgoing { tag, link, percent } => filter::snapshot(tag, &outgoing(link, *percent)),
        Step::BlockWrites { cgroup, device, .. } => block_io::snapshot(cgroup, device),
        Step::StopUnit { unit } => unit::snapshot(unit),
        Step::File { path, .. } => file::snapshot(path),
    }?;
    Ok(Planned { step, before })
}

/// Puts the step in force.
pub(super) fn apply(planned: &Planned) -> Result<(), StepError> {
    match (&planned.step, &planned.before) {
        (Step::LinkMtu { link, mtu }, Before::Mtu { .. }) => links::mtu::set(link, *mtu),
        (Step::VxlanDf { link, on }, Before::Df { .. }) => links::df::set(link, u8::from(*on)),
        (Step::RouteMtu { peer, mtu }, Before::Path { dev, via, src }) => {
            links::route::add(*peer, *mtu, dev, *via, *src)
        }
        (Step::DropFragNeeded { tag }, Before::NoFilter { tool }) => {
            filter::apply(*tool, tag, &Rule::FragNeeded)
        }
        (Step::DropOutgoing { tag, link, percent }, Before::NoFilter { tool }) => {
            filter::apply(*tool, tag, &outgoing(link, *percent))
        }
        (Step::BlockWrites { cgroup, device, write_iops }, Before::NoLimit { without_io, .. }) => {
            block_io::apply(cgroup, device, *write_iops, without_io)
        }
        (Step::StopUnit { unit }, Before::Active) => unit::stop(unit),
        (Step::File { path, content }, Before::File(_)) => file::write(path, &content.0),
        _ => Err(mismatch(planned)),
    }
}

/// Reads the step back from the kernel: what shows it to be in force, or `None`.
pub(super) fn read(planned: &Planned) -> Result<Option<String>, StepError> {
    match (&planned.step, &planned.before) {
        (Step::LinkMtu { link, mtu }, _) => {
            Ok((links::mtu::get(link)? == Some(*mtu)).then(|| format!("{link} mtu {mtu}")))
        }
        (Step::VxlanDf { link, on }, _) => Ok((links::df::get(link)? == Some(u8::from(*on)))
            .then(|| format!("{link} df {}", if *on { "set" } else { "unset" }))),
        (Step::RouteMtu { peer, mtu }, _) => {
            Ok((links::route::own_mtu(*peer)? == Some(*mtu)).then(|| format!("route to {peer} mtu {mtu}")))
        }
        (Step::DropFragNeeded { tag }, Before::NoFilter { tool }) => {
            filter::read(*tool, tag, &Rule::FragNeeded)
        }
        (Step::DropOutgoing { tag, link, percent }, Before::NoFilter { tool }) => {
            filter::read(*tool, tag, &outgoing(link, *percent))
        }
        (Step::BlockWrites { cgroup, device, write_iops }, _) => block_io::read(cgroup, device, *write_iops),
        (Step::StopUnit { unit }, _) => unit::read_stopped(unit),
        (Step::File { path, content }, _) => file::read_written(path, &content.0),
        _ => Err(mismatch(planned)),
    }
}

/// Puts things back as the snapshot shows them.
pub(super) fn restore(planned: &Planned) -> Result<(), StepError> {
    match (&planned.step, &planned.before) {
        (Step::LinkMtu { link, mtu }, Before::Mtu { mtu: before }) => {
            links::mtu::restore(link, *mtu, *before)
        }
        (Step::VxlanDf { link, on }, Before::Df { df }) => links::df::restore(link, u8::from(*on), *df),
        (Step::RouteMtu { peer, mtu }, Before::Path { .. }) => links::route::remove(*peer, *mtu),
        (Step::DropFragNeeded { tag }, Before::NoFilter { tool }) => {
            filter::remove(*tool, tag, &Rule::FragNeeded)
        }
        (Step::DropOutgoing { tag, link, percent }, Before::NoFilter { tool }) => {
            filter::remove(*tool, tag, &outgoing(link, *percent))
        }
        (Step::BlockWrites { cgroup, device, write_iops }, Before::NoLimit { without_io, .. }) => {
            block_io::restore(cgroup, device, *write_iops, without_io)
        }
        (Step::StopUnit { unit }, Before::Active) => unit::start(unit),
        (Step::File { path, content }, Before::File(before)) => file::restore(path, &content.0, before),
        _ => Err(mismatch(planned)),
    }
}

/// Compares the present state with the snapshot, byte for byte.
pub(super) fn difference(planned: &Planned) -> Result<Option<String>, StepError> {
    match (&planned.step, &planned.before) {
        (Step::LinkMtu { link, .. }, Before::Mtu { mtu }) => {
            Ok(differs(&format!("mtu of {link}"), links::mtu::get(link)?, *mtu))
        }
        (Step::VxlanDf { link, .. }, Before::Df { df }) => {
            Ok(differs(&format!("df of {link}"), links::df::get(link)?, *df))
        }
        (Step::RouteMtu { peer, .. }, Before::Path { .. }) => Ok(links::route::host_route(*peer)?
            .map(|route| format!("host route to {peer}: {route}, before: none"))),
        (Step::DropOutgoing { tag, link, percent }, Before::NoFilter { tool }) => {
            let there = filter::exists(*tool, tag, &outgoing(link, *percent))?;
            Ok(there.then(|| format!("packet filter {tag} is there, before: none")))
        }
        (Step::DropFragNeeded { tag }, Before::NoFilter { tool }) => {
            Ok(filter::exists(*tool, tag, &Rule::FragNeeded)?
                .then(|| format!("packet filter {tag} is there, before: none")))
        }
        (Step::BlockWrites { cgroup, .. }, Before::NoLimit { limits, without_io }) => {
            block_io::difference(cgroup, limits, without_io)
        }
        (Step::StopUnit { unit }, Before::Active) => unit::difference(unit),
        (Step::File { path, .. }, Before::File(before)) => file::difference(path, before),
        _ => Err(mismatch(planned)),
    }
}

/// Restores all steps, newest first, and goes on past failures.
pub(super) fn restore_all(steps: &[Planned]) -> Result<(), StepError> {
    let mut first = Ok(());
    for planned in steps.iter().rev() {
        let result = restore(planned);
        if first.is_ok() {
            first = result;
        }
    }
    first
}

fn outgoing(link: &str, percent: u8) -> Rule {
    Rule::Outgoing { link: link.into(), percent: percent.min(100) }
}

fn differs<T: std::fmt::Display + PartialEq>(what: &str, now: Option<T>, before: T) -> Option<String> {
    match now {
        Some(now) if now == before => None,
        Some(now) => Some(format!("{what}: {now}, before: {before}")),
        None => Some(format!("{what}: the device is gone, before: {before}")),
    }
}

fn mismatch(planned: &Planned) -> StepError {
    StepError::Unfit(format!("the snapshot does not belong to the step \"{}\"", planned.step))
}
