//! The MTU of a link.

use super::{by_index, change, link, mtu_of, must_link, netlink};
use crate::node::{error::StepError, step::Before};

/// Reads the MTU that is to be lowered.
pub(in crate::node) fn snapshot(name: &str, wanted: u32) -> Result<Before, StepError> {
    let mtu = get(name)?.ok_or_else(|| StepError::Unfit(format!("there is no link {name}")))?;
    if mtu <= wanted {
        return Err(StepError::foreign(
            format!("the MTU of {name}"),
            format!("{mtu}, which {wanted} would not lower"),
        ));
    }
    Ok(Before::Mtu { mtu })
}

/// The MTU now; `None` when there is no such link.
pub(in crate::node) fn get(name: &str) -> Result<Option<u32>, StepError> {
    netlink(async |handle| Ok(link(&handle, name).await?.as_ref().and_then(mtu_of)))
}

pub(in crate::node) fn set(name: &str, mtu: u32) -> Result<(), StepError> {
    netlink(async |handle| {
        let link = must_link(&handle, name).await?;
        change(&handle, by_index(&link).mtu(mtu).build(), &format!("set the MTU of {name} to {mtu}")).await
    })
}

/// Puts the MTU back where it still shows ours.
pub(in crate::node) fn restore(name: &str, ours: u32, before: u32) -> Result<(), StepError> {
    match get(name)? {
        None => Ok(()),
        Some(now) if now == before => Ok(()),
        Some(now) if now == ours => set(name, before),
        Some(now) => Err(StepError::foreign(
            format!("the MTU of {name}"),
            format!("{now}, neither {ours} (ours) nor {before} (before)"),
        )),
    }
}
