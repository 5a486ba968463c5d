//! Creating and deleting.

use super::{Cloud, assert_refused, mounted, wish};
use crate::{
    ZONE_LABEL,
    proto::csi::{self, Mode},
};
use tonic::Code;

fn zone(volume: &csi::Volume) -> Option<&str> {
    volume.accessible_topology.first()?.segments.get(ZONE_LABEL).map(String::as_str)
}

#[tokio::test]
async fn the_preferred_zone_wins_then_the_requisite_one() {
    let mut cloud = Cloud::new().await;
    let preferred = cloud.create(wish("one", &["b", "a"], &["a", "b"])).await.expect("created");
    assert_eq!(zone(&preferred), Some("b"));
    assert!(cloud.store().join("b/one/data").is_dir());
    let requisite = cloud.create(wish("two", &[], &["c"])).await.expect("created");
    assert_eq!((zone(&requisite), requisite.accessible_topology.len()), (Some("c"), 1));
}

#[tokio::test]
async fn a_segment_without_zone_is_passed_over() {
    let mut cloud = Cloud::new().await;
    let mut request = wish("one", &["ignored", "b"], &[]);
    let place = request.accessibility_requirements.as_mut().expect("there");
    place.preferred[0].segments = [("topology.kubernetes.io/region".into(), "r".into())].into();
    assert_eq!(zone(&cloud.create(request).await.expect("created")), Some("b"));
}

#[tokio::test]
async fn creating_again_is_the_same_disk_even_after_a_restart() {
    let mut cloud = Cloud::new().await;
    let first = cloud.create(wish("disk", &["b", "a"], &["a", "b"])).await.expect("created");
    std::fs::write(cloud.store().join("b/disk/data/file"), "bytes").expect("written");
    // The preference may change between two attempts; the disk stays where it is.
    let again = cloud.create(wish("disk", &["a", "b"], &["a", "b"])).await.expect("the same");
    assert_eq!(first, again);
    let mut cloud = cloud.restarted().await;
    assert_eq!(cloud.create(wish("disk", &["a"], &[])).await.expect("the same"), first);
    assert_eq!(std::fs::read(cloud.store().join("b/disk/data/file")).expect("kept"), b"bytes");
}

#[tokio::test]
async fn the_same_name_with_other_wishes_is_refused() {
    let mut cloud = Cloud::new().await;
    cloud.disk("disk", "a").await;
    let elsewhere = cloud.create(wish("disk", &["b"], &["b"])).await;
    assert_refused(elsewhere, Code::AlreadyExists, &["disk", "zone a", "zone b"]);
    let mut larger = wish("disk", &["a"], &[]);
    larger.capacity_range = Some(csi::CapacityRange { required_bytes: 1 << 30, limit_bytes: 0 });
    assert_refused(cloud.create(larger).await, Code::AlreadyExists, &["1048576 bytes", "1073741824"]);
}

#[tokio::test]
async fn capacities_are_honoured() {
    let mut cloud = Cloud::new().await;
    let mut sized = async |name: &str, required_bytes, limit_bytes| {
        let mut request = wish(name, &["a"], &[]);
        request.capacity_range = Some(csi::CapacityRange { required_bytes, limit_bytes });
        cloud.create(request).await.map(|v| v.capacity_bytes)
    };
    assert_eq!(sized("default", 0, 0).await.expect("created"), 1 << 30);
    assert_eq!(sized("exact", 5, 9).await.expect("created"), 5);
    assert_eq!(sized("limited", 0, 7).await.expect("created"), 7);
    assert_refused(sized("none", 9, 5).await, Code::OutOfRange, &["9", "5"]);
    assert_refused(sized("none", -1, 0).await, Code::InvalidArgument, &["negative"]);
}

#[tokio::test]
async fn bad_wishes_are_refused_and_leave_nothing() {
    let mut cloud = Cloud::new().await;
    let good = || wish("disk", &["a"], &[]);
    let one_capability =
        |capability| csi::CreateVolumeRequest { volume_capabilities: vec![capability], ..good() };
    let mut block = mounted(Mode::SingleNodeWriter);
    block.access_type = Some(csi::AccessType::Block(csi::BlockVolume {}));
    let mut options = mounted(Mode::SingleNodeWriter);
    options.access_type = Some(csi::AccessType::Mount(csi::MountVolume {
        fs_type: String::new(),
        mount_flags: vec!["noatime".into()],
    }));
    let parameters = [("type".to_owned(), "gp3".to_owned()), ("iops".into(), "9".into())].into();
    let cases = [
        (wish("", &["a"], &[]), Code::InvalidArgument, "name is missing"),
        (wish("../../etc", &["a"], &[]), Code::InvalidArgument, "\"../../etc\""),
        (wish("..", &["a"], &[]), Code::InvalidArgument, "letters"),
        (wish(&"n".repeat(129), &["a"], &[]), Code::InvalidArgument, "128"),
        (wish("disk", &["../b"], &[]), Code::InvalidArgument, "zone \"../b\""),
        (wish("disk", &[], &[]), Code::ResourceExhausted, ZONE_LABEL),
        (
            csi::CreateVolumeRequest { accessibility_requirements: None, ..good() },
            Code::ResourceExhausted,
            ZONE_LABEL,
        ),
        (
            csi::CreateVolumeRequest { volume_capabilities: vec![], ..good() },
            Code::InvalidArgument,
            "missing",
        ),
        (csi::CreateVolumeRequest { parameters, ..good() }, Code::InvalidArgument, "iops, type"),
        (
            csi::CreateVolumeRequest { volume_content_source: Some(csi::VolumeContentSource {}), ..good() },
            Code::InvalidArgument,
            "snapshots",
        ),
        (one_capability(mounted(Mode::MultiNodeMultiWriter)), Code::InvalidArgument, "one node at a time"),
        (one_capability(mounted(Mode::Unknown)), Code::InvalidArgument, "access mode"),
        (one_capability(csi::VolumeCapability::default()), Code::InvalidArgument, "access type"),
        (one_capability(block), Code::InvalidArgument, "Block"),
        (one_capability(options), Code::InvalidArgument, "noatime"),
    ];
    for (request, code, word) in cases {
        assert_refused(cloud.create(request).await, code, &[word]);
    }
    assert!(!cloud.store().exists(), "a refused wish made something");
}

#[tokio::test]
async fn deleting_takes_the_data_and_is_idempotent() {
    let mut cloud = Cloud::new().await;
    cloud.disk("disk", "a").await;
    std::fs::create_dir_all(cloud.store().join("a/disk/data/deep")).expect("data");
    cloud.attach("disk", "a1").await.expect("attached");
    assert_refused(cloud.delete("disk").await, Code::FailedPrecondition, &["disk", "a1"]);
    assert!(cloud.store().join("a/disk/data/deep").is_dir());
    cloud.detach("disk", "a1").await.expect("detached");
    cloud.delete("disk").await.expect("deleted");
    assert!(!cloud.store().join("a/disk").exists());
    cloud.delete("disk").await.expect("deleted already");
    cloud.delete("../a").await.expect("there is no such disk");
    assert!(cloud.store().join("a").is_dir());
    assert_refused(cloud.delete("").await, Code::InvalidArgument, &["volume_id"]);
}

#[tokio::test]
async fn a_half_made_disk_is_none_and_is_made_again() {
    let mut cloud = Cloud::new().await;
    std::fs::create_dir_all(cloud.store().join("a/disk/data")).expect("a crash before the state was written");
    assert_refused(cloud.attach("disk", "a1").await, Code::NotFound, &["disk"]);
    cloud.disk("disk", "b").await;
    cloud.attach("disk", "b1").await.expect("the whole one counts");
}

#[tokio::test]
async fn an_unreadable_disk_is_an_error_that_names_the_file() {
    let mut cloud = Cloud::new().await;
    cloud.disk("disk", "a").await;
    std::fs::write(cloud.store().join("a/disk/disk.json"), "{").expect("damaged");
    assert_refused(cloud.attach("disk", "a1").await, Code::Internal, &["a/disk/disk.json"]);
}
