//! Attaching and detaching.

use super::{Cloud, assert_refused, mounted};
use crate::proto::csi::{self, Mode};
use tonic::Code;

#[tokio::test]
async fn a_disk_moves_between_the_nodes_of_its_zone_one_at_a_time() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    cloud.attach(&disk, "a1").await.expect("attached");
    cloud.attach(&disk, "a1").await.expect("attached already");
    assert_refused(
        cloud.attach(&disk, "a2").await,
        Code::FailedPrecondition,
        &["disk", "attached to node a1", "one node"],
    );
    cloud.detach(&disk, "a1").await.expect("detached");
    cloud.detach(&disk, "a1").await.expect("detached already");
    cloud.attach(&disk, "a2").await.expect("attached");
}

#[tokio::test]
async fn a_disk_stays_in_its_zone() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    let words = ["disk disk is in zone a", "node b1 in zone b", "its own zone only"];
    assert_refused(cloud.attach(&disk, "b1").await, Code::FailedPrecondition, &words);
    cloud.attach(&disk, "a1").await.expect("the refusal attached nothing");
}

#[tokio::test]
async fn attachments_survive_a_restart_of_the_controller() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    cloud.attach(&disk, "a1").await.expect("attached");
    let mut cloud = cloud.restarted().await;
    assert_refused(cloud.attach(&disk, "a2").await, Code::FailedPrecondition, &["a1"]);
}

#[tokio::test]
async fn detaching_from_elsewhere_changes_nothing_and_from_everywhere_works() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    cloud.attach(&disk, "a1").await.expect("attached");
    cloud.detach(&disk, "a2").await.expect("nothing to do");
    assert_refused(cloud.attach(&disk, "a2").await, Code::FailedPrecondition, &["a1"]);
    // A node that the cluster has forgotten can still be detached from, and so can all at once.
    cloud.detach(&disk, "gone").await.expect("nothing to do");
    cloud.detach(&disk, "").await.expect("detached everywhere");
    cloud.attach(&disk, "a2").await.expect("attached");
    cloud.detach("no-such-disk", "a1").await.expect("nothing to do");
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    assert_refused(cloud.attach("none", "a1").await, Code::NotFound, &["disk none"]);
    assert_refused(cloud.attach("../shelf", "a1").await, Code::NotFound, &["../shelf"]);
    assert_refused(cloud.attach(&disk, "unknown").await, Code::NotFound, &["node unknown"]);
    assert_refused(cloud.attach(&disk, "nowhere").await, Code::FailedPrecondition, &["nowhere", "no label"]);
    assert_refused(cloud.attach("", "a1").await, Code::InvalidArgument, &["volume_id"]);
    assert_refused(cloud.attach(&disk, "").await, Code::InvalidArgument, &["node_id"]);
    assert_refused(cloud.detach("", "a1").await, Code::InvalidArgument, &["volume_id"]);

    let request = |volume_capability, readonly| csi::ControllerPublishVolumeRequest {
        volume_id: "disk".into(),
        node_id: "a1".into(),
        volume_capability,
        readonly,
    };
    let attach = cloud.client.controller_publish_volume(request(None, false)).await;
    assert_refused(attach, Code::InvalidArgument, &["capability"]);
    let read_only = request(Some(mounted(Mode::SingleNodeWriter)), true);
    assert_refused(
        cloud.client.controller_publish_volume(read_only).await,
        Code::InvalidArgument,
        &["read-only"],
    );
    let many = request(Some(mounted(Mode::MultiNodeMultiWriter)), false);
    assert_refused(
        cloud.client.controller_publish_volume(many).await,
        Code::InvalidArgument,
        &["one node at a time"],
    );
}

#[tokio::test]
async fn many_at_once_want_one_disk_and_one_gets_it() {
    let mut cloud = Cloud::new().await;
    let disk = cloud.disk("disk", "a").await;
    let attempts = (0..16).map(|i| {
        let (mut client, disk) = (cloud.client.clone(), disk.clone());
        tokio::spawn(async move {
            let node_id = if i % 2 == 0 { "a1" } else { "a2" }.to_owned();
            let volume_capability = Some(mounted(Mode::SingleNodeWriter));
            let request = csi::ControllerPublishVolumeRequest {
                volume_id: disk,
                node_id,
                volume_capability,
                readonly: false,
            };
            client.controller_publish_volume(request).await.is_ok()
        })
    });
    let mut attached = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        attached += usize::from(attempt.await.expect("no panic"));
    }
    assert_eq!(attached, 8, "one of the two nodes has it, and every attempt for that node succeeds");
}
