//! `loopdrill validate` and `loopdrill schema`: suites and gates as files, without running them.

use crate::Failure;
use loopdrill_model::ExitStatus;
use loopdrill_suite::Suite;
use std::path::PathBuf;

/// Options of `loopdrill validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The suites
    #[arg(required_unless_present = "gate", value_name = "SUITE.yaml")]
    files: Vec<PathBuf>,
    /// A gate's policy, with the suites that it names. Repeatable
    #[arg(long, value_name = "GATE.yaml")]
    gate: Vec<PathBuf>,
}

/// Options of `loopdrill schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct SchemaArgs {
    /// That of a gate's policy
    #[arg(long)]
    gate: bool,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill validate suites/*.yaml       what each would run; exit code 2 where one cannot be used
  loopdrill validate --gate ci/nightly.gate.yaml
  loopdrill schema >suite.schema.json    for editors: # yaml-language-server: $schema=suite.schema.json";

/// Reads each suite and says what it would run; goes on past a wrong one.
pub(crate) fn validate(args: &Args) -> Result<ExitStatus, Failure> {
    let known = loopdrill_drill::known();
    let mut exit = ExitStatus::Ready;
    for file in &args.files {
        match Suite::read(file, &known) {
            Ok(suite) => {
                println!("{}: {} drills", file.display(), suite.select(&known).len());
            }
            Err(e) => exit = exit.worst(Failure::new(ExitStatus::Usage, &e).print()),
        }
    }
    for file in &args.gate {
        match super::gate::read(file) {
            Ok((policy, suites)) => println!("{}: {}, {} suites", file.display(), policy.name, suites.len()),
            Err(failure) => exit = exit.worst(failure.print()),
        }
    }
    Ok(exit)
}

/// Prints the JSON Schema of suites, or of gates.
pub(crate) fn schema(args: &SchemaArgs) -> ExitStatus {
    let schema = if args.gate { loopdrill_suite::gate_schema() } else { loopdrill_suite::schema() };
    println!("{schema:#}");
    ExitStatus::Ready
}
