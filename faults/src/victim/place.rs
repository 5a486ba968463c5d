//! Where victims go, chosen from the cluster's facts so that drills get in each other's way as little as
//! they can.

use crate::FaultError;
use loopdrill_cluster::{ClusterFacts, NodeFacts};

/// The zone whose nodes the storage drills take away: the one with the fewest workers, as long as another
/// zone is left. With it come its workers.
#[must_use]
pub fn zone_to_lose(facts: &ClusterFacts) -> Option<(&str, Vec<&str>)> {
    let zones = facts.zones();
    if zones.len() < 2 {
        return None;
    }
    zones.into_iter().min_by_key(|(_, workers)| workers.len())
}

/// A zone that stays, with its workers.
#[must_use]
pub fn zone_that_stays(facts: &ClusterFacts) -> Option<(&str, Vec<&str>)> {
    let (lost, _) = zone_to_lose(facts)?;
    facts.zones().into_iter().find(|(zone, _)| *zone != lost)
}

/// A worker for a victim that may run anywhere: away from the zone that is taken away.
#[must_use]
pub fn quiet_worker(facts: &ClusterFacts) -> Option<&NodeFacts> {
    let lost = zone_to_lose(facts).map(|(zone, _)| zone);
    let away = facts.workers().find(|n| lost.is_none() || n.zone.as_deref() != lost);
    away.or_else(|| facts.workers().next())
}

/// The same, for a victim that cannot do without.
pub(crate) fn a_worker(facts: &ClusterFacts) -> Result<&NodeFacts, FaultError> {
    quiet_worker(facts).ok_or_else(|| FaultError::Unfit("there is no worker node".into()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Workers by name and zone.
    pub(crate) fn facts(workers: &[(&str, Option<&str>)]) -> ClusterFacts {
        let node = |(name, zone): &(&str, Option<&str>)| NodeFacts {
            name: (*name).into(),
            zone: zone.map(str::to_owned),
            control_plane: false,
            schedulable: true,
            allocatable: loopdrill_kubernetes::Resources {
                cpu_millis: 2000,
                memory_bytes: 1 << 30,
                ..Default::default()
            },
        };
        ClusterFacts { nodes: workers.iter().map(node).collect(), ..ClusterFacts::default() }
    }

    #[test]
    fn the_smallest_zone_is_lost_and_victims_stay_out_of_it() {
        let facts = facts(&[("x", Some("a")), ("y", Some("a")), ("z", Some("b"))]);
        assert_eq!(zone_to_lose(&facts), Some(("b", vec!["z"])));
        assert_eq!(zone_that_stays(&facts), Some(("a", vec!["x", "y"])));
        assert_eq!(quiet_worker(&facts).map(|n| n.name.as_str()), Some("x"));
    }

    #[test]
    fn without_a_second_zone_none_can_be_lost() {
        let facts = facts(&[("x", None), ("y", Some("a"))]);
        assert_eq!(zone_to_lose(&facts), None);
        assert_eq!(quiet_worker(&facts).map(|n| n.name.as_str()), Some("x"));
        assert!(quiet_worker(&ClusterFacts::default()).is_none());
    }
}
