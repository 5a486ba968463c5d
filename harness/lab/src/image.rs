//! This binary on every node: as a file for what runs on the node itself, and as an image for pods.

use crate::{LabError, nodes::DockerNodes};
use futures::future::try_join_all;
use layout::{BLOCK, CONFIG, LAYER, MANIFEST, descriptor, digest, header, hex, padding};
use loopdrill_cluster::ExecOutput;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};
use tokio::io::AsyncReadExt;

mod elf;
mod layout;
mod push;

pub use push::{Account, PushError, push};

/// The path of this binary on nodes.
pub const AGENT: &str = "/usr/local/bin/loopdrill";
/// The path of this binary in its image.
const IN_IMAGE: &str = "loopdrill";

/// A static binary, and the image around it.
///
/// The image has one layer with one file. Its archive is `head`, the binary, `tail`: a node gets the binary once
/// and puts the archive together itself.
#[derive(Debug, Clone)]
pub struct PodImage {
    path: PathBuf,
    size: u64,
    /// What stands before the binary in the archive, and after it.
    head: Vec<u8>,
    tail: Vec<u8>,
    layer: Layer,
    config: String,
    manifest: String,
    architecture: &'static str,
    reference: String,
}

/// The one layer: a tar archive with one file.
#[derive(Debug, Clone)]
struct Layer {
    head: Vec<u8>,
    tail: Vec<u8>,
    size: u64,
    digest: String,
}

impl PodImage {
    /// The image of the binary at `path`.
    ///
    /// # Errors
    /// [`LabError::Binary`] when it could not run in an image without libraries.
    pub fn of(path: &Path) -> Result<Self, LabError> {
        let refuse = |why: String| LabError::Binary { path: path.display().to_string(), why };
        let mut file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        let architecture = elf::architecture_of_static(&mut file).map_err(refuse)?;
        let size = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
        let layer = Layer::around(&mut file, size).map_err(|error| refuse(error.to_string()))?;
        let config = config(architecture, &layer.digest);
        let manifest = manifest(&config, &layer);
        let reference = format!("localhost/loopdrill:{}", &layer.digest[..12]);
        let (head, tail) = archive(&reference, &config, &manifest, &layer);
        Ok(PodImage { path: path.into(), size, head, tail, layer, config, manifest, architecture, reference })
    }

    /// What processor it is for, as Kubernetes names it in `kubernetes.io/arch`.
    #[must_use]
    pub fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Writes the image as an archive in the OCI layout, which `ctr images import`, `kind load image-archive`, `skopeo` and
    /// `podman load` take, under this reference. Returns the manifest's digest.
    ///
    /// # Errors
    /// When the binary cannot be read or the archive cannot be written.
    pub fn save(&self, reference: &str, out: &mut impl Write) -> io::Result<String> {
        let (head, tail) = archive(reference, &self.config, &self.manifest, &self.layer);
        out.write_all(&head)?;
        io::copy(&mut File::open(&self.path)?.take(self.size), out)?;
        out.write_all(&tail)?;
        out.flush()?;
        Ok(format!("sha256:{}", digest(&self.manifest)))
    }

    /// Imports the image under this reference on all nodes at once.
    ///
    /// # Errors
    /// [`LabError::Step`] with what a node said, [`LabError::NoSpace`].
    pub async fn load(&self, reference: &str, nodes: &DockerNodes) -> Result<(), LabError> {
        let (head, tail) = archive(reference, &self.config, &self.manifest, &self.layer);
        let import = async |node| {
            let binary = self.file().await?.take(self.size);
            let stream = AsyncReadExt::chain(head.as_slice(), binary).chain(tail.as_slice());
            let argv = ["ctr", "-n", "k8s.io", "images", "import", "-"];
            taken(node, &nodes.exec_reader(node, &argv, stream).await?)
        };
        try_join_all(nodes.names().iter().map(|node| import(node))).await.map(drop)
    }

    async fn file(&self) -> Result<tokio::fs::File, LabError> {
        let file = tokio::fs::File::open(&self.path).await;
        file.map_err(|source| LabError::io(format!("read {}", self.path.display()), source))
    }

    /// The layer's bytes.
    fn layer(&self) -> io::Result<Vec<u8>> {
        let mut bytes = self.layer.head.clone();
        File::open(&self.path)?.take(self.size).read_to_end(&mut bytes)?;
        bytes.extend(&self.layer.tail);
        Ok(bytes)
    }

    /// The digest of its configuration, by which container runtimes know it as well.
    fn id(&self) -> String {
        format!("sha256:{}", digest(&self.config))
    }

    /// The image's reference, which names the binary by its content.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// Puts the binary and the image on all nodes at once. Does nothing on nodes that have them.
    ///
    /// # Errors
    /// [`LabError::Step`] with what a node said, [`LabError::NoSpace`].
    pub async fn ensure(&self, nodes: &DockerNodes) -> Result<(), LabError> {
        try_join_all(nodes.names().iter().map(|node| self.ensure_on(nodes, node))).await.map(drop)
    }

    async fn ensure_on(&self, nodes: &DockerNodes, node: &str) -> Result<(), LabError> {
        let marker = format!("{AGENT}.image");
        let reference = &self.reference;
        let check = format!(
            "until ctr version >/dev/null 2>&1 || ((SECONDS > 60)); do sleep 0.1; done; \
             [ \"$(cat {marker} 2>/dev/null)\" = {reference} ] && [ -x {AGENT} ] && \
             ctr -n k8s.io images ls -q name=={reference} | grep -q ."
        );
        if nodes.sh(node, &check).await?.code == 0 {
            return Ok(());
        }
        let stream =
            self.file().await?.take(self.size).chain(self.head.as_slice()).chain(self.tail.as_slice());
        // A running agent keeps its old file; the name changes hands at once.
        let script = format!(
            "d=$(mktemp -d /var/tmp/loopdrill.XXXXXX); trap 'rm -r $d' EXIT; \
             head -c {} >$d/binary; head -c {} >$d/head; cat >$d/tail; chmod 755 $d/binary; \
             cat $d/head $d/binary $d/tail | ctr -n k8s.io images import - >/dev/null; \
             mv $d/binary {AGENT}; echo {reference} >{marker}",
            self.size,
            self.head.len()
        );
        taken(node, &nodes.exec_reader(node, &["bash", "-euo", "pipefail", "-c", &script], stream).await?)
    }

    /// Takes the binary and the image off the nodes of a cluster that is not ours.
    ///
    /// # Errors
    /// [`LabError::Node`] when a node cannot be reached.
    pub async fn remove(&self, nodes: &DockerNodes) -> Result<(), LabError> {
        let script = format!(
            "ctr -n k8s.io images rm {} {} >/dev/null 2>&1 || true; rm -f {AGENT} {AGENT}.image",
            self.reference,
            self.id()
        );
        for node in nodes.names() {
            nodes.sh(node, &script).await?.success(node, &["rm", AGENT])?;
        }
        Ok(())
    }
}

/// Whether a node took the image.
fn taken(node: &str, output: &ExecOutput) -> Result<(), LabError> {
    if output.code == 0 {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).trim().to_string();
    if log.to_lowercase().contains("no space left") {
        return Err(LabError::NoSpace { what: format!("node {node} could not take this binary's image") });
    }
    Err(LabError::Step { node: node.into(), step: "importing this binary's image", log })
}

impl Layer {
    /// The layer with the file, of so many bytes, as its only entry.
    fn around(file: &mut File, size: u64) -> io::Result<Self> {
        let (head, tail) = (header(IN_IMAGE, size, 0o755), vec![0; padding(size) + 2 * BLOCK]);
        let mut layer = Sha256::new();
        layer.update(&head);
        file.rewind()?;
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                count => layer.update(&buffer[..count]),
            }
        }
        layer.update(&tail);
        let size = head.len() as u64 + size + tail.len() as u64;
        Ok(Layer { head, tail, size, digest: hex(&layer.finalize()) })
    }
}

/// The image's configuration.
fn config(architecture: &str, layer: &str) -> String {
    serde_json::json!({
        "architecture": architecture, "os": "linux",
        "config": { "Entrypoint": [format!("/{IN_IMAGE}")], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    })
    .to_string()
}

fn manifest(config: &str, layer: &Layer) -> String {
    serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &digest(config), config.len() as u64),
        "layers": [descriptor(LAYER, &layer.digest, layer.size)],
    })
    .to_string()
}

/// An image archive in the OCI layout, in two parts: what comes before the binary and what comes after it. `manifest.json` is
/// for engines that know only Docker's own.
fn archive(reference: &str, config: &str, manifest: &str, layer: &Layer) -> (Vec<u8>, Vec<u8>) {
    let mut entry = descriptor(MANIFEST, &digest(manifest), manifest.len() as u64);
    let tag = reference.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    entry["annotations"] = serde_json::json!({
        "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": tag,
    });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();
    let blob = |digest: &str| format!("blobs/sha256/{digest}");
    let docker = serde_json::json!([{
        "Config": blob(&digest(config)), "RepoTags": [reference], "Layers": [blob(&layer.digest)],
    }])
    .to_string();

    let mut head = Vec::new();
    let mut put = |name: &str, content: &[u8]| {
        head.extend(header(name, content.len() as u64, 0o644));
        head.extend(content);
        head.extend(vec![0; padding(content.len() as u64)]);
    };
    put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    put("index.json", index.as_bytes());
    put("manifest.json", docker.as_bytes());
    put(&blob(&digest(config)), config.as_bytes());
    put(&blob(&digest(manifest)), manifest.as_bytes());
    head.extend(header(&blob(&layer.digest), layer.size, 0o644));
    head.extend(&layer.head);
    let mut tail = layer.tail.clone();
    tail.extend(vec![0; padding(layer.size) + 2 * BLOCK]);
    (head, tail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_test_binary_of_this_workspace_is_static_and_a_script_is_no_program() {
        PodImage::of(&std::env::current_exe().expect("known")).expect("static");
        let mut script = tempfile::NamedTempFile::new().expect("a file");
        writeln!(script, "#!/bin/sh\n{}", " ".repeat(100)).expect("written");
        let error = PodImage::of(script.path()).expect_err("no program").to_string();
        assert!(error.contains("no Linux program"), "{error}");
    }

    #[test]
    fn a_dynamic_program_is_refused_with_the_remedy() {
        let shell = Path::new("/bin/bash");
        if !shell.exists() {
            eprintln!("skipped: this machine has no /bin/bash to refuse");
            return;
        }
        let error = PodImage::of(shell).expect_err("dynamic").to_string();
        assert!(error.contains("dynamically") && error.contains("cargo build"), "{error}");
    }

    #[test]
    fn the_archive_is_whole_and_its_digests_are_right() {
        let path = std::env::current_exe().expect("known");
        let image = PodImage::of(&path).expect("static");
        let binary = std::fs::read(&path).expect("readable");
        let all = [image.head.as_slice(), &binary, &image.tail].concat();
        let mut archive = tar::Archive::new(all.as_slice());
        let mut names = Vec::new();
        for entry in archive.entries().expect("an archive") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("whole");
            if let Some(wanted) = name.strip_prefix("blobs/sha256/") {
                assert_eq!(hex(&Sha256::digest(&content)), wanted);
            }
            names.push(name);
        }
        assert_eq!(names.len(), 6, "{names:?}");
    }
}
