//! Where a file lies, by the container's own mounts: a path in a log is compared with them and dropped.

use k8s_openapi::api::core::v1::{Pod, Volume};
use loopdrill_model::signal::FilePlace;
use regex::Regex;
use std::sync::LazyLock;

/// Absolute paths in a line.
static PATHS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:^|[\s'"`:=(\[])(/[A-Za-z0-9._@%+~-][^\s'"`:,;)\]]*)"#).expect("tested below")
});

/// What is mounted into one container.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mounts {
    mounts: Vec<(String, FilePlace)>,
    /// The image itself may not be written to.
    read_only_image: bool,
}

impl Mounts {
    /// The mounts of a container of this pod.
    pub(crate) fn of(pod: &Pod, container: &str) -> Self {
        let Some(spec) = &pod.spec else { return Self::default() };
        let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
        let Some(container) = all.into_iter().find(|c| c.name == container) else { return Self::default() };
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let mounts = container.volume_mounts.iter().flatten().filter_map(|m| {
            let volume = spec.volumes.iter().flatten().find(|v| v.name == m.name)?;
            let place = match m.read_only {
                Some(true) => FilePlace::ReadOnlyBySpec,
                _ => place(name, volume),
            };
            Some((m.mount_path.trim_end_matches('/').to_owned(), place))
        });
        let security = container.security_context.as_ref();
        let read_only_image = security.and_then(|s| s.read_only_root_filesystem) == Some(true);
        Self { mounts: mounts.collect(), read_only_image }
    }

    /// Where the file lies that a line names first; nothing when it names none.
    pub(crate) fn place_of(&self, line: &str) -> Option<FilePlace> {
        let paths = PATHS.captures_iter(line).filter_map(|c| c.get(1)).map(|m| m.as_str());
        let mut placed = paths.filter(|p| p.len() > 1).map(|p| self.place(p)).peekable();
        let first = placed.peek().cloned();
        // A line may begin with the program's own path.
        placed.find(|p| matches!(p, FilePlace::Claim(_))).or(first)
    }

    fn place(&self, path: &str) -> FilePlace {
        let below =
            |at: &str| path.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let within = self.mounts.iter().filter(|(at, _)| below(at));
        match within.max_by_key(|(at, _)| at.len()) {
            Some((_, place)) => place.clone(),
            None if self.read_only_image => FilePlace::ReadOnlyBySpec,
            None => FilePlace::Node,
        }
    }
}

fn place(pod: &str, volume: &Volume) -> FilePlace {
    if let Some(claim) = &volume.persistent_volume_claim {
        return match claim.read_only {
            Some(true) => FilePlace::ReadOnlyBySpec,
            _ => FilePlace::Claim(claim.claim_name.clone()),
        };
    }
    if volume.ephemeral.is_some() {
        return FilePlace::Claim(format!("{pod}-{}", volume.name));
    }
    let always = volume.config_map.is_some()
        || volume.secret.is_some()
        || volume.projected.is_some()
        || volume.downward_api.is_some();
    match (always, &volume.empty_dir, &volume.host_path) {
        (true, ..) => FilePlace::ReadOnlyBySpec,
        (_, Some(_), _) | (_, _, Some(_)) => FilePlace::Node,
        _ => FilePlace::Unknown,
    }
}
