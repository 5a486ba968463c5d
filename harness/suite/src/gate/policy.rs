//! A gate as its author writes it.

use crate::{GroupName, Known, SuiteError, error, locate::Step, twins};
use jiff::civil::Date;
use loopdrill_model::{FaultId, Loop};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// What must hold on a cluster: suites, drills that no exception covers, budgets, checks and false alarms.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// The version of this format. This build reads 1.
    pub version: u32,
    /// What the gate is called in reports.
    pub name: String,
    /// The suites that are run: files, as seen from this one.
    pub suites: Vec<String>,
    /// Drills that must have been run and have ended well, whatever exceptions their suites make: canonical, decoys,
    /// dominoes, all, FAULT or FAULT/VARIANT.
    #[serde(default)]
    pub must_pass: Vec<String>,
    /// How long the deciding detector may take.
    #[serde(default)]
    pub lag: Lag,
    /// The readiness checklist. Without it, no check is run.
    pub checks: Option<Checks>,
    /// How many findings may belong to no drill.
    #[serde(default)]
    pub false_alarms: usize,
    /// The report that a run is compared with: a file, as seen from this one.
    pub baseline: Option<String>,
}

/// Budgets of the time from the first evidence to the diagnosis, in seconds.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Lag {
    /// No drill may take longer.
    #[schemars(range(min = 0))]
    pub worst: Option<f64>,
    /// No drill of this loop may take longer; goes before `worst`.
    #[schemars(with = "BTreeMap<String, f64>")]
    pub by_loop: BTreeMap<Loop, f64>,
    /// So much slower than in the baseline is a regression, and so much faster an improvement.
    #[schemars(range(min = 0))]
    pub margin: f64,
}

impl Default for Lag {
    fn default() -> Self {
        Self { worst: None, by_loop: BTreeMap::new(), margin: 3.0 }
    }
}

/// What the readiness checklist must come to.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Checks {
    /// Checks that may fail for a while.
    #[serde(default)]
    pub may_fail: Vec<MayFail>,
}

/// A check that may fail until a date.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MayFail {
    /// Which, for example CO-04.
    pub check: String,
    /// Why.
    pub reason: String,
    /// The last day on which it may, as YYYY-MM-DD.
    #[schemars(with = "String")]
    pub until: Date,
}

/// A place in a policy, and what is wrong there.
type Fault = (Vec<Step>, String);

impl Policy {
    /// The version of the format that this build reads.
    pub const VERSION: u32 = 1;

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that this build cannot do: with line, column and the nearest word.
    pub fn read(file: &Path, known: &[Known], checks: &[&str]) -> Result<Self, SuiteError> {
        let text = fs::read_to_string(file)
            .map_err(|source| SuiteError::Unreadable { file: file.into(), source })?;
        Self::parse(&file.display().to_string(), &text, known, checks)
    }

    /// Reads and checks a text that came from `file`; `checks` are the names of those that exist.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn parse(file: &str, text: &str, known: &[Known], checks: &[&str]) -> Result<Self, SuiteError> {
        let policy: Self = serde_yaml::from_str(text)
            .map_err(|e| SuiteError::of_yaml(file, &twins::first(text).unwrap_or(e)))?;
        match policy.first_fault(known, checks) {
            Some((path, what)) => Err(SuiteError::at(file, text, &path, &what)),
            None => Ok(policy),
        }
    }

    /// The drills that must have ended well.
    pub fn must_pass<'k>(&self, known: &'k [Known]) -> impl Iterator<Item = &'k FaultId> {
        let named = move |drill: &&Known| self.must_pass.iter().any(|word| is_meant(word, drill));
        known.iter().filter(named).map(|drill| &drill.id).collect::<Vec<_>>().into_iter()
    }

    /// What the format allows and this build cannot do: where, and what.
    fn first_fault(&self, known: &[Known], checks: &[&str]) -> Option<Fault> {
        self.bad_head()
            .or_else(|| self.bad_word(known))
            .or_else(|| self.bad_lag())
            .or_else(|| self.bad_check(checks))
    }

    fn bad_head(&self) -> Option<Fault> {
        let bad = |key, what: &str| Some((vec![Step::Key(key)], what.to_string()));
        match self {
            _ if self.version != Self::VERSION => Some((
                vec![Step::Key("version")],
                format!("version {} is not one that this build reads (1)", self.version),
            )),
            _ if self.name.trim().is_empty() => bad("name", "a gate needs a name"),
            _ if self.suites.is_empty() => {
                bad("suites", "a gate without suites proves nothing; name at least one")
            }
            _ => None,
        }
    }

    fn bad_word(&self, known: &[Known]) -> Option<Fault> {
        let unknown = |word: &&String| !known.iter().any(|drill| is_meant(word, drill));
        let (at, word) = self.must_pass.iter().enumerate().find(|(_, word)| unknown(word))?;
        let ids: Vec<String> = known.iter().map(|k| k.id.to_string()).collect();
        let faults = known.iter().map(|k| k.id.fault.as_str());
        let sets = GroupName::ALL.map(GroupName::name);
        // With a slash a variant is meant, without it a fault or a set.
        let what = match word.contains('/') {
            true => error::unknown("drill", word, ids.iter().map(String::as_str)),
            false => error::unknown("drill", word, faults.chain(sets)),
        };
        Some((vec![Step::Key("must-pass"), Step::Index(at)], what))
    }

    fn bad_lag(&self) -> Option<Fault> {
        let of_loops = self.lag.by_loop.iter().map(|(l, s)| (vec!["lag", "by-loop", l.name()], *s));
        let worst = self.lag.worst.map(|s| (vec!["lag", "worst"], s));
        let all = worst.into_iter().chain(of_loops).chain([(vec!["lag", "margin"], self.lag.margin)]);
        let (path, seconds) = { all }.find(|(_, s)| !s.is_finite() || *s < 0.0 || *s > 3600.0)?;
        let path = path.into_iter().map(Step::Key).collect();
        Some((path, format!("{seconds} is not between 0 and 3600 seconds")))
    }

    fn bad_check(&self, checks: &[&str]) -> Option<Fault> {
        let may_fail = self.checks.as_ref().map_or(&[][..], |c| &c.may_fail);
        may_fail.iter().enumerate().find_map(|(at, one)| {
            let of = |key| vec![Step::Key("checks"), Step::Key("may-fail"), Step::Index(at), Step::Key(key)];
            if !checks.contains(&one.check.as_str()) {
                return Some((of("check"), error::unknown("check", &one.check, checks.iter().copied())));
            }
            let twice = may_fail[..at].iter().any(|before| before.check == one.check);
            match one.reason.trim().is_empty() {
                true => Some((of("reason"), "a check that may fail needs its reason".into())),
                false if twice => Some((of("check"), format!("{} has an exception already", one.check))),
                false => None,
            }
        })
    }
}

/// Whether `word` of a policy means `drill`.
fn is_meant(word: &str, drill: &Known) -> bool {
    let set = GroupName::ALL.into_iter().find(|set| set.name() == word);
    match set {
        Some(set) => set.has(drill.group),
        None => word == drill.id.fault || word == drill.id.to_string(),
    }
}
