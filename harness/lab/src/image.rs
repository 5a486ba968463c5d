//! This binary on every node: as a file for what runs on the node itself, and as an image for pods.

use crate::{LabError, nodes::DockerNodes};
use futures::future::try_join_all;
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};
use tokio::io::AsyncReadExt;

/// The path of this binary on nodes.
pub const AGENT: &str = "/usr/local/bin/loopdrill";
/// The path of this binary in its image.
const IN_IMAGE: &str = "loopdrill";
const BLOCK: usize = 512;

/// A static binary, and the image around it.
///
/// The image has one layer with one file. Its archive is `head`, the binary, `tail`: a node gets the binary once
/// and puts the archive together itself.
#[derive(Debug, Clone)]
pub struct PodImage {
    path: PathBuf,
    size: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    reference: String,
    /// The digest of its configuration, by which container runtimes know it as well.
    id: String,
}

impl PodImage {
    /// The image of the binary at `path`.
    ///
    /// # Errors
    /// [`LabError::Binary`] when it could not run in an image without libraries.
    pub fn of(path: &Path) -> Result<Self, LabError> {
        let refuse = |why: String| LabError::Binary { path: path.display().to_string(), why };
        let mut file = File::open(path).map_err(|error| refuse(error.to_string()))?;
        require_static(&mut file).map_err(refuse)?;
        let size = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
        let (layer_head, layer_tail) = (header(IN_IMAGE, size, 0o755), vec![0; padding(size) + 2 * BLOCK]);
        let layer =
            layer_digest(&mut file, &layer_head, &layer_tail).map_err(|error| refuse(error.to_string()))?;
        let reference = format!("localhost/loopdrill:{}", &layer[..12]);
        let config = config(&layer);
        let id = format!("sha256:{}", digest(&config));
        let (head, tail) = archive(&reference, &config, size, &layer, &layer_head, &layer_tail);
        Ok(PodImage { path: path.into(), size, head, tail, reference, id })
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
        let file = tokio::fs::File::open(&self.path).await;
        let file = file.map_err(|source| LabError::io(format!("read {}", self.path.display()), source))?;
        let stream = file.take(self.size).chain(self.head.as_slice()).chain(self.tail.as_slice());
        // A running agent keeps its old file; the name changes hands at once.
        let script = format!(
            "d=$(mktemp -d /var/tmp/loopdrill.XXXXXX); trap 'rm -r $d' EXIT; \
             head -c {} >$d/binary; head -c {} >$d/head; cat >$d/tail; chmod 755 $d/binary; \
             cat $d/head $d/binary $d/tail | ctr -n k8s.io images import - >/dev/null; \
             mv $d/binary {AGENT}; echo {reference} >{marker}",
            self.size,
            self.head.len()
        );
        let output = nodes.exec_reader(node, &["bash", "-euo", "pipefail", "-c", &script], stream).await?;
        if output.code == 0 {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).trim().to_string();
        if log.to_lowercase().contains("no space left") {
            return Err(LabError::NoSpace {
                what: format!("node {node} could not take this binary's image"),
            });
        }
        Err(LabError::Step { node: node.into(), step: "importing this binary's image", log })
    }

    /// Takes the binary and the image off the nodes of a cluster that is not ours.
    ///
    /// # Errors
    /// [`LabError::Node`] when a node cannot be reached.
    pub async fn remove(&self, nodes: &DockerNodes) -> Result<(), LabError> {
        let script = format!(
            "ctr -n k8s.io images rm {} {} >/dev/null 2>&1 || true; rm -f {AGENT} {AGENT}.image",
            self.reference, self.id
        );
        for node in nodes.names() {
            nodes.sh(node, &script).await?.success(node, &["rm", AGENT])?;
        }
        Ok(())
    }
}

/// Refuses what is no ELF file or needs a loader.
fn require_static(file: &mut File) -> Result<(), String> {
    const INTERPRETER: u32 = 3;
    let mut head = [0; 64];
    let short = |_| "it is no Linux program".to_string();
    file.rewind().and_then(|()| file.read_exact(&mut head)).map_err(short)?;
    if &head[..4] != b"\x7fELF" {
        return Err("it is no Linux program".into());
    }
    if head[4] != 2 || head[5] != 1 {
        return Err("it is no 64-bit little-endian program".into());
    }
    let half = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let offset = head[32..40].iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let (size, count) = (half(54), half(56));
    for index in 0..count {
        let mut kind = [0; 4];
        let place = offset.saturating_add(index.saturating_mul(size));
        file.seek(SeekFrom::Start(place)).and_then(|_| file.read_exact(&mut kind)).map_err(short)?;
        if u32::from_le_bytes(kind) == INTERPRETER {
            return Err("it is linked dynamically, and its image holds no libraries".into());
        }
    }
    Ok(())
}

/// The digest of the layer around the file.
fn layer_digest(file: &mut File, before: &[u8], after: &[u8]) -> std::io::Result<String> {
    file.rewind()?;
    let mut layer = Sha256::new();
    layer.update(before);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        layer.update(&buffer[..count]);
    }
    layer.update(after);
    Ok(hex(&layer.finalize()))
}

/// The image's configuration.
fn config(layer: &str) -> String {
    serde_json::json!({
        "architecture": architecture(), "os": "linux",
        "config": { "Entrypoint": [format!("/{IN_IMAGE}")], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
    })
    .to_string()
}

/// An image archive in the OCI layout, in two parts: what comes before the binary and what comes after it.
fn archive(
    reference: &str,
    config: &str,
    size: u64,
    layer: &str,
    layer_head: &[u8],
    layer_tail: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let layer_size = layer_head.len() as u64 + size + layer_tail.len() as u64;
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &digest(config), config.len() as u64),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer, layer_size)],
    })
    .to_string();
    let mut entry =
        descriptor("application/vnd.oci.image.manifest.v1+json", &digest(&manifest), manifest.len() as u64);
    entry["annotations"] = serde_json::json!({ "io.containerd.image.name": reference });
    let index = serde_json::json!({ "schemaVersion": 2, "manifests": [entry] }).to_string();

    let mut head = Vec::new();
    let mut put = |name: &str, content: &[u8]| {
        head.extend(header(name, content.len() as u64, 0o644));
        head.extend(content);
        head.extend(vec![0; padding(content.len() as u64)]);
    };
    put("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
    put("index.json", index.as_bytes());
    put(&format!("blobs/sha256/{}", digest(config)), config.as_bytes());
    put(&format!("blobs/sha256/{}", digest(&manifest)), manifest.as_bytes());
    head.extend(header(&format!("blobs/sha256/{layer}"), layer_size, 0o644));
    head.extend(layer_head);
    let mut tail = layer_tail.to_vec();
    tail.extend(vec![0; padding(layer_size) + 2 * BLOCK]);
    (head, tail)
}

fn descriptor(media_type: &str, digest: &str, size: u64) -> serde_json::Value {
    serde_json::json!({ "mediaType": media_type, "digest": format!("sha256:{digest}"), "size": size })
}

fn header(name: &str, size: u64, mode: u32) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.set_path(name).expect("our own names are short");
    header.set_size(size);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    (BLOCK - over) % BLOCK
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
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
        assert_eq!(names.len(), 5, "{names:?}");
    }
}
