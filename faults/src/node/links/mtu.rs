//! The MTU of a link.

use super::{by_index, change, link, mtu_of, must_link, netlink};
use crate::node::{error::StepError, mechanism::Mechanism};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A link gets a lower MTU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkMtu {
    /// The link's name.
    pub link: String,
    /// The new MTU.
    pub mtu: u32,
}

/// The link's MTU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mtu {
    pub(crate) mtu: u32,
}

impl fmt::Display for LinkMtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "set the MTU of {} to {}", self.link, self.mtu)
    }
}

impl Mechanism for LinkMtu {
    type Before = Mtu;
    const BEFORE: &'static str = "mtu";

    fn snapshot(&self) -> Result<Mtu, StepError> {
        let (link, wanted) = (&self.link, self.mtu);
        let mtu = get(link)?.ok_or_else(|| StepError::Unfit(format!("there is no link {link}")))?;
        match mtu > wanted {
            true => Ok(Mtu { mtu }),
            false => Err(self.foreign(format!("{mtu}, which {wanted} would not lower"))),
        }
    }

    fn apply(&self, _: &Mtu) -> Result<(), StepError> {
        set(&self.link, self.mtu)
    }

    fn read(&self, _: &Mtu) -> Result<Option<String>, StepError> {
        let ours = get(&self.link)? == Some(self.mtu);
        Ok(ours.then(|| format!("{} mtu {}", self.link, self.mtu)))
    }

    fn restore(&self, before: &Mtu) -> Result<(), StepError> {
        match get(&self.link)? {
            None => Ok(()),
            Some(now) if now == before.mtu => Ok(()),
            Some(now) if now == self.mtu => set(&self.link, before.mtu),
            Some(now) => {
                Err(self.foreign(format!("{now}, neither {} (ours) nor {} (before)", self.mtu, before.mtu)))
            }
        }
    }

    fn difference(&self, before: &Mtu) -> Result<Option<String>, StepError> {
        Ok(super::differs(&format!("mtu of {}", self.link), get(&self.link)?, before.mtu))
    }
}

impl LinkMtu {
    fn foreign(&self, found: String) -> StepError {
        StepError::foreign(format!("the MTU of {}", self.link), found)
    }
}

/// The MTU now; `None` when there is no such link.
pub(super) fn get(name: &str) -> Result<Option<u32>, StepError> {
    netlink(async |handle| Ok(link(&handle, name).await?.as_ref().and_then(mtu_of)))
}

pub(super) fn set(name: &str, mtu: u32) -> Result<(), StepError> {
    netlink(async |handle| {
        let link = must_link(&handle, name).await?;
        change(&handle, by_index(&link).mtu(mtu).build(), &format!("set the MTU of {name} to {mtu}")).await
    })
}
