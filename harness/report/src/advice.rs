//! What to do next about each cause: one command to look closer, one to mend it, from the table of causes; for findings
//! and for `loopdrill explain CAUSE`.

use loopdrill_model::{Cause, Subject};

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// A command that shows more.
    pub look: String,
    /// How it is mended, as far as that can be said for all clusters.
    pub mend: String,
}

/// What to do about a cause, with the names of what a finding is about; what it does not name stays in capitals.
#[must_use]
pub fn advice(cause: Cause, about: &[Subject]) -> Advice {
    Advice { look: fill(cause.look(), about), mend: fill(cause.mend(), about) }
}

/// Places in a command, and of which kind the subject is whose name, or namespace, goes there.
const PLACES: &[(&str, &str)] = &[
    ("POD", "Pod"),
    ("NODE", "Node"),
    ("CLAIM", "PersistentVolumeClaim"),
    ("VOLUME", "PersistentVolume"),
    ("SERVICE", "Service"),
    ("ACCOUNT", "ServiceAccount"),
    ("LEVEL", "PriorityLevelConfiguration"),
];

fn fill(command: &str, about: &[Subject]) -> String {
    let place = |word: &str| {
        let bare = word.trim_end_matches([',', ';', '.', ':']);
        let name = match bare {
            "NAMESPACE" => about.iter().map(|s| &s.namespace).find(|n| !n.is_empty()).cloned(),
            _ if bare.ends_with("NAMESPACE:ACCOUNT") => find(about, "ServiceAccount")
                .map(|s| bare.replace("NAMESPACE:ACCOUNT", &format!("{}:{}", s.namespace, s.name))),
            _ => {
                let kind = PLACES.iter().find(|(place, _)| *place == bare).map(|(_, kind)| kind);
                kind.and_then(|kind| find(about, kind)).map(|s| s.name.clone())
            }
        };
        name.map_or_else(|| word.to_owned(), |name| format!("{name}{}", &word[bare.len()..]))
    };
    command.split(' ').map(place).collect::<Vec<_>>().join(" ")
}

fn find<'a>(about: &'a [Subject], kind: &str) -> Option<&'a Subject> {
    about.iter().find(|s| s.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_their_places_and_what_is_not_known_stays() {
        let about = [Subject::new("Pod", "shop", "web-1"), Subject::new("ServiceAccount", "shop", "web")];
        let rbac = advice(Cause::RbacDenied, &about);
        assert!(rbac.look.ends_with("-n shop --as system:serviceaccount:shop:web"), "{}", rbac.look);
        let exit = advice(Cause::ApplicationExit, &about);
        assert_eq!(exit.look, "kubectl -n shop logs web-1 --previous --tail 50");
        assert_eq!(advice(Cause::NodeDown, &[]).look, "kubectl describe node NODE");
        let ends = advice(Cause::SessionRevoked, &about).mend;
        assert_eq!(ends, "kubectl -n shop delete pod web-1: a new pod takes a new session");
    }

    #[test]
    fn every_cause_has_a_command_and_a_remedy() {
        for cause in Cause::ALL {
            let advice = advice(*cause, &[]);
            assert!(!advice.look.is_empty() && !advice.mend.is_empty(), "{cause}");
        }
    }
}
