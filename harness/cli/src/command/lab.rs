//! `loopdrill lab`.

use crate::{Failure, cluster::ClusterArgs, interrupt, names::OutputFormat};
use loopdrill_lab::{Lab, Profile, Progress, UpOptions, lease};
use loopdrill_model::ExitStatus;
use serde_json::json;
use std::{path::PathBuf, sync::Arc};

/// The commands of `loopdrill lab`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a lab; it stays until `lab down`
    Up(Up),
    /// Take a lab down, whole
    Down(Named),
    /// List labs and kind clusters
    List(List),
    /// Print where a lab's kubeconfig is, or merge it into yours
    Kubeconfig(Kubeconfig),
    /// Build (or find) the node image that labs use here, and print its reference
    Image,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  loopdrill lab up --name dev && export KUBECONFIG=$(loopdrill lab kubeconfig --name dev)"
)]
pub(crate) struct Up {
    /// The lab's name
    #[arg(long, default_value = "loopdrill")]
    name: String,
    /// The lab's specification (YAML: region, apiPort, nodes with role, zone, instanceType, labels)
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// The node image; any with the contract of kindest/node
    #[arg(long, value_name = "IMAGE", env = "LOOPDRILL_NODE_IMAGE")]
    node_image: Option<String>,
    /// Merge its kubeconfig into yours
    #[arg(long)]
    merge: bool,
    /// Without storage and registry: sooner up, and their drills are skipped
    #[arg(long)]
    bare: bool,
    /// What runs in it from the start: a bad or a good example for `loopdrill check`
    #[arg(long, value_name = "PROFILE", value_parser = profile, conflicts_with = "bare")]
    profile: Option<Profile>,
    /// What to install besides; may be given more than once
    #[arg(long, value_enum, value_name = "ADDON")]
    with: Vec<Addon>,
    /// Leave a lab that failed to come up as it is, for a look around
    #[arg(long)]
    keep_failed: bool,
}

/// What a lab can have besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Addon {
    /// Prometheus with our rules, Alertmanager, kube-state-metrics, node_exporter
    Monitoring,
    /// A cloud account with web identity: moto for IAM, STS, S3 and ECR, and a role for victims
    CloudIdentity,
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
    /// Merge it into $KUBECONFIG or ~/.kube/config
    #[arg(long)]
    merge: bool,
}

fn profile(name: &str) -> Result<Profile, String> {
    let known = Profile::ALL.map(Profile::name).join(", ");
    Profile::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| format!("the profiles are {known}"))
}

pub(crate) async fn main(command: Command) -> Result<ExitStatus, Failure> {
    match command {
        Command::Up(args) => up(args).await,
        Command::Down(args) => down(&args.name).await,
        Command::List(args) => list(args.output).await,
        Command::Kubeconfig(args) => {
            println!("{}", loopdrill_lab::kubeconfig(&args.name, args.merge).await?.display());
            Ok(ExitStatus::Ready)
        }
        Command::Image => {
            println!("{}", loopdrill_lab::node_image::build(&progress()).await?);
            Ok(ExitStatus::Ready)
        }
    }
}

async fn up(args: Up) -> Result<ExitStatus, Failure> {
    let cluster =
        ClusterArgs { lab: None, kind: None, keep: true, spec: args.spec, node_image: None, aws: None };
    let spec = match args.profile.filter(|_| cluster.spec.is_none()) {
        Some(profile) => {
            let spec = profile.spec(&args.name);
            spec.validate()?;
            spec
        }
        None => cluster.spec(&args.name)?,
    };
    let _lease = lease::exclusive(&args.name)?;
    let options = UpOptions {
        node_image: args.node_image,
        addons: !args.bare,
        profile: args.profile,
        monitoring: args.with.contains(&Addon::Monitoring),
        cloud: args.with.contains(&Addon::CloudIdentity),
        keep_failed: args.keep_failed,
        cancel: interrupt::token().map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?,
        ..UpOptions::new(progress())?
    };
    let lab = Lab::up(&spec, &options).await?;
    if args.merge {
        loopdrill_lab::kubeconfig(&args.name, true).await?;
    }
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
