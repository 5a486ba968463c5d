//! How the driver's errors look to those who call it, and the log line of each call.

use crate::{proto::csi, volume_store::VolumeStoreError};
use tonic::{Code, Response, Status};

impl From<VolumeStoreError> for Status {
    fn from(error: VolumeStoreError) -> Self {
        let code = match &error {
            VolumeStoreError::Name { .. } => Code::InvalidArgument,
            VolumeStoreError::Unknown(_) | VolumeStoreError::Unreachable { .. } => Code::NotFound,
            VolumeStoreError::Differs { .. } => Code::AlreadyExists,
            VolumeStoreError::AttachedElsewhere { .. }
            | VolumeStoreError::InUse { .. }
            | VolumeStoreError::WrongZone { .. }
            | VolumeStoreError::NotAttached { .. } => Code::FailedPrecondition,
            VolumeStoreError::Io { .. } | VolumeStoreError::Corrupt { .. } => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// Logs how a call ended and wraps the answer.
pub(crate) fn answer<T>(rpc: &str, subject: &str, result: Result<T, Status>) -> Result<Response<T>, Status> {
    match &result {
        Ok(_) => tracing::info!(rpc, subject, "done"),
        Err(status) => tracing::warn!(rpc, subject, code = ?status.code(), "{}", status.message()),
    }
    result.map(Response::new)
}

/// The value of a field that must not be empty.
pub(crate) fn required<'a>(field: &str, value: &'a str) -> Result<&'a str, Status> {
    if value.is_empty() { Err(Status::invalid_argument(format!("{field} is missing"))) } else { Ok(value) }
}

/// Why a volume cannot be used in the way that `capability` describes.
pub(crate) fn unsupported(capability: &csi::VolumeCapability) -> Option<String> {
    let mode = capability.access_mode.as_ref().map_or(csi::Mode::Unknown, csi::AccessMode::mode);
    match (&capability.access_type, mode) {
        (None, _) => Some("the access type is missing".into()),
        (Some(csi::AccessType::Block(_)), _) => {
            Some("a zonal disk has a file system; volumeMode Block is not supported".into())
        }
        (Some(csi::AccessType::Mount(mount)), _) if !mount.mount_flags.is_empty() => {
            Some(format!("mount options are not supported: {}", mount.mount_flags.join(",")))
        }
        (_, csi::Mode::Unknown) => Some("the access mode is missing".into()),
        (
            _,
            csi::Mode::MultiNodeReaderOnly
            | csi::Mode::MultiNodeSingleWriter
            | csi::Mode::MultiNodeMultiWriter,
        ) => Some(
            "a zonal disk can be attached to one node at a time; use ReadWriteOnce or ReadWriteOncePod"
                .into(),
        ),
        _ => None,
    }
}

/// The one capability of a request, when the driver supports it.
pub(crate) fn supported(capability: Option<&csi::VolumeCapability>) -> Result<(), Status> {
    let capability =
        capability.ok_or_else(|| Status::invalid_argument("the volume capability is missing"))?;
    unsupported(capability).map_or(Ok(()), |why| Err(Status::invalid_argument(why)))
}
