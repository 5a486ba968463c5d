//! Whether a vxlan device marks what it encapsulates as "don't fragment".

use super::{change, link, must_link, netlink};
use crate::node::{error::StepError, step::Before};
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkVxlan,
    packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage, VxlanDf},
};

/// Reads the mark that is to be changed.
pub(in crate::node) fn snapshot(name: &str, on: bool) -> Result<Before, StepError> {
    let df = get(name)?.ok_or_else(|| StepError::Unfit(format!("{name} is no vxlan device")))?;
    if df == u8::from(on) {
        return Err(StepError::foreign(format!("df of {name}"), format!("{}, already", VxlanDf::from(df))));
    }
    Ok(Before::Df { df })
}

/// The kernel's value; `None` when there is no such vxlan device.
pub(in crate::node) fn get(name: &str) -> Result<Option<u8>, StepError> {
    netlink(async |handle| {
        let found = link(&handle, name).await?;
        Ok(found.as_ref().and_then(vxlan_of).map(df_of))
    })
}

pub(in crate::node) fn set(name: &str, df: u8) -> Result<(), StepError> {
    netlink(async |handle| {
        let id = must_link(&handle, name).await?.header.index;
        set_by_index(&handle, id, name, df).await
    })
}

/// Puts the mark back where it still shows ours.
pub(in crate::node) fn restore(name: &str, ours: u8, before: u8) -> Result<(), StepError> {
    match get(name)? {
        None => Ok(()),
        Some(now) if now == before => Ok(()),
        Some(now) if now == ours => set(name, before),
        Some(now) => Err(StepError::foreign(
            format!("df of {name}"),
            format!(
                "{}, neither {} (ours) nor {} (before)",
                VxlanDf::from(now),
                VxlanDf::from(ours),
                VxlanDf::from(before)
            ),
        )),
    }
}

async fn set_by_index(handle: &Handle, index: u32, name: &str, df: u8) -> Result<(), StepError> {
    let message = LinkMessageBuilder::<LinkVxlan>::new(name).index(index).df(VxlanDf::from(df)).build();
    change(handle, message, &format!("set df of {name} to {}", VxlanDf::from(df))).await
}

/// The attributes of a vxlan device.
pub(super) fn vxlan_of(link: &LinkMessage) -> Option<&[InfoVxlan]> {
    let infos = link.attributes.iter().find_map(|a| match a {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    })?;
    infos.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Vxlan(attributes)) => Some(attributes.as_slice()),
        _ => None,
    })
}

/// Kernels without the attribute fragment as they see fit: unset.
pub(super) fn df_of(info: &[InfoVxlan]) -> u8 {
    info.iter().find_map(|a| if let InfoVxlan::Df(df) = a { Some(u8::from(*df)) } else { None }).unwrap_or(0)
}
