//! The cluster that a command only looks at: a lab, a cluster of the kind CLI, or a context of a kubeconfig.

use crate::{Failure, kubeconfig};
use loopdrill_cluster::NodeAccess;
use loopdrill_lab::Lab;
use loopdrill_model::ExitStatus;
use loopdrill_observe::ObserveTarget;
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long an API server may take for its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// Which cluster. There is no default: whoever looks says at what.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)]
#[command(group = clap::ArgGroup::new("cluster").required(true).args(["lab", "kind", "context"]))]
pub(crate) struct SubjectArgs {
    /// The lab of this name
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,
    /// The cluster of this name that the kind CLI made
    #[arg(long, value_name = "NAME")]
    kind: Option<String>,
    /// This context of the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// The kubeconfig; without it $KUBECONFIG, or ~/.kube/config
    #[arg(long, value_name = "FILE", requires = "context")]
    kubeconfig: Option<PathBuf>,
    /// Also start probe pods between all nodes, in a namespace of their own that goes afterwards: the only thing
    /// that is changed in the cluster
    #[arg(long)]
    probes: bool,
    /// The image of the probe pods on a cluster that is known by its kubeconfig: FROM scratch, with this program as
    /// its entrypoint `/loopdrill`
    #[arg(long, value_name = "IMAGE", requires_all = ["probes", "context"])]
    probe_image: Option<String>,
}

impl SubjectArgs {
    /// Whether probe pods were asked for.
    pub(crate) fn probes(&self) -> bool {
        self.probes
    }

    /// Whether the cluster is known by its kubeconfig alone.
    pub(crate) fn by_context(&self) -> bool {
        self.context.is_some()
    }
}

/// A cluster that is looked at.
pub(crate) struct Subject {
    pub(crate) target: ObserveTarget,
    pub(crate) name: String,
    pub(crate) probes: bool,
    after: After,
}

/// What must be put back when the look is over.
enum After {
    Nothing,
    Forget(Lab),
    Detach(Lab, PathBuf),
}

impl Subject {
    pub(crate) async fn of(args: &SubjectArgs, run: String) -> Result<Self, Failure> {
        let mut subject = match (&args.lab, &args.kind, &args.context) {
            (Some(name), ..) | (_, Some(name), _) if !args.probes => look(name, run).await?,
            (Some(name), ..) => with_lab(Lab::attach(name).await?, run),
            (_, Some(name), _) => with_kind(name, run).await?,
            (.., Some(name)) => context(name, args, run).await?,
            (None, None, None) => return Err(Failure::usage("name a cluster: --lab, --kind or --context")),
        };
        subject.probes = args.probes;
        if let Err(failure) = answers(&subject).await {
            return Err(subject.release().await.err().into_iter().fold(failure, Failure::and));
        }
        Ok(subject)
    }

    /// Puts back what was put there.
    pub(crate) async fn release(self) -> Result<(), String> {
        match self.after {
            After::Nothing => Ok(()),
            After::Forget(lab) => lab.forget().map_err(|e| e.to_string()),
            After::Detach(lab, binary) => lab.detach(&binary).await.map_err(|e| e.to_string()),
        }
    }
}

fn with_lab(lab: Lab, run: String) -> Subject {
    let nodes: Arc<dyn NodeAccess> = lab.nodes();
    let target = ObserveTarget {
        client: lab.client().clone(),
        nodes: lab.is_ours().then_some(nodes),
        image: Some(lab.image().to_owned()).filter(|image| !image.is_empty()),
        run,
        aws: lab.cloud(),
    };
    let name = lab.name().to_owned();
    let after = if lab.is_ours() { After::Nothing } else { After::Forget(lab) };
    Subject { target, name, probes: false, after }
}

/// Nothing is put on the nodes; those of a lab have the agent already.
async fn look(name: &str, run: String) -> Result<Subject, Failure> {
    Ok(with_lab(Lab::look_at(name).await?, run))
}

async fn with_kind(name: &str, run: String) -> Result<Subject, Failure> {
    let binary = crate::cluster::binary()?;
    let lab = Lab::attach_kind(name, &binary).await?;
    let nodes: Arc<dyn NodeAccess> = lab.nodes();
    let target = ObserveTarget {
        client: lab.client().clone(),
        nodes: Some(nodes),
        image: Some(lab.image().to_owned()),
        run,
        aws: lab.cloud(),
    };
    Ok(Subject { target, name: name.into(), probes: true, after: After::Detach(lab, binary) })
}

async fn context(name: &str, args: &SubjectArgs, run: String) -> Result<Subject, Failure> {
    if args.probes && args.probe_image.is_none() {
        return Err(Failure::usage(
            "--probes needs --probe-image IMAGE on a cluster that is known by its kubeconfig; without --probes \
             everything else is observed",
        ));
    }
    let client = kubeconfig::reach(name, args.kubeconfig.as_deref()).await?.client;
    let target = ObserveTarget { client, nodes: None, image: args.probe_image.clone(), run, aws: None };
    Ok(Subject { target, name: name.into(), probes: args.probes, after: After::Nothing })
}

/// Whether there is anybody to ask. What the account may not do is told later, source by source; an account that
/// nobody knows is told now.
async fn answers(subject: &Subject) -> Result<(), Failure> {
    let name = &subject.name;
    let no_cluster = |why: String| Failure::of(ExitStatus::NoCluster, why);
    match timeout(FIRST_ANSWER, subject.target.client.apiserver_version()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(kube::Error::Api(status))) if status.code == 401 => Err(no_cluster(format!(
            "the API server of {name} does not know this account (401); renew its credentials and try again"
        ))),
        // Some clusters do not give their version to everybody; that is an answer, too.
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => Ok(()),
        Ok(Err(error)) => {
            let failure = Failure::new(ExitStatus::NoCluster, &error);
            Err(failure.before(&format!("the API server of {name} does not answer")))
        }
        Err(_) => Err(no_cluster(format!(
            "the API server of {name} does not answer within {} s; is the cluster up, and this the right kubeconfig?",
            FIRST_ANSWER.as_secs()
        ))),
    }
}
