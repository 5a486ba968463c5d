//! The command line: one file a command, and the names under which this one binary does its other jobs.

mod cluster;
mod command;
mod failure;
mod interrupt;
mod names;
mod show;
mod subject;

use clap::{CommandFactory as _, Parser, Subcommand};
use command::{check, completions, diagnose, lab, list, rbac, replay, rules, run, undo};
use failure::Failure;
use loopdrill_model::ExitStatus;
use std::process::ExitCode;

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
  loopdrill run --dry-run                         what would be done, and to what
  loopdrill check --lab dev                       the readiness checklist
  loopdrill diagnose --context prod --once        what is wrong with a cluster now; nothing is touched
  loopdrill replay --demo                         what all this does, in two seconds, without a cluster
  loopdrill undo                                  what an interrupted run left behind

Exit codes:
  0 ready   1 not ready   2 usage or configuration   3 no cluster   4 fault not injected
  5 cleanup failed   130 interrupted and cleaned";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run drills and print the scorecard
    Run(Box<run::Args>),
    /// Provide a cluster to drill: up, down, list, kubeconfig, image
    #[command(subcommand)]
    Lab(lab::Command),
    /// Check whether a cluster, or manifests, are ready for day 2
    Check(check::Args),
    /// Say why a check matters and what to do about it
    Explain(check::ExplainArgs),
    /// List the drills: fault, variant, loop
    List(list::Args),
    /// Watch a cluster, inject nothing, and say what is wrong with it
    Diagnose(diagnose::Args),
    /// Diagnose again from recordings, or score them
    Replay(replay::Args),
    /// Print alert rules for Prometheus, one a failure signature, with their unit tests
    Rules(rules::Args),
    /// Print what a run must be allowed in a cloud account
    Rbac(rbac::Args),
    /// Undo what an interrupted run left behind
    Undo(undo::Args),
    /// Print a shell's completion script
    Completions(completions::Args),
}

/// The binary's `main`. In pods and on nodes the same binary has other jobs, named by its first argument.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("node") => loopdrill_faults::node::agent::main(&args[1..]),
        Some("victim") => loopdrill_faults::victim::main(&args[1..]),
        Some("observer") => loopdrill_observe::agent::main(&args[1..]),
        Some("cloud") => loopdrill_cloud::main(&args[1..]),
        Some("zonal-disk") => loopdrill_zonal_disk::main(&args[1..]),
        _ => user_main(),
    }
}

fn user_main() -> ExitCode {
    let cli = Cli::parse();
    init_tracing();
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
        Command::Lab(command) => lab::main(command).await,
        Command::Check(args) => check::main(args).await,
        Command::Explain(args) => check::explain(&args),
        Command::List(args) => list::main(&args),
        Command::Diagnose(args) => diagnose::main(args).await,
        Command::Replay(args) => replay::main(&args),
        Command::Rules(args) => rules::main(&args),
        Command::Rbac(args) => rbac::main(&args),
        Command::Undo(args) => undo::main(args).await,
        Command::Completions(args) => completions::main(&args, &mut Cli::command()),
    }
}

/// Diagnostics for whoever looks into loopdrill itself: `LOOPDRILL_LOG=debug`.
fn init_tracing() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("LOOPDRILL_LOG").unwrap_or_else(|_| EnvFilter::new("off"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
