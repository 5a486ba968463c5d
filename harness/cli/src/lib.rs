//! The command line: one file a command, and the names under which this one binary does its other jobs.

mod cluster;
mod command;
mod failure;
mod interrupt;
mod kubeconfig;
mod man;
mod names;
mod page;
mod pipeline;
mod show;
mod subject;
mod target;

use clap::{CommandFactory as _, Parser, Subcommand};
use command::{
    abort, check, completions, diagnose, explain, gate, image, lab, list, man as man_pages, rbac, replay,
    report, rules, run, suite, target as target_file, undo,
};
use failure::Failure;
use loopdrill_model::ExitStatus;
use std::{error::Error, process::ExitCode};

/// A fire drill for Kubernetes.
///
/// Stands up a real cluster or takes one of yours, injects the canonical day-2 faults, undoes them, and proves
/// for each that it was noticed and blamed on the right control loop.
#[derive(Debug, Parser)]
#[command(name = "loopdrill", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill run                                   all drills on a fresh lab
  loopdrill run --loop network --lab dev --keep   one loop on a lab that stays
  loopdrill run --kind mine                       a cluster that the kind CLI made
  loopdrill run --context staging --target staging.yaml
                                                  a cluster that is not ours, within its target file's fence
  loopdrill run --dry-run                         what would be done, and to what
  loopdrill check --lab dev                       the readiness checklist
  loopdrill diagnose --context prod --once        what is wrong with a cluster now; nothing is touched
  loopdrill replay --demo                         what all this does, in two seconds, without a cluster
  loopdrill undo                                  what an interrupted run left behind

Exit codes:
  0 ready   1 not ready   2 usage or configuration   3 no cluster   4 fault not injected
  5 cleanup failed   6 not admitted   130 interrupted and cleaned";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run drills and print the scorecard
    Run(Box<run::Command>),
    /// Run suites and hold the run to a committed policy, and to the run before
    Gate(Box<gate::Args>),
    /// Make a run's reports again: HTML, JUnit, Markdown, JSON, Prometheus
    Report(report::Args),
    /// Provide a cluster to drill: up, down, list, kubeconfig, image
    #[command(subcommand)]
    Lab(lab::Command),
    /// Check whether a cluster, or manifests, are ready for day 2
    Check(check::Args),
    /// Explain a check, cause, loop, fault, variant, signal, outcome, gate or exit code
    Explain(explain::Args),
    /// List the drills: fault, variant, loop
    List(list::Args),
    /// Watch a cluster, inject nothing, and say what is wrong with it
    Diagnose(diagnose::Args),
    /// Diagnose again from recordings, or score them
    Replay(replay::Args),
    /// Print alert rules for Prometheus, one a failure signature, with their unit tests
    Rules(rules::Args),
    /// Print what a run must be allowed: in a cluster, or in a cloud account
    Rbac(rbac::Args),
    /// Check suite files without running them
    Validate(suite::Args),
    /// Print the JSON Schema of suite files, for editors
    Schema(suite::SchemaArgs),
    /// Undo what an interrupted run left behind
    Undo(undo::Args),
    /// Stop the run that drills a cluster, from any machine, and undo what it leaves
    Abort(abort::Args),
    /// Target files, which fence clusters that are not ours: init
    #[command(subcommand)]
    Target(target_file::Command),
    /// The image that victims and runs inside a cluster are made of: save, load, push
    #[command(subcommand)]
    Image(image::Command),
    /// Print a shell's completion script
    Completions(completions::Args),
    /// Print a command's page for `man`, or write those of all
    Man(man_pages::Args),
}

/// The binary's `main`. In pods and on nodes the same binary has other jobs, named by its first argument.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("node") => loopdrill_faults::node::agent::main(&args[1..]),
        Some("victim") => loopdrill_faults::programs::main(&args[1..]),
        Some("observer") => job(&args[1..], loopdrill_observe::agent::run),
        Some("cloud") => job(&args[1..], loopdrill_cloud::run),
        Some("zonal-disk") => job(&args[1..], loopdrill_zonal_disk::run),
        _ => user_main(),
    }
}

/// Another job of this binary. Ends with 1 and an error on standard error when it cannot go on, with 2 on wrong usage.
fn job<C: Parser>(args: &[String], run: fn(C) -> Result<(), Box<dyn Error>>) -> ExitCode {
    let name = C::command().get_name().to_owned();
    let command = match C::try_parse_from(std::iter::once(&name).chain(args)) {
        Ok(command) => command,
        Err(usage) => {
            // The usage text is all there is to say; without a standard error there is nobody to say it to.
            let _ = usage.print();
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2));
        }
    };
    init_tracing("RUST_LOG", "info");
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn user_main() -> ExitCode {
    let cli = Cli::parse();
    init_tracing("LOOPDRILL_LOG", "off");
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: cannot start: {e}");
            return ExitCode::from(ExitStatus::NoCluster.code());
        }
    };
    let status = runtime.block_on(dispatch(cli.command)).unwrap_or_else(|failure| failure.print());
    ExitCode::from(status.code())
}

async fn dispatch(command: Command) -> Result<ExitStatus, Failure> {
    match command {
        Command::Run(args) => run::main(*args).await,
        Command::Gate(args) => gate::main(*args).await,
        Command::Report(args) => report::main(&args),
        Command::Lab(command) => lab::main(command).await,
        Command::Check(args) => check::main(args).await,
        Command::Explain(args) => explain::main(&args),
        Command::List(args) => list::main(&args),
        Command::Diagnose(args) => diagnose::main(args).await,
        Command::Replay(args) => replay::main(&args),
        Command::Rules(args) => rules::main(&args),
        Command::Rbac(args) => rbac::main(&args),
        Command::Validate(args) => suite::validate(&args),
        Command::Schema(args) => Ok(suite::schema(&args)),
        Command::Undo(args) => undo::main(args).await,
        Command::Abort(args) => abort::main(&args).await,
        Command::Target(command) => target_file::main(command).await,
        Command::Image(command) => image::main(command).await,
        Command::Completions(args) => completions::main(&args, &mut Cli::command()),
        Command::Man(args) => man_pages::main(&args, Cli::command()),
    }
}

/// Diagnostics for whoever looks into loopdrill itself: `LOOPDRILL_LOG=debug`. Jobs in pods log like others there.
fn init_tracing(variable: &str, default: &str) {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env(variable).unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
