//! A suite as its author writes it.

use crate::{Expected, Known, SuiteError, locate::Step, read};
use loopdrill_model::{Group, Loop};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{fs, path::Path};

/// A suite of drills: which ones, on what, watched by whom, and how each must end.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Suite {
    /// The version of this format. This build reads 1.
    pub version: u32,
    /// What the suite is called in reports.
    pub name: String,
    /// The cluster. Without it, a lab is made for the run and goes afterwards.
    #[serde(default)]
    pub target: Target,
    /// The detectors: builtin, prometheus, exec:COMMAND or none. The first one decides, all are scored. Without them, what
    /// the command line names, and else builtin.
    pub detectors: Option<Vec<String>>,
    /// How long things may take.
    #[serde(default)]
    pub budgets: Budgets,
    /// Whether a drill that is skipped fails the suite, where its entry does not expect that. It does where this is left
    /// out.
    pub require: Option<bool>,
    /// The drills. Each entry selects some; where several select the same drill, the last one says how it must end.
    pub drills: Vec<Entry>,
}

/// The cluster of a suite.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Target {
    /// The lab of this name; it is made where it is missing, and stays.
    pub lab: Option<String>,
    /// The cluster of this name that the kind CLI made.
    pub kind: Option<String>,
    /// The specification of a lab that is made, a file beside the suite.
    pub spec: Option<String>,
    /// What runs in a lab that is made: naive or hardened.
    pub profile: Option<String>,
    /// What a lab that is made has besides: monitoring, cloud-identity.
    #[serde(default)]
    pub with: Vec<String>,
}

/// How long things may take, in seconds. What is left out is said by the command line, or has its default there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Budgets {
    /// From the symptom to the right diagnosis.
    #[schemars(range(min = 1, max = 3600))]
    pub detect: Option<u64>,
    /// From the injection to the symptom; where the victim is well after that, the cluster is resilient.
    #[schemars(range(min = 1, max = 3600))]
    pub bite: Option<u64>,
    /// How long the control drill watches.
    #[schemars(range(min = 1, max = 86_400))]
    pub control: Option<u64>,
}

/// Some drills, and how they must end. What is left out selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// A set of drills.
    pub group: Option<GroupName>,
    /// The loop that must be blamed.
    #[serde(rename = "loop")]
    #[schemars(with = "Option<String>")]
    pub control_loop: Option<Loop>,
    /// The fault; `control` is the drill that injects nothing.
    pub fault: Option<String>,
    /// The variant of the fault.
    pub variant: Option<String>,
    /// How each must end.
    #[serde(default)]
    pub expect: Expected,
}

/// A set of drills by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupName {
    /// The canonical faults in their variants, and the control drill.
    Canonical,
    /// The same symptoms, of other causes.
    Decoys,
    /// One cause in several loops, and several causes at once.
    Dominoes,
    /// Everything.
    All,
}

impl GroupName {
    /// Every set.
    pub const ALL: [GroupName; 4] =
        [GroupName::Canonical, GroupName::Decoys, GroupName::Dominoes, GroupName::All];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            GroupName::Canonical => "canonical",
            GroupName::Decoys => "decoys",
            GroupName::Dominoes => "dominoes",
            GroupName::All => "all",
        }
    }

    /// Whether `group` is meant.
    #[must_use]
    pub fn has(self, group: Group) -> bool {
        match self {
            GroupName::Canonical => group == Group::Canonical,
            GroupName::Decoys => group == Group::Decoy,
            GroupName::Dominoes => group == Group::Domino,
            GroupName::All => true,
        }
    }
}

impl Suite {
    /// The version of the format that this build reads.
    pub const VERSION: u32 = 1;

    /// Whether a skip that no entry expects is a failure.
    #[must_use]
    pub fn requires(&self) -> bool {
        self.require.unwrap_or(true)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or says something that this build cannot do: with line, column and the nearest word.
    pub fn read(file: &Path, known: &[Known]) -> Result<Self, SuiteError> {
        let text = fs::read_to_string(file)
            .map_err(|source| SuiteError::Unreadable { file: file.into(), source })?;
        Self::parse(&file.display().to_string(), &text, known)
    }

    /// Reads and checks a text that came from `file`.
    ///
    /// # Errors
    /// As [`Suite::read`].
    pub fn parse(file: &str, text: &str, known: &[Known]) -> Result<Self, SuiteError> {
        let suite: Self = read::parse(file, text)?;
        match suite.first_fault(known) {
            Some((path, what)) => Err(read::wrong(file, text, &path, &what)),
            None => Ok(suite),
        }
    }

    /// What the format allows and this build cannot do: where, and what.
    fn first_fault(&self, known: &[Known]) -> Option<(Vec<Step>, String)> {
        self.bad_head().or_else(|| {
            let mut bad = self.drills.iter().enumerate().filter_map(|(at, entry)| {
                let (field, what) = entry.first_fault(known)?;
                let mut path = vec![Step::Key("drills"), Step::Index(at)];
                path.extend(field.map(Step::Key));
                Some((path, what))
            });
            bad.next()
        })
    }

    fn bad_head(&self) -> Option<(Vec<Step>, String)> {
        let bad = |keys: &[&'static str], what: String| {
            Some((keys.iter().map(|k| Step::Key(k)).collect::<Vec<_>>(), what))
        };
        if self.version != Self::VERSION {
            return bad(
                &["version"],
                format!("version {} is not one that this build reads (1)", self.version),
            );
        }
        if self.drills.is_empty() {
            return bad(&["drills"], "a suite without drills proves nothing; name at least one".into());
        }
        if self.detectors.as_ref().is_some_and(Vec::is_empty) {
            return bad(
                &["detectors"],
                "name at least one detector (builtin, prometheus, exec:COMMAND, none)".into(),
            );
        }
        if self.target.lab.is_some() && self.target.kind.is_some() {
            return bad(&["target", "kind"], "a suite has one cluster: `lab` or `kind`".into());
        }
        let ranges = [
            ("detect", self.budgets.detect, 3600),
            ("bite", self.budgets.bite, 3600),
            ("control", self.budgets.control, 86_400),
        ];
        let ranges = ranges.into_iter().filter_map(|(name, said, most)| Some((name, said?, most)));
        let (name, seconds, most) = { ranges }.find(|(_, s, most)| !(1..=*most).contains(s))?;
        bad(&["budgets", name], format!("{seconds} is not between 1 and {most} seconds"))
    }
}
