//! `loopdrill list`.

use crate::{Failure, names::OutputFormat};
use loopdrill_faults::catalogue;
use loopdrill_model::ExitStatus;
use serde_json::json;

/// Options of `loopdrill list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    output: OutputFormat,
}

pub(crate) fn main(args: &Args) -> Result<ExitStatus, Failure> {
    let all = catalogue();
    let specs = all.iter().map(|f| f.spec());
    match args.output {
        OutputFormat::Json => {
            let drills: Vec<_> = specs
                .map(|s| {
                    json!({ "fault": s.fault, "variant": s.variant, "loop": s.expected_loop, "title": s.title,
                        "causes": s.expected_causes, "needs": s.needs.iter().map(ToString::to_string).collect::<Vec<_>>() })
                })
                .collect();
            println!("{:#}", json!({ "drills": drills }));
        }
        OutputFormat::Human => {
            for s in specs {
                println!("{:<14} {:<36} {}", s.expected_loop, s.id(), s.title);
            }
        }
    }
    Ok(ExitStatus::Ready)
}
