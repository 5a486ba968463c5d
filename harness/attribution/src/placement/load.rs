//! What nodes hold already: resources, ports, volumes, and pods that others want near or apart.
//!
//! Invariants:
//! - Nothing is gone through before somebody asks, and pods are found by the world's indexes.
//! - What pods of one kind have in common is counted once, however many of them wait.

use crate::world::{Key, Seen, World};
use loopdrill_kubernetes::PodView;
use loopdrill_model::signal::*;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

/// Pods of a term by place: how many, and one of them.
pub(super) type Places<'w> = Rc<BTreeMap<String, (u32, &'w Seen<Pod>)>>;
/// A question about pods that has been answered: whose namespace, which terms.
type Asked = (String, Vec<PodTerm>);

/// A node and a driver.
type OnNode<'w> = (&'w str, String);

/// What all nodes hold.
pub(super) struct Load<'w> {
    pub(super) world: &'w World,
    places: RefCell<HashMap<Asked, Places<'w>>>,
    /// By pod and constraint: how many places there are, and how many pods the emptiest has.
    emptiest: RefCell<HashMap<(String, Spread), (usize, u32)>>,
    volumes: RefCell<HashMap<OnNode<'w>, Rc<BTreeSet<String>>>>,
    no_labels: Labels,
}

impl<'w> Load<'w> {
    pub(super) fn of(world: &'w World) -> Self {
        Self {
            world,
            places: RefCell::default(),
            emptiest: RefCell::default(),
            volumes: RefCell::default(),
            no_labels: Labels::new(),
        }
    }

    /// The pods that hold something of the node.
    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        self.world.pods_on(node).filter(holds)
    }

    /// Pods on nodes that have terms of their own about whom they want apart.
    pub(super) fn apart(&self) -> impl Iterator<Item = &'w Seen<Pod>> + use<'w> {
        self.world.pods.by(&Key::Apart).filter(holds)
    }

    /// A pod on a node that mounts the claim.
    pub(super) fn user_of(&self, namespace: &str, claim: &str) -> Option<&'w Seen<Pod>> {
        self.world.pods.by(&Key::Claim(namespace.to_owned(), claim.to_owned())).find(holds)
    }

    /// A pod as terms look at it.
    pub(super) fn view<'a>(&'a self, pod: &'a Pod) -> PodView<'a> {
        let namespace = self.world.namespaces.find("", &pod.namespace);
        let namespace_labels = namespace.map_or(&self.no_labels, |n| &n.labels);
        PodView { namespace: &pod.namespace, namespace_labels, labels: &pod.labels }
    }

    /// Where pods are that all of the terms of a pod in namespace `own` are about, by the place of the first term.
    pub(super) fn places(&self, own: &str, terms: &[PodTerm]) -> Places<'w> {
        let asked = (own.to_owned(), terms.to_vec());
        if let Some(known) = self.places.borrow().get(&asked) {
            return Rc::clone(known);
        }
        let mut places: BTreeMap<String, (u32, &Seen<Pod>)> = BTreeMap::new();
        for node in self.world.nodes.iter() {
            let Some(place) = terms.first().and_then(|t| node.labels.get(&t.topology_key)) else { continue };
            let meant = |p: &&'w Seen<Pod>| terms.iter().all(|t| t.selects(own, &self.view(p)));
            for pod in self.on(&node.name).filter(meant) {
                places.entry(place.to_owned()).or_insert((0, pod)).0 += 1;
            }
        }
        let places = Rc::new(places);
        self.places.borrow_mut().insert(asked, Rc::clone(&places));
        places
    }

    /// How many places a constraint of the pod has, and how many of the pods that count are in the emptiest.
    pub(super) fn emptiest(&self, pod: &Pod, spread: &Spread) -> (usize, u32) {
        let asked = (pod.uid.clone(), spread.clone());
        if let Some(known) = self.emptiest.borrow().get(&asked) {
            return *known;
        }
        let places = self.places(&pod.namespace, &[counted(spread)]);
        let nodes = self.world.nodes.iter().filter(|n| makes_place(spread, pod, n));
        let open: BTreeSet<&String> =
            nodes.filter_map(|n| n.object.labels.get(&spread.topology_key)).collect();
        let counts = open.iter().map(|place| places.get(*place).map_or(0, |(n, _)| *n));
        let answer = (open.len(), counts.min().unwrap_or(0));
        self.emptiest.borrow_mut().insert(asked, answer);
        answer
    }

    /// The value of a node's label.
    pub(super) fn place(&self, node: &str, key: &str) -> Option<&'w str> {
        self.world.nodes.find("", node)?.object.labels.get(key).map(String::as_str)
    }

    /// The volumes of a driver that pods on the node use; of a claim without one, the claim.
    pub(super) fn volumes(&self, node: &'w str, driver: &str) -> Rc<BTreeSet<String>> {
        let asked = (node, driver.to_owned());
        if let Some(known) = self.volumes.borrow().get(&asked) {
            return Rc::clone(known);
        }
        let used = self.on(node).flat_map(|p| volumes_of(self.world, p)).filter(|(d, _)| d == driver);
        let used = Rc::new(used.map(|(_, volume)| volume).collect());
        self.volumes.borrow_mut().insert(asked, Rc::clone(&used));
        used
    }
}

/// Whether a pod is on a node, and not over.
fn holds(pod: &&Seen<Pod>) -> bool {
    pod.node.is_some() && !matches!(pod.phase.as_str(), "Succeeded" | "Failed")
}

/// The pods that a constraint counts, as a term.
pub(super) fn counted(spread: &Spread) -> PodTerm {
    PodTerm {
        topology_key: spread.topology_key.clone(),
        selector: spread.selector.clone(),
        ..PodTerm::default()
    }
}

/// Whether the node makes a place by the constraint's policies.
fn makes_place(spread: &Spread, pod: &Pod, node: &Node) -> bool {
    let (rules, view) = (super::rules(pod), super::view(node));
    (spread.ignores_affinity || rules.want(&view))
        && (!spread.honors_taints || rules.repelled_by(&view).is_none() && !rules.kept_off_by_cordon(&view))
}

/// The volumes that a pod uses through claims: driver, and name. A claim that is not bound will be its class' driver's.
pub(super) fn volumes_of<'a>(world: &'a World, pod: &'a Pod) -> impl Iterator<Item = (String, String)> + 'a {
    pod.claims.iter().filter_map(|name| {
        let claim = world.claims.find(&pod.namespace, name)?;
        if let Some(volume) = &claim.volume {
            let driver = world.volumes.find("", volume)?.driver.clone()?;
            return Some((driver, volume.clone()));
        }
        let class = world.classes.find("", claim.class.as_deref()?)?;
        Some((class.provisioner.clone(), format!("{}/{name}", pod.namespace)))
    })
}
