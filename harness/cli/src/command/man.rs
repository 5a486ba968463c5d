//! `loopdrill man`.

use crate::{Failure, man::pages};
use loopdrill_model::ExitStatus;
use std::{fs, io::Write as _, path::PathBuf};

/// Options of `loopdrill man`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command whose page is printed, such as `lab up`; loopdrill itself without one
    #[arg(value_name = "COMMAND", conflicts_with = "output_dir")]
    command: Vec<String>,
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  loopdrill man lab up | man -l -
  loopdrill man --output-dir /usr/local/share/man/man1";

pub(crate) fn main(args: &Args, command: clap::Command) -> Result<ExitStatus, Failure> {
    let pages = pages(command);
    let Some(dir) = &args.output_dir else {
        let name =
            ["loopdrill".to_owned()].iter().chain(&args.command).cloned().collect::<Vec<_>>().join("-");
        let page = pages.iter().find(|(page, _)| *page == name).ok_or_else(|| {
            let asked = args.command.join(" ");
            Failure::usage(format!("there is no command `{asked}`; `loopdrill --help` names all"))
        })?;
        // A reader that has seen enough, such as `head`, is no error.
        let _ = std::io::stdout().write_all(page.1.as_bytes());
        return Ok(ExitStatus::Ready);
    };
    let write = || {
        fs::create_dir_all(dir)?;
        pages.iter().try_for_each(|(name, page)| fs::write(dir.join(format!("{name}.1")), page))
    };
    let cannot = |e: std::io::Error| {
        Failure::usage(format!("cannot write to {}: {e}; name another folder", dir.display()))
    };
    write().map_err(cannot)?;
    eprintln!("{} pages are in {}", pages.len(), dir.display());
    Ok(ExitStatus::Ready)
}
