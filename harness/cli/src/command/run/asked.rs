//! What a run is asked to do: drills named on the command line, or suites. Both never contradict each other in silence.

use super::Args;
use crate::{
    Failure,
    names::{Groups, control_loop},
};
use jiff::Zoned;
use loopdrill_drill::{CONTROL, Selection, known_here};
use loopdrill_faults::{Fault, catalogue, cloud_catalogue};
use loopdrill_model::{ExitStatus, FaultId, Loop};
use loopdrill_suite::{Ends, Suite};
use std::{
    fmt::Debug,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Which drills.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Suites: which drills, on what, and how each must end. What they say cannot be said by options
    #[arg(value_name = "SUITE.yaml", conflicts_with_all = ["fault", "variant", "control_loop", "group"])]
    suites: Vec<PathBuf>,
    /// Only this fault; `control` is the drill that injects nothing. Repeatable
    #[arg(long, value_name = "FAULT")]
    fault: Vec<String>,
    /// Only this variant. Repeatable
    #[arg(long, value_name = "VARIANT")]
    variant: Vec<String>,
    /// Only this loop. Repeatable
    #[arg(long = "loop", value_name = "LOOP", value_parser = control_loop)]
    control_loop: Vec<Loop>,
    /// Only drills of this group: canonical, decoys, dominoes or all. Repeatable
    /// [default: canonical, and whatever is named]
    #[arg(long, value_name = "GROUP", value_enum)]
    group: Vec<Groups>,
}

/// The drills of a run, and how they must end.
pub(crate) struct Plan {
    pub(crate) faults: Vec<Arc<dyn Fault>>,
    pub(crate) control: bool,
    pub(crate) ends: Option<Ends>,
}

impl Plan {
    /// What is asked for; what suites say of the run goes into `args`.
    pub(crate) fn of(asked: &Asked, args: &mut Args) -> Result<Self, Failure> {
        if asked.suites.is_empty() { Self::named(asked, args) } else { Self::of_suites(&asked.suites, args) }
    }

    fn named(asked: &Asked, args: &Args) -> Result<Self, Failure> {
        let selection = Selection {
            faults: asked.fault.clone(),
            variants: asked.variant.clone(),
            loops: asked.control_loop.clone(),
            groups: asked.group.iter().flat_map(|g| g.all()).copied().collect(),
        };
        let mut known = catalogue();
        // Asked for by name, a drill of a cloud is skipped with the reason rather than unknown.
        let (has_cloud, named) = (args.cluster.has_cloud(), |v: &str| asked.variant.iter().any(|n| n == v));
        known.extend(cloud_catalogue().into_iter().filter(|f| has_cloud || named(f.spec().variant)));
        Ok(Self { faults: selection.pick(known)?, control: selection.control(), ends: None })
    }

    /// The drills of these suites.
    pub(crate) fn of_suites(files: &[PathBuf], args: &mut Args) -> Result<Self, Failure> {
        let usage = |e: &dyn std::error::Error| Failure::new(ExitStatus::Usage, e);
        let suites = files.iter().map(|file| Suite::read(file, &loopdrill_drill::known()));
        let suites = suites.collect::<Result<Vec<_>, _>>().map_err(|e| usage(&e))?;
        if let (Some(suite), Some(file)) = (suites.first(), files.first()) {
            args.settle(suite, file.parent().unwrap_or(Path::new("")))?;
        }
        let ends = ends(&suites, args.cluster.has_cloud())?;
        let (faults, control) = (faults(&ends), ends.drills().any(|id| id.fault == CONTROL));
        if faults.is_empty() && !control {
            return Err(Failure::usage(
                "these suites have drills of a cloud account alone, and the cluster has none",
            ));
        }
        Ok(Self { faults, control, ends: Some(ends) })
    }
}

/// How the drills of suites must end, on a cluster with or without a cloud account.
pub(crate) fn ends(suites: &[Suite], has_cloud: bool) -> Result<Ends, Failure> {
    let named =
        |id: &FaultId| suites.iter().flat_map(|s| &s.drills).any(|e| e.variant.as_ref() == Some(&id.variant));
    Ends::of(suites, &known_here(has_cloud, named), Zoned::now().date())
        .map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

fn faults(ends: &Ends) -> Vec<Arc<dyn Fault>> {
    let all: Vec<_> = catalogue().into_iter().chain(cloud_catalogue()).collect();
    ends.drills().filter_map(|id| all.iter().find(|f| f.spec().id() == *id).cloned()).collect()
}

impl Args {
    /// Takes over what a suite says of the run, whose file is in the folder `beside`.
    fn settle(&mut self, suite: &Suite, beside: &Path) -> Result<(), Failure> {
        self.cluster.settle(&suite.target, beside)?;
        let mut named = (!self.detector.is_empty()).then(|| self.detector.clone());
        one("--detector", &mut named, suite.detectors.clone())?;
        self.detector = named.unwrap_or_default();
        one("--detect-within", &mut self.detect_within, suite.budgets.detect)?;
        one("--bite-within", &mut self.bite_within, suite.budgets.bite)?;
        one("--for", &mut self.control_for, suite.budgets.control)?;
        if self.require && suite.require == Some(false) {
            return Err(differ("--require"));
        }
        self.require |= suite.requires();
        Ok(())
    }
}

fn differ(option: &str) -> Failure {
    Failure::usage(format!("{option} and the suite say different things; leave one of them out"))
}

/// Takes over what a suite says of an option that is not given; both may say the same.
pub(crate) fn one<T: PartialEq + Debug>(
    option: &str,
    given: &mut Option<T>,
    said: Option<T>,
) -> Result<(), Failure> {
    match (&*given, &said) {
        (Some(given), Some(said)) if given != said => Err(differ(option)),
        (None, Some(_)) => {
            *given = said;
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        args: Args,
    }

    /// The plan for a command line and a suite with this head.
    fn plan(head: &str, options: &[&str]) -> Result<(Plan, Args), String> {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("s.yaml");
        std::fs::write(&file, format!("version: 1\nname: s\n{head}\ndrills:\n  - fault: overlay-mtu\n"))
            .expect("written");
        let line = ["run", file.to_str().expect("text")].into_iter().chain(options.iter().copied());
        let mut line = Line::try_parse_from(line).map_err(|e| e.to_string())?;
        let plan = Plan::of(&line.asked, &mut line.args).map_err(|e| format!("{e:?}"))?;
        Ok((plan, line.args))
    }

    #[test]
    fn a_suite_says_what_is_run_and_how_long_things_may_take() {
        let (plan, args) =
            plan("budgets: {detect: 7}\ntarget: {lab: dev}\ndetectors: [none]", &[]).expect("a plan");
        assert!(plan.faults.len() >= 2 && !plan.control);
        assert_eq!((args.detect_within, args.bite_within, args.require), (Some(7), None, true));
        assert_eq!(
            (args.cluster.lab.as_deref(), args.detector.as_slice()),
            (Some("dev"), &["none".to_string()][..])
        );
    }

    #[test]
    fn options_say_what_a_suite_leaves_open() {
        let (_, args) =
            plan("", &["--lab", "dev", "--detector", "none", "--detect-within", "3"]).expect("a plan");
        assert_eq!((args.detect_within, args.cluster.lab.as_deref()), (Some(3), Some("dev")));
        assert!(plan("target: {lab: dev}", &["--lab", "dev"]).is_ok(), "both say the same");
    }

    #[test]
    fn what_both_say_differently_is_refused() {
        for (head, options) in [
            ("", &["--fault", "overlay-mtu"][..]),
            ("", &["--group", "all"]),
            ("budgets: {detect: 7}", &["--detect-within", "8"]),
            ("detectors: [builtin]", &["--detector", "none"]),
            ("target: {lab: dev}", &["--lab", "other"]),
            ("target: {lab: dev}", &["--kind", "mine"]),
            ("target: {kind: mine}", &["--lab", "dev"]),
            ("target: {kind: mine}", &["--profile", "naive"]),
            ("target: {profile: hardened}", &["--profile", "naive"]),
            ("target: {with: [monitoring]}", &["--with", "cloud-identity"]),
            ("require: false", &["--require"]),
            ("target: {profile: nobody}", &[]),
            ("target: {with: [nothing]}", &[]),
        ] {
            assert!(plan(head, options).is_err(), "{head} {options:?}");
        }
    }

    #[test]
    fn drills_of_a_cloud_are_for_clusters_with_one_or_by_name() {
        let suite = |text: &str| Suite::parse("s.yaml", text, &loopdrill_drill::known()).expect("a suite");
        let canonical = suite("version: 1\nname: s\ndrills: [{group: canonical}]\n");
        let named = suite("version: 1\nname: s\ndrills: [{fault: revoked-iam, variant: aws-trust}]\n");
        let count =
            |suite: &Suite, cloud| ends(std::slice::from_ref(suite), cloud).expect("ends").drills().count();
        assert!(count(&canonical, true) > count(&canonical, false));
        assert_eq!(count(&named, false), 1);
    }
}
