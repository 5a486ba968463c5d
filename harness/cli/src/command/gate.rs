//! `loopdrill gate`: suites run and held to a committed policy, or a run that was made already.

use super::run::{self, Plan};
use crate::{Failure, names::OutputFormat, pipeline};
use loopdrill_checklist::{Results, Status, checks};
use loopdrill_model::{Capability, ExitStatus, FaultId, RunReport, is_proof};
use loopdrill_report::{Beside, CheckLine, Screen, render_gate};
use loopdrill_suite::{CheckAnswer, Ends, Evidence, Policy, Suite, judge_gate};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// Options of `loopdrill gate`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
#[group(id = "gate-args")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// The policy
    #[arg(required = true, value_name = "GATE.yaml")]
    policy: Option<PathBuf>,
    /// Judge this run, and run nothing; its `readiness.json` lies beside it
    #[arg(long, value_name = "REPORT.json", conflicts_with_all = ["lab", "kind", "detector", "dry_run", "check"])]
    from: Option<PathBuf>,
    /// Compare with this run [default: what the policy names]
    #[arg(long, value_name = "REPORT.json")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    run: run::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a run the one with which later ones are compared
    Accept(Accept),
}

/// Options of `loopdrill gate accept`.
#[derive(Debug, clap::Args)]
struct Accept {
    /// The policy
    #[arg(value_name = "GATE.yaml")]
    policy: PathBuf,
    /// The run
    #[arg(long, value_name = "REPORT.json", default_value = "report/report.json")]
    from: PathBuf,
    /// Where it is kept [default: what the policy names]
    #[arg(long, value_name = "REPORT.json")]
    baseline: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill gate nightly.yaml                              run what it names, and judge it
  loopdrill gate nightly.yaml --lab dev --baseline last/report.json
  loopdrill gate nightly.yaml --from report/report.json    judge a run that was made already
  loopdrill gate accept nightly.yaml --from report/report.json --baseline last/report.json

The policy:
  version: 1
  name: nightly
  suites: [canonical.yaml, decoys.yaml]  # beside this file
  must-pass: [overlay-mtu, etcd-disk]    # whatever exceptions the suites make; also canonical, decoys, all
  lag: {worst: 10, by-loop: {network: 3}, margin: 3}   # seconds; margin: against the baseline
  false-alarms: 0
  checks:                                # the readiness checklist
    may-fail: [{check: CO-04, reason: replaced in January, until: 2027-01-31}]
  baseline: last/report.json

Exit codes: 0 open   1 closed: a drill, a regression, an exception that is over, nothing proven   2 usage or policy
  3 no cluster   4 fault not injected   5 something is left behind";

/// A policy with all that it names.
struct Gate {
    policy: Policy,
    suites: Vec<Suite>,
    baseline: Option<RunReport>,
}

pub(crate) async fn main(args: Args) -> Result<ExitStatus, Failure> {
    match (args.command, &args.policy) {
        (Some(Command::Accept(accept)), _) => accept.write(),
        (None, Some(file)) => {
            let gate = Gate::read(file, args.baseline.as_deref())?;
            match &args.from {
                Some(from) => gate.judge_file(from, args.run.output),
                None => gate.run(file, args.run).await,
            }
        }
        (None, None) => Err(Failure::usage("name the policy: loopdrill gate GATE.yaml")),
    }
}

/// A policy and its suites.
pub(crate) fn read(file: &Path) -> Result<(Policy, Vec<Suite>), Failure> {
    let usage = |e: &dyn std::error::Error| Failure::new(ExitStatus::Usage, e);
    let (known, ids) = (loopdrill_drill::known(), checks::all().map(|c| c.id).collect::<Vec<_>>());
    let policy = Policy::read(file, &known, &ids).map_err(|e| usage(&e))?;
    let suites = suite_files(file, &policy).into_iter().map(|suite| Suite::read(&suite, &known));
    let suites = suites.collect::<Result<Vec<_>, _>>().map_err(|e| usage(&e))?;
    Ok((policy, suites))
}

fn suite_files(file: &Path, policy: &Policy) -> Vec<PathBuf> {
    policy.suites.iter().map(|suite| beside(file, suite)).collect()
}

/// A file that a policy names, as seen from the policy.
fn beside(policy: &Path, named: &str) -> PathBuf {
    policy.parent().unwrap_or(Path::new("")).join(named)
}

/// Where the baseline is: both may name it, and then the same.
fn baseline_file(file: &Path, policy: &Policy, given: Option<&Path>) -> Result<Option<PathBuf>, Failure> {
    let mut given = given.map(Path::to_path_buf);
    run::one("--baseline", &mut given, policy.baseline.as_deref().map(|named| beside(file, named)))?;
    Ok(given)
}

fn report(file: &Path) -> Result<RunReport, Failure> {
    loopdrill_report::read(file).map_err(|e| Failure::new(ExitStatus::Usage, &e))
}

impl Gate {
    fn read(file: &Path, baseline: Option<&Path>) -> Result<Self, Failure> {
        let (policy, suites) = read(file)?;
        let baseline = match baseline_file(file, &policy, baseline)? {
            Some(file) if file.exists() => Some(report(&file)?),
            Some(file) => {
                return Err(Failure::usage(format!(
                    "there is no baseline {}; `loopdrill gate accept` makes a run the baseline",
                    file.display()
                )));
            }
            None => None,
        };
        Ok(Self { policy, suites, baseline })
    }

    /// Runs the suites, and judges the run before anybody gets to see it.
    async fn run(self, file: &Path, mut args: run::Args) -> Result<ExitStatus, Failure> {
        let plan = Plan::of_suites(&suite_files(file, &self.policy), &mut args)?;
        if args.dry_run {
            return Box::pin(run::dry_run(&args, &plan.faults)).await;
        }
        args.check |= self.policy.checks.is_some();
        let judge = move |report: &mut RunReport, results: Option<&Results>| {
            let answers = results.map(|r| r.checks.iter().map(answer_of_result).collect::<Vec<_>>());
            match self.ends(report) {
                Ok(ends) => self.judge(report, &ends, answers.as_deref()),
                // The plan was made of the same suites, so they agree.
                Err(failure) => report.exit = report.exit.worst(failure.print()),
            }
        };
        Box::pin(run::execute(&args, plan, Some(Box::new(judge)))).await
    }

    /// Judges a run that was made already; its drills are held to today's suites.
    fn judge_file(&self, from: &Path, output: OutputFormat) -> Result<ExitStatus, Failure> {
        let mut report = report(from)?;
        let answers = self.answers_beside(from)?;
        let ends = self.ends(&report)?;
        self.judge(&mut report, &ends, answers.as_deref());
        pipeline::tell(&report);
        let Some(judged) = &report.gate else { return Ok(report.exit) };
        match output {
            OutputFormat::Human => print(&render_gate(judged, Screen::stdout())),
            OutputFormat::Json => {
                let text =
                    serde_json::to_string_pretty(judged).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
                print(&format!("{text}\n"));
            }
        }
        Ok(report.exit)
    }

    /// What the checklist answered before a run; nothing where the policy does not ask for it, or it was not run.
    fn answers_beside(&self, report: &Path) -> Result<Option<Vec<CheckAnswer>>, Failure> {
        if self.policy.checks.is_none() {
            return Ok(None);
        }
        let dir = report.parent().unwrap_or(Path::new(""));
        let beside = Beside::read(dir).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
        Ok((!beside.checks.is_empty()).then(|| beside.checks.iter().map(answer_of_line).collect()))
    }

    /// How the drills of a run must end: with those of a cloud account where the cluster has one.
    fn ends(&self, report: &RunReport) -> Result<Ends, Failure> {
        run::ends(&self.suites, has_cloud(report))
    }

    fn judge(&self, report: &mut RunReport, ends: &Ends, checks: Option<&[CheckAnswer]>) {
        for drill in &mut report.drills {
            drill.acceptance = Some(ends.hold(drill));
        }
        let named = |id: &FaultId| self.policy.must_pass.contains(&id.to_string());
        let known = loopdrill_drill::known_here(has_cloud(report), named);
        let must_pass: Vec<FaultId> = self.policy.must_pass(&known).cloned().collect();
        let baseline = self.baseline.as_ref();
        let evidence = Evidence { report, ends, must_pass: &must_pass, checks, baseline };
        let judged = judge_gate(&self.policy, evidence);
        report.suites.clone_from(&ends.suites);
        report.exit = judged.exit;
        report.exit_code = judged.exit.code();
        report.gate = Some(judged);
    }
}

/// A reader that has seen enough, such as `head`, is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn has_cloud(report: &RunReport) -> bool {
    report.capabilities.get(&Capability::CloudIdentity.to_string()).is_some_and(Result::is_ok)
}

fn answer_of_result(result: &loopdrill_checklist::CheckResult) -> CheckAnswer {
    let first = result.evidence.first().map_or(result.title.as_str(), |e| e.value.as_str());
    CheckAnswer {
        id: result.id.clone(),
        what: first.into(),
        failed: result.status == Status::Fail,
        blind: result.blind,
    }
}

fn answer_of_line(line: &CheckLine) -> CheckAnswer {
    CheckAnswer {
        id: line.id.clone(),
        what: line.what(),
        failed: line.status == Status::Fail.name(),
        blind: line.blind,
    }
}

impl Accept {
    /// Keeps the run, unless it proves nothing or left something behind: such a one is no measure.
    fn write(&self) -> Result<ExitStatus, Failure> {
        let (policy, _) = read(&self.policy)?;
        let file = baseline_file(&self.policy, &policy, self.baseline.as_deref())?.ok_or_else(|| {
            Failure::usage("say where to keep it: --baseline FILE, or `baseline` in the policy")
        })?;
        let report = RunReport { gate: None, ..report(&self.from)? };
        if !is_proof(&report.drills) || !report.trouble.is_empty() {
            return Err(Failure::usage(format!(
                "{} is no measure for later runs: it proves nothing, or it left something behind",
                self.from.display()
            )));
        }
        let text = loopdrill_report::report_json(&report).map_err(|e| Failure::new(ExitStatus::Usage, &e))?;
        replace(&file, &text).map_err(|e| Failure::usage(format!("cannot write {}: {e}", file.display())))?;
        let good = report.drills.iter().filter(|d| d.outcome.is_good()).count();
        println!(
            "{} is the baseline now: {good} of {} drills ended well in the run of {}",
            file.display(),
            report.drills.len(),
            report.ended_at
        );
        Ok(ExitStatus::Ready)
    }
}

/// Writes a file so that it appears whole or not at all.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = file.with_extension("draft");
    fs::write(&draft, text)?;
    fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use loopdrill_model::{DrillReport, Expectation, Gate as DrillGate, Outcome, Timestamp};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// A folder with a suite, a policy and a report of its two drills.
    struct Night(tempfile::TempDir);

    impl Night {
        fn new(policy: &str) -> Self {
            let night = Self(tempfile::tempdir().expect("a folder"));
            night.put("s.yaml", "version: 1\nname: s\ndrills:\n  - fault: overlay-mtu\n");
            night.put("g.yaml", &format!("version: 1\nname: g\nsuites: [s.yaml]\n{policy}"));
            night.report("report.json", Outcome::Passed);
            night
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).expect("written");
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).display().to_string()
        }

        /// A report in which the first drill ended so, and the others passed.
        fn report(&self, name: &str, first: Outcome) {
            let ids = ["df", "filtered-icmp", "path"].map(|variant| FaultId::new("overlay-mtu", variant));
            let drill = |(at, id): (usize, &FaultId)| {
                let outcome = if at == 0 { first.clone() } else { Outcome::Passed };
                DrillReport::new(id, Expectation::default()).ended(outcome, None)
            };
            let report = RunReport {
                drills: ids.iter().enumerate().map(drill).collect(),
                require: true,
                ..RunReport::new("r", "builtin", Timestamp::UNIX_EPOCH)
            };
            self.put(name, &loopdrill_report::report_json(&report).expect("JSON"));
        }

        /// The exit code of `loopdrill gate` with these words.
        fn gate(&self, words: &[&str]) -> u8 {
            let line = Line::try_parse_from(["gate"].iter().chain(words)).expect("a command line");
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(main(line.args)).unwrap_or_else(|failure| failure.print()).code()
        }
    }

    #[test]
    fn a_run_that_was_made_already_is_judged() {
        let night = Night::new("");
        let (gate, report) = (night.path("g.yaml"), night.path("report.json"));
        assert_eq!(night.gate(&[&gate, "--from", &report]), 0);
        night.report("report.json", Outcome::Failed(DrillGate::Detected));
        assert_eq!(night.gate(&[&gate, "--from", &report]), 1);
        night.report("report.json", Outcome::CleanupFailed);
        assert_eq!(night.gate(&[&gate, "--from", &report]), 5);
        assert_eq!(night.gate(&[&gate, "--from", &night.path("none.json")]), 2);
    }

    #[test]
    fn an_accepted_run_is_what_later_ones_are_held_to() {
        let night = Night::new("baseline: last.json\n");
        let (gate, report) = (night.path("g.yaml"), night.path("report.json"));
        assert_eq!(night.gate(&[&gate, "--from", &report]), 2, "there is no baseline yet");
        assert_eq!(night.gate(&["accept", &gate, "--from", &report]), 0);
        assert_eq!(night.gate(&[&gate, "--from", &report]), 0);
        assert_eq!(night.gate(&[&gate, "--from", &report, "--baseline", &night.path("other.json")]), 2);
        night.report("report.json", Outcome::Failed(DrillGate::Attributed));
        assert_eq!(night.gate(&[&gate, "--from", &report]), 1);
    }

    #[test]
    fn the_committed_gates_are_right_and_their_schema_is_the_one_that_is_printed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for gate in ["nightly.yaml", "whole-night.yaml"] {
            assert!(read(&root.join("ci/gate").join(gate)).is_ok(), "{gate}");
        }
        let schema = fs::read_to_string(root.join("suites/gate.schema.json")).expect("the schema");
        let wanted = format!("{:#}\n", loopdrill_suite::gate_schema());
        assert_eq!(schema, wanted, "`loopdrill schema --gate > suites/gate.schema.json` writes it anew");
    }
}
