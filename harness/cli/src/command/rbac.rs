//! `loopdrill rbac`: what a run must be allowed, printed from what it does.

mod drills;

use crate::Failure;
use loopdrill_cluster::{Right, aws::AwsTarget};
use loopdrill_model::ExitStatus;
use loopdrill_observe::PATHS;
use std::path::PathBuf;

/// Options of `loopdrill rbac`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The policy for an AWS account: no more actions than a run takes, on no more roles than the target file names
    #[arg(long, required_unless_present_any = ["diagnose", "drills"], conflicts_with_all = ["diagnose", "drills"])]
    aws: bool,
    /// The ClusterRole for `loopdrill diagnose` without probes: it reads, and asks what others may do
    #[arg(long)]
    diagnose: bool,
    /// The account of a run on a cluster that is not ours, as manifests: no more than its drills and its detector need
    #[arg(long, conflicts_with = "diagnose")]
    drills: bool,
    /// Only what drills of this fault need. Repeatable
    #[arg(long, value_name = "FAULT", requires = "drills")]
    fault: Vec<String>,
    /// Also to copy this Secret, which pulls the victims' image
    #[arg(long, value_name = "NAMESPACE/NAME", requires = "drills")]
    pull_secret: Option<String>,
    /// The target file; without it account and role are left to be filled in
    #[arg(long, value_name = "FILE", conflicts_with = "lab")]
    target: Option<PathBuf>,
    /// The lab whose target file it is
    #[arg(long, value_name = "NAME")]
    lab: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill rbac --aws --target aws.yaml >policy.json
  loopdrill rbac --drills --fault revoked-iam | kubectl apply -f -
  loopdrill rbac --diagnose | kubectl apply -f -
  aws iam put-user-policy --user-name drills --policy-name loopdrill --policy-document file://policy.json

The account's workloads need no more than they have. The run's credentials come from the SDK's default chain, or from
the credentials_file of the target file; those of IAM Identity Center by
`aws configure export-credentials --format env`.";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    if args.diagnose {
        print!("{}", cluster_role());
        return Ok(ExitStatus::Ready);
    }
    if args.drills {
        print!("{}", drills::manifests(&args.fault, args.pull_secret.as_deref())?);
        return Ok(ExitStatus::Ready);
    }
    let usage = |e| Failure::new(ExitStatus::Usage, &e);
    let target = match (&args.target, &args.lab) {
        (Some(file), _) => AwsTarget::read(file).map_err(usage)?,
        (None, Some(lab)) => AwsTarget::find(&loopdrill_lab::folder(lab))
            .ok_or_else(|| {
                Failure::usage(format!("lab {lab} has no cloud; make it with `lab up --with cloud-identity`"))
            })?
            .map_err(usage)?,
        (None, None) => blank(),
    };
    println!("{:#}", loopdrill_aws::policy(&target));
    Ok(ExitStatus::Ready)
}

/// The role as YAML, with what each rule is for.
fn cluster_role() -> String {
    let mut text = String::from(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: loopdrill-diagnose\nrules:\n",
    );
    let mut rights = loopdrill_observe::rights();
    rights.sort_by_key(|r| (r.group, r.verbs, r.why));
    rights
        .chunk_by(|a, b| (a.group, a.verbs, a.why) == (b.group, b.verbs, b.why))
        .for_each(|same| text += &rule(same));
    text += &format!("  - nonResourceURLs: [{}]\n    verbs: [\"get\"]\n", list(PATHS));
    text
}

/// One rule of a role as YAML, of rights that differ in resources alone.
fn rule(same: &[Right]) -> String {
    let [first, ..] = same else { return String::new() };
    let resources: Vec<_> = same.iter().flat_map(|right| right.resources).copied().collect();
    let mut text = format!("  # {}\n  - apiGroups: [\"{}\"]\n", first.why, first.group);
    text += &format!("    resources: [{}]\n    verbs: [{}]\n", list(&resources), list(first.verbs));
    text
}

fn list(all: &[&str]) -> String {
    all.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")
}

/// A target with words in place of what only its owner knows.
fn blank() -> AwsTarget {
    AwsTarget {
        account_id: "ACCOUNT".into(),
        region: "REGION".into(),
        endpoint_url: None,
        roles: vec!["ROLE".into()],
        bucket: "BUCKET".into(),
        credentials_file: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_for_diagnose_lets_logs_be_read_and_nothing_be_changed() {
        let role = cluster_role();
        assert!(role.contains("resources: [\"pods/log\"]\n    verbs: [\"get\"]"), "{role}");
        assert!(role.contains("resources: [\"subjectaccessreviews\"]\n    verbs: [\"create\"]"), "{role}");
        for never in ["secrets", "delete", "update", "patch", "\"*\""] {
            assert!(!role.contains(never), "{never}");
        }
    }
}
