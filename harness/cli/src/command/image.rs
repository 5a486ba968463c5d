//! `loopdrill image`: the one image of victims and of what is drilled from inside, as a file, on nodes, in a registry.

use crate::{Failure, cluster};
use loopdrill_lab::{Account, Lab, PodImage, push};
use loopdrill_model::ExitStatus;
use serde_json::Value;
use std::{
    fs::File,
    io::{BufWriter, IsTerminal, Read, Write, stdin, stdout},
    path::{Path, PathBuf},
};

/// The commands of `loopdrill image`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Write the image as an OCI archive
    Save(Save),
    /// Put the image on the nodes of a lab or a kind cluster
    Load(Load),
    /// Put the image into a registry, and print its reference by digest
    Push(Push),
}

/// What the image is made of, and what it is called.
#[derive(Debug, clap::Args)]
struct What {
    /// The program: this one, or one that was built for another processor
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Its name; `localhost/loopdrill:DIGEST` without it
    #[arg(long, value_name = "NAME:TAG")]
    reference: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  loopdrill image save loopdrill.tar && ctr -n k8s.io images import loopdrill.tar
  loopdrill image save --reference r.example/team/loopdrill:1 - | skopeo copy oci-archive:/dev/stdin docker://r.example/team/loopdrill:1
  loopdrill image save --binary target/aarch64-unknown-linux-gnu/release/loopdrill loopdrill-arm64.tar")]
pub(crate) struct Save {
    #[command(flatten)]
    what: What,
    /// Where to; `-` for standard output
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  loopdrill image load --lab kind --reference r.example/team/loopdrill:1   # as the target file names it")]
pub(crate) struct Load {
    #[command(flatten)]
    what: What,
    /// The lab's name, or the kind cluster's
    #[arg(long, value_name = "NAME", default_value = "loopdrill")]
    lab: String,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The account is that of --username, else what `docker login` has written to $DOCKER_CONFIG or ~/.docker for the registry.

Examples:
  loopdrill image push r.example/team/loopdrill:1
  loopdrill image push r.example/team/loopdrill:1 --binary amd64/loopdrill --binary arm64/loopdrill
  printenv TOKEN | loopdrill image push ghcr.io/team/loopdrill:1 --username me --password-stdin")]
pub(crate) struct Push {
    /// Registry, repository and tag, as in `r.example:5000/team/loopdrill:1`
    reference: String,
    /// The program: this one without it; several are pushed under one name, one for each processor
    #[arg(long, value_name = "FILE")]
    binary: Vec<PathBuf>,
    /// Who pushes
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    username: Option<String>,
    /// Read the password, or a token, from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
    /// Speak HTTP without TLS
    #[arg(long)]
    plain_http: bool,
}

pub(crate) async fn main(command: Command) -> Result<ExitStatus, Failure> {
    match command {
        Command::Save(args) => save(&args),
        Command::Load(args) => load(&args).await,
        Command::Push(args) => send(&args).await,
    }
}

impl What {
    fn image(&self) -> Result<(PodImage, String), Failure> {
        let image = match &self.binary {
            Some(binary) => PodImage::of(binary)?,
            None => PodImage::of(&cluster::binary()?)?,
        };
        let reference = self.reference.clone().unwrap_or_else(|| image.reference().into());
        Ok((image, reference))
    }
}

fn save(args: &Save) -> Result<ExitStatus, Failure> {
    let (image, reference) = args.what.image()?;
    let unwritten = |e| Failure::usage(format!("cannot write {}: {e}", args.file.display()));
    let digest = if args.file == Path::new("-") {
        if stdout().is_terminal() {
            return Err(Failure::usage("an archive is nothing for a terminal; name a file, or pipe it on"));
        }
        image.save(&reference, &mut BufWriter::new(stdout().lock())).map_err(unwritten)?
    } else {
        let mut out = BufWriter::new(File::create(&args.file).map_err(unwritten)?);
        let saved = image.save(&reference, &mut out).and_then(|digest| out.flush().map(|()| digest));
        saved.map_err(|e| {
            // Half an archive is none.
            let _ = std::fs::remove_file(&args.file);
            unwritten(e)
        })?
    };
    eprintln!("{reference} ({}), {digest}", image.architecture());
    Ok(ExitStatus::Ready)
}

async fn load(args: &Load) -> Result<ExitStatus, Failure> {
    let (image, reference) = args.what.image()?;
    let lab = Lab::look_at(&args.lab).await?;
    eprintln!("putting {reference} on {} nodes of {}", lab.nodes().names().len(), args.lab);
    let loaded = image.load(&reference, &lab.nodes()).await;
    lab.forget()?;
    loaded?;
    println!("{reference}");
    Ok(ExitStatus::Ready)
}

async fn send(args: &Push) -> Result<ExitStatus, Failure> {
    let this = || Ok::<_, Failure>(vec![cluster::binary()?]);
    let binaries = if args.binary.is_empty() { this()? } else { args.binary.clone() };
    let images: Vec<PodImage> = binaries.iter().map(|b| PodImage::of(b)).collect::<Result<_, _>>()?;
    for (at, image) in images.iter().enumerate() {
        if images[..at].iter().any(|other| other.architecture() == image.architecture()) {
            return Err(Failure::usage(format!("two of the programs are for {}", image.architecture())));
        }
    }
    let account = match &args.username {
        Some(name) => Some(Account { name: name.clone(), password: password()? }),
        None => logged_in(args.reference.split('/').next().unwrap_or_default()),
    };
    eprintln!(
        "pushing {} for {}",
        args.reference,
        images.iter().map(PodImage::architecture).collect::<Vec<_>>().join(", ")
    );
    let pushed = push(&images, &args.reference, account.as_ref(), args.plain_http).await;
    println!("{}", pushed.map_err(|e| Failure::new(ExitStatus::NoCluster, &e))?);
    Ok(ExitStatus::Ready)
}

fn password() -> Result<String, Failure> {
    let mut password = String::new();
    let read = stdin().read_to_string(&mut password);
    read.map_err(|e| Failure::usage(format!("cannot read the password from standard input: {e}")))?;
    match password.trim_end_matches(['\r', '\n']) {
        "" => Err(Failure::usage("there is no password on standard input")),
        password => Ok(password.into()),
    }
}

/// What `docker login` has left for a registry, where it left it in its file.
fn logged_in(host: &str) -> Option<Account> {
    let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
    let folder = folder.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker")))?;
    account_in(&std::fs::read(folder.join("config.json")).ok()?, host)
}

fn account_in(config: &[u8], host: &str) -> Option<Account> {
    let config: Value = serde_json::from_slice(config).ok()?;
    Account::decode(config["auths"][host]["auth"].as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_for_its_registry_alone() {
        let config = br#"{"auths": {"r.example": {"auth": "bWU6czpjcmV0"}, "empty.example": {}}}"#;
        let found = account_in(config, "r.example").expect("it is there");
        assert_eq!((found.name.as_str(), found.password.as_str()), ("me", "s:cret"));
        for other in ["example", "empty.example", ""] {
            assert!(account_in(config, other).is_none(), "{other}");
        }
        assert!(account_in(b"no JSON", "r.example").is_none());
    }

    #[test]
    fn what_is_saved_is_an_archive_of_the_name_that_was_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("image.tar");
        let what = What { binary: None, reference: Some("r.example/x:1".into()) };
        save(&Save { what, file: file.clone() }).expect("saved");
        let bytes = std::fs::read(file).expect("readable");
        let name = b"\"io.containerd.image.name\":\"r.example/x:1\"";
        assert!(bytes.windows(name.len()).any(|w| w == name));
        let nowhere =
            Save { what: What { binary: None, reference: None }, file: folder.path().join("no/where") };
        assert!(save(&nowhere).is_err());
    }
}
