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
                    let expected = s.expectation();
                    json!({ "fault": s.fault, "variant": s.variant, "group": s.group, "loop": expected.control_loop(),
                        "title": s.title, "causes": s.roots.concat(), "expectation": expected, "needs": s.needs.iter().map(ToString::to_string).collect::<Vec<_>>() })
                })
                .collect();
            println!("{:#}", json!({ "drills": drills }));
        }
        OutputFormat::Human => {
            for s in specs {
                let blamed = s.expectation().control_loop().map_or("none", |l| l.name());
                println!("{:<10} {:<14} {:<38} {}", s.group, blamed, s.id(), s.title);
            }
        }
    }
    Ok(ExitStatus::Ready)
}
