//! Creating a disk: where, how large, and whether an existing one is the one that was asked for.

use super::Controller;
use crate::{
    proto::csi,
    status::{required, unsupported},
    volume_store::{Disk, VolumeStoreError, check_name},
};
use tonic::Status;

const DEFAULT_CAPACITY: i64 = 1 << 30;

/// Parameters with this prefix tell about the claim and ask for nothing.
const METADATA_PREFIX: &str = "csi.storage.k8s.io/";

impl Controller {
    pub(super) async fn create(&self, request: csi::CreateVolumeRequest) -> Result<Disk, Status> {
        let name = required("name", &request.name)?.to_owned();
        check_name("volume name", &name)?;
        check_wishes(&request)?;
        let size = request.capacity_range.unwrap_or_default();
        let capacity = capacity(&size)?;
        let place = request.accessibility_requirements.unwrap_or_default();
        let zone = choose_zone(&place)?;
        self.with(move |store| match store.find(&name) {
            Ok(disk) => same(disk, &size, &place),
            Err(VolumeStoreError::Unknown(_)) => store.create(&name, &zone, capacity),
            Err(other) => Err(other),
        })
        .await
    }
}

/// Refuses what the driver cannot do, so that a claim's event says it.
fn check_wishes(request: &csi::CreateVolumeRequest) -> Result<(), Status> {
    if request.volume_capabilities.is_empty() {
        return Err(Status::invalid_argument("volume_capabilities are missing"));
    }
    if let Some(why) = request.volume_capabilities.iter().find_map(unsupported) {
        return Err(Status::invalid_argument(why));
    }
    if request.volume_content_source.is_some() {
        return Err(Status::invalid_argument(
            "a zonal disk starts empty; clones and snapshots are not supported",
        ));
    }
    let mut unknown: Vec<_> =
        request.parameters.keys().filter(|k| !k.starts_with(METADATA_PREFIX)).cloned().collect();
    unknown.sort();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid_argument(format!(
            "the class has parameters that the driver does not know: {}",
            unknown.join(", ")
        )))
    }
}

fn capacity(range: &csi::CapacityRange) -> Result<i64, Status> {
    let csi::CapacityRange { required_bytes: required, limit_bytes: limit } = *range;
    if required < 0 || limit < 0 {
        return Err(Status::invalid_argument("capacities must not be negative"));
    }
    if limit != 0 && required > limit {
        return Err(Status::out_of_range(format!("{required} bytes are required and {limit} are the limit")));
    }
    Ok(match (required, limit) {
        (0, 0) => DEFAULT_CAPACITY,
        (0, limit) => DEFAULT_CAPACITY.min(limit),
        (required, _) => required,
    })
}

/// The first zone among the preferred ones, then among the requisite ones.
fn choose_zone(place: &csi::TopologyRequirement) -> Result<String, Status> {
    let mut zones = place.preferred.iter().chain(&place.requisite).filter_map(zone_of);
    zones.next().map(str::to_owned).ok_or_else(|| {
        Status::resource_exhausted(format!(
            "no zone to create the disk in: no requirement names {}",
            crate::ZONE_LABEL
        ))
    })
}

fn zone_of(topology: &csi::Topology) -> Option<&str> {
    topology.segments.get(crate::ZONE_LABEL).map(String::as_str)
}

/// The existing disk of that name, when it is what was asked for.
fn same(
    disk: Disk,
    size: &csi::CapacityRange,
    place: &csi::TopologyRequirement,
) -> Result<Disk, VolumeStoreError> {
    let differs =
        |have: String, want: String| Err(VolumeStoreError::Differs { id: disk.id.clone(), have, want });
    let too_small = disk.capacity_bytes < size.required_bytes;
    let too_large = size.limit_bytes != 0 && disk.capacity_bytes > size.limit_bytes;
    if too_small || too_large {
        return differs(
            format!("{} bytes", disk.capacity_bytes),
            format!("{} to {}", size.required_bytes, size.limit_bytes.max(size.required_bytes)),
        );
    }
    let zones: Vec<_> = place.requisite.iter().filter_map(zone_of).collect();
    if !zones.is_empty() && !zones.contains(&disk.zone.as_str()) {
        return differs(format!("zone {}", disk.zone), format!("zone {}", zones.join(" or ")));
    }
    Ok(disk)
}
