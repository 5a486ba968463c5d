//! What an altered object was before, carried by the object itself: compressed, with a digest. So any machine can put it
//! right, without the journal.

use super::{Manifest, Patch};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read as _, Write as _};

/// The annotation on an object that a run has altered: `sha256:DIGEST:CONTENT`.
pub(super) const ORIGINAL: &str = "loopdrill.dev/original";
/// No original is longer, unpacked: the API server takes no object of more than 1.5 MiB.
const LONGEST: u64 = 4 << 20;

/// What was altered, and the whole object before that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Original {
    pub(super) patch: Patch,
    pub(super) before: Manifest,
}

/// Why an annotation tells nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum OriginalError {
    #[error("its annotation {ORIGINAL} has another form than ours")]
    Form,
    #[error("its annotation {ORIGINAL} was altered: the digest does not fit")]
    Digest,
    #[error("its annotation {ORIGINAL} cannot be packed or unpacked: {0}")]
    Packing(#[from] io::Error),
    #[error("its annotation {ORIGINAL} cannot be read: {0}")]
    Content(#[from] serde_json::Error),
}

impl Original {
    pub(super) fn new(patch: &Patch, found: &Value) -> Self {
        Self { patch: patch.clone(), before: Manifest::of(found) }
    }

    pub(super) fn encode(&self) -> Result<String, OriginalError> {
        let text = serde_json::to_vec(self)?;
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&text)?;
        Ok(format!("sha256:{}:{}", digest(&text), STANDARD.encode(packer.finish()?)))
    }

    pub(super) fn decode(annotation: &str) -> Result<Self, OriginalError> {
        let rest = annotation.strip_prefix("sha256:").ok_or(OriginalError::Form)?;
        let (wanted, packed) = rest.split_once(':').ok_or(OriginalError::Form)?;
        let packed = STANDARD.decode(packed).map_err(|_| OriginalError::Form)?;
        let mut text = Vec::new();
        GzDecoder::new(&packed[..]).take(LONGEST).read_to_end(&mut text)?;
        match digest(&text) == wanted {
            true => Ok(serde_json::from_slice(&text)?),
            false => Err(OriginalError::Digest),
        }
    }
}

fn digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
