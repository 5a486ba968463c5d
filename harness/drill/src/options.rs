//! What a run shall do, and how long it waits.

use loopdrill_faults::Fault;
use loopdrill_model::{Group, Loop};
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// How long each gate may take.
#[derive(Debug, Clone, Copy)]
pub struct Budgets {
    /// From the victim's creation until it is healthy.
    pub set_up: Duration,
    /// From the injection until the victim shows the symptom.
    pub manifest: Duration,
    /// From the symptom until the right diagnosis: the detector's budget.
    pub detect: Duration,
    /// From the undo until the victim is well and the alarm has gone.
    pub recover: Duration,
    /// How long the control drill watches a healthy cluster.
    pub control: Duration,
}

impl Default for Budgets {
    fn default() -> Self {
        Self {
            set_up: Duration::from_secs(90),
            manifest: Duration::from_secs(90),
            detect: Duration::from_secs(20),
            recover: Duration::from_secs(90),
            control: Duration::from_secs(8),
        }
    }
}

/// How a session behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// The budgets.
    pub budgets: Budgets,
    /// Skipped drills count as failures.
    pub require: bool,
    /// Where journals live.
    pub state_dir: PathBuf,
}

/// Which drills to run. An empty list of names or loops selects all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Canonical faults by name; `control` names the control drill.
    pub faults: Vec<String>,
    /// Variants by name.
    pub variants: Vec<String>,
    /// Loops.
    pub loops: Vec<Loop>,
    /// Groups. Where neither groups nor names are given, the canonical faults are meant.
    pub groups: Vec<Group>,
}

/// A selection that selects nothing.
#[derive(Debug, thiserror::Error)]
#[error("no drill matches {asked}; there are: {}", known.join(", "))]
pub struct SelectionError {
    /// What was asked for.
    asked: String,
    /// What there is.
    known: Vec<String>,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = |name: &'static str, values: Vec<String>| {
            values.into_iter().map(move |v| format!("--{name} {v}"))
        };
        let loops = self.loops.iter().map(ToString::to_string).collect();
        let groups = self.groups.iter().map(|g| g.name().to_string()).collect();
        let words: Vec<String> = flag("fault", self.faults.clone())
            .chain(flag("variant", self.variants.clone()))
            .chain(flag("loop", loops))
            .chain(flag("group", groups))
            .collect();
        f.write_str(&words.join(" "))?;
        if self.groups.is_empty() && self.faults.is_empty() && self.variants.is_empty() {
            f.write_str(" among the canonical ones (--group all takes decoys and dominoes, too)")?;
        }
        Ok(())
    }
}

impl Selection {
    /// The selected faults, in the catalogue's order.
    ///
    /// # Errors
    /// When a name is unknown, or nothing is left.
    pub fn pick(&self, catalogue: Vec<Arc<dyn Fault>>) -> Result<Vec<Arc<dyn Fault>>, SelectionError> {
        let mut known: Vec<String> = vec![crate::CONTROL.into()];
        known.extend(catalogue.iter().map(|f| f.spec().id().to_string()));
        for name in &self.faults {
            if name != crate::CONTROL && !catalogue.iter().any(|f| f.spec().fault == name) {
                return Err(SelectionError { asked: format!("--fault {name}"), known });
            }
        }
        for name in &self.variants {
            if !catalogue.iter().any(|f| f.spec().variant == name) {
                return Err(SelectionError { asked: format!("--variant {name}"), known });
            }
        }
        let picked: Vec<_> = catalogue.into_iter().filter(|f| self.matches(&**f)).collect();
        if picked.is_empty() && !self.control() {
            return Err(SelectionError { asked: self.to_string(), known });
        }
        Ok(picked)
    }

    /// Whether the control drill is selected: by name, or because everything is.
    #[must_use]
    pub fn control(&self) -> bool {
        let all = self.faults.is_empty() && self.variants.is_empty() && self.loops.is_empty();
        all && self.in_group(Group::Canonical) || self.faults.iter().any(|f| f == crate::CONTROL)
    }

    fn matches(&self, fault: &dyn Fault) -> bool {
        let spec = fault.spec();
        let blamed = spec.expectation().control_loop();
        let any = |list: &[String], name: &str| list.is_empty() || list.iter().any(|x| x == name);
        any(&self.faults, spec.fault)
            && any(&self.variants, spec.variant)
            && (self.loops.is_empty() || blamed.is_some_and(|l| self.loops.contains(&l)))
            && self.in_group(spec.group)
    }

    fn in_group(&self, group: Group) -> bool {
        let named = !self.faults.is_empty() || !self.variants.is_empty();
        match self.groups.as_slice() {
            [] => named || group == Group::Canonical,
            groups => groups.contains(&group),
        }
    }
}
