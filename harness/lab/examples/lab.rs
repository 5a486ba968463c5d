//! Labs by hand, without the command line: `lab up NAME BINARY [IMAGE]`, `lab down NAME`, `lab list`, `lab sweep`,
//! `lab facts NAME`, `lab kubeconfig NAME`, `lab kind NAME BINARY` (attach to a kind cluster and leave it as it was).

use loopdrill_lab::{Lab, LabError, LabSpec, Progress, UpOptions};
use std::{process::ExitCode, sync::Arc};

#[tokio::main]
async fn main() -> ExitCode {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match run(&args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit().code())
        }
    }
}

async fn run(args: &[&str]) -> Result<(), LabError> {
    let progress: Progress = Arc::new(|line: &str| eprintln!("{line}"));
    match args {
        ["up", name, binary, rest @ ..] => {
            let mut options = UpOptions::new(progress)?;
            options.binary = binary.into();
            options.node_image = rest.first().map(ToString::to_string);
            options.keep_failed = std::env::var_os("KEEP_FAILED").is_some();
            options.addons = std::env::var_os("NO_ADDONS").is_none();
            let cancel = options.cancel.clone();
            tokio::spawn(async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    cancel.cancel();
                }
            });
            let lab = Lab::up(&LabSpec::named(name), &options).await?;
            println!("export KUBECONFIG={}", lab.kubeconfig().display());
        }
        ["down", name] => println!("{}", if Lab::down(name).await? { "gone" } else { "there was none" }),
        ["list"] => println!("{:#?}", loopdrill_lab::list().await?),
        ["sweep"] => println!("{:?}", loopdrill_lab::sweep().await?),
        ["facts", name] => println!("{:#?}", Lab::attach(name).await?.facts().await?),
        ["kind", name, binary] => {
            let binary = std::path::Path::new(binary);
            let lab = Lab::attach_kind(name, binary).await?;
            println!("{:#?}", lab.facts().await?);
            lab.detach(binary).await?;
        }
        ["kubeconfig", name] => println!("{}", loopdrill_lab::kubeconfig(name, false).await?.display()),
        _ => eprintln!(
            "usage: lab up NAME BINARY [IMAGE] | down NAME | list | sweep | facts NAME | kubeconfig NAME"
        ),
    }
    Ok(())
}
