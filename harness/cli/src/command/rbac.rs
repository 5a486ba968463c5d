//! `loopdrill rbac`: what a run must be allowed, printed from what it does.

use crate::Failure;
use loopdrill_model::ExitStatus;
use loopdrill_target::aws::AwsTarget;
use std::path::PathBuf;

/// Options of `loopdrill rbac`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The policy for an AWS account: no more actions than a run takes, on no more roles than the target file names
    #[arg(long, required = true)]
    aws: bool,
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
  aws iam put-user-policy --user-name drills --policy-name loopdrill --policy-document file://policy.json

The account's workloads need no more than they have. The run's credentials come from the SDK's default chain, or from
the credentials_file of the target file; those of IAM Identity Center by
`aws configure export-credentials --format env`.";

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
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
