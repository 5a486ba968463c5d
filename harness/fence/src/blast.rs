//! Whether one drill stays within the fence.

use crate::{Seen, TargetFile};
use loopdrill_model::FaultId;

/// What a drill would touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touch {
    /// The namespace that it makes.
    pub namespace: String,
    /// The nodes that it takes out of use, or fills.
    pub nodes: Vec<String>,
    /// The default StorageClass.
    pub default_class: bool,
    /// What everybody's pods on its nodes send to each other.
    pub node_network: bool,
    /// What counts as ready of everybody's pods on its nodes.
    pub node_pods: bool,
    /// How fast the API server answers everybody.
    pub control_plane: bool,
    /// What is everybody's, and never allowed, such as the whole cluster.
    pub shared: Vec<String>,
    /// Pods of its own wait for a node on purpose, and an autoscaler could buy one for them.
    pub waits_for_node: bool,
}

/// The file's leave for a drill. `autoscaler` is the one that was found in the cluster.
///
/// # Errors
/// What the file does not allow, and how it would.
pub fn leave(
    file: &TargetFile,
    seen: &Seen,
    drill: &FaultId,
    touch: &Touch,
    autoscaler: Option<&str>,
) -> Result<(), String> {
    if !file.faults.iter().any(|f| *f == drill.fault || *f == drill.to_string()) {
        return Err(format!("{drill} is not among the `faults` of the target file"));
    }
    if !file.has_namespace(&touch.namespace) {
        return Err(format!(
            "its namespace {} is not among the `namespaces` of the target file",
            touch.namespace
        ));
    }
    if let Some(shared) = touch.shared.first() {
        return Err(format!("it breaks {shared}, which is everybody's; drill that in a lab"));
    }
    if touch.default_class && !file.blast_radius.default_class {
        return Err(
            "it changes the default StorageClass for a while; `blast-radius.default-class: true` allows that"
                .into(),
        );
    }
    if touch.node_pods && !file.blast_radius.node_pods {
        return Err("a node's kubelet stands still, and all pods there, whosever they are, count as not ready for a while; \
             `blast-radius.node-pods: true` allows that"
            .into());
    }
    if touch.control_plane && !file.blast_radius.control_plane {
        return Err("the control plane answers everybody slowly for a while; `blast-radius.control-plane: true` allows that".into());
    }
    if touch.node_network && !file.blast_radius.node_network {
        return Err("it lets packets between two nodes be lost, whosever they are; `blast-radius.node-network: true` \
             allows that"
            .into());
    }
    if touch.node_network && !file.probes {
        return Err("only probes show what is lost between two nodes; `probes: true` lets the built-in detector start one \
             small pod on each of the nodes"
            .into());
    }
    if let Some(name) = autoscaler.filter(|_| touch.waits_for_node && !file.may_buy_nodes) {
        return Err(format!(
            "its pods wait for a node, and {name} would buy one for them; `may-buy-nodes: true` allows that"
        ));
    }
    of_nodes(file, seen, &touch.nodes)
}

fn of_nodes(file: &TargetFile, seen: &Seen, touched: &[String]) -> Result<(), String> {
    let foreign = |name: &&String| !seen.nodes.iter().any(|n| n.name == **name && file.has_node(&n.labels));
    if let Some(node) = touched.iter().find(foreign) {
        return Err(format!("it touches node {node}, which has not the labels of `nodes.selector`"));
    }
    let (count, limit) = (touched.len(), file.blast_radius);
    if count > limit.nodes {
        return Err(format!(
            "it touches {count} nodes ({}), and `blast-radius.nodes` is {}",
            touched.join(", "),
            limit.nodes
        ));
    }
    let ready = seen.nodes.iter().filter(|n| n.ready).count();
    match count * 100 > ready * limit.share {
        true => Err(format!(
            "it touches {count} of {ready} ready nodes, and `blast-radius.share` is {} percent",
            limit.share
        )),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{file::tests::file, guard::tests::seen};

    fn judged(change: impl FnOnce(&mut TargetFile, &mut Seen, &mut Touch)) -> Result<(), String> {
        let (mut file, mut seen) = (file(|t| t).expect("good"), seen());
        let mut touch =
            Touch { namespace: "drill-request-fragmentation-fillers-r1".into(), ..Touch::default() };
        change(&mut file, &mut seen, &mut touch);
        leave(&file, &seen, &FaultId::new("request-fragmentation", "fillers"), &touch, Some("Karpenter"))
    }

    #[test]
    fn what_the_file_names_is_allowed() {
        assert_eq!(judged(|_, _, t| t.nodes = vec!["a".into()]), Ok(()));
        let bought = judged(|f, _, t| {
            t.waits_for_node = true;
            f.may_buy_nodes = true;
        });
        assert_eq!(bought, Ok(()));
    }

    #[test]
    fn everything_else_is_refused_with_the_word_that_would_allow_it() {
        type Case = (&'static str, fn(&mut TargetFile, &mut Seen, &mut Touch));
        let refused: [Case; 12] = [
            ("another fault", |f, _, _| f.faults = vec!["revoked-iam".into()]),
            ("another namespace", |_, _, t| t.namespace = "shop".into()),
            ("what is everybody's", |_, _, t| t.shared = vec!["the whole cluster".into()]),
            ("the control plane", |_, _, t| t.control_plane = true),
            ("the default class", |_, _, t| t.default_class = true),
            ("all pods of a node", |_, _, t| t.node_pods = true),
            ("a network", |_, _, t| t.node_network = true),
            ("a network unseen", |f, _, t| {
                t.node_network = true;
                f.blast_radius.node_network = true;
            }),
            ("a node to be bought", |_, _, t| t.waits_for_node = true),
            ("a foreign node", |_, s, t| {
                s.nodes[0].labels.clear();
                t.nodes = vec!["a".into()];
            }),
            ("too many nodes", |f, _, t| {
                t.nodes = vec!["a".into(), "b".into()];
                f.blast_radius.nodes = 1;
            }),
            ("too great a share", |_, _, t| t.nodes = vec!["a".into(), "b".into()]),
        ];
        let told = refused.map(|(what, change)| format!("{what}\n  {}", judged(change).expect_err(what)));
        insta::assert_snapshot!(told.join("\n"));
    }
}
