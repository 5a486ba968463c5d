//! The drills that exist, as a suite needs to know them.

use crate::{Entry, error};
use loopdrill_model::{FaultId, Group, Loop};

/// One drill that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub id: FaultId,
    /// Which set it belongs to.
    pub group: Group,
    /// The loop that must be blamed; none where silence is right.
    pub control_loop: Option<Loop>,
}

impl Entry {
    /// Whether this entry selects the drill. Without any name or set it selects the canonical ones.
    #[must_use]
    pub fn selects(&self, drill: &Known) -> bool {
        let named = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|w| w == name);
        let is_anyone = self.fault.is_none() && self.variant.is_none();
        let in_group = match self.group {
            Some(group) => group.has(drill.group),
            None => !is_anyone || drill.group == Group::Canonical,
        };
        in_group
            && named(&self.fault, &drill.id.fault)
            && named(&self.variant, &drill.id.variant)
            && self.control_loop.is_none_or(|l| drill.control_loop == Some(l))
    }

    /// The first thing in this entry that no drill has: the field, and what is wrong.
    pub(crate) fn first_fault(&self, known: &[Known]) -> Option<(Option<&'static str>, String)> {
        self.unknown_name(known)
            .or_else(|| self.expect.first_fault().map(|what| (Some("expect"), what)))
            .or_else(|| {
                let none = !known.iter().any(|drill| self.selects(drill));
                none.then(|| (None, "no drill is all of that; leave out one of the words".to_string()))
            })
    }

    fn unknown_name(&self, known: &[Known]) -> Option<(Option<&'static str>, String)> {
        let faults = || known.iter().map(|k| k.id.fault.as_str());
        if let Some(fault) = self.fault.as_ref().filter(|f| !faults().any(|k| k == *f)) {
            return Some((Some("fault"), error::unknown("fault", fault, faults())));
        }
        let of_fault = |k: &&Known| self.fault.as_ref().is_none_or(|f| *f == k.id.fault);
        let variants = || known.iter().filter(of_fault).map(|k| k.id.variant.as_str());
        let variant = self.variant.as_ref().filter(|v| !variants().any(|k| k == *v))?;
        Some((Some("variant"), error::unknown("variant", variant, variants())))
    }
}
