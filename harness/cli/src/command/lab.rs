//! `loopdrill lab`.

use crate::{Failure, cluster::LabArgs, interrupt, names::OutputFormat};
use loopdrill_lab::{Lab, Progress, UpOptions, lease};
use loopdrill_model::ExitStatus;
use serde_json::json;
use std::sync::Arc;

/// The commands of `loopdrill lab`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a lab, or start the one that was stopped; it stays until `lab down`
    Up(Up),
    /// Stop a lab: nothing of it runs, and all that it knows is kept
    Stop(Named),
    /// Start a lab that was stopped, in a fraction of the time of a new one
    Start(Named),
    /// Take a lab down, whole
    Down(Named),
    /// List labs and kind clusters
    List(List),
    /// Print a lab's kubeconfig, or where it is, or merge it into yours
    Kubeconfig(Kubeconfig),
    /// Build (or find) the node image that labs use here, and print its reference
    Image,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  loopdrill lab up --name dev && export KUBECONFIG=$(loopdrill lab kubeconfig --path --name dev)"
)]
pub(crate) struct Up {
    /// The lab's name
    #[arg(long, default_value = "loopdrill")]
    name: String,
    #[command(flatten)]
    made: LabArgs,
    /// Merge its kubeconfig into yours
    #[arg(long)]
    merge: bool,
    /// Without storage and registry: sooner up, and their drills are skipped
    #[arg(long, conflicts_with = "profile")]
    bare: bool,
    /// Leave a lab that failed to come up as it is, for a look around
    #[arg(long)]
    keep_failed: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// The lab's name
    #[arg(long, default_value = "loopdrill")]
    name: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Kubeconfig {
    /// The lab's name
    #[arg(long, default_value = "loopdrill")]
    name: String,
    /// Print the path of its file
    #[arg(long)]
    path: bool,
    /// Merge it into $KUBECONFIG or ~/.kube/config, and print that file's path
    #[arg(long)]
    merge: bool,
}

pub(crate) async fn main(command: Command) -> Result<ExitStatus, Failure> {
    match command {
        Command::Up(args) => up(args).await,
        Command::Stop(args) => stop(&args.name).await,
        Command::Start(args) => start(&args.name).await,
        Command::Down(args) => down(&args.name).await,
        Command::List(args) => list(args.output).await,
        Command::Kubeconfig(args) => kubeconfig(&args).await,
        Command::Image => {
            println!("{}", loopdrill_lab::node_image::build(&progress()).await?);
            Ok(ExitStatus::Ready)
        }
    }
}

async fn up(args: Up) -> Result<ExitStatus, Failure> {
    let spec = args.made.spec(&args.name)?;
    let _lease = lease::exclusive(&args.name)?;
    let cancel = interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?;
    let options = UpOptions {
        addons: !args.bare,
        keep_failed: args.keep_failed,
        ..args.made.options(progress(), cancel)?
    };
    let lab = if loopdrill_lab::is_stopped(&args.name).await? {
        eprintln!("lab {} was stopped; it is started, and stays as it was made", args.name);
        Lab::start(&args.name, &options.progress).await?
    } else {
        Lab::up(&spec, &options).await?
    };
    if args.merge {
        loopdrill_lab::kubeconfig(&args.name, true).await?;
    }
    println!("{}", lab.kubeconfig().display());
    Ok(ExitStatus::Ready)
}

/// As other tools of its kind do: the kubeconfig itself, ready for a pipe.
async fn kubeconfig(args: &Kubeconfig) -> Result<ExitStatus, Failure> {
    let file = loopdrill_lab::kubeconfig(&args.name, args.merge).await?;
    if args.path || args.merge {
        println!("{}", file.display());
    } else {
        let unreadable =
            |e| Failure::of(ExitStatus::NoCluster, format!("cannot read {}: {e}", file.display()));
        print!("{}", std::fs::read_to_string(&file).map_err(unreadable)?);
    }
    Ok(ExitStatus::Ready)
}

async fn stop(name: &str) -> Result<ExitStatus, Failure> {
    let _lease = lease::exclusive(name)?;
    let ran = Lab::stop(name).await?;
    eprintln!("lab {name} {}", if ran { "is stopped" } else { "was stopped already" });
    Ok(ExitStatus::Ready)
}

async fn start(name: &str) -> Result<ExitStatus, Failure> {
    let _lease = lease::exclusive(name)?;
    let lab = if loopdrill_lab::is_stopped(name).await? {
        Lab::start(name, &progress()).await?
    } else {
        Lab::attach(name).await?
    };
    println!("{}", lab.kubeconfig().display());
    Ok(ExitStatus::Ready)
}

async fn down(name: &str) -> Result<ExitStatus, Failure> {
    let _lease = lease::exclusive(name)?;
    let there = Lab::down(name).await?;
    eprintln!("{}", if there { format!("lab {name} is gone") } else { format!("there is no lab {name}") });
    Ok(ExitStatus::Ready)
}

async fn list(output: OutputFormat) -> Result<ExitStatus, Failure> {
    let labs = loopdrill_lab::list().await?;
    if output == OutputFormat::Json {
        println!("{:#}", json!({ "labs": labs }));
        return Ok(ExitStatus::Ready);
    }
    for lab in &labs {
        let kind = match (lab.ours, lab.complete) {
            (true, true) => "lab",
            (true, false) => "lab, incomplete",
            (false, _) => "kind cluster",
        };
        let running = lab.nodes.values().filter(|runs| **runs).count();
        println!("{:<24} {kind:<16} {running} of {} nodes run", lab.name, lab.nodes.len());
    }
    if labs.is_empty() {
        eprintln!("there is no lab; make one with `loopdrill lab up --name NAME`");
    }
    Ok(ExitStatus::Ready)
}

/// One line a phase, on standard error.
fn progress() -> Progress {
    Arc::new(|line: &str| eprintln!("{line}"))
}
