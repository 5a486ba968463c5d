//! Whose volumes belong to a zone, by the nature of what provisions them, for where no node can be asked.

use crate::snapshot::{Snapshot, StorageClass};

/// Provisioners whose volumes can be used from one zone alone, each with where that is said. What spans a region, or is
/// reached over the network from everywhere, is not in here.
const ZONAL: [(&str, &str); 32] = [
    (
        "ebs.csi.aws.com",
        "docs.aws.amazon.com/ebs/latest/userguide/ebs-volumes.html: a volume and its instance share a zone",
    ),
    (
        "ebs.csi.eks.amazonaws.com",
        "docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html: EBS of EKS Auto Mode",
    ),
    ("kubernetes.io/aws-ebs", "kubernetes.io/docs/concepts/storage/storage-classes/#aws-ebs"),
    (
        "pd.csi.storage.gke.io",
        "cloud.google.com/compute/docs/disks: zonal unless `replication-type: regional-pd`",
    ),
    ("kubernetes.io/gce-pd", "kubernetes.io/docs/concepts/storage/storage-classes/#gce-pd"),
    (
        "disk.csi.azure.com",
        "learn.microsoft.com/azure/virtual-machines/disks-redundancy: LRS is in one zone, ZRS is not",
    ),
    ("kubernetes.io/azure-disk", "kubernetes.io/docs/concepts/storage/storage-classes/#azure-disk"),
    (
        "cinder.csi.openstack.org",
        "github.com/kubernetes/cloud-provider-openstack, docs/cinder-csi-plugin/features.md: topology",
    ),
    ("kubernetes.io/cinder", "kubernetes.io/docs/concepts/storage/storage-classes/#openstack-cinder"),
    (
        "csi.vsphere.vmware.com",
        "docs.vmware.com/en/VMware-vSphere-Container-Storage-Plug-in: topology-aware volume provisioning",
    ),
    ("kubernetes.io/vsphere-volume", "kubernetes.io/docs/concepts/storage/storage-classes/#vsphere"),
    ("csi.hetzner.cloud", "github.com/hetznercloud/csi-driver/issues/42: a volume belongs to a location"),
    (
        "csi.scaleway.com",
        "scaleway.com/en/developers/api/block: volumes attach to instances of the same zone",
    ),
    ("vpc.block.csi.ibm.io", "cloud.ibm.com/docs/vpc: block storage volumes are zonal"),
    ("ibm.io/ibmc-vpc-block", "cloud.ibm.com/docs/containers: the driver before it"),
    (
        "blockvolume.csi.oraclecloud.com",
        "docs.oracle.com/iaas/Content/ContEng/Tasks/contengcreatingpersistentvolumeclaim_topic-Provisioning_PVCs_on_BV.htm",
    ),
    ("oracle.com/oci", "docs.oracle.com/iaas: the provisioner before it"),
    ("diskplugin.csi.alibabacloud.com", "alibabacloud.com/help/ack: disks cannot be mounted across zones"),
    (
        "com.tencent.cloud.csi.cbs",
        "tencentcloud.com/document/product/457/45998: cloud disks cannot be mounted to nodes of another zone",
    ),
    (
        "disk.csi.everest.io",
        "support.huaweicloud.com/intl/en-us/bestpractice-cce/cce_bestpractice_00284.html: not to a node of another AZ",
    ),
    ("csi.exoscale.com", "github.com/exoscale/exoscale-csi-driver: block storage is zonal"),
    ("storage.csi.upcloud.com", "github.com/UpCloudLtd/upcloud-csi: storage belongs to a zone"),
    (
        "block-storage.csi.stackit.cloud",
        "github.com/stackitcloud/gardener-extension-provider-stackit: its topology is topology.block-storage.csi.stackit.cloud/zone",
    ),
    (
        "csi.cloudscale.ch",
        "github.com/cloudscale-ch/csi-cloudscale: a volume belongs to a zone, by csi.cloudscale.ch/zone",
    ),
    (
        "evs.csi.huaweicloud.com",
        "github.com/huaweicloud/huaweicloud-csi-driver: by topology.evs.csi.huaweicloud.com/zone",
    ),
    ("zfs.csi.openebs.io", "github.com/openebs/zfs-localpv: device, volume and application are on one host"),
    ("topolvm.cybozu.com", "github.com/topolvm/topolvm, docs/topolvm-plugin-name: its name before 0.15"),
    ("topolvm.io", "github.com/topolvm/topolvm: pods go to the node where the logical volume is"),
    ("rancher.io/local-path", "github.com/rancher/local-path-provisioner: a folder of one node"),
    (
        "local.csi.openebs.io",
        "github.com/openebs/lvm-localpv: device, volume and application are on one host",
    ),
    ("openebs.io/local", "openebs.io/docs/user-guides/local-storage-user-guide: a folder of one node"),
    ("zonal-disk.loopdrill.dev", "harness/zonal-disk: the driver of our labs"),
];

/// Whose volumes are made in a zone and reached from all of them.
const SHARED: [&str; 4] =
    ["efs.csi.aws.com", "fsx.csi.aws.com", "filestore.csi.storage.gke.io", "file.csi.azure.com"];

/// Whether the volumes of a class belong to a zone: by its topologies, by its parameters, by what nodes tell of its driver, by the volumes
/// that there are, or by the driver's nature.
pub(super) fn is_zonal(s: &Snapshot, class: &StorageClass) -> bool {
    let of_class = |v: &&crate::snapshot::Volume| v.class.as_ref() == Some(&class.name);
    !class.regional
        && (class.zoned && !SHARED.contains(&class.provisioner.as_str())
            || ZONAL.iter().any(|(name, _)| *name == class.provisioner)
            || s.zonal_provisioners.contains(&class.provisioner)
            || s.volumes.iter().filter(of_class).any(|v| v.zones.len() == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_is_there_once_and_says_where_that_is_from() {
        let names: std::collections::BTreeSet<_> = ZONAL.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), ZONAL.len());
        assert!(ZONAL.iter().all(|(name, source)| name.contains('.') && source.contains('/')));
    }
}
