//! What a pod asks a node for, as the scheduler counts it.

use crate::resources::{CPU, HUGE_PAGES, Resources};

/// Amounts in the API's notation by resource name, as in `requests`.
pub type Amounts<'a> = Vec<(&'a str, &'a str)>;

/// What a container declares, or a pod as a whole, and what a resize in place has made of it so far.
#[derive(Debug, Clone, Default)]
pub struct ContainerAmounts<'a> {
    /// `resources.requests`.
    pub requests: Amounts<'a>,
    /// `resources.limits`: where they name no request, the API server takes the limit for it.
    pub limits: Amounts<'a>,
    /// What its status says that it was promised and has: `allocatedResources`, `resources.requests`.
    pub held: Vec<Amounts<'a>>,
    /// An init container with `restartPolicy: Always`, which stays beside the containers.
    pub sidecar: bool,
}

/// Everything of a pod's specification and status that decides how much it asks for.
#[derive(Debug, Clone, Default)]
pub struct PodAmounts<'a> {
    /// Its containers.
    pub containers: Vec<ContainerAmounts<'a>>,
    /// Its init containers, in their order.
    pub init: Vec<ContainerAmounts<'a>>,
    /// Its own `resources`.
    pub level: ContainerAmounts<'a>,
    /// Its `overhead`.
    pub overhead: Amounts<'a>,
    /// The kubelet says that a resize in place cannot be done: what is held counts, and not what is asked for.
    pub infeasible_resize: bool,
}

impl ContainerAmounts<'_> {
    fn declared(&self) -> Resources {
        let limits = self.limits.iter().filter(|(name, _)| !self.requests.iter().any(|(n, _)| n == name));
        Resources::of(self.requests.iter().chain(limits).copied())
    }

    /// During a resize the largest of what it asks for, was promised and has.
    fn effective(&self, infeasible_resize: bool) -> Resources {
        let held = self.held.iter().map(|amounts| Resources::of(amounts.iter().copied()));
        let held = held.reduce(|a, b| a.max(&b));
        match held {
            Some(held) if infeasible_resize => held,
            Some(held) => self.declared().max(&held),
            None => self.declared(),
        }
    }
}

impl PodAmounts<'_> {
    /// The effective requests: containers and sidecars together, or the largest init container with the sidecars that
    /// were started before it, whichever is more; what the pod as a whole declares instead; its overhead; and one pod.
    #[must_use]
    pub fn requests(&self) -> Resources {
        let together =
            |sum: Resources, c: &ContainerAmounts<'_>| sum.plus(&c.effective(self.infeasible_resize));
        let main = self.containers.iter().fold(Resources::default(), together);
        let (mut sidecars, mut starting) = (Resources::default(), Resources::default());
        for init in &self.init {
            let running = together(sidecars.clone(), init);
            starting = starting.max(&running);
            if init.sidecar {
                sidecars = running;
            }
        }
        let mut total = main.plus(&sidecars).max(&starting);
        self.declare_whole(&mut total);
        total = total.plus(&Resources::of(self.overhead.iter().copied()));
        total.pods = 1;
        total
    }

    /// Puts what is declared for the pod as a whole in the place of the sum: its requests, and its limits of what nothing
    /// in it requests.
    fn declare_whole(&self, total: &mut Resources) {
        let whole = self.level.effective(self.infeasible_resize);
        for (name, _) in self.level.requests.iter().filter(|(name, _)| has_pod_level(name)) {
            total.set(name, whole.get(name));
        }
        for (name, _) in self.level.limits.iter().filter(|(name, _)| has_pod_level(name)) {
            if total.get(name) == 0 && !self.level.requests.iter().any(|(n, _)| n == name) {
                total.set(name, whole.get(name));
            }
        }
    }
}

/// Resources that can be declared for a pod as a whole; of others such a declaration is passed over.
fn has_pod_level(name: &str) -> bool {
    name == CPU || name == "memory" || name.starts_with(HUGE_PAGES)
}
