//! Whether this is the cluster that the file names, and whether it may be drilled.

use crate::{TargetFile, look_alike};
use jiff::civil::Date;
use loopdrill_kubernetes::Labels;

/// The annotation of the namespace `kube-system` by which a cluster says what it is for.
pub const ENVIRONMENT: &str = "loopdrill.dev/environment";

/// What was seen of the cluster, before anything was done to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The context by which it was reached.
    pub context: String,
    /// What the kubeconfig calls its cluster and user, and the host of its API server.
    pub names: Vec<String>,
    /// The uid of the namespace `kube-system`.
    pub uid: String,
    /// Labels and annotations of the namespace `kube-system`.
    pub marks: Labels,
    /// Its namespaces.
    pub namespaces: Vec<String>,
    /// Its nodes.
    pub nodes: Vec<SeenNode>,
}

/// A node that was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenNode {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Labels,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether ordinary pods may run on it now.
    pub takes_pods: bool,
}

/// Why a cluster is not drilled. Nothing was touched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The command says another context than the file.
    #[error(
        "--context is {asked}, and the target file is about {named}; name the file of {asked}, or write one with \
         `loopdrill target init --context {asked}`"
    )]
    OtherContext {
        /// What was asked for.
        asked: String,
        /// What the file names.
        named: String,
    },
    /// The context leads to another cluster.
    #[error(
        "context {context} leads to another cluster than the target file's: its kube-system has the uid {found}, the \
         file says {wanted}; see where the context points (`kubectl config view --minify --context {context}`), or \
         write the file anew if the cluster was made anew"
    )]
    OtherCluster {
        /// The context.
        context: String,
        /// The uid that was found.
        found: String,
        /// The file's.
        wanted: String,
    },
    /// The cluster itself says that it is for something else.
    #[error(
        "the cluster says that it is for {says} (annotation {ENVIRONMENT} of kube-system), and the target file says \
         {file}; the cluster's owner must put one of the two right"
    )]
    Contradiction {
        /// What the cluster says.
        says: String,
        /// What the file says.
        file: String,
    },
    /// It looks like production.
    #[error(
        "this looks like production: {}; drill another cluster, or give `production: {{reason: …, until: YYYY-MM-DD}}` \
         in the target file if this one may be drilled",
        signs.join("; ")
    )]
    Production {
        /// What looks like it.
        signs: Vec<String>,
    },
    /// The exception is over.
    #[error(
        "this looks like production ({}), and the exception ({reason}) ended on {until}; ask its owner for another date",
        signs.join("; ")
    )]
    Expired {
        /// What looks like it.
        signs: Vec<String>,
        /// The exception's reason.
        reason: String,
        /// Its last day.
        until: Date,
    },
    /// No node is allowed.
    #[error(
        "no node on which pods may run now has the labels of `nodes.selector` ({selector}); label one with \
         `kubectl label node NODE {selector}`, or correct the selector"
    )]
    NoNode {
        /// The selector.
        selector: String,
    },
}

/// Refuses what is not the file's cluster, and what looks like production without an exception that still holds.
///
/// # Errors
/// The first thing that is wrong.
pub fn guard(file: &TargetFile, seen: &Seen, today: Date) -> Result<(), Refusal> {
    identity(file, seen)?;
    environment(file, seen, today)?;
    let allowed = |n: &&SeenNode| n.takes_pods && file.has_node(&n.labels);
    if seen.nodes.iter().any(|n| allowed(&n)) {
        return Ok(());
    }
    let selector = file.nodes.selector.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>();
    let selector = if selector.is_empty() { "any".into() } else { selector.join(",") };
    Err(Refusal::NoNode { selector })
}

fn identity(file: &TargetFile, seen: &Seen) -> Result<(), Refusal> {
    if file.context != seen.context {
        return Err(Refusal::OtherContext { asked: seen.context.clone(), named: file.context.clone() });
    }
    match file.cluster_uid == seen.uid {
        true => Ok(()),
        false => Err(Refusal::OtherCluster {
            context: seen.context.clone(),
            found: seen.uid.clone(),
            wanted: file.cluster_uid.clone(),
        }),
    }
}

fn environment(file: &TargetFile, seen: &Seen, today: Date) -> Result<(), Refusal> {
    if let Some(says) = seen.marks.get(ENVIRONMENT).filter(|says| **says != file.environment) {
        return Err(Refusal::Contradiction { says: says.clone(), file: file.environment.clone() });
    }
    let signs = look_alike::signs(Some(&file.environment), seen);
    match &file.production {
        _ if signs.is_empty() => Ok(()),
        Some(exception) if today <= exception.until => Ok(()),
        Some(exception) => {
            Err(Refusal::Expired { signs, reason: exception.reason.clone(), until: exception.until })
        }
        None => Err(Refusal::Production { signs }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::file::tests::file;
    use jiff::civil::date;

    const TODAY: Date = date(2026, 11, 28);

    pub(crate) fn seen() -> Seen {
        let node = |name: &str| SeenNode {
            name: name.into(),
            labels: Labels::from([("pool".into(), "drills".into())]),
            ready: true,
            takes_pods: true,
        };
        Seen {
            context: "staging".into(),
            names: vec!["staging-eu".into(), "https://api.staging.example.com".into()],
            uid: "6e6c2a3a-5a0f-4b0c-9f1e-0d8a6c1d2e3f".into(),
            namespaces: vec!["default".into(), "kube-system".into(), "products".into()],
            nodes: vec![node("a"), node("b")],
            ..Seen::default()
        }
    }

    fn judged(change: impl FnOnce(&mut TargetFile, &mut Seen)) -> Result<(), Refusal> {
        let (mut file, mut seen) = (file(|t| t).expect("good"), seen());
        change(&mut file, &mut seen);
        guard(&file, &seen, TODAY)
    }

    fn label(seen: &mut Seen, key: &str, value: &str) {
        seen.nodes[0].labels.insert(key.into(), value.into());
    }

    fn exception(file: &mut TargetFile, until: Date) {
        file.production = Some(crate::Production { reason: "game day".into(), until });
    }

    #[test]
    fn the_files_own_cluster_is_drilled() {
        assert_eq!(judged(|_, _| {}), Ok(()));
        assert_eq!(judged(|_, seen| drop(seen.marks.insert(ENVIRONMENT.into(), "staging".into()))), Ok(()));
        let on_its_last_day = judged(|file, seen| {
            seen.names.push("prod".into());
            exception(file, TODAY);
        });
        assert_eq!(on_its_last_day, Ok(()));
    }

    #[test]
    fn names_that_only_resemble_production_are_fine() {
        for name in
            ["nonprod", "non-prod-eu", "pre-production", "preprod", "product-team", "alive", "delivery"]
        {
            assert_eq!(judged(|_, seen| seen.names.push(name.into())), Ok(()), "{name}");
        }
    }

    #[test]
    fn each_refusal_says_why_and_what_next() {
        type Case = (&'static str, fn(&mut TargetFile, &mut Seen));
        let refused: [Case; 13] = [
            ("another context", |_, s| s.context = "prod".into()),
            ("right name, other cluster", |_, s| s.uid = "9d1f".into()),
            ("the cluster says otherwise", |_, s| {
                s.marks.insert(ENVIRONMENT.into(), "production".into());
            }),
            ("it says otherwise, whatever exception there is", |f, s| {
                s.marks.insert(ENVIRONMENT.into(), "production".into());
                exception(f, date(2027, 1, 1));
            }),
            ("the name of the cluster", |_, s| s.names.push("shop-prod2-eu".into())),
            ("the host of the API server", |_, s| s.names.push("https://k8s.prd.example.com:6443".into())),
            ("a label of a node", |_, s| label(s, "example.com/environment", "Production")),
            ("a label of kube-system", |_, s| {
                s.marks.insert("env".into(), "live".into());
            }),
            ("a namespace", |_, s| s.namespaces.push("shop-production".into())),
            ("the file itself", |f, _| f.environment = "production".into()),
            ("its size", |_, s| {
                let node = s.nodes[0].clone();
                s.nodes.resize(51, node);
            }),
            ("an exception that is over", |f, s| {
                s.names.push("prod".into());
                exception(f, date(2026, 11, 27));
            }),
            ("no node", |_, s| s.nodes.iter_mut().for_each(|n| n.labels.clear())),
        ];
        let told = refused.map(|(what, change)| {
            let refusal = judged(change).expect_err(what);
            format!("{what}\n  {refusal}")
        });
        insta::assert_snapshot!(told.join("\n"));
    }
}
