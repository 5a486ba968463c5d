//! Which image nodes are made of: the one that the user names, kind's own where a registry answers, one that we
//! build where none does.

use crate::{LabError, Progress, engine::Engine, state};
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use std::{
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// kind 0.33's own node image, pinned by digest.
pub const KIND_IMAGE: &str =
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5";

/// How references of images that we built begin.
pub(crate) const BUILT: &str = "loopdrill/node:";

/// The builder for machines that no registry answers, as an archive.
const BUILDER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/node-image.tar"));

/// How long a registry may take to answer at all.
const FIRST_ANSWER: Duration = Duration::from_secs(8);
/// How long a pull that is under way may make no progress.
const STALL: Duration = Duration::from_secs(20);

/// The reference of an image that nodes can be made of, present in the engine.
///
/// # Errors
/// [`LabError::NoImage`] when the named image cannot be had, [`LabError::WrongImage`] when it is no node image,
/// [`LabError::Builder`] when none could be built.
pub async fn choose(
    engine: &Engine,
    explicit: Option<&str>,
    progress: &Progress,
) -> Result<String, LabError> {
    if let Some(image) = explicit {
        if !present(engine, image).await? {
            progress(&format!("pulling {image}"));
            pull(engine, image).await.map_err(|why| LabError::NoImage { image: image.into(), why })?;
        }
        check(engine, image).await?;
        return Ok(image.into());
    }
    if let Some(image) = at_hand(engine).await? {
        return Ok(image);
    }
    progress(&format!("asking the registry for {}", KIND_IMAGE.split('@').next().unwrap_or(KIND_IMAGE)));
    match pull(engine, KIND_IMAGE).await {
        Ok(()) => {
            check(engine, KIND_IMAGE).await?;
            Ok(KIND_IMAGE.into())
        }
        Err(why) => {
            progress(&format!(
                "no image from the registry ({why}); building one, which takes minutes the first time"
            ));
            let image = build(progress).await?;
            check(engine, &image).await?;
            Ok(image)
        }
    }
}

/// An image that the engine has already: kind's own, or one that was built for exactly this version of loopdrill.
///
/// # Errors
/// [`LabError::Engine`] when the engine does not say.
pub async fn at_hand(engine: &Engine) -> Result<Option<String>, LabError> {
    if present(engine, KIND_IMAGE).await? {
        return Ok(Some(KIND_IMAGE.into()));
    }
    // Where the builder cannot even name its image, it cannot have built it.
    match Builder::extract()?.reference().await {
        Ok(image) if present(engine, &image).await? => Ok(Some(image)),
        _ => Ok(None),
    }
}

/// The reference of the image that the builder would build, without building it.
///
/// # Errors
/// [`LabError::Builder`].
pub async fn built_reference() -> Result<String, LabError> {
    Builder::extract()?.reference().await
}

/// Builds the image unless it is there.
///
/// # Errors
/// [`LabError::Builder`] with the end of what the builder said.
pub async fn build(progress: &Progress) -> Result<String, LabError> {
    Builder::extract()?.run(&[], progress).await
}

/// The folder of the monitoring bundle, which is built unless it is there.
pub(crate) async fn monitoring(progress: &Progress) -> Result<PathBuf, LabError> {
    Builder::extract()?.run(&["--monitoring"], progress).await.map(PathBuf::from)
}

/// The folder of the cloud bundle, which is built unless it is there.
pub(crate) async fn cloud(progress: &Progress) -> Result<PathBuf, LabError> {
    Builder::extract()?.run(&["--cloud"], progress).await.map(PathBuf::from)
}

async fn present(engine: &Engine, image: &str) -> Result<bool, LabError> {
    match engine.docker.inspect_image(image).await {
        Ok(_) => Ok(true),
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404 | 400, .. }) => Ok(false),
        Err(error) => Err(LabError::engine(format!("look for image {image}"), &error)),
    }
}

/// Whether an image has the contract of `kindest/node`, as far as its configuration tells. Its version of
/// Kubernetes is checked when the first node runs.
async fn check(engine: &Engine, image: &str) -> Result<(), LabError> {
    let found = engine.docker.inspect_image(image).await;
    let found = found.map_err(|e| LabError::engine(format!("look at image {image}"), &e))?;
    let entrypoint = found.config.and_then(|config| config.entrypoint).unwrap_or_default();
    if entrypoint.iter().any(|word| word == "/usr/local/bin/entrypoint") {
        return Ok(());
    }
    let why = format!("its entrypoint is {entrypoint:?}, not kind's");
    Err(LabError::WrongImage { image: image.into(), why })
}

/// Pulls an image, and gives up on a registry that does not answer or stops answering half-way.
async fn pull(engine: &Engine, image: &str) -> Result<(), String> {
    let options = CreateImageOptions { from_image: Some(image.into()), ..Default::default() };
    let mut events = engine.docker.create_image(Some(options), None, None);
    let started = Instant::now();
    // An engine reports "Pulling from …" only after the registry has sent the manifest.
    let (mut limit, mut last) = (FIRST_ANSWER, String::new());
    loop {
        match tokio::time::timeout(limit, events.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(Ok(event))) => {
                if let Some(detail) = event.error_detail {
                    return Err(detail.message.unwrap_or_else(|| "the registry failed".into()));
                }
                last = event.status.unwrap_or_default();
                limit = STALL;
            }
            Ok(Some(Err(error))) => return Err(short(&error.to_string())),
            Err(_) if last.is_empty() => {
                return Err(format!("no answer within {} s", FIRST_ANSWER.as_secs()));
            }
            Err(_) => {
                let (after, stall) = (started.elapsed().as_secs(), STALL.as_secs());
                return Err(format!(
                    "it answered, and then sent nothing for {stall} s (after {after} s, at \"{last}\")"
                ));
            }
        }
    }
}

/// An engine's message about a registry, without the request that it quotes at length.
fn short(message: &str) -> String {
    let message = message.trim_start_matches("Docker responded with status code ");
    let end = message.rsplit(": ").next().unwrap_or(message);
    if message.len() > 160 { end.to_string() } else { message.to_string() }
}

/// The builder's files, extracted.
struct Builder {
    script: PathBuf,
}

impl Builder {
    /// Extracts the builder into the cache, in a folder named by its content.
    fn extract() -> Result<Self, LabError> {
        let hash: String = Sha256::digest(BUILDER).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let folder = state::cache().join("builder").join(hash);
        let script = folder.join("build");
        if !script.exists() {
            let fail = |source| {
                LabError::io(format!("extract the node image's builder to {}", folder.display()), source)
            };
            let beside = folder.with_extension(format!("new-{}", std::process::id()));
            state::create(&beside)?;
            tar::Archive::new(BUILDER).unpack(&beside).map_err(fail)?;
            // Another process may have been faster; its files are the same.
            if std::fs::rename(&beside, &folder).is_err() {
                std::fs::remove_dir_all(&beside).map_err(fail)?;
            }
        }
        Ok(Builder { script })
    }

    async fn reference(&self) -> Result<String, LabError> {
        let output =
            Command::new("bash").arg(&self.script).arg("--print-ref").stdin(Stdio::null()).output().await;
        let output = output.map_err(|source| LabError::io("run the node image's builder".into(), source))?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.trim().lines().last() {
            Some(reference) if output.status.success() => Ok(reference.into()),
            _ => Err(LabError::Builder { why: last_lines(&String::from_utf8_lossy(&output.stderr)) }),
        }
    }

    /// Runs the builder; what it says on standard error is progress, the last line it prints is what it built.
    async fn run(&self, arguments: &[&str], progress: &Progress) -> Result<String, LabError> {
        let mut child = Command::new("bash")
            .arg(&self.script)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(false)
            .spawn()
            .map_err(|source| LabError::io("run the node image's builder".into(), source))?;
        let guard = Terminate(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let said = async {
            let mut said = String::new();
            if let Some(stream) = stderr {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    progress(line.trim());
                    said.push_str(&line);
                    said.push('\n');
                }
            }
            said
        };
        let printed = async {
            let mut last = None;
            if let Some(stream) = stdout {
                let mut lines = BufReader::new(stream).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    last = Some(line.trim().to_string()).filter(|line| !line.is_empty()).or(last);
                }
            }
            last
        };
        let (said, last) = tokio::join!(said, printed);
        let status =
            child.wait().await.map_err(|source| LabError::io("wait for the builder".into(), source))?;
        std::mem::forget(guard);
        match last {
            Some(reference) if status.success() => Ok(reference),
            _ => Err(LabError::Builder { why: last_lines(&said) }),
        }
    }
}

/// Asks the builder to stop when nobody waits for it any more; it ends its compilers itself.
struct Terminate(Option<u32>);

impl Drop for Terminate {
    fn drop(&mut self) {
        if let Some(pid) = self.0.and_then(|pid| i32::try_from(pid).ok()) {
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builder_is_in_the_binary() {
        let names: Vec<_> = tar::Archive::new(BUILDER)
            .entries()
            .expect("an archive")
            .filter_map(|entry| Some(entry.ok()?.path().ok()?.display().to_string()))
            .collect();
        for file in ["build", "assemble", "manifests/flannel.yaml", "go/kubernetes/go.mod"] {
            assert!(names.iter().any(|name| name == file), "{file} is missing in {names:?}");
        }
    }

    #[test]
    fn the_public_image_is_pinned() {
        let (_, digest) = KIND_IMAGE.split_once("@sha256:").expect("a digest");
        assert_eq!(digest.len(), 64);
    }

    #[test]
    fn an_engines_long_message_is_cut_to_its_cause() {
        let long = format!(
            "Docker responded with status code 500: Get \"https://r/{}\": dial tcp: no route",
            "x".repeat(200)
        );
        assert_eq!(short(&long), "no route");
    }
}
