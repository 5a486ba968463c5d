//! A target file written from what is seen, for its owner to read and narrow.

use crate::{Seen, TargetFile, look_alike};
use std::fmt::Write as _;

/// A commented file. `faults` are the drills that need nothing but the API.
#[must_use]
pub fn init(seen: &Seen, image: &str, faults: &[String]) -> String {
    let ready = seen.nodes.iter().filter(|n| n.ready).count();
    let workers = seen.nodes.iter().filter(|n| n.takes_pods).count();
    let signs = look_alike::signs(None, seen);
    let environment = seen.marks.get(crate::ENVIRONMENT).map_or("", String::as_str);
    let mut text = format!(
        "# What loopdrill may do to this cluster. Whatever is not allowed here is refused.\n\
         version: {}\n\
         # The context of the kubeconfig, and the uid of its namespace kube-system: another cluster of that name is refused.\n\
         context: {:?}\ncluster-uid: {}\n\
         # What the cluster is for. An annotation {} on kube-system must say the same.\n\
         environment: {environment:?}   # to be filled in, such as staging\n\
         # The nodes on which victims may run; {workers} of {} take pods now. Labels, such as {{pool: drills}}; none: all of them.\n\
         nodes:\n  selector: {{}}\n\
         # The namespaces that drills may make.\nnamespaces: [drill-*]\n\
         # The drills that may be run, as fault or fault/variant.\nfaults:\n",
        TargetFile::VERSION,
        seen.context,
        seen.uid,
        crate::ENVIRONMENT,
        seen.nodes.len(),
    );
    for (at, fault) in faults.iter().enumerate() {
        let _ = writeln!(text, "  {}- {fault}", if at == 0 { "" } else { "# " });
    }
    let _ = write!(
        text,
        "blast-radius:\n  nodes: 1     # touched by one drill\n  pods: 12     # of ours at a time\n  \
         share: {}    # percent of the {ready} ready nodes\n  minutes: 30  # then the run ends, undone\n  \
         # default-class: true   # cross-az-pvc/immediate: another default StorageClass for a while\n  \
         # node-network: true    # overlay-mtu/path: large packets from one node to another are lost for a while\n  \
         # node-pods: true       # cross-az-pvc/node-failure: a kubelet stands still, and its node's pods count as not ready\n\
         \x20 # control-plane: true   # etcd-disk: the API server answers everybody slowly for a while\n\
         # The program's own image, as the nodes pull it.\nimage:\n  name: {image:?}\n  # pull-secret: NAMESPACE/NAME\n\
         # The Pod Security level of the drills' namespaces: privileged, baseline or restricted.\npod-security: baseline\n\
         # storage: {{class: NAME, zones: [a, b]}}   # where they cannot be found\n\
         # probes: true          # the built-in detector starts one small pod on each of the nodes; overlay-mtu/path needs that\n\
         # may-buy-nodes: true   # pods that wait for a node may make an autoscaler buy one\n",
        100_usize.div_ceil(ready.max(1)).clamp(1, 100),
    );
    if !signs.is_empty() {
        let _ = write!(
            text,
            "# It looks like production: {}. It is refused without this:\n# production: {{reason: \"\", until: YYYY-MM-DD}}\n",
            signs.join("; ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file::tests::known, guard::tests::seen};

    fn written(seen: &Seen) -> String {
        init(
            seen,
            "registry.example.com/loopdrill:1",
            &["revoked-iam/rbac".into(), "request-fragmentation".into()],
        )
    }

    #[test]
    fn the_file_says_what_was_seen_and_waits_for_its_owner() {
        let mut seen = seen();
        seen.names.push("prod".into());
        insta::assert_snapshot!(written(&seen));
    }

    #[test]
    fn filled_in_it_is_a_good_file_for_the_cluster_that_was_seen() {
        let text = written(&seen());
        let refused =
            TargetFile::parse("x.yaml", &text, &known()).expect_err("no environment yet").to_string();
        assert!(refused.contains("x.yaml:7:14"), "{refused}");
        let file =
            TargetFile::parse("x.yaml", &text.replace("environment: \"\"", "environment: staging"), &known());
        assert_eq!(crate::guard(&file.expect("good"), &seen(), jiff::civil::date(2026, 11, 28)), Ok(()));
    }
}
