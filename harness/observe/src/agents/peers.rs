//! Who probes whom.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Nodes that each node probes at most: all pairs of a small cluster, a ring of neighbours of a large one.
const MOST_PEERS: usize = 8;

/// The peers of `node` among `all` (pod addresses by node): those that follow it in the ring.
pub(super) fn of(node: &str, all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let after = all.range::<str, _>((Bound::Excluded(node), Bound::Unbounded));
    let before = all.range::<str, _>((Bound::Unbounded, Bound::Excluded(node)));
    after.chain(before).take(MOST_PEERS).map(|(node, ip)| (node.clone(), ip.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(n: usize) -> BTreeMap<String, String> {
        (0..n).map(|i| (format!("n{i:03}"), format!("10.0.0.{i}"))).collect()
    }

    #[test]
    fn all_pairs_of_a_small_cluster_and_never_oneself() {
        let all = cluster(3);
        for node in all.keys() {
            let peers = of(node, &all);
            assert_eq!(peers.len(), 2);
            assert!(!peers.contains_key(node));
        }
        assert!(of("n000", &cluster(1)).is_empty());
    }

    #[test]
    fn a_ring_of_a_large_one() {
        let all = cluster(100);
        let mut probed = BTreeMap::<String, usize>::new();
        for node in all.keys() {
            let peers = of(node, &all);
            assert_eq!(peers.len(), MOST_PEERS);
            peers.into_keys().for_each(|p| *probed.entry(p).or_default() += 1);
        }
        assert!(
            probed.len() == 100 && probed.values().all(|n| *n == MOST_PEERS),
            "everybody is probed alike"
        );
    }
}
