//! Whether a vxlan device marks what it encapsulates as "don't fragment".

use super::{change, link, must_link, netlink};
use crate::node::{error::StepError, mechanism::Mechanism};
use rtnetlink::{
    Handle, LinkMessageBuilder, LinkVxlan,
    packet_route::link::{InfoData, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage, VxlanDf as Mark},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether packets that a vxlan device encapsulates are marked "don't fragment".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VxlanDf {
    /// The device's name.
    pub link: String,
    /// Marked or not.
    pub on: bool,
}

/// The kernel's value: 0 unset, 1 set, 2 inherit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Df {
    pub(crate) df: u8,
}

impl fmt::Display for VxlanDf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.on {
            true => write!(f, "mark what {} sends as \"don't fragment\"", self.link),
            false => write!(f, "let what {} sends be fragmented", self.link),
        }
    }
}

impl Mechanism for VxlanDf {
    type Before = Df;
    const BEFORE: &'static str = "df";

    fn snapshot(&self) -> Result<Df, StepError> {
        let no_vxlan = || StepError::Unfit(format!("{} is no vxlan device", self.link));
        let df = get(&self.link)?.ok_or_else(no_vxlan)?;
        match df == self.wanted() {
            true => Err(self.foreign(format!("{}, already", Mark::from(df)))),
            false => Ok(Df { df }),
        }
    }

    fn apply(&self, _: &Df) -> Result<(), StepError> {
        set(&self.link, self.wanted())
    }

    fn read(&self, _: &Df) -> Result<Option<String>, StepError> {
        let ours = get(&self.link)? == Some(self.wanted());
        Ok(ours.then(|| format!("{} df {}", self.link, if self.on { "set" } else { "unset" })))
    }

    fn restore(&self, before: &Df) -> Result<(), StepError> {
        match get(&self.link)? {
            None => Ok(()),
            Some(now) if now == before.df => Ok(()),
            Some(now) if now == self.wanted() => set(&self.link, before.df),
            Some(now) => {
                let [now, ours, before] = [now, self.wanted(), before.df].map(Mark::from);
                Err(self.foreign(format!("{now}, neither {ours} (ours) nor {before} (before)")))
            }
        }
    }

    fn difference(&self, before: &Df) -> Result<Option<String>, StepError> {
        Ok(super::differs(&format!("df of {}", self.link), get(&self.link)?, before.df))
    }
}

impl VxlanDf {
    fn wanted(&self) -> u8 {
        u8::from(self.on)
    }

    fn foreign(&self, found: String) -> StepError {
        StepError::foreign(format!("df of {}", self.link), found)
    }
}

/// The kernel's value; `None` when there is no such vxlan device.
pub(super) fn get(name: &str) -> Result<Option<u8>, StepError> {
    netlink(async |handle| {
        let found = link(&handle, name).await?;
        Ok(found.as_ref().and_then(vxlan_of).map(df_of))
    })
}

pub(super) fn set(name: &str, df: u8) -> Result<(), StepError> {
    netlink(async |handle| {
        let id = must_link(&handle, name).await?.header.index;
        set_by_index(&handle, id, name, df).await
    })
}

async fn set_by_index(handle: &Handle, index: u32, name: &str, df: u8) -> Result<(), StepError> {
    let message = LinkMessageBuilder::<LinkVxlan>::new(name).index(index).df(Mark::from(df)).build();
    change(handle, message, &format!("set df of {name} to {}", Mark::from(df))).await
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
